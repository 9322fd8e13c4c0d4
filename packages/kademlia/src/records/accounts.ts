/** Quota accounts: a publisher's key, hashed with a secret (multilinear, top bits universal), names one of `ACCOUNTS`. */
import type { Rng } from '@molia/core';
import { KEY_BYTES } from '@molia/wire';
import { ACCOUNTS } from './store-port.ts';

const SHIFT = 32 - Math.log2(ACCOUNTS);

export class Accounts {
  private readonly multipliers = new Int32Array(KEY_BYTES);

  constructor(rng: Rng) {
    for (let i = 0; i < KEY_BYTES; i++) this.multipliers[i] = rng.u32();
  }

  /** The account of a 32-byte key. */
  of(key: Uint8Array, keyOffset: number): number {
    let sum = 0;
    for (let i = 0; i < KEY_BYTES; i++) {
      sum = (sum + Math.imul(this.multipliers[i] as number, key[keyOffset + i] as number)) | 0;
    }
    return sum >>> SHIFT;
  }
}
