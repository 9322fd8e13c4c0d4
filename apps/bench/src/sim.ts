/** `npm run sim -- <scenario>`: networks of the daemon's own engines in virtual time, from a seed. */
import { writeFileSync } from 'node:fs';
import { Command, InvalidArgumentError } from 'commander';
import { Report } from './report.ts';
import { planetLab } from './sim/matrices.ts';
import { htmlReport, type Run } from './sim/report-html.ts';
import { type Scenario, scenarios } from './sim/scenarios.ts';

interface Options {
  nodes: number;
  seed: number;
  lookups: number;
  baseline: boolean;
  json?: string;
  html?: string;
}

function natural(text: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n <= 0) throw new InvalidArgumentError('a positive integer is expected');
  return n;
}

const names = Object.keys(scenarios);
const program = new Command('sim')
  .description('Simulates a network of Molia nodes; every figure is simulated, and repeats from its seed.')
  .argument('<scenario>', `one of ${names.join(', ')}`)
  .option('--nodes <n>', 'nodes', natural, 200)
  .option('--seed <n>', 'the same seed gives the same history', natural, 1)
  .option('--lookups <n>', 'operations measured', natural, 200)
  .option('--baseline', 'also run textbook Kademlia on the same seed', false)
  .option('--json <file>', 'write figures and samples to a file')
  .option('--html <file>', 'write a page with plots')
  .action((name: string, options: Options) => {
    const scenario = scenarios[name] as Scenario | undefined;
    if (scenario === undefined) {
      program.error(`unknown scenario '${name}': use one of ${names.join(', ')}`, { exitCode: 2 });
      return;
    }
    const { nodes, seed, lookups } = options;
    const command = `npm run sim -- ${process.argv.slice(2).join(' ')}`;
    const report = new Report(command);
    const runs: Run[] = [];
    for (const baseline of options.baseline ? [false, true] : [false]) {
      const who = baseline ? 'plain Kademlia' : 'Molia';
      const started = performance.now();
      const outcome = scenario({
        nodes,
        seed,
        lookups,
        baseline,
        matrix: planetLab(),
        replay: `npm run sim -- ${name} --nodes ${nodes} --seed ${seed} --lookups ${lookups}${baseline ? ' --baseline' : ''}`,
        progress: (line) => report.progress(`${who}: ${line}`),
      });
      report.progress(
        `${who}: ${((performance.now() - started) / 1000).toFixed(1)} s, log ${outcome.digest.slice(0, 16)}`,
      );
      runs.push({ name: who, outcome });
    }
    report.table(
      `${runs[0]?.outcome.title} (simulated, ${nodes} nodes, seed ${seed})`,
      runs.map((run) => ({ name: run.name, values: run.outcome.figures })),
    );
    if (options.json !== undefined)
      writeFileSync(options.json, `${JSON.stringify({ v: 1, command, nodes, seed, runs }, jsonNumber)}\n`);
    if (options.html !== undefined) writeFileSync(options.html, htmlReport(command, runs));
    const failures = runs.flatMap((run) => run.outcome.failures);
    for (const line of failures) process.stderr.write(`broken: ${line}\n`);
    if (failures.length > 0) process.exitCode = 1;
  });

/** JSON has no infinity: a failure is null. */
function jsonNumber(_key: string, value: unknown): unknown {
  return value === Number.POSITIVE_INFINITY ? null : value;
}

program.parse();
