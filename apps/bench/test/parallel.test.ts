import { fileURLToPath, pathToFileURL } from 'node:url';
import { createSeededRng } from '@molia/core';
import { LatencyMatrix } from '@molia/sim';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../../../tools/bundle.mjs';
import { type RunOptions, runScenario } from '../src/sim/parallel.ts';

let program: ReturnType<typeof bundle>;
beforeAll(() => {
  program = bundle(fileURLToPath(new URL('../src/sim/sim-worker.ts', import.meta.url)));
});
afterAll(() => program.remove());

const options: RunOptions = {
  nodes: 200,
  seed: 5,
  matrix: LatencyMatrix.plane(60, 80, createSeededRng(1)),
  baseline: false,
  lookups: 20,
  watch: false,
  replay: 'npm run sim -- steady --nodes 200 --seed 5',
  progress: () => {},
};
const run = (workers: number, changed: Partial<RunOptions> = {}, name = 'steady') =>
  runScenario(name, { ...options, ...changed }, workers, pathToFileURL(program.path));

describe('a scenario in several threads', () => {
  it.each(['oracle', 'compact'] as const)(
    'comes out as in one: 200 nodes, 2 workers, %s',
    async (population) => {
      const phases = new Set<string>();
      const crew = await run(2, { population, progress: ({ phase }) => phases.add(phase) });
      expect(crew).toEqual(await run(1, { population }));
      expect(crew.figures['gets that found']).toBeGreaterThan(0.9);
      expect(phases.size).toBeGreaterThan(1);
    },
  );

  it.each(['churn', 'mute'])('comes out as in one: %s, 3 workers', async (name) => {
    const small = { nodes: 30, lookups: 10 };
    expect(await run(3, small, name)).toEqual(await run(1, small, name));
  });

  it('rejects when a thread fails, and names a scenario that is not there', async () => {
    const nowhere = new URL('nowhere.mjs', import.meta.url);
    await expect(runScenario('steady', options, 2, nowhere)).rejects.toThrow(/Cannot find module .*nowhere/);
    await expect(run(2, {}, 'nothing')).rejects.toThrow("there is no scenario 'nothing'");
  });
});
