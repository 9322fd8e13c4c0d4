import { describe, expect, it } from 'vitest';
import { planetLab, seattle } from '../src/sim/matrices.ts';

const median = (samples: number[]): number => samples.sort((a, b) => a - b)[samples.length >> 1] as number;

describe('the measured matrices', () => {
  it('of PlanetLab: 490 places, half of the pairs within 134 ms', () => {
    const matrix = planetLab();
    const pairs: number[] = [];
    for (let a = 0; a < 490; a++) for (let b = 0; b < a; b++) pairs.push(matrix.rttMs(a, b));
    expect(median(pairs)).toBeCloseTo(133.9, 1);
  });

  it('of Seattle: 99 loaded devices over 99 slices, which differ by direction and time', () => {
    const matrix = seattle();
    expect([matrix.rows, matrix.options.slices]).toEqual([99, 99]);
    const pairs: number[] = [];
    let changed = 0;
    for (let slice = 0; slice < 99; slice++)
      for (let a = 0; a < 99; a++)
        for (let b = 0; b < a; b++) {
          pairs.push((matrix.oneWayUs(a, b, slice) * 2) / 1000);
          if (slice > 0 && matrix.oneWayUs(a, b, slice) > 2 * matrix.oneWayUs(a, b, slice - 1)) changed++;
        }
    expect(median(pairs)).toBeGreaterThan(200);
    expect(median(pairs)).toBeLessThan(240);
    expect(changed / pairs.length).toBeGreaterThan(0.03);
  });
});
