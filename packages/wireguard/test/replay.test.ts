import { createSeededRng } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { REPLAY_WINDOW } from '../src/constants.ts';
import { ReplayWindows } from '../src/replay.ts';

const REJECT = 2n ** 64n - 2n ** 13n - 1n;

function windowOf(): (counter: bigint | number) => boolean {
  const windows = new ReplayWindows();
  windows.grow(3);
  return (counter) => {
    const value = BigInt(counter);
    return windows.accept(1, Number(value & 0xffff_ffffn), Number(value >> 32n));
  };
}

function range(from: number, to: number): number[] {
  const step = from <= to ? 1 : -1;
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, i) => from + i * step);
}

describe('the replay window', () => {
  // The cases of wireguard-go, replay/replay_test.go, with its window of 8128.
  const limit = REPLAY_WINDOW + 1;
  const cases: [bigint | number, boolean][] = [
    [0, true],
    [1, true],
    [1, false],
    [9, true],
    [8, true],
    [7, true],
    [7, false],
    [limit, true],
    [limit - 1, true],
    [limit - 1, false],
    [limit - 2, true],
    [2, true],
    [2, false],
    [limit + 16, true],
    [3, false],
    [limit + 16, false],
    [limit * 4, true],
    [limit * 4 - (limit - 1), true],
    [10, false],
    [limit * 4 - limit, false],
    [limit * 4 - (limit + 1), false],
    [limit * 4 - (limit - 2), true],
    [limit * 4 + 1 - limit, false],
    [0, false],
    [REJECT, false],
    [REJECT - 1n, true],
    [REJECT, false],
    [REJECT - 1n, false],
    [REJECT - 2n, true],
    [REJECT + 1n, false],
    [REJECT + 2n, false],
    [REJECT - 2n, false],
    [REJECT - 3n, true],
    [0, false],
  ];

  it('accepts and refuses the 34 point cases in order', () => {
    const accept = windowOf();
    expect(cases.map(([counter]) => accept(counter))).toEqual(cases.map(([, accepted]) => accepted));
  });

  const window = REPLAY_WINDOW;
  it.each([
    ['all of it, then 0 once', [...range(1, window), 0], [0]],
    ['one past it, then 1 but not 0', [...range(2, window + 1), 1], [0]],
    ['downwards from its edge', range(window + 1, 1), []],
    ['downwards from beyond its edge', range(window + 2, 2), [0]],
    ['downwards, then one more, which ends 0', [...range(window, 1), window + 1], [0]],
    ['downwards, then 0, then one more', [...range(window, 1), 0, window + 1], []],
  ])('takes in bulk: %s', (_, accepted, refused) => {
    const accept = windowOf();
    expect(accepted.filter((counter) => !accept(counter))).toEqual([]);
    expect(refused.filter((counter) => accept(counter))).toEqual([]);
  });

  it('agrees with a set of everything seen, across 2^32 and over long jumps', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const rng = createSeededRng(seed);
      const accept = windowOf();
      const seen = new Set<number>();
      let newest = 0;
      let at = seed % 2 === 0 ? 0 : 2 ** 32 - 5000;
      for (let i = 0; i < 5000; i++) {
        const kind = rng.u32() % 16;
        if (kind === 0) at += rng.u32() % 20_000;
        else if (kind < 8) at += rng.u32() % 100;
        const counter = Math.max(0, at - (kind > 11 ? rng.u32() % 9000 : rng.u32() % 70));
        const expected = newest - counter <= REPLAY_WINDOW && !seen.has(counter);
        if (accept(counter) !== expected) throw new Error(`seed ${seed}, step ${i}: counter ${counter}`);
        seen.add(counter);
        newest = Math.max(newest, counter);
      }
    }
  });

  it('takes a ring only for rows that need one, and gives it back', () => {
    const windows = new ReplayWindows();
    windows.grow(2000);
    for (let row = 0; row < 1000; row++) {
      for (let counter = 0; counter < 32; counter++) expect(windows.accept(row, counter, 0)).toBe(true);
    }
    expect(windows.ringCount).toBe(0);
    for (let row = 0; row < 50; row++) windows.accept(row, 32, 0);
    expect(windows.ringCount).toBe(50);
    expect(windows.accept(7, 31, 0)).toBe(false);
    for (let row = 0; row < 50; row++) windows.reset(row);
    expect(windows.ringCount).toBe(0);
    windows.accept(1500, 40, 0);
    expect([3, 40].map((counter) => windows.accept(1500, counter, 0))).toEqual([true, false]);
  });
});
