/**
 * The Mainline DHT: @molia/mainline, bittorrent-dht and libtorrent. Clients of each take turns in one and the same network of our
 * nodes; servers of each, one at a time, answer the same load. Every node under measurement has a process of its own.
 */
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Program, type Rate, type Request, type Stored } from '../mainline/program.ts';
import type { Report } from '../report.ts';
import { medians, quantile } from '../statistics.ts';

export interface MainlineSuiteOptions {
  readonly drivers: readonly string[];
  readonly nodes: number;
  readonly runs: number;
  readonly seconds: number;
  readonly count: number;
}

const here = dirname(dirname(fileURLToPath(import.meta.url)));
const PYTHON = '/usr/bin/python3';
const VALUE_BYTES = 200;
/** Lookups under way at a client, and queries under way at a server. */
const LOOKUPS = 16;
const QUERIES = 64;
/** Nodes that a server has in its table, so that its answers are full ones. */
const NEIGHBOURS = 32;
const METHODS = ['ping', 'find_node', 'get_peers', 'get'] as const;

const dist = (name: string): string => join(here, 'dist', name);
const molia = (...args: string[]): Program =>
  new Program('molia', process.execPath, [dist('mainline-molia.js'), ...args]);

const PROGRAMS: Readonly<Record<string, () => Program>> = {
  molia: () => molia(),
  // Over @molia/native-shard instead of node:dgram.
  'molia-batched': () => molia('native'),
  'bittorrent-dht': () =>
    new Program('bittorrent-dht', process.execPath, [join(here, 'peers/mainline-bittorrent-dht.mjs')]),
  libtorrent: () =>
    new Program('libtorrent', PYTHON, ['-Wignore', join(here, 'peers/mainline-libtorrent.py')]),
};

export async function mainlineSuite(options: MainlineSuiteOptions, report: Report): Promise<void> {
  const drivers = options.drivers.filter((name) => {
    if (PROGRAMS[name] === undefined) return false;
    const there = name !== 'libtorrent' || spawnSync(PYTHON, ['-c', 'import libtorrent']).status === 0;
    if (!there) report.progress('mainline: libtorrent is left out, python3-libtorrent is not installed');
    return there;
  });
  const clients = new Map(drivers.map((name) => [name, [] as Record<string, number>[]]));
  const servers = new Map(drivers.map((name) => [name, [] as Record<string, number>[]]));
  for (let run = 1; run <= options.runs; run++)
    for (const name of drivers) {
      report.progress(`mainline: run ${run} of ${options.runs}, ${name} as a client`);
      clients.get(name)?.push(await clientRun(name, options));
      report.progress(`mainline: run ${run} of ${options.runs}, ${name} as a server`);
      servers.get(name)?.push(await serverRun(name, options));
    }
  const rows = (runs: Map<string, Record<string, number>[]>) =>
    [...runs].map(([name, found]) => ({ name, values: medians(found), runs: found }));
  report.table(
    `mainline: clients in one network of ${options.nodes} @molia/mainline servers, ${VALUE_BYTES}-byte values, ${options.count} ` +
      `puts and gets one at a time, ${options.seconds} s of lookups with ${LOOKUPS} in flight; medians of ${options.runs} runs`,
    rows(clients),
  );
  report.table(
    `mainline: servers that know ${NEIGHBOURS} nodes, ${QUERIES} queries under way for ${options.seconds} s; a core's second is ` +
      `one of CPU time by the server's own account; medians of ${options.runs} runs`,
    rows(servers),
  );
}

async function withPrograms<Result>(
  programs: readonly Program[],
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } finally {
    await Promise.all(programs.map((program) => program.close()));
  }
}

async function clientRun(name: string, options: MainlineSuiteOptions): Promise<Record<string, number>> {
  const network = molia();
  const client = (PROGRAMS[name] as () => Program)();
  return withPrograms([network, client], async () => {
    const ports = (await network.ask({ do: 'serve', count: options.nodes, ports: [] })) as number[];
    await client.ask({ do: 'join', ports: ports.slice(0, 8) });
    const store: Request = { do: 'store', count: options.count, valueBytes: VALUE_BYTES };
    // A first round that does not count: code is compiled and tables are full, as in any running node.
    await client.ask(store);
    await client.ask({ do: 'lookups', inFlight: LOOKUPS, seconds: Math.min(1, options.seconds) });
    const stored = (await client.ask(store)) as Stored;
    const packets = (await network.ask({ do: 'queries' })) as number;
    const cpu = (await client.ask({ do: 'cpu' })) as number;
    const found = (await client.ask({
      do: 'lookups',
      inFlight: LOOKUPS,
      seconds: options.seconds,
    })) as Rate;
    const used = ((await client.ask({ do: 'cpu' })) as number) - cpu;
    const asked = ((await network.ask({ do: 'queries' })) as number) - packets;
    const put = stored.putMs.map((ms) => ms ?? Number.POSITIVE_INFINITY);
    const get = stored.getMs.map((ms) => ms ?? Number.POSITIVE_INFINITY);
    return {
      'put P50 ms': quantile(put, 0.5),
      'put P95 ms': quantile(put, 0.95),
      'get P50 ms': quantile(get, 0.5),
      'get P95 ms': quantile(get, 0.95),
      'lookups/s': found.done / found.seconds,
      'lookups failed': found.failed,
      'packets/lookup': (2 * asked) / found.done,
      'client CPU µs/lookup': used / found.done,
    };
  });
}

async function serverRun(name: string, options: MainlineSuiteOptions): Promise<Record<string, number>> {
  const neighbours = molia();
  const server = (PROGRAMS[name] as () => Program)();
  const load = new Program('load', process.execPath, [dist('mainline-load.js')]);
  return withPrograms([neighbours, server, load], async () => {
    const ports = (await neighbours.ask({ do: 'serve', count: NEIGHBOURS, ports: [] })) as number[];
    const [port] = (await server.ask({ do: 'serve', count: 1, ports })) as [number];
    const row: Record<string, number> = {};
    for (const method of METHODS) {
      const ask = async (seconds: number): Promise<Rate & { answerBytes: number }> =>
        (await load.ask({ do: 'ask', port, method, inFlight: QUERIES, seconds })) as Rate & {
          answerBytes: number;
        };
      await ask(Math.min(1, options.seconds / 2));
      const before = (await server.ask({ do: 'cpu' })) as number;
      const { done, failed, seconds, answerBytes } = await ask(options.seconds);
      const cpu = ((await server.ask({ do: 'cpu' })) as number) - before;
      row[`${method}/s a core`] = (done / cpu) * 1e6;
      row[`${method}/s`] = done / seconds;
      row[`${method} answer bytes`] = answerBytes;
      row[`${method} unanswered`] = failed;
    }
    return row;
  });
}
