import { createSeededRng } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { distanceFraction, expectedFraction, isWithinExpected } from '../../src/records/responsibility.ts';

const key = (...bytes: number[]): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => bytes[i] ?? 0);

describe('the expected-distance rule', () => {
  it('measures distances as fractions of the space', () => {
    expect(distanceFraction(key(), 0, key(), 0)).toBe(0);
    expect(distanceFraction(key(0x80), 0, key(), 0)).toBe(0.5);
    expect(distanceFraction(key(0xff, 1), 0, key(0xff, 3), 0)).toBe(2 / 65_536);
    expect(distanceFraction(key(255, 255, 255, 255, 255, 255), 0, key(), 0)).toBeLessThan(1);
  });

  it('makes everyone a holder in a network of twenty', () => {
    expect(expectedFraction(1)).toBe(1);
    expect(expectedFraction(20)).toBe(1);
    expect(expectedFraction(40)).toBe(0.5);
    expect(isWithinExpected(key(255), 0, key(), 0, 20)).toBe(true);
    expect(isWithinExpected(key(255), 0, key(), 0, 40)).toBe(false);
    expect(isWithinExpected(key(255), 0, key(), 0, 40, 4)).toBe(true);
  });

  it('finds twenty holders among many nodes on average', () => {
    const rng = createSeededRng(3);
    const ids = new Uint8Array(2000 * 32);
    rng.fill(ids, 0, ids.length);
    const counts = Array.from({ length: 200 }, () => {
      const target = new Uint8Array(32);
      rng.fill(target, 0, 32);
      let count = 0;
      for (let i = 0; i < 2000; i++) if (isWithinExpected(target, 0, ids, i * 32, 2000)) count++;
      return count;
    });
    const mean = counts.reduce((a, b) => a + b, 0) / counts.length;
    expect(mean).toBeGreaterThan(19);
    expect(mean).toBeLessThan(21);
  });
});
