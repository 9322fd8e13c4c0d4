/** `npm run bench -- <suite> [--json FILE]`: every figure that Molia claims, and the command that made it. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { installPeers } from './processes.ts';
import { Report } from './report.ts';

const PEERS = ['hyperdht', 'libp2p-kad-dht', 'bittorrent-dht'];
/** Of the suite `mainline` only: @molia/mainline over batches of datagrams, and a peer that speaks nothing else. */
const MAINLINE_PEERS = ['molia-batched', 'libtorrent'];
const SUITES = [
  'codec',
  'wireguard',
  'table',
  'erasure',
  'storage',
  'rpc',
  'network',
  'mainline',
  'crosscheck',
  'sim',
] as const;
type Suite = (typeof SUITES)[number];
/** Suites that compare processes which `--only` chooses, and suites that compare Molia with itself. */
const DRIVEN: readonly Suite[] = ['rpc', 'network', 'mainline'];
const ALONE: readonly Suite[] = ['crosscheck', 'sim'];

interface Options {
  json?: string;
  runs: number;
  seconds: number;
  nodes: number;
  count: number;
  records: number;
  directory: string;
  only: string[];
}

function positive(text: string): number {
  const n = Number(text);
  if (!Number.isFinite(n) || n <= 0) throw new InvalidArgumentError('a positive number is expected');
  return n;
}

async function runSuite(suite: Suite, options: Options, report: Report): Promise<void> {
  const { runs, seconds, nodes, count, only } = options;
  const drivers = suite === 'mainline' ? only : only.filter((name) => !MAINLINE_PEERS.includes(name));
  const needsPeers = DRIVEN.includes(suite) ? drivers.some((d) => d !== 'molia') : !ALONE.includes(suite);
  if (needsPeers) installPeers((line) => report.progress(line));
  switch (suite) {
    case 'codec':
      return (await import('./suites/codec.ts')).codec(report);
    case 'wireguard':
      return (await import('./suites/wireguard.ts')).wireguard(report);
    case 'table':
      return (await import('./suites/table.ts')).table(report);
    case 'erasure':
      return (await import('./suites/erasure.ts')).erasure({ runs, seconds: seconds / 10 }, report);
    case 'storage':
      return (await import('./suites/storage.ts')).storage(
        { records: options.records, seconds, runs, directory: options.directory },
        report,
      );
    case 'rpc':
      return (await import('./suites/rpc.ts')).rpc({ drivers, runs, seconds }, report);
    case 'network':
      return (await import('./suites/network.ts')).network(
        { drivers, runs, seconds, nodes, count, valueBytes: 200 },
        report,
      );
    case 'mainline':
      return (await import('./suites/mainline.ts')).mainlineSuite(
        { drivers, runs, seconds, nodes, count },
        report,
      );
    case 'sim':
      return (await import('./suites/sim.ts')).simSuite({ nodes, lookups: count, runs }, report);
    case 'crosscheck':
      return (await import('./suites/crosscheck.ts')).crosscheckSuite(
        { nodes, lookups: count, seed: 1 },
        report,
      );
  }
}

const program = new Command('bench')
  .description('Measures Molia, and its peers in the same run.')
  .argument('<suite>', `one of ${SUITES.join(', ')}, all`)
  .option('--json <file>', 'write the figures, every run and the machine to a file')
  .option('--runs <n>', 'runs of each implementation; medians are reported', positive, 3)
  .option('--seconds <s>', 'length of each rate measurement', positive, 5)
  .option('--nodes <n>', 'network, mainline, crosscheck, sim: nodes', positive, 64)
  .option(
    '--count <n>',
    'network, mainline: puts and gets; crosscheck: finds and gets; sim: finds',
    positive,
    200,
  )
  .option('--records <n>', 'storage: records', positive, 1_000_000)
  .option('--directory <path>', 'storage: where on the disk to be measured', '.molia/bench')
  .addOption(
    new Option('--only <names>', 'implementations, separated by commas')
      .argParser((text) => text.split(','))
      .default(['molia', ...PEERS, ...MAINLINE_PEERS], 'all'),
  )
  .addHelpText(
    'after',
    `
Examples:
  npm run bench -- network --json docs/benchmarks/network.json
  npm run bench -- rpc --only molia,hyperdht --runs 5
  npm run bench -- codec`,
  )
  .action(async (suite: string, options: Options) => {
    const chosen = suite === 'all' ? SUITES : SUITES.filter((s) => s === suite);
    if (chosen.length === 0)
      program.error(`unknown suite '${suite}': use one of ${SUITES.join(', ')}, all`, { exitCode: 2 });
    const report = new Report(`npm run bench -- ${process.argv.slice(2).join(' ')}`);
    for (const s of chosen) await runSuite(s, options, report);
    if (options.json) report.save(options.json);
  });

program
  .command('worker', { hidden: true })
  .argument('<role>')
  .argument('<driver>')
  .argument('<peers>')
  .action(async (role: string, driver: string, peers: string) => {
    await (await import('./worker.ts')).runWorker(role, driver, peers);
  });

program
  .command('storage-worker', { hidden: true })
  .argument('<step>')
  .argument('<store>')
  .argument('<path>')
  .argument('<records>')
  .argument('<seconds>')
  .action(async (step: string, store: string, path: string, records: string, seconds: string) => {
    const { storageWorker } = await import('./suites/storage.ts');
    await storageWorker(step, store, path, Number(records), Number(seconds));
  });

await program.parseAsync();
