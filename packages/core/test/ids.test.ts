import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  commonPrefixBits,
  compareDistance,
  copyBytes,
  equalBytes,
  equalConstantTime,
  isZero,
  toHex,
} from '../src/index.ts';
import { check, idArbitrary } from './property.ts';

const toBigInt = (id: Uint8Array) => BigInt(`0x${toHex(id)}`);

/** The ids one after another behind `lead` bytes of noise, so that offsets are exercised. */
function lay(lead: number, ...ids: Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(lead + ids.length * 32).fill(0xa5);
  ids.forEach((id, i) => {
    bytes.set(id, lead + i * 32);
  });
  return bytes;
}

describe('compareDistance', () => {
  it('orders as XOR of big integers does, at any offset', () => {
    check(
      fc.property(idArbitrary, idArbitrary, idArbitrary, fc.nat(40), (target, a, b, lead) => {
        const bytes = lay(lead, target, a, b);
        const expected = (toBigInt(target) ^ toBigInt(a)) - (toBigInt(target) ^ toBigInt(b));
        const got = compareDistance(bytes, lead, bytes, lead + 32, bytes, lead + 64);
        expect(Math.sign(got)).toBe(expected < 0n ? -1 : expected > 0n ? 1 : 0);
      }),
      1000,
    );
  });

  it('is a total order that can sort: antisymmetric, and zero only for the same id', () => {
    check(
      fc.property(idArbitrary, idArbitrary, idArbitrary, (target, a, b) => {
        const forth = compareDistance(target, 0, a, 0, b, 0);
        expect(compareDistance(target, 0, b, 0, a, 0)).toBe(forth === 0 ? 0 : -forth);
        expect(forth === 0).toBe(toHex(a) === toHex(b));
      }),
    );
  });
});

describe('commonPrefixBits', () => {
  it('counts the bits of the binary texts that agree from the left', () => {
    const binary = (id: Uint8Array) => toBigInt(id).toString(2).padStart(256, '0');
    check(
      fc.property(idArbitrary, idArbitrary, (a, b) => {
        const [x, y] = [binary(a), binary(b)];
        let expected = 0;
        while (expected < 256 && x[expected] === y[expected]) expected++;
        expect(commonPrefixBits(lay(3, a), 3, lay(7, b), 7)).toBe(expected);
      }),
      1000,
    );
  });

  it('finds every single differing bit', () => {
    for (let bit = 0; bit < 256; bit++) {
      const a = new Uint8Array(32).fill(0xc3);
      const b = a.slice();
      b[bit >>> 3] = (b[bit >>> 3] as number) ^ (0x80 >>> (bit & 7));
      expect(commonPrefixBits(a, 0, b, 0)).toBe(bit);
    }
  });
});

describe('equality of ranges', () => {
  it('agrees with the texts, in both variants', () => {
    const short = fc.uint8Array({ minLength: 8, maxLength: 8, max: 1 });
    check(
      fc.property(short, short, (a, b) => {
        const same = toHex(a) === toHex(b);
        expect(equalBytes(a, 0, b, 0, 8)).toBe(same);
        expect(equalConstantTime(a, 0, b, 0, 8)).toBe(same);
        expect(isZero(a, 0, 8)).toBe(toHex(a) === '0000000000000000');
      }),
      500,
    );
  });

  it('looks at the given range only', () => {
    const a = Uint8Array.of(1, 2, 3, 4);
    const b = Uint8Array.of(9, 2, 3, 9);
    expect(equalBytes(a, 1, b, 1, 2)).toBe(true);
    expect(equalConstantTime(a, 1, b, 1, 2)).toBe(true);
    expect(equalBytes(a, 1, b, 1, 3)).toBe(false);
    expect(equalConstantTime(a, 0, b, 0, 2)).toBe(false);
    expect(isZero(Uint8Array.of(1, 0, 0, 1), 1, 2)).toBe(true);
  });
});

describe('copyBytes', () => {
  it('copies the range and touches nothing beside it', () => {
    const target = new Uint8Array(6).fill(9);
    copyBytes(target, 2, Uint8Array.of(1, 2, 3, 4), 1, 2);
    expect([...target]).toEqual([9, 9, 2, 3, 9, 9]);
  });
});
