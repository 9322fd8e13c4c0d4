import { createSeededRng } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { Generators, rngOf } from '../src/index.ts';

const COUNT = 40_000;

function median(draw: () => number): number {
  const drawn = Float64Array.from({ length: COUNT }, draw).sort();
  return drawn[COUNT / 2] as number;
}

describe('generators', () => {
  it('draw laws with the stated medians and means', () => {
    const generators = new Generators(9);
    const g = generators.add();
    expect(median(() => generators.exponential(g, 100))).toBeCloseTo(100 * Math.LN2, -1);
    expect(median(() => generators.logNormal(g, 12, 0.6))).toBeCloseTo(12, 0);
    // Session lengths of KAD: shape 0.61511 and scale 169.5385 min have a median of 93 min and a mean of 247.
    const weibull = Float64Array.from({ length: COUNT }, () => generators.weibull(g, 0.61511, 169.5385));
    expect(weibull.sort()[COUNT / 2]).toBeGreaterThan(90);
    expect(weibull[COUNT / 2]).toBeLessThan(97);
    expect(weibull.reduce((sum, x) => sum + x, 0) / COUNT).toBeGreaterThan(235);
    let squares = 0;
    for (let i = 0; i < COUNT; i++) squares += generators.normal(g) ** 2;
    expect(squares / COUNT).toBeGreaterThan(0.97);
    expect(squares / COUNT).toBeLessThan(1.03);
  });

  it('never shift each other: what one draws is the same however much others draw', () => {
    const [alone, crowded] = [new Generators(4), new Generators(4)];
    const [a, b] = [alone.add(), crowded.add()];
    const other = crowded.add();
    const first = Array.from({ length: 100 }, () => alone.u32(a));
    const second = Array.from({ length: 100 }, () => {
      crowded.u32(other);
      return crowded.u32(b);
    });
    expect(second).toEqual(first);
    expect(new Set(first).size).toBe(100);
  });

  it('are the generator that core seeds, as columns', () => {
    const generators = new Generators(4);
    // The same algorithm: both pass through every byte value evenly and fill from little-endian words.
    const g = generators.add();
    const twin = new Generators(4);
    const bytes = new Uint8Array(10);
    rngOf(twin, twin.add()).fill(bytes, 0, 10);
    const words = [generators.u32(g), generators.u32(g), generators.u32(g)] as [number, number, number];
    expect(bytes[0]).toBe(words[0] & 0xff);
    expect(bytes[7]).toBe(words[1] >>> 24);
    expect(bytes[9]).toBe((words[2] >>> 8) & 0xff);
    expect(createSeededRng(1).u32()).not.toBe(words[0]);
  });
});
