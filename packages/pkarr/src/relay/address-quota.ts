/** How many requests an address has left: one token bucket each, for the addresses that asked last. */
import { LRUCache } from 'lru-cache';

/** Buckets that are kept. A flood from more addresses than that pushes out the ones that asked longest ago, which are full again. */
const ADDRESSES_MAX = 65_536;

interface Bucket {
  tokens: number;
  at: number;
}

export class AddressQuota {
  readonly #perSecond: number;
  readonly #burst: number;
  readonly #buckets = new LRUCache<string, Bucket>({ max: ADDRESSES_MAX });

  /** `perSecond` in the long run, `burst` at once; `perSecond` 0 = no limit. */
  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = Math.max(1, burst);
  }

  /** Takes one of an address at `now` (ms, monotonic): 0, or the seconds after which there is one again. */
  take(address: string, now: number): number {
    if (this.#perSecond === 0) return 0;
    const bucket = this.#buckets.get(address) ?? { tokens: this.#burst, at: now };
    bucket.tokens = Math.min(this.#burst, bucket.tokens + ((now - bucket.at) / 1000) * this.#perSecond);
    bucket.at = now;
    this.#buckets.set(address, bucket);
    if (bucket.tokens < 1) return Math.max(1, Math.ceil((1 - bucket.tokens) / this.#perSecond));
    bucket.tokens--;
    return 0;
  }
}
