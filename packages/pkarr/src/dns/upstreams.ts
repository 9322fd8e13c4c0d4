/** The servers that ordinary names are forwarded to, and which of them answers fast. */
import { type Rng, randomBelow } from '@molia/core';

/** Until a server answered, and for how long one is waited for at least: a fast one may have to ask others itself. */
const ROUND_TRIP_MS = 250;
const WAIT_MS_MIN = 800;
/** Failures in a row that lengthen a server's round trip; each doubles it. */
const FAILURES_MAX = 6;
const ATTEMPTS_MIN = 3;
/** One question in so many goes to another server than the best first, so that a recovered one is noticed. */
const TRIED_ONE_IN = 32;

export class Upstreams {
  private readonly endpoints: readonly Uint8Array[];
  private readonly timeoutMs: number;
  private readonly roundTripMs: Float64Array;
  private readonly failures: Uint8Array;

  /** `endpoints`: `ENDPOINT_BYTES` each. `timeoutMs`: longest wait for one answer. */
  constructor(endpoints: readonly Uint8Array[], timeoutMs: number) {
    this.endpoints = endpoints;
    this.timeoutMs = timeoutMs;
    this.roundTripMs = new Float64Array(endpoints.length).fill(ROUND_TRIP_MS);
    this.failures = new Uint8Array(endpoints.length);
  }

  get count(): number {
    return this.endpoints.length;
  }

  endpoint(index: number): Uint8Array {
    return this.endpoints[index] as Uint8Array;
  }

  /** All of them, best first, and at least three attempts, since a datagram may be lost. */
  inOrder(rng: Rng): number[] {
    const cost = (index: number): number =>
      (this.roundTripMs[index] as number) * 2 ** (this.failures[index] as number);
    const order = this.endpoints.map((_, index) => index).sort((a, b) => cost(a) - cost(b));
    if (order.length > 1 && randomBelow(rng, TRIED_ONE_IN) === 0)
      order.unshift(...order.splice(1 + randomBelow(rng, order.length - 1), 1));
    return order.length < ATTEMPTS_MIN ? [...order, ...order, ...order].slice(0, ATTEMPTS_MIN) : order;
  }

  waitMs(index: number): number {
    return Math.min(this.timeoutMs, Math.max(WAIT_MS_MIN, 4 * (this.roundTripMs[index] as number)));
  }

  answered(index: number, roundTripMs: number): void {
    this.failures[index] = 0;
    this.roundTripMs[index] = 0.7 * (this.roundTripMs[index] as number) + 0.3 * Math.max(1, roundTripMs);
  }

  failed(index: number): void {
    this.failures[index] = Math.min(FAILURES_MAX, (this.failures[index] as number) + 1);
  }
}
