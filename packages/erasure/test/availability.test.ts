import { createSeededRng } from '@molia/core';
import { describe, expect, it } from 'vitest';
import {
  CODINGS,
  missProbability,
  pickSamples,
  planRepair,
  samplesFor,
  unavailability,
} from '../src/index.ts';

const TEN_FOUR = CODINGS['10:4'];

describe('unavailability', () => {
  // Computed apart from the package, to two digits.
  it.each([
    [0.99, 1.9e-7, 1e-6],
    [0.95, 4.3e-4, 1.3e-4],
    [0.9, 9.2e-3, 1e-3],
    [0.8, 0.13, 8e-3],
    [0.5, 0.91, 0.125],
  ])('of 10:4 at %d, beside three copies', (available, coded, copied) => {
    expect(unavailability(TEN_FOUR, available) / coded).toBeCloseTo(1, 1);
    expect(unavailability({ data: 1, parity: 2 }, available) / copied).toBeCloseTo(1, 1);
  });
  it('of 10:10 at 0.8 is 5.6e-4', () => {
    expect(unavailability(CODINGS['10:10'], 0.8) / 5.6e-4).toBeCloseTo(1, 1);
  });
  it('is what counting every outcome of a small code gives', () => {
    const p = 0.7;
    let sum = 0;
    for (let mask = 0; mask < 2 ** 9; mask++) {
      const there = mask.toString(2).replaceAll('0', '').length;
      if (there < 6) sum += p ** there * (1 - p) ** (9 - there);
    }
    expect(unavailability(CODINGS['6:3'], p)).toBeCloseTo(sum, 12);
  });
  it('keeps to 0 … 1 at the edges, and does not vanish for large codes', () => {
    expect(unavailability(TEN_FOUR, 0)).toBe(1);
    expect(unavailability(TEN_FOUR, 1)).toBe(0);
    // 255 shards, 2.55 lost on average, more than 5 of them with the probability of 0.0446.
    expect(unavailability({ data: 250, parity: 5 }, 0.99)).toBeCloseTo(0.04458, 5);
    expect(() => unavailability(TEN_FOUR, 1.1)).toThrow(/^available: a probability/);
    expect(() => unavailability(TEN_FOUR, Number.NaN)).toThrow(RangeError);
  });
});

describe('sampling', () => {
  it('misses a withheld stripe of 10:4 with the probabilities of C(9, s) / C(14, s)', () => {
    for (const [samples, expected] of [
      [3, 0.23],
      [5, 0.063],
      [8, 0.003],
      [9, 0.0005],
    ] as const) {
      expect(missProbability(TEN_FOUR, samples) / expected).toBeCloseTo(1, 0);
    }
    expect(missProbability(TEN_FOUR, 0)).toBe(1);
    expect(missProbability(TEN_FOUR, 3)).toBeCloseTo(84 / 364, 12);
    expect(missProbability(TEN_FOUR, 10)).toBe(0);
    expect(missProbability({ data: 64, parity: 64 }, 16) / 3.9e-6).toBeCloseTo(1, 0);
  });
  it('needs ten samples to settle 10:4, eight for one miss in 300', () => {
    expect(samplesFor(TEN_FOUR, 0)).toBe(10);
    expect(samplesFor(TEN_FOUR, 1 / 200)).toBe(8);
    expect(samplesFor(TEN_FOUR, 1)).toBe(0);
    expect(() => samplesFor(TEN_FOUR, -1)).toThrow(RangeError);
  });
  it('picks different shards, each about as often, and misses as often as computed', () => {
    const rng = createSeededRng(11);
    const counts = new Array<number>(14).fill(0);
    const rounds = 20_000;
    let missed = 0;
    for (let round = 0; round < rounds; round++) {
      const picked = pickSamples(TEN_FOUR, 3, rng);
      expect(new Set(picked).size).toBe(3);
      for (const shard of picked) counts[shard] = (counts[shard] as number) + 1;
      // Whoever withholds shards 0 … 4 is not caught by samples among the others.
      if (picked.every((shard) => shard > 4)) missed++;
    }
    const expected = (rounds * 3) / 14;
    for (const count of counts) expect(Math.abs(count - expected)).toBeLessThan(5 * Math.sqrt(expected));
    const probability = missProbability(TEN_FOUR, 3);
    expect(Math.abs(missed / rounds - probability)).toBeLessThan(5 * Math.sqrt(probability / rounds));
  });
});

describe('a repair plan', () => {
  it('rebuilds what no holder has, from data shards before parity', () => {
    const holders = [1, 0, 2, 1, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1];
    expect(planRepair(TEN_FOUR, holders)).toEqual({
      present: 11,
      margin: 1,
      rebuild: [1, 6, 11],
      read: [0, 2, 3, 4, 5, 7, 8, 9, 10, 12],
    });
  });
  it('does nothing for a whole stripe, and nothing for one beyond repair', () => {
    expect(planRepair(TEN_FOUR, new Uint8Array(14).fill(1))).toEqual({
      present: 14,
      margin: 4,
      rebuild: [],
      read: [],
    });
    expect(planRepair(CODINGS['6:3'], [1, 1, 1, 1, 1, 0, 0, 0, 0])).toEqual({
      present: 5,
      margin: -1,
      rebuild: [],
      read: [],
    });
    expect(() => planRepair(TEN_FOUR, [1])).toThrow(/^holders: 14 entries/);
  });
});
