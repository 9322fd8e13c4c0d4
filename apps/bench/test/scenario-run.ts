/** Runs a scenario small, over a made-up plane of 40 places. */
import { createSeededRng } from '@molia/core';
import { LatencyMatrix } from '@molia/sim';
import { type Outcome, type ScenarioOptions, scenarios } from '../src/sim/scenarios/index.ts';

export const matrix = LatencyMatrix.plane(40, 60, createSeededRng(1));

export function run(name: string, options: Partial<ScenarioOptions> = {}): Outcome {
  const scenario = scenarios[name];
  if (scenario === undefined) throw new RangeError(`there is no scenario '${name}'`);
  const { nodes = 60, seed = 1, lookups = 60 } = options;
  return scenario.run({
    nodes,
    seed,
    matrix,
    baseline: false,
    lookups,
    watch: false,
    replay: `npm run sim -- ${name} --nodes ${nodes} --seed ${seed} --lookups ${lookups}`,
    progress: () => {},
    ...options,
  });
}
