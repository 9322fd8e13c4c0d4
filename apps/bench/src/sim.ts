/** `npm run sim -- <scenario>`: networks of the daemon's own engines in virtual time, from a seed. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { commit } from './report.ts';
import { ABLATIONS } from './sim/ablations.ts';
import { campaign, entries } from './sim/campaign.ts';
import { ProgressLine } from './sim/console.ts';
import { ensureHeap, heapMiB } from './sim/heap.ts';
import { htmlReport } from './sim/report-html.ts';
import { tableOf } from './sim/report-text.ts';
import { commandOf, type Plan, runSeeds } from './sim/run-seeds.ts';
import { type Scenario, scenarios } from './sim/scenarios/index.ts';
import { type Populating, populatings } from './sim/scenarios/scenario.ts';
import { summarise } from './sim/summary.ts';

interface Options {
  nodes: number;
  seed: number;
  seeds: number;
  lookups: number;
  baseline: boolean;
  without: string[];
  population: Populating;
  workers: number;
  watch?: boolean;
  hours?: number;
  stable?: number;
  json?: string;
  html?: string;
}

/** Above, watching every event would take more memory and time than the run. */
const WATCHED_NODES_MAX = 300;

function natural(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n <= 0) throw new InvalidArgumentError('a positive integer is expected.');
  return n;
}

function positive(text: string): number {
  const n = Number(text);
  if (!(Number.isFinite(n) && n > 0)) throw new InvalidArgumentError('a positive number is expected.');
  return n;
}

function part(text: string): number {
  const n = Number(text);
  if (!(n >= 0 && n < 1)) throw new InvalidArgumentError('a share from 0 to below 1 is expected.');
  return n;
}

function rule(text: string, before: string[]): string[] {
  const known = Object.keys(ABLATIONS);
  const chosen = text === 'each' ? known : [text];
  if (!chosen.every((name) => known.includes(name)))
    throw new InvalidArgumentError(`one of ${known.join(', ')}, or each, is expected.`);
  return [...new Set([...before, ...chosen])];
}

const names = Object.keys(scenarios);
const program = new Command('sim')
  .description('Simulates a network of Molia nodes; every figure is simulated, and repeats from its seed.')
  .argument('<scenario>', `one of ${names.join(', ')}`)
  .option('--nodes <n>', 'nodes', natural, 200)
  .option('--seed <n>', 'the same seed gives the same history', natural, 1)
  .option('--seeds <count>', 'so many seeds in a row: medians and 95 % confidence intervals', natural, 1)
  .option('--lookups <n>', 'operations of each measurement', natural, 200)
  .option('--baseline', 'also run textbook Kademlia on the same seeds', false)
  .option(
    '--without <rule>',
    `also run with one rule of lookups off, again and again: ${Object.keys(ABLATIONS).join(', ')}, each`,
    rule,
    [],
  )
  .addOption(
    new Option(
      '--population <way>',
      'joined: one after the other; oracle: all at once, with tables from the truth; compact: as oracle, for a million',
    )
      .choices(populatings)
      .default('joined'),
  )
  .option('--workers <n>', 'threads; the history is the same for any number', natural, 1)
  .option('--hours <h>', 'kad, partition, minority, liars: simulated hours', positive)
  .option('--stable <share>', 'churn: share of the nodes that never leave', part)
  .option('--watch', `check invariants at every event (default up to ${WATCHED_NODES_MAX} nodes, one worker)`)
  .option('--no-watch', 'check none')
  .option('--json <file>', 'write figures and curves to a file')
  .option('--html <file>', 'write a page with plots')
  .configureOutput({ outputError: (text, write) => write(text) })
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
  .addHelpText(
    'after',
    `
Scenarios:
${Object.entries(scenarios)
  .map(([name, { demands }]) => `  ${name.padEnd(11)} ${demands}`)
  .join('\n')}

Examples:
  npm run sim -- steady --nodes 300 --baseline --html steady.html
  npm run sim -- churn --nodes 1000 --population oracle --seeds 5 --json churn.json
  npm run sim -- kad --hours 2
  npm run sim -- steady --population compact --nodes 10000 --without proximity --without parallel
  npm run sim -- chaos --seed 7            the same history as every run with seed 7

Ctrl-C ends a run with the figures there are. A run that breaks an invariant prints the command that repeats it, and
ends with status 1; bad options end with status 2.`,
  )
  .action(async (name: string, options: Options) => {
    const scenario = scenarios[name] as Scenario | undefined;
    if (scenario === undefined)
      return program.error(`error: unknown scenario '${name}': use one of ${names.join(', ')}`);
    if (options.watch === true && options.workers > 1)
      return program.error('error: --watch needs one worker: leave out --workers');
    const { nodes, seed, seeds, lookups, baseline, without, workers, population, hours, stable } = options;
    const plan: Plan = {
      scenario: name,
      nodes,
      seed,
      seeds,
      lookups,
      baseline,
      workers,
      without: Object.fromEntries(without.map((name) => [name, ABLATIONS[name] ?? {}])),
      population,
      watch: options.watch ?? (nodes <= WATCHED_NODES_MAX && workers === 1),
      ...(hours === undefined ? {} : { hours }),
      ...(stable === undefined ? {} : { stable }),
    };
    ensureHeap(heapMiB(options));
    const stop = new Int32Array(new SharedArrayBuffer(4));
    const line = new ProgressLine(process.stderr);
    process.on('SIGINT', () => {
      // The second time there is no patience left.
      if (Atomics.exchange(stop, 0, 1) !== 0) process.exit(130);
      line.end('stopping: the figures there are follow (once more to leave at once)');
    });
    const runs = await runSeeds(plan, stop, line).catch((error: Error) => {
      line.end(`failed: ${error.message}`);
      return [];
    });
    if (runs.length === 0) {
      process.exitCode = 1;
      return;
    }
    const summary = summarise(
      {
        command: commandOf(plan),
        commit: commit(),
        date: new Date().toISOString(),
        nodes,
        lookups,
        demands: scenario.demands,
      },
      runs,
    );
    process.stdout.write(tableOf(summary));
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(summary)}\n`);
    if (options.html !== undefined) writeFileSync(options.html, htmlReport(summary));
    const broken = runs.filter((run) => run.outcome.failures.length > 0);
    for (const run of broken) {
      for (const failure of run.outcome.failures) process.stderr.write(`broken: ${failure}\n`);
      process.stderr.write(`replay: ${commandOf(plan, run.seed, 1)}\n`);
    }
    if (broken.length > 0) process.exitCode = 1;
  });

interface CampaignFlags {
  out: string;
  jobs: number;
  only: string[];
}

program
  .command('campaign')
  .description(
    'runs every row of docs/benchmarks/simulated that is not there yet; hours, and safe to stop and start again',
  )
  .requiredOption('--out <folder>', 'where the JSON and HTML files go')
  .option('--jobs <n>', 'rows at once, each in a process of its own', natural, 1)
  .option('--only <names>', 'rows, separated by commas', (text) => text.split(','), [])
  .addHelpText(
    'after',
    `
Rows:
${entries.map(({ name, argv, minutes }) => `  ${name.padEnd(13)} ${String(minutes).padStart(4)} min  npm run sim -- ${argv}`).join('\n')}

Example:
  npm run sim -- campaign --out docs/benchmarks/simulated --jobs 2
  node tools/generate-simulated.mjs`,
  )
  .action(async ({ out, jobs, only }: CampaignFlags) => {
    const unknown = only.filter((name) => !entries.some((entry) => entry.name === name));
    if (unknown.length > 0)
      return program.error(`error: there is no row '${unknown.join("', '")}': see campaign --help`);
    const self = fileURLToPath(import.meta.url);
    const whole = await campaign({ out, jobs, only, program: self }, (line) =>
      process.stderr.write(`${line}\n`),
    );
    if (!whole) process.exitCode = 1;
  });

await program.parseAsync();
