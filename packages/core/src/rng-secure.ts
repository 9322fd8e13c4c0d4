/** The platform's cryptographic generator (Web Crypto), drawn in pages so that a word costs no call. */
import { copyBytes } from './ids.ts';
import type { Rng } from './rng.ts';

/** Bytes drawn at once. */
const POOL_BYTES = 4096;

/** Cryptographically secure randomness. Throws Error where the platform has no `crypto.getRandomValues`. */
export function createSecureRng(): Rng {
  const source = globalThis.crypto;
  if (typeof source?.getRandomValues !== 'function') {
    throw new Error('this platform has no secure random generator (globalThis.crypto.getRandomValues)');
  }
  const pool = new Uint8Array(POOL_BYTES);
  let at = POOL_BYTES;

  function draw(): void {
    source.getRandomValues(pool);
    at = 0;
  }

  return {
    u32(): number {
      if (at + 4 > POOL_BYTES) draw();
      const word =
        (pool[at] as number) |
        ((pool[at + 1] as number) << 8) |
        ((pool[at + 2] as number) << 16) |
        ((pool[at + 3] as number) << 24);
      pool.fill(0, at, at + 4);
      at += 4;
      return word >>> 0;
    },
    fill(out: Uint8Array, offset: number, length: number): void {
      let written = 0;
      while (written < length) {
        if (at === POOL_BYTES) draw();
        const part = Math.min(length - written, POOL_BYTES - at);
        copyBytes(out, offset + written, pool, at, part);
        // Used bytes may have become keys: they do not stay behind.
        pool.fill(0, at, at + part);
        at += part;
        written += part;
      }
    },
  };
}
