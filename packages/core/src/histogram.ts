/**
 * Log-linear histograms of non-negative integers (the idea of HdrHistogram): each power of two is cut into 2^p equal
 * buckets, so a quantile is at most 1 / 2^p above the recorded value. Recording touches two cells.
 */

export interface HistogramBounds {
  /** Largest value told apart, up to 2^31 - 1; larger ones count as this one. */
  readonly valueMax: number;
  /** p: 4 (6.25 %) unless told, 1 to 8. */
  readonly precisionBits?: number;
}

/** Unit-less: whoever declares it says whether it counts microseconds or bytes. */
export class Histogram {
  readonly valueMax: number;
  readonly precisionBits: number;
  /** How many values fell into each bucket; `upperBound(i)` says which values those are. */
  readonly buckets: Uint32Array;
  /** [count, sum, largest recorded]. */
  private readonly totals = new Float64Array(3);

  /** Throws RangeError. */
  constructor(bounds: HistogramBounds) {
    const precisionBits = bounds.precisionBits ?? 4;
    if (!Number.isInteger(precisionBits) || precisionBits < 1 || precisionBits > 8) {
      throw new RangeError(`precisionBits must be an integer from 1 to 8, not ${precisionBits}`);
    }
    if (!Number.isInteger(bounds.valueMax) || bounds.valueMax < 1 || bounds.valueMax > 0x7fffffff) {
      throw new RangeError(`valueMax must be an integer from 1 to 2^31 - 1, not ${bounds.valueMax}`);
    }
    this.valueMax = bounds.valueMax;
    this.precisionBits = precisionBits;
    this.buckets = new Uint32Array(this.indexOf(bounds.valueMax) + 1);
  }

  get count(): number {
    return this.totals[0] as number;
  }

  /** Sum of the recorded values, after truncation and clamping. */
  get sum(): number {
    return this.totals[1] as number;
  }

  /** Largest recorded value, after clamping; 0 when empty. */
  get max(): number {
    return this.totals[2] as number;
  }

  /** Counts one value, truncated to an integer and clamped to `[0, valueMax]`; NaN counts as 0. */
  record(value: number): void {
    const clamped = value >= this.valueMax ? this.valueMax : value > 0 ? value | 0 : 0;
    const index = this.indexOf(clamped);
    this.buckets[index] = (this.buckets[index] as number) + 1;
    this.totals[0] = (this.totals[0] as number) + 1;
    this.totals[1] = (this.totals[1] as number) + clamped;
    if (clamped > (this.totals[2] as number)) this.totals[2] = clamped;
  }

  /** Largest value that counts in bucket `index`. */
  upperBound(index: number): number {
    const p = this.precisionBits;
    const exponent = index >>> p;
    if (exponent === 0) return index;
    const mantissa = (1 << p) | (index & ((1 << p) - 1));
    return Math.min((mantissa + 1) * 2 ** (exponent - 1) - 1, this.valueMax);
  }

  /** A value that at least the share `q` (0 to 1) of the recorded ones do not exceed; 0 when empty. */
  quantile(q: number): number {
    const rank = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (let index = 0; index < this.buckets.length; index++) {
      seen += this.buckets[index] as number;
      if (seen >= rank) return Math.min(this.upperBound(index), this.max);
    }
    return this.max;
  }

  /** Adds another histogram's values. Throws RangeError unless both have the same bounds. */
  merge(other: Histogram): void {
    if (other.valueMax !== this.valueMax || other.precisionBits !== this.precisionBits) {
      throw new RangeError('only histograms with the same bounds merge');
    }
    for (let index = 0; index < this.buckets.length; index++) {
      this.buckets[index] = (this.buckets[index] as number) + (other.buckets[index] as number);
    }
    this.totals[0] = this.count + other.count;
    this.totals[1] = this.sum + other.sum;
    this.totals[2] = Math.max(this.max, other.max);
  }

  reset(): void {
    this.buckets.fill(0);
    this.totals.fill(0);
  }

  private indexOf(value: number): number {
    const p = this.precisionBits;
    const exponent = 31 - Math.clz32(value);
    if (exponent < p) return value;
    return ((exponent - p + 1) << p) | ((value >>> (exponent - p)) & ((1 << p) - 1));
  }
}
