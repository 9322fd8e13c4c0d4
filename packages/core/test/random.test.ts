import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  blake3,
  createSecureRng,
  createSeededRng,
  type Rng,
  randomBelow,
  toHex,
  wipe,
} from '../src/index.ts';
import { check } from './property.ts';

const draw = (rng: Rng, count: number) => Array.from({ length: count }, () => rng.u32());

/** xoshiro128** 1.1 in big integers, after the description by its authors. */
function reference(initial: bigint[], count: number): number[] {
  const word = (value: bigint) => BigInt.asUintN(32, value);
  const rotl = (value: bigint, by: bigint) => word((value << by) | (value >> (32n - by)));
  const s = initial as [bigint, bigint, bigint, bigint];
  return Array.from({ length: count }, () => {
    const result = word(rotl(word(s[1] * 5n), 7n) * 9n);
    const t = word(s[1] << 9n);
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11n);
    return Number(result);
  });
}

const generators: [string, () => Rng][] = [
  ['createSecureRng', () => createSecureRng()],
  ['createSeededRng', () => createSeededRng(42)],
];

describe.each(generators)('%s', (_, create) => {
  it('gives unsigned 32-bit words that use every bit', () => {
    const words = draw(create(), 4000);
    for (let bit = 0; bit < 32; bit++) {
      const ones = words.filter((word) => (word >>> bit) & 1).length;
      // Six standard deviations around the half: a fair bit fails once in 500 million runs.
      expect(Math.abs(ones - 2000)).toBeLessThan(190);
    }
    expect(words.every((word) => Number.isInteger(word) && word >= 0 && word < 2 ** 32)).toBe(true);
  });

  it('fills the range it is given and nothing beside it', () => {
    const rng = create();
    for (const length of [0, 1, 3, 4, 5, 31, 4095, 4096, 4097, 70_000]) {
      const out = new Uint8Array(length + 6);
      rng.fill(out, 3, length);
      expect([...out.slice(0, 3), ...out.slice(length + 3)]).toEqual([0, 0, 0, 0, 0, 0]);
      if (length > 30) expect(new Set(out.slice(3, length + 3)).size).toBeGreaterThan(15);
    }
  });

  it('mixes words and bytes without repeating itself', () => {
    const rng = create();
    const seen = new Set<string>();
    for (let i = 0; i < 2000; i++) {
      const out = new Uint8Array(8);
      rng.fill(out, 0, 8);
      seen.add(toHex(out));
      seen.add(`${rng.u32()}:${rng.u32()}`);
    }
    expect(seen.size).toBe(4000);
  });
});

describe('createSeededRng', () => {
  it('replays from a number or from bytes, and tells seeds apart', () => {
    expect(draw(createSeededRng(1), 20)).toEqual(draw(createSeededRng(1), 20));
    const bytes = Uint8Array.of(1, 2, 3);
    expect(draw(createSeededRng(bytes), 20)).toEqual(draw(createSeededRng(bytes.slice()), 20));
    const firsts = [0, -0.5, 1, 2, 2 ** 40].map((seed) => createSeededRng(seed).u32());
    expect(new Set(firsts).size).toBe(5);
  });

  it('gives this sequence for ever: recorded runs replay from their seeds', () => {
    expect(draw(createSeededRng(2026), 4)).toEqual([3519411305, 2572257606, 1876016146, 14259262]);
  });

  it('is xoshiro128** from the first 16 bytes of the seed hashed', () => {
    const published = reference([1n, 2n, 3n, 4n], 10);
    // Output of the authors' C code for this state.
    expect(published).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
    ]);
    const seed = Uint8Array.of(7, 7, 7);
    const words = new DataView(blake3(seed).slice().buffer);
    const state = [0, 4, 8, 12].map((offset) => BigInt(words.getUint32(offset, true)));
    expect(draw(createSeededRng(seed), 500)).toEqual(reference(state, 500));
  });
});

describe('bytes of a generator', () => {
  it('are the words of the seeded sequence, little endian', () => {
    const words = draw(createSeededRng(8), 3);
    const bytes = new Uint8Array(12);
    createSeededRng(8).fill(bytes, 0, 12);
    const view = new DataView(bytes.buffer);
    expect([0, 4, 8].map((offset) => view.getUint32(offset, true))).toEqual(words);
    const part = new Uint8Array(12);
    createSeededRng(8).fill(part, 0, 10);
    expect(toHex(part)).toBe(`${toHex(bytes.slice(0, 10))}0000`);
  });

  it('do not stay behind in the pool of the secure generator', () => {
    const draws = vi.spyOn(globalThis.crypto, 'getRandomValues');
    const rng = createSecureRng();
    rng.fill(new Uint8Array(100), 0, 100);
    rng.u32();
    const pool = draws.mock.calls[0]?.[0] as Uint8Array;
    draws.mockRestore();
    expect(pool.slice(0, 104).every((byte) => byte === 0)).toBe(true);
    expect(pool.slice(104).some((byte) => byte !== 0)).toBe(true);
  });
});

describe('randomBelow', () => {
  it('stays below its bound and reaches every value', () => {
    const rng = createSeededRng(3);
    const seen = new Set(Array.from({ length: 500 }, () => randomBelow(rng, 10)));
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    check(
      fc.property(fc.integer({ min: 1, max: 2 ** 32 }), (bound) => {
        const value = randomBelow(rng, bound);
        expect(Number.isInteger(value) && value >= 0 && value < bound).toBe(true);
      }),
    );
  });

  it('draws again where a plain remainder would favour small values', () => {
    // With bound 3 * 2^30 the words from 3 * 2^30 on belong to an incomplete cycle.
    const words = [3 * 2 ** 30, 2 ** 32 - 1, 5];
    const rng: Rng = { u32: () => words.shift() as number, fill: () => {} };
    expect(randomBelow(rng, 3 * 2 ** 30)).toBe(5);
    expect(words).toEqual([]);
  });

  it('refuses a bound that has no values', () => {
    for (const bound of [0, -1, 2 ** 32 + 1, Number.NaN]) {
      expect(() => randomBelow(createSeededRng(1), bound)).toThrow(RangeError);
    }
  });
});

describe('wipe', () => {
  it('leaves zeros', () => {
    const secret = Uint8Array.of(1, 2, 3);
    wipe(secret);
    expect([...secret]).toEqual([0, 0, 0]);
  });
});
