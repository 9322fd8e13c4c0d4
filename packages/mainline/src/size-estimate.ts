/**
 * How many subnets the nearest nodes lie in, and how many nodes there are, from the distances of the nearest that answered (least squares of distance over rank), averaged over
 * independent lookups.
 */
import { SIZE_SAMPLES_FAST, SIZE_SAMPLES_MAX, STORE_NODES } from './constants.ts';

export class SizeEstimator {
  private readonly samples = new Float64Array(SIZE_SAMPLES_MAX);
  private readonly subnetSamples = new Float64Array(SIZE_SAMPLES_MAX);
  private taken = 0;

  /** Distances (shares of the id space) of the nearest nodes, nearest first, and their subnets; fewer than 4 say nothing. */
  add(distances: readonly number[], subnets: number): void {
    const n = distances.length;
    if (n < 4) return;
    let weighted = 0;
    for (let i = 0; i < n; i++) weighted += (i + 1) * (distances[i] as number);
    if (weighted <= 0) return;
    this.subnetSamples[this.taken % SIZE_SAMPLES_MAX] = subnets;
    this.samples[this.taken++ % SIZE_SAMPLES_MAX] = (n * (n + 1) * (2 * n + 1)) / 6 / weighted;
  }

  /** Lookups that count. */
  get count(): number {
    return Math.min(this.taken, SIZE_SAMPLES_MAX);
  }

  /** Nodes in the network; 0 = unknown. */
  get nodes(): number {
    return this.mean(this.count);
  }

  /** Relative standard deviation: 0.281 n^-0.529 for n lookups over 20 nodes each (measured by the authors of pubky/mainline). */
  get deviation(): number {
    return this.count === 0 ? 0 : 0.281 * this.count ** -0.529;
  }

  /**
   * Expected distance of the 20th node, within which a writer asks everybody; 0 = unknown. Sybils inflate the estimate, which
   * would shrink this distance: the lower of a slow and a fast mean decides.
   */
  get writeDistance(): number {
    if (this.count === 0) return 0;
    const nodes = Math.min(this.mean(this.count), this.mean(Math.min(SIZE_SAMPLES_FAST, this.count)));
    return Math.min(1, STORE_NODES / (nodes + 1));
  }

  /** Subnets that the nearest nodes lie in on average; a writer goes on until its own lie in as many. 0 = unknown. */
  get subnets(): number {
    let sum = 0;
    for (let i = 0; i < this.count; i++) sum += this.subnetSamples[i] as number;
    return this.count === 0 ? 0 : Math.floor(sum / this.count);
  }

  private mean(latest: number): number {
    if (latest === 0) return 0;
    let inverse = 0;
    for (let i = 1; i <= latest; i++) {
      inverse += 1 / (this.samples[(this.taken - i) % SIZE_SAMPLES_MAX] as number);
    }
    // Distances average; sizes do not: one lookup with a very near node must not dominate.
    return latest / inverse;
  }
}
