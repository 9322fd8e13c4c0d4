import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCounters, Histogram, TokenBucket } from '../src/index.ts';
import { check } from './property.ts';

describe('Counters', () => {
  it('add by index and read by name', () => {
    const counters = createCounters(['sent', 'dropped']);
    counters.add(0, 2);
    counters.add(0, 3);
    counters.add(1, 1);
    expect(counters.get('sent')).toBe(5);
    expect(counters.snapshot()).toEqual({ sent: 5, dropped: 1 });
    expect([...counters.values]).toEqual([5, 1]);
    expect(counters.names).toEqual(['sent', 'dropped']);
  });

  it('stay exact beyond 32 bits', () => {
    const counters = createCounters(['bytes']);
    counters.add(0, 2 ** 52);
    counters.add(0, 1);
    expect(counters.get('bytes')).toBe(2 ** 52 + 1);
  });

  it('refuse a name that is there twice', () => {
    expect(() => createCounters(['a', 'b', 'a'])).toThrow(/a, b, a/);
  });
});

describe('Histogram', () => {
  it('puts every value into the one bucket whose bounds enclose it', () => {
    check(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.nat(0x7fffffff), (precisionBits, value) => {
        const histogram = new Histogram({ valueMax: 0x7fffffff, precisionBits });
        histogram.record(value);
        const index = histogram.buckets.indexOf(1);
        const lower = index === 0 ? -1 : histogram.upperBound(index - 1);
        expect(lower).toBeLessThan(value);
        expect(histogram.upperBound(index)).toBeGreaterThanOrEqual(value);
        expect(histogram.upperBound(index) - value).toBeLessThanOrEqual(value / 2 ** precisionBits);
      }),
      1000,
    );
  });

  it('has bounds that rise from 0 to valueMax', () => {
    for (const valueMax of [1, 15, 16, 17, 1000, 65535, 0x7fffffff]) {
      const histogram = new Histogram({ valueMax });
      let last = -1;
      for (let index = 0; index < histogram.buckets.length; index++) {
        expect(histogram.upperBound(index)).toBeGreaterThan(last);
        last = histogram.upperBound(index);
      }
      expect(last).toBe(valueMax);
    }
  });

  it('answers quantiles within its precision of the sorted values', () => {
    const values = fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 200 });
    check(
      fc.property(values, fc.constantFrom(0, 0.5, 0.9, 0.95, 0.99, 1), (recorded, q) => {
        const histogram = new Histogram({ valueMax: 1_000_000 });
        for (const value of recorded) histogram.record(value);
        const sorted = recorded.slice().sort((a, b) => a - b);
        const exact = sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] as number;
        expect(histogram.quantile(q)).toBeGreaterThanOrEqual(exact);
        expect(histogram.quantile(q)).toBeLessThanOrEqual(exact + exact / 16);
        expect(histogram.count).toBe(recorded.length);
        expect(histogram.sum).toBe(recorded.reduce((sum, value) => sum + value, 0));
        expect(histogram.max).toBe(sorted.at(-1));
      }),
    );
  });

  it('clamps what it cannot tell apart and truncates fractions', () => {
    const histogram = new Histogram({ valueMax: 1000 });
    for (const value of [-5, Number.NaN, 2.9, 1e12, Infinity]) histogram.record(value);
    expect([histogram.count, histogram.sum, histogram.max]).toEqual([5, 2002, 1000]);
    expect(histogram.quantile(0.4)).toBe(0);
    expect(histogram.quantile(1)).toBe(1000);
  });

  it('answers 0 when empty, merges equals, forgets on reset', () => {
    const one = new Histogram({ valueMax: 100 });
    const two = new Histogram({ valueMax: 100 });
    expect(one.quantile(0.5)).toBe(0);
    one.record(3);
    two.record(90);
    one.merge(two);
    expect([one.count, one.sum, one.max, one.quantile(0.5)]).toEqual([2, 93, 90, 3]);
    one.reset();
    expect([one.count, one.sum, one.max, one.quantile(1)]).toEqual([0, 0, 0, 0]);
    expect(() => one.merge(new Histogram({ valueMax: 101 }))).toThrow(/same bounds/);
  });

  it('names what is wrong with its bounds', () => {
    expect(() => new Histogram({ valueMax: 0 })).toThrow(/valueMax.*not 0/);
    expect(() => new Histogram({ valueMax: 10, precisionBits: 9 })).toThrow(/precisionBits.*not 9/);
  });
});

describe('TokenBucket', () => {
  it('allows a burst, then its rate', () => {
    const bucket = new TokenBucket(10, 3, 1000);
    expect([1, 2, 3, 4].map(() => bucket.take(1000))).toEqual([true, true, true, false]);
    expect(bucket.take(1099)).toBe(false);
    expect(bucket.take(1100)).toBe(true);
    expect(bucket.take(1100)).toBe(false);
  });

  it('takes several tokens at once or none', () => {
    const bucket = new TokenBucket(1, 5);
    expect(bucket.take(0, 6)).toBe(false);
    expect(bucket.take(0, 5)).toBe(true);
    expect(bucket.take(0, 1)).toBe(false);
    expect(bucket.available(2500)).toBe(2.5);
  });

  it('saves up no more than its burst, however long it rests', () => {
    const bucket = new TokenBucket(1000, 3);
    bucket.take(0, 3);
    expect(bucket.available(1e9)).toBe(3);
    expect([1, 2, 3, 4].map(() => bucket.take(1e9))).toEqual([true, true, true, false]);
  });

  it('never lets through more than burst plus rate times time, whatever the pattern', () => {
    check(
      fc.property(fc.array(fc.nat(300), { maxLength: 200 }), (gaps) => {
        const bucket = new TokenBucket(20, 4);
        let now = 0;
        let taken = 0;
        for (const gap of gaps) {
          now += gap;
          if (bucket.take(now)) taken++;
          expect(taken).toBeLessThanOrEqual(4 + now * 0.02 + 1e-6);
        }
      }),
    );
  });

  it('ignores a clock that steps back', () => {
    const bucket = new TokenBucket(1000, 1, 5000);
    expect(bucket.take(5000)).toBe(true);
    expect(bucket.take(0)).toBe(false);
    expect(bucket.take(5001)).toBe(true);
  });

  it('names what is wrong with its numbers', () => {
    expect(() => new TokenBucket(-1, 1)).toThrow(/ratePerSecond.*-1/);
    expect(() => new TokenBucket(1, 0)).toThrow(/burst.*0/);
  });
});
