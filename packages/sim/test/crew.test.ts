import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { createSeededRng } from '@molia/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../../../tools/bundle.mjs';
import { createCrewMemory, failCrew, joinCrew, LatencyMatrix, placeRows } from '../src/index.ts';
import { everything, type Result, scripts } from './threads/scripts.ts';

let thread: ReturnType<typeof bundle>;
beforeAll(() => {
  thread = bundle(fileURLToPath(new URL('./threads/thread.ts', import.meta.url)));
});
afterAll(() => thread.remove());

/** What every thread of a crew made of a script: its result, or the message it ended with. */
function inThreads(workers: number, script: string, seed = 1): Promise<(Result | string)[]> {
  const memory = createCrewMemory(workers);
  return Promise.all(
    Array.from({ length: workers }, (_, worker) => {
      const one = new Worker(thread.path, { workerData: { place: { memory, worker }, script, seed } });
      return new Promise<Result | string>((resolve) => {
        one.on('message', resolve);
        one.on('error', (error) => resolve(error.message));
        one.on('exit', (code) => {
          if (code !== 0) failCrew(memory, `worker ${worker} ended with status ${code}`);
          resolve(`ended with status ${code}`);
        });
      });
    }),
  );
}

/** Equal for any number of workers. */
const shared = ({ digest, totals, heard, hosts }: Result) => ({ digest, totals, heard, hosts });

describe('a run shared by threads', () => {
  it.each([2, 3, 4])('has the history of a run in one thread: %i workers', async (workers) => {
    for (const seed of [1, 2]) {
      const alone = everything(seed);
      const crew = (await inThreads(workers, 'everything', seed)) as Result[];
      expect(alone.totals.datagramsDelivered, `seed ${seed}`).toBeGreaterThan(10_000);
      for (const result of crew) expect(shared(result), `seed ${seed}`).toEqual(shared(alone));
      expect(crew[0]?.posted, `seed ${seed}`).toBeGreaterThan(1_000);
      expect(crew[0]?.lookAheadMs, `seed ${seed}`).toBeGreaterThan(1);
    }
  });

  it('has it with a crew of one, too', () => {
    const place = { memory: createCrewMemory(1), worker: 0 };
    const one = joinCrew(place, (crew) => everything(3, crew));
    expect(shared(one)).toEqual(shared(everything(3)));
    expect(one.lookAheadMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('carries more at once than its mail boxes hold', async () => {
    const alone = scripts['flood']?.(1) as Result;
    const crew = (await inThreads(2, 'flood')) as Result[];
    for (const result of crew) expect(shared(result)).toEqual(shared(alone));
    // Boxes of one MiB hold 738 of these datagrams.
    expect(crew[0]?.posted).toBeGreaterThan(2_000);
  });

  it('ends in every thread with the message of the node that threw', async () => {
    const ends = await inThreads(3, 'throwing');
    for (const end of ends)
      expect(end).toMatch(/at 700 ms .*seed 1.*replay: script of seed 1: Error: broken node/);
  });

  it('ends when a thread dies without a word', async () => {
    const ends = await inThreads(2, 'dying');
    expect(ends.join('\n')).toMatch(/ended with status 3/);
    expect(ends).toHaveLength(2);
  });

  it.each([
    ['drawing', /different ways in different workers/],
    ['steering', /what node 17 does may not steer/],
    ['leaving', /different ways in different workers: worker \d (gathers|runs), worker \d does not/],
  ])(
    'ends, rather than hanging or lying, when a script is not the same everywhere: %s',
    async (script, message) => {
      for (const end of await inThreads(2, script)) expect(end).toMatch(message);
    },
  );

  it('gathers plain data as it is, infinities and bytes included, however long', () => {
    const place = { memory: createCrewMemory(1), worker: 0 };
    const value = {
      text: 'ü\u0000',
      numbers: [1.5, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN],
      bytes: Uint8Array.of(1, 2, 255),
      long: 'x'.repeat(600_000),
      nothing: null,
    };
    joinCrew(place, (crew) => expect(crew.gather(value)).toEqual([value]));
  });

  it('has 1 to 64 workers', () => {
    expect(() => createCrewMemory(0)).toThrow(RangeError);
    expect(() => createCrewMemory(65)).toThrow(RangeError);
    const memory = createCrewMemory(2);
    expect(() => joinCrew({ memory, worker: 2 }, () => 0)).toThrow(/between 0 and 1, not be 2/);
  });
});

describe('the places of hosts', () => {
  /** Three towns of 20, 20 and 10 rows, 80 ms apart, with rows 3 ms apart within. */
  const towns = new LatencyMatrix(
    Uint16Array.from({ length: 2500 }, (_, cell) => {
      const [a, b] = [cell % 50, Math.floor(cell / 50)];
      if (a === b) return 0;
      return Math.floor(a / 20) === Math.floor(b / 20) ? 30 : 800;
    }),
  );

  it('are given out town by town', () => {
    const two = placeRows(towns, 2);
    // 20 + 10 against 20 is more than the slack allows: the towns must be cut, yet both workers get their share.
    expect(two.filter((worker) => worker === 0).length).toBeGreaterThanOrEqual(22);
    expect(two.filter((worker) => worker === 1).length).toBeGreaterThanOrEqual(22);
    const four = new LatencyMatrix(
      Uint16Array.from({ length: 1600 }, (_, cell) => {
        const [a, b] = [cell % 40, Math.floor(cell / 40)];
        if (a === b) return 0;
        return Math.floor(a / 10) === Math.floor(b / 10) ? 30 : 800;
      }),
    );
    const placed = placeRows(four, 2);
    for (let row = 0; row < 40; row++) expect(placed[row]).toBe(placed[row - (row % 10)]);
    expect(placed.filter((worker) => worker === 0)).toHaveLength(20);
  });

  it('are the same for the same matrix, and all with one worker', () => {
    const matrix = LatencyMatrix.plane(40, 60, createSeededRng(4));
    expect(placeRows(matrix, 3)).toEqual(placeRows(matrix, 3));
    expect(new Set(placeRows(matrix, 3)).size).toBe(3);
    expect(new Set(placeRows(matrix, 1))).toEqual(new Set([0]));
  });
});
