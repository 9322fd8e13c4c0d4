/**
 * When an engine is under load (WireGuard section 5.3) and who may still make handshakes then. Load is the rate of
 * initiations with a valid mac1, counted in a token bucket: deterministic, unlike a queue's depth.
 */
import { type Millis, type Rng, TokenBucket } from '@molia/core';
import { SOURCE_BUCKETS, SOURCE_BURST, SOURCE_RATE, UNDER_LOAD_MS } from './constants.ts';

/** Under load for a second after each initiation beyond the rate. */
export class LoadMeter {
  readonly #bucket: TokenBucket;
  #until: Millis = 0;

  constructor(ratePerSecond: number, burst: number) {
    this.#bucket = new TokenBucket(ratePerSecond, burst);
  }

  /** Counts one initiation. */
  record(now: Millis): void {
    if (!this.#bucket.take(now)) this.#until = now + UNDER_LOAD_MS;
  }

  underLoad(now: Millis): boolean {
    return now < this.#until;
  }
}

const FNV_PRIME = 0x0100_0193;

/**
 * 20 handshakes a second, 5 at once, for each source address. A fixed table without eviction: two addresses may share
 * a bucket, which only makes the rule stricter for both; a seed keeps others from choosing who shares.
 */
export class SourceLimiter {
  readonly #seed: number;
  /** Tokens of a bucket, and when they were counted. */
  #tokens: Float64Array | undefined;
  #countedAt: Float64Array = new Float64Array(0);

  constructor(rng: Rng) {
    this.#seed = rng.u32() | 0;
  }

  /** Whether the address in `source` may make one more handshake now. */
  take(now: Millis, source: Uint8Array, length: number): boolean {
    const table = this.#tokens ?? this.#open();
    const bucket = this.#bucketOf(source, length);
    const elapsed = Math.max(0, now - (this.#countedAt[bucket] as number));
    const tokens = Math.min(SOURCE_BURST, (table[bucket] as number) + (elapsed * SOURCE_RATE) / 1000);
    this.#countedAt[bucket] = now;
    const allowed = tokens >= 1;
    table[bucket] = allowed ? tokens - 1 : tokens;
    return allowed;
  }

  /** Most engines are never under load: they do not pay for the 64 KiB. */
  #open(): Float64Array {
    this.#countedAt = new Float64Array(SOURCE_BUCKETS);
    this.#tokens = new Float64Array(SOURCE_BUCKETS).fill(SOURCE_BURST);
    return this.#tokens;
  }

  #bucketOf(source: Uint8Array, length: number): number {
    const used = addressBytes(source, length);
    let hash = this.#seed;
    for (let i = 0; i < used; i++) {
      hash = Math.imul(hash ^ (source[i] as number), FNV_PRIME);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash ^ this.#seed, 0x85eb_ca6b);
    return (hash ^ (hash >>> 13)) & (SOURCE_BUCKETS - 1);
  }
}

/** Bytes that name the host: without the port, and the /64 alone for core's IPv6 endpoint form. */
function addressBytes(source: Uint8Array, length: number): number {
  if (length === 19 && source[0] === 6) return 9;
  return Math.max(0, length - 2);
}
