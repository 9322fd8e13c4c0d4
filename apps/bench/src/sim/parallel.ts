/** A scenario in one thread or in several: what comes out is the same, for any number. */
import { Worker } from 'node:worker_threads';
import { type CrewPlace, createCrewMemory, failCrew, type LatencyMatrix } from '@molia/sim';
import { heapMiB } from './heap.ts';
import { type Outcome, type Progress, type ScenarioOptions, scenarios } from './scenarios/index.ts';

export type RunOptions = Omit<ScenarioOptions, 'crew' | 'stopped'> & {
  /** One cell of shared memory; once it is not 0, the run ends with what there is. Puts even one worker into a thread. */
  readonly stop?: Int32Array;
};

/** What a thread is given. */
export interface Job {
  readonly place: CrewPlace;
  readonly name: string;
  readonly matrix: Pick<LatencyMatrix, 'cells' | 'options'>;
  readonly options: Omit<RunOptions, 'matrix' | 'progress'>;
}

/** What a thread tells; the outcome comes from the first one only. */
export type Told = { readonly progress: Progress } | { readonly outcome: Outcome };

/**
 * Runs a scenario by name. `program`: the thread's program, unless it lies beside this one. Rejects with the message of
 * the thread that failed first, and leaves no thread behind.
 */
export async function runScenario(
  name: string,
  options: RunOptions,
  workers: number,
  program: URL = new URL('./sim-worker.js', import.meta.url),
): Promise<Outcome> {
  const scenario = scenarios[name];
  if (scenario === undefined) throw new RangeError(`there is no scenario '${name}'`);
  if (workers === 1 && options.stop === undefined) return scenario.run(options);
  const memory = createCrewMemory(workers);
  const { matrix, progress, ...plain } = options;
  let outcome: Outcome | undefined;
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    failCrew(memory, error.message);
  };
  const ended = Array.from({ length: workers }, (_, worker) => {
    const job: Job = {
      place: { memory, worker },
      name,
      matrix: { cells: matrix.cells, options: matrix.options },
      options: plain,
    };
    const thread = new Worker(program, {
      workerData: job,
      resourceLimits: { maxOldGenerationSizeMb: heapMiB(options) },
    });
    thread.on('message', (told: Told) => {
      if ('progress' in told) progress(told.progress);
      else outcome = told.outcome;
    });
    thread.on('error', fail);
    return new Promise<void>((resolve) => {
      thread.on('exit', (code) => {
        if (code !== 0) fail(new Error(`worker ${worker} ended with status ${code}`));
        resolve();
      });
    });
  });
  await Promise.all(ended);
  if (failure !== undefined) throw failure;
  return outcome as Outcome;
}
