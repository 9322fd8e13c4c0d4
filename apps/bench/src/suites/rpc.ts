/** Two processes, one asks the other: PING and FIND_NODE per second, CPU per RPC on either side. */
import { Measured } from '../processes.ts';
import type { Report } from '../report.ts';
import { medians } from '../statistics.ts';

export interface RpcOptions {
  readonly drivers: readonly string[];
  readonly runs: number;
  readonly seconds: number;
}

/** Enough nodes that a FIND_NODE answer is full. */
const NODES = 24;
/** The library whose API has no single FIND_NODE request. */
const WITHOUT_FIND_NODE = ['libp2p-kad-dht'];

export async function rpc(options: RpcOptions, report: Report): Promise<void> {
  const rounds = new Map<string, Record<string, number>[]>();
  for (let run = 1; run <= options.runs; run++)
    for (const driver of options.drivers) {
      report.progress(`rpc: run ${run} of ${options.runs}, ${driver}`);
      const host = new Measured('host', driver);
      const client = new Measured('client', driver);
      try {
        const { bootstrap } = await host.startHost(NODES);
        await client.startClient(bootstrap);
        const row: Record<string, number> = {};
        for (const operation of ['ping', 'findNode'] as const) {
          if (operation === 'findNode' && WITHOUT_FIND_NODE.includes(driver)) continue;
          const before = await host.usage();
          const result = await client.run({
            kind: 'rate',
            operation,
            inFlight: 64,
            seconds: options.seconds,
          });
          const after = await host.usage();
          // The host also served the warm-up; its share is taken out by time.
          const share = result.seconds / (result.seconds + Math.min(1, options.seconds * 0.3));
          row[`${operation}/s`] = result.done / result.seconds;
          row[`${operation} client CPU µs`] = result.cpuMicros / result.done;
          row[`${operation} server CPU µs`] = ((after.cpuMicros - before.cpuMicros) * share) / result.done;
          row[`${operation} P99 ms`] = result.p99Ms;
        }
        rounds.set(driver, [...(rounds.get(driver) ?? []), row]);
      } finally {
        await client.close();
        await host.close();
      }
    }
  report.table(
    `rpc: two processes, 64 requests in flight for ${options.seconds} s; medians of ${options.runs} runs`,
    options.drivers.map((driver) => ({
      name: driver,
      values: medians(rounds.get(driver) ?? []),
      runs: rounds.get(driver) ?? [],
    })),
  );
}
