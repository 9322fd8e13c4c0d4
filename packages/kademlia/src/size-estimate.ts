/**
 * How many nodes there are (evidence 3.6): the i-th closest of N uniform ids lies at i / (N + 1) of the space, so a
 * line through the origin fitted to the distances of a settled lookup has the slope 1 / (N + 1). Slopes of lookups are
 * averaged: over all recent ones (slow) and the newest few (fast). The store radius is the larger of the two, so that
 * identities invented to inflate N cannot shrink it at once (protocol.md 6).
 */
import type { Millis } from '@molia/core';
import { SIZE_SAMPLE_AGE_MS, SIZE_SAMPLES, SIZE_SAMPLES_FAST } from './constants.ts';

export class SizeEstimator {
  private readonly slopes = new Float64Array(SIZE_SAMPLES);
  private readonly times = new Float64Array(SIZE_SAMPLES);
  private total = 0;
  private weighted = 0;
  private squares = 0;
  private rank = 0;

  /** Starts a sample; call `rankedDistance` for the closest nodes in order, then `commit`. */
  begin(): void {
    this.weighted = 0;
    this.squares = 0;
    this.rank = 0;
  }

  /** The next closest node lies at this fraction of the space. */
  rankedDistance(fraction: number): void {
    this.rank++;
    this.weighted += this.rank * fraction;
    this.squares += this.rank * this.rank;
  }

  /** Keeps the sample; nothing when it ranked nobody. */
  commit(now: Millis): void {
    if (this.rank === 0) return;
    const at = this.total % SIZE_SAMPLES;
    this.slopes[at] = this.weighted / this.squares;
    this.times[at] = now;
    this.total++;
  }

  /** Samples that count now. */
  samples(now: Millis): number {
    const kept = Math.min(this.total, SIZE_SAMPLES);
    let fresh = 0;
    while (fresh < kept) {
      const at = (this.total - 1 - fresh) % SIZE_SAMPLES;
      if (now - (this.times[at] as number) > SIZE_SAMPLE_AGE_MS) break;
      fresh++;
    }
    return fresh;
  }

  /** Estimated nodes; NaN without samples. */
  nodes(now: Millis): number {
    const fresh = this.samples(now);
    return fresh === 0 ? Number.NaN : Math.max(1, 1 / this.slope(fresh) - 1);
  }

  /** 28 % of N, less with more samples (measured on a live network; evidence 3.6). */
  standardDeviation(now: Millis): number {
    return this.nodes(now) * 0.28 * Math.max(this.samples(now), 1) ** -0.53;
  }

  /** Expected distance of the k-th closest node as a fraction of the space; 1 without samples. */
  radius(now: Millis, k: number): number {
    const fresh = this.samples(now);
    if (fresh === 0) return 1;
    const slope = Math.max(this.slope(fresh), this.slope(Math.min(fresh, SIZE_SAMPLES_FAST)));
    return Math.min(1, k * slope);
  }

  /** Mean slope of the newest `count` samples. */
  private slope(count: number): number {
    let sum = 0;
    for (let i = 1; i <= count; i++) sum += this.slopes[(this.total - i) % SIZE_SAMPLES] as number;
    return sum / count;
  }
}
