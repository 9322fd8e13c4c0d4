/**
 * How many nodes there are (docs/spec/routing.md): the i-th closest of N uniform ids lies at i / (N + 1) of the space, so a
 * line through the origin fitted to the distances of a settled lookup has the slope 1 / (N + 1). The slow estimate is
 * the median of the slopes of all recent lookups (a mean would remember for hours how small the network was when we
 * joined), the fast one the mean of the newest few. The store radius is the larger of the two, so that identities
 * invented to inflate N cannot shrink it at once.
 */
import { grow, type Millis } from '@molia/core';
import { SIZE_SAMPLE_AGE_MS, SIZE_SAMPLES, SIZE_SAMPLES_FAST } from './constants.ts';

/** Rows at first: what joining measures. */
const INITIAL = 16;

export class SizeEstimator {
  private slopes = new Float64Array(INITIAL);
  private times = new Float64Array(INITIAL);
  /** The fresh slopes in order. */
  private sorted = new Float64Array(INITIAL);
  private sortedCount = 0;
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
    if (this.sortedCount === SIZE_SAMPLES) this.unsort(at);
    if (at === this.slopes.length) this.extend();
    this.slopes[at] = this.weighted / this.squares;
    this.times[at] = now;
    this.total++;
    this.sort(at);
  }

  /** Samples that count now. */
  samples(now: Millis): number {
    while (this.sortedCount > 0) {
      const oldest = (this.total - this.sortedCount) % SIZE_SAMPLES;
      if (now - (this.times[oldest] as number) <= SIZE_SAMPLE_AGE_MS) break;
      this.unsort(oldest);
    }
    return this.sortedCount;
  }

  /** Estimated nodes; NaN without samples. */
  nodes(now: Millis): number {
    return this.samples(now) === 0 ? Number.NaN : Math.max(1, 1 / this.slow() - 1);
  }

  /** 28 % of N, less with more samples (measured on a live network). */
  standardDeviation(now: Millis): number {
    return this.nodes(now) * 0.28 * Math.max(this.samples(now), 1) ** -0.53;
  }

  /** Expected distance of the k-th closest node as a fraction of the space; 1 without samples. */
  radius(now: Millis, k: number): number {
    const fresh = this.samples(now);
    if (fresh === 0) return 1;
    return Math.min(1, k * Math.max(this.slow(), this.fast(Math.min(fresh, SIZE_SAMPLES_FAST))));
  }

  /**
   * `radius` as the first word of a distance, biased so that signed order is distance order. In one piece: fractions
   * handed from function to function would be boxed.
   */
  radiusWord(now: Millis, k: number): number {
    const fresh = this.samples(now);
    if (fresh === 0) return 0x7fff_ffff;
    const count = Math.min(fresh, SIZE_SAMPLES_FAST);
    let sum = 0;
    for (let i = 1; i <= count; i++) sum += this.slopes[(this.total - i) % SIZE_SAMPLES] as number;
    const middle = this.sortedCount >>> 1;
    let slow = this.sorted[middle] as number;
    if (this.sortedCount % 2 === 0) slow = (slow + (this.sorted[middle - 1] as number)) / 2;
    return Math.min(Math.floor(k * Math.max(slow, sum / count) * 2 ** 32), 2 ** 32 - 1) ^ 0x8000_0000;
  }

  private slow(): number {
    const middle = this.sortedCount >>> 1;
    const upper = this.sorted[middle] as number;
    return this.sortedCount % 2 === 1 ? upper : (upper + (this.sorted[middle - 1] as number)) / 2;
  }

  private fast(count: number): number {
    let sum = 0;
    for (let i = 1; i <= count; i++) sum += this.slopes[(this.total - i) % SIZE_SAMPLES] as number;
    return sum / count;
  }

  /** BOUNDED: by SIZE_SAMPLES. */
  private extend(): void {
    const rows = Math.min(this.slopes.length * 2, SIZE_SAMPLES);
    this.slopes = grow(this.slopes, rows);
    this.times = grow(this.times, rows);
    this.sorted = grow(this.sorted, rows);
  }

  /** By position: a fraction handed to a function would be boxed. */
  private sort(position: number): void {
    const slope = this.slopes[position] as number;
    let at = this.sortedCount++;
    while (at > 0 && (this.sorted[at - 1] as number) > slope) {
      this.sorted[at] = this.sorted[at - 1] as number;
      at--;
    }
    this.sorted[at] = slope;
  }

  private unsort(position: number): void {
    const slope = this.slopes[position] as number;
    let at = 0;
    while (at < this.sortedCount - 1 && this.sorted[at] !== slope) at++;
    this.sortedCount--;
    for (; at < this.sortedCount; at++) this.sorted[at] = this.sorted[at + 1] as number;
  }
}
