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

const PAGE_BITS = 5;
const PAGE = 1 << PAGE_BITS;

/** What each account holds in a store: in pages of 32 that are made when one of their accounts holds something. */
export class AccountUsage {
  /** Bytes of the 32 accounts, then their counts. */
  private readonly pages: (Float64Array | undefined)[] = new Array<undefined>(ACCOUNTS / PAGE).fill(
    undefined,
  );

  bytes(account: number): number {
    return this.pages[account >>> PAGE_BITS]?.[account & (PAGE - 1)] ?? 0;
  }

  count(account: number): number {
    return this.pages[account >>> PAGE_BITS]?.[PAGE + (account & (PAGE - 1))] ?? 0;
  }

  add(account: number, bytes: number, count: number): void {
    let page = this.pages[account >>> PAGE_BITS];
    if (page === undefined) {
      page = new Float64Array(2 * PAGE);
      this.pages[account >>> PAGE_BITS] = page;
    }
    const at = account & (PAGE - 1);
    page[at] = (page[at] as number) + bytes;
    page[PAGE + at] = (page[PAGE + at] as number) + count;
  }
}
