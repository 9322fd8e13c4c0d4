import { describe, expect, it } from 'vitest';
import { AmplificationWatch, SequenceWatch, StubCipher, watchNonces } from '../src/index.ts';

const key = new Uint8Array(32).fill(3);

describe('checkers', () => {
  it('notice a key that seals twice under one counter, and still seal', () => {
    const found: string[] = [];
    const cipher = watchNonces(new StubCipher(), (line) => found.push(line));
    const bytes = new Uint8Array(40);
    const seal = (low: number, high: number, k = key): void =>
      cipher.seal(k, 0, low, high, key, 0, 0, bytes, 0, 24);
    seal(0, 0);
    seal(1, 0);
    seal(0, 1);
    seal(0, 0, key.slice().fill(4));
    expect(found).toEqual([]);
    seal(1, 0);
    expect(found).toEqual(['a key sealed twice under counter 1']);
    expect(cipher.open(key, 0, 1, 0, key, 0, 0, bytes, 0, 24)).toBe(true);
    expect(cipher.counts.seals).toBe(5);
  });

  it('notice a sequence that goes back at one reader, not at another', () => {
    const found: string[] = [];
    const watch = new SequenceWatch((line) => found.push(line));
    const value = Uint8Array.of(1);
    watch.saw('a', key, 3, value);
    watch.saw('b', key, 2, value);
    watch.saw('a', key, 4, value);
    expect(found).toEqual([]);
    watch.saw('a', key, 3, value);
    expect(found).toEqual(['a went back from sequence 4 to 3']);
    watch.saw('b', key, 2, Uint8Array.of(9), true);
    expect(found).toHaveLength(1);
    watch.saw('b', key, 2, value);
    expect(found[1]).toMatch(/two values under sequence 2/);
  });

  it('notice answers too large for an unproven address, and let a proven one have them', () => {
    const found: string[] = [];
    let nowMs = 0;
    const watch = new AmplificationWatch(
      3,
      () => nowMs,
      (line) => found.push(line),
    );
    const pass = (from: number, to: number, length: number): void => {
      watch.sent(from, to, length);
      watch.carried(from, to, length);
    };
    pass(1, 2, 100);
    pass(2, 1, 300);
    expect(found).toEqual([]);
    // Also what is lost on the way.
    watch.sent(2, 1, 1);
    expect(found).toEqual(['host 2 answered 301 bytes to 100 of unproven host 1']);
    pass(3, 2, 100);
    pass(2, 3, 90);
    pass(3, 2, 100);
    pass(2, 3, 5_000);
    // Who asks first may send what it likes; what it had sent before it heard the other is no answer.
    pass(5, 6, 1_000);
    pass(5, 6, 1_000);
    pass(6, 5, 10);
    pass(5, 6, 5_000);
    watch.sent(7, 8, 1_000);
    pass(8, 7, 10);
    watch.carried(7, 8, 1_000);
    watch.sent(7, 8, 30);
    expect(found).toHaveLength(1);
    watch.sent(7, 8, 1);
    expect(found).toHaveLength(2);
    // Much later it asks for itself.
    nowMs = 5_000;
    watch.sent(7, 8, 1_000);
    expect(found).toHaveLength(2);
  });
});
