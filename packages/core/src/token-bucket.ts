/** A rate limit that tolerates bursts. */
import type { Millis } from './engine.ts';

/** Refills at `ratePerSecond` up to `burst`; starts full. */
export class TokenBucket {
  private readonly ratePerMs: number;
  private readonly burst: number;
  /** [tokens, instant of the last refill]: cells, because a double in a field may be boxed anew. */
  private readonly state: Float64Array;

  /** Throws RangeError unless the rate is finite and not negative and the burst finite and positive. */
  constructor(ratePerSecond: number, burst: number, now: Millis = 0) {
    if (!(ratePerSecond >= 0 && ratePerSecond < Infinity)) {
      throw new RangeError(`ratePerSecond must be a number from 0, not ${ratePerSecond}`);
    }
    if (!(burst > 0 && burst < Infinity))
      throw new RangeError(`burst must be a positive number, not ${burst}`);
    this.ratePerMs = ratePerSecond / 1000;
    this.burst = burst;
    this.state = new Float64Array(2);
    this.state[0] = burst;
    this.state[1] = now;
  }

  /** Takes `n` tokens. `false`: there are fewer, and none was taken. */
  take(now: Millis, n = 1): boolean {
    const tokens = this.refill(now);
    if (tokens < n) return false;
    this.state[0] = tokens - n;
    return true;
  }

  /** Tokens at `now`, fractions included. */
  available(now: Millis): number {
    return this.refill(now);
  }

  private refill(now: Millis): number {
    const elapsed = now - (this.state[1] as number);
    if (elapsed <= 0) return this.state[0] as number;
    const tokens = Math.min(this.burst, (this.state[0] as number) + elapsed * this.ratePerMs);
    this.state[0] = tokens;
    this.state[1] = now;
    return tokens;
  }
}
