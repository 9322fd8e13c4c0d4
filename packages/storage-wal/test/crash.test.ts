import { createSeededRng, randomBelow } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { Model } from './model.ts';

const LIVES = 8;
const SEEDS = process.env['MOLIA_LONG'] === '1' ? 1_300 : 45;

/** One disk through several lives, each ended by a crash at any moment. */
function lives(seed: number, failPerMille: number, bytesMax?: number): number {
  const rng = createSeededRng(seed);
  const model = new Model(rng, bytesMax === undefined ? {} : { bytesMax });
  for (let life = 0; life < LIVES; life++) {
    model.disk.failPerMille = failPerMille;
    const steps = 1 + randomBelow(rng, 400);
    for (let i = 0; i < steps; i++) model.step();
    model.disk.failPerMille = 0;
    if (randomBelow(rng, 6) === 0) model.settle();
    model.crash();
    model.verify();
  }
  // Nothing was lost, so nothing may be said to be: an operator who is told so would look for it.
  const alarm = model.reports.find(({ code }) => code === 'RECORDS_LOST' || code === 'MISSING_SEGMENT');
  if (alarm !== undefined) throw new Error(`a false alarm: ${alarm.message}`);
  return LIVES;
}

function many(first: number, run: (seed: number) => number): number {
  let crashes = 0;
  for (let seed = first; seed < first + SEEDS; seed++) {
    try {
      crashes += run(seed);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
  }
  return crashes;
}

describe('crashes on a disk that loses, tears and reorders what was not synced', () => {
  it('lose nothing that was durable and invent nothing', () => {
    expect(many(1, (seed) => lives(seed, 0))).toBe(SEEDS * LIVES);
  }, 3_600_000);

  it('nor where operations fail and failed syncs drop what they should have saved', () => {
    expect(many(100_000, (seed) => lives(seed, 30))).toBe(SEEDS * LIVES);
  }, 3_600_000);

  it('nor while a quota evicts', () => {
    expect(many(200_000, (seed) => lives(seed, 0, 60_000))).toBe(SEEDS * LIVES);
  }, 3_600_000);
});
