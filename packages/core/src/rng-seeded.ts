/**
 * xoshiro128** 1.1 (Blackman and Vigna, public domain), for simulations and tests that replay from a seed.
 * Predictable by design: never for keys, correlation ids or cookies of a real node.
 */
import { blake3 } from './blake3.ts';
import type { Rng } from './rng.ts';

/** The same seed gives the same sequence on every platform. A number is taken as an IEEE 754 double. */
export function createSeededRng(seed: number | Uint8Array): Rng {
  const material = typeof seed === 'number' ? doubleBytes(seed) : seed;
  const digest = blake3(material);
  const words = new DataView(digest.buffer, digest.byteOffset, 16);
  const s = new Int32Array(4);
  for (let i = 0; i < 4; i++) s[i] = words.getInt32(i * 4, true);
  // The all-zero state is the generator's one fixed point.
  if (s[0] === 0 && s[1] === 0 && s[2] === 0 && s[3] === 0) s[0] = 1;

  function next(): number {
    const s1 = s[1] as number;
    const product = Math.imul(s1, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9);
    const shifted = s1 << 9;
    s[2] = (s[2] as number) ^ (s[0] as number);
    s[3] = (s[3] as number) ^ s1;
    s[1] = s1 ^ (s[2] as number);
    s[0] = (s[0] as number) ^ (s[3] as number);
    s[2] = (s[2] as number) ^ shifted;
    const s3 = s[3] as number;
    s[3] = (s3 << 11) | (s3 >>> 21);
    return result;
  }

  return {
    u32: () => next() >>> 0,
    fill(out: Uint8Array, offset: number, length: number): void {
      for (let i = 0; i < length; i += 4) {
        const word = next();
        const end = Math.min(4, length - i);
        for (let b = 0; b < end; b++) out[offset + i + b] = word >>> (b * 8);
      }
    },
  };
}

function doubleBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setFloat64(0, value);
  return bytes;
}
