/**
 * A network of 64 nodes in one process, two more nodes in another: put and get latency one at a time, lookups per
 * second with 64 in flight, memory per node. Every implementation takes its turn in every round.
 */
import { Measured } from '../processes.ts';
import type { Report } from '../report.ts';
import { medians, quantile } from '../statistics.ts';

export interface NetworkOptions {
  readonly drivers: readonly string[];
  readonly nodes: number;
  readonly runs: number;
  readonly seconds: number;
  readonly valueBytes: number;
  readonly count: number;
}

const finite = (samples: readonly (number | null)[]): number[] =>
  samples.map((s) => s ?? Number.POSITIVE_INFINITY);

export async function network(options: NetworkOptions, report: Report): Promise<void> {
  const rounds = new Map<string, Record<string, number>[]>();
  const encrypted = new Map<string, boolean>();
  for (let run = 1; run <= options.runs; run++)
    for (const driver of options.drivers) {
      report.progress(`network: run ${run} of ${options.runs}, ${driver}`);
      const host = new Measured('host', driver);
      const client = new Measured('client', driver);
      try {
        const started = await host.startHost(options.nodes);
        encrypted.set(driver, started.encrypted);
        const idle = await host.usage();
        await client.startClient(started.bootstrap);
        // A first round that does not count: sessions stand and code is compiled, as in any running node.
        await client.run({
          kind: 'store',
          count: Math.ceil(options.count / 2),
          valueBytes: options.valueBytes,
        });
        const stored = await client.run({
          kind: 'store',
          count: options.count,
          valueBytes: options.valueBytes,
        });
        const lookups = await client.run({
          kind: 'rate',
          operation: 'lookup',
          inFlight: 64,
          seconds: options.seconds,
        });
        const put = finite(stored.putMs);
        const get = finite(stored.getMs);
        const row = {
          'put P50 ms': quantile(put, 0.5),
          'put P95 ms': quantile(put, 0.95),
          'put P99 ms': quantile(put, 0.99),
          'get P50 ms': quantile(get, 0.5),
          'get P95 ms': quantile(get, 0.95),
          'get P99 ms': quantile(get, 0.99),
          'lookups/s': lookups.done / lookups.seconds,
          'lookup P99 ms': lookups.p99Ms,
          'lookup max ms': lookups.maxMs,
          'lookups failed': lookups.failed,
          'client CPU µs/lookup': lookups.cpuMicros / lookups.done,
          'RSS KiB/node': (idle.rssBytes - started.rssBefore) / options.nodes / 1024,
        };
        rounds.set(driver, [...(rounds.get(driver) ?? []), row]);
      } finally {
        await client.close();
        await host.close();
      }
    }
  report.table(
    `network: ${options.nodes} nodes, ${options.valueBytes}-byte values, ${options.count} puts and gets one at a time, ` +
      `${options.seconds} s of lookups with 64 in flight; medians of ${options.runs} runs`,
    options.drivers.map((driver) => ({
      name: driver,
      values: { encrypted: encrypted.get(driver) ? 1 : 0, ...medians(rounds.get(driver) ?? []) },
      runs: rounds.get(driver) ?? [],
    })),
  );
}
