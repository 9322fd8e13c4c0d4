/** Write tokens (BEP 5): bound to the asker's IP address by a keyed hash whose secret changes every five minutes. */
import type { Millis, Rng } from '@molia/core';
import { TOKEN_ROTATION_MS } from './constants.ts';
import { KeyedHash } from './keyed-hash.ts';

export const OWN_TOKEN_BYTES = 8;
/** Family and address of an endpoint: what a token is bound to. */
const ADDRESS_BYTES = 17;

export class Tokens {
  readonly bytes = new Uint8Array(OWN_TOKEN_BYTES);
  private readonly current: KeyedHash;
  private readonly previous: KeyedHash;
  private readonly rng: Rng;
  private rotatedAt: Millis = 0;

  constructor(rng: Rng) {
    this.rng = rng;
    this.current = new KeyedHash(rng);
    this.previous = new KeyedHash(rng);
  }

  /** Writes the token for an endpoint into `bytes`. */
  make(now: Millis, endpoint: Uint8Array, at: number): void {
    this.rotate(now);
    this.write(this.current, endpoint, at);
  }

  /** Whether a token of 5 to 10 minutes at most was ours for this address. */
  accepts(
    now: Millis,
    endpoint: Uint8Array,
    at: number,
    token: Uint8Array,
    tokenAt: number,
    length: number,
  ): boolean {
    if (tokenAt < 0 || length !== OWN_TOKEN_BYTES) return false;
    this.rotate(now);
    this.write(this.current, endpoint, at);
    if (this.equals(token, tokenAt)) return true;
    this.write(this.previous, endpoint, at);
    return this.equals(token, tokenAt);
  }

  private rotate(now: Millis): void {
    const elapsed = now - this.rotatedAt;
    if (elapsed < TOKEN_ROTATION_MS) return;
    this.previous.takeKey(this.current);
    // After a long silence the secret before the last one has expired too.
    if (elapsed >= 2 * TOKEN_ROTATION_MS) this.previous.rekey(this.rng);
    this.current.rekey(this.rng);
    this.rotatedAt = now;
  }

  private write(hash: KeyedHash, endpoint: Uint8Array, at: number): void {
    hash.hash(endpoint, at, ADDRESS_BYTES);
    for (let i = 0; i < 4; i++) {
      this.bytes[i] = hash.first >>> (i * 8);
      this.bytes[i + 4] = hash.second >>> (i * 8);
    }
  }

  private equals(token: Uint8Array, at: number): boolean {
    let difference = 0;
    for (let i = 0; i < OWN_TOKEN_BYTES; i++)
      difference |= (token[at + i] as number) ^ (this.bytes[i] as number);
    return difference === 0;
  }
}
