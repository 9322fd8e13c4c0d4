/** The simulator itself: whether it repeats, and what a node costs. */
import { Stage, share } from './load.ts';
import type { Scenario } from './scenario.ts';

/**
 * The same network and the same lookups twice: their event logs must have one hash. Beside it the memory of a node and
 * events a second, which are measured on the machine that ran it and differ from run to run.
 */
export const sizes: Scenario = {
  title: 'The same seed twice, and what a node of the simulation costs',
  demands: 'equal histories; events a second and bytes a node',
  aims: [{ figure: 'histories that differ', most: 0 }],
  run: (options) => {
    const before = process.memoryUsage();
    const started = performance.now();
    const play = (): { stage: Stage; digest: string; found: number } => {
      const stage = new Stage(options);
      const finds = stage.finds('finds', options.lookups, 50);
      return { stage, digest: stage.simulator.digest(), found: share(finds) };
    };
    const { stage, digest, found } = play();
    const seconds = (performance.now() - started) / 1000;
    const after = process.memoryUsage();
    const used = (usage: NodeJS.MemoryUsage): number => usage.heapUsed + usage.arrayBuffers;
    const { events } = stage.simulator.totals();
    const again = play();
    return stage.outcome('sizes', sizes, {
      figures: {
        'histories that differ': digest === again.digest ? 0 : 1,
        'finds that converged': found,
        'events a second, measured': events / seconds,
        'simulated seconds a second, measured': stage.simulator.nowMs / 1000 / seconds,
        'bytes a node, measured': Math.max(0, used(after) - used(before)) / options.nodes,
      },
    });
  },
};
