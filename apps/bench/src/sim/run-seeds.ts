/** One scenario under one or several seeds, with what it is compared with. */
import type { Tuning } from '@molia/kademlia';
import type { ProgressLine } from './console.ts';
import { planetLab } from './matrices.ts';
import { runScenario } from './parallel.ts';
import type { Populating } from './scenarios/scenario.ts';
import type { Run } from './summary.ts';

export interface Plan {
  readonly scenario: string;
  readonly nodes: number;
  /** The first of `seeds` seeds in a row. */
  readonly seed: number;
  readonly seeds: number;
  readonly lookups: number;
  readonly baseline: boolean;
  /** Changes of the engine, by name; each is a run of its own beside the whole. */
  readonly without: Readonly<Record<string, Partial<Tuning>>>;
  readonly population: Populating;
  readonly workers: number;
  readonly watch: boolean;
  readonly hours?: number;
  readonly stable?: number;
}

/** The options of `npm run sim` that make the same run again, without those that only say where results go. */
export function commandOf(plan: Plan, seed = plan.seed, seeds = plan.seeds): string {
  const { scenario, nodes, lookups, baseline, without, population, workers, watch, hours, stable } = plan;
  return [
    `npm run sim -- ${scenario} --nodes ${nodes} --seed ${seed}`,
    ...(seeds === 1 ? [] : [`--seeds ${seeds}`]),
    `--lookups ${lookups}`,
    ...(baseline ? ['--baseline'] : []),
    ...Object.keys(without).map((name) => `--without ${name}`),
    ...(population === 'joined' ? [] : [`--population ${population}`]),
    ...(workers === 1 ? [] : [`--workers ${workers}`]),
    ...(watch ? ['--watch'] : ['--no-watch']),
    ...(hours === undefined ? [] : [`--hours ${hours}`]),
    ...(stable === undefined ? [] : [`--stable ${stable}`]),
  ].join(' ');
}

/** Runs all; stops early, with what there is, once `stop` is set. Throws what a run threw, with its command. */
export async function runSeeds(plan: Plan, stop: Int32Array, line: ProgressLine): Promise<Run[]> {
  const runs: Run[] = [];
  const matrix = planetLab();
  const variants: [string, boolean, Partial<Tuning>][] = [
    ['Molia', false, {}],
    ...(plan.baseline ? [['plain Kademlia', true, {}] as [string, boolean, Partial<Tuning>]] : []),
    ...Object.entries(plan.without).map(([name, tuning]): [string, boolean, Partial<Tuning>] => [
      `without ${name}`,
      false,
      tuning,
    ]),
  ];
  for (let seed = plan.seed; seed < plan.seed + plan.seeds; seed++)
    for (const [name, baseline, tuning] of variants) {
      if (Atomics.load(stop, 0) !== 0) return runs;
      line.begin(`${plan.scenario}, ${name}, seed ${seed}`);
      const started = performance.now();
      const outcome = await runScenario(
        plan.scenario,
        {
          nodes: plan.nodes,
          seed,
          lookups: plan.lookups,
          baseline,
          matrix,
          tuning,
          population: plan.population,
          watch: plan.watch,
          replay: commandOf(plan, seed, 1),
          ...(plan.hours === undefined ? {} : { hours: plan.hours }),
          ...(plan.stable === undefined ? {} : { stable: plan.stable }),
          progress: (progress) => line.tell(progress),
          stop,
        },
        plan.workers,
      );
      const wallSeconds = (performance.now() - started) / 1000;
      line.end(
        `${plan.scenario}, ${name}, seed ${seed}: ${wallSeconds.toFixed(1)} s, log ${outcome.digest.slice(0, 16)}`,
      );
      runs.push({ name, seed, outcome, wallSeconds });
    }
  return runs;
}
