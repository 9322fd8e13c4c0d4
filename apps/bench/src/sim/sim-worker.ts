/** One thread of a scenario: `parallel.ts` starts it. */
import { parentPort, workerData } from 'node:worker_threads';
import { joinCrew, LatencyMatrix } from '@molia/sim';
import type { Job, Told } from './parallel.ts';
import { type Scenario, scenarios } from './scenarios/index.ts';

const { place, name, matrix, options }: Job = workerData;
/** Faster than anybody reads, and slow enough to cost nothing. */
const TELL_EVERY_MS = 100;
const isFirst = place.worker === 0;

function tell(told: Told): void {
  if (isFirst) parentPort?.postMessage(told);
}

let toldMs = 0;
const outcome = joinCrew(place, (crew) =>
  (scenarios[name] as Scenario).run({
    ...options,
    matrix: new LatencyMatrix(matrix.cells, matrix.options),
    progress: (progress) => {
      const now = performance.now();
      if (now - toldMs < TELL_EVERY_MS && progress.share < 1) return;
      toldMs = now;
      tell({ progress });
    },
    stopped: () => options.stop !== undefined && Atomics.load(options.stop, 0) !== 0,
    crew,
  }),
);
tell({ outcome });
