/** HalfSipHash-2-4 with a 64-bit result (Aumasson, Bernstein): tables and tokens that strangers cannot predict. */
import type { Rng } from '@molia/core';

export class KeyedHash {
  /** First and second word of the last result, signed: an unsigned one would be boxed in a field. */
  first = 0;
  second = 0;
  private k0 = 0;
  private k1 = 0;

  constructor(rng: Rng) {
    this.rekey(rng);
  }

  rekey(rng: Rng): void {
    this.k0 = rng.u32() | 0;
    this.k1 = rng.u32() | 0;
  }

  takeKey(other: KeyedHash): void {
    this.k0 = other.k0;
    this.k1 = other.k1;
  }

  /** Hashes `length` bytes into `first` and `second`; returns `first`. */
  hash(bytes: Uint8Array, at: number, length: number): number {
    let v0 = this.k0;
    let v1 = this.k1 ^ 0xee;
    let v2 = 0x6c796765 ^ this.k0;
    let v3 = 0x74656462 ^ this.k1;
    const whole = length & ~3;
    const rounds = whole / 4 + 1;
    // Two rounds a word of input, then four for each word of output.
    for (let step = 0; step < rounds + 4; step++) {
      let word = 0;
      if (step < rounds - 1) {
        const i = at + step * 4;
        word =
          (bytes[i] as number) |
          ((bytes[i + 1] as number) << 8) |
          ((bytes[i + 2] as number) << 16) |
          ((bytes[i + 3] as number) << 24);
      } else if (step === rounds - 1) {
        word = length << 24;
        for (let b = 0; b < (length & 3); b++) word |= (bytes[at + whole + b] as number) << (b * 8);
      } else if (step === rounds) v2 ^= 0xee;
      else if (step === rounds + 2) {
        this.first = v1 ^ v3;
        v1 ^= 0xdd;
      }
      v3 ^= word;
      for (let r = 0; r < 2; r++) {
        v0 = (v0 + v1) | 0;
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
        v0 = (v0 << 16) | (v0 >>> 16);
        v2 = (v2 + v3) | 0;
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
        v0 = (v0 + v3) | 0;
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
        v2 = (v2 + v1) | 0;
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
        v2 = (v2 << 16) | (v2 >>> 16);
      }
      v0 ^= word;
    }
    this.second = v1 ^ v3;
    return this.first;
  }
}
