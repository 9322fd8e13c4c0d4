/**
 * Rates per client network in constant memory: two rows of cells under tabulation hashing (Carter and Wegman) with random tables,
 * each cell a virtual schedule (GCRA, ITU-T I.371). A network is over its rate when both of its cells are, so that sharing one
 * with a busy stranger costs nothing, and nobody can choose whom to share with.
 */
import { ENDPOINT_BYTES, type Millis, type Rng } from '@molia/core';

const CELL_BITS = 14;
const CELLS = 1 << CELL_BITS;
/** Family and address of an endpoint. */
const HASHED_BYTES = 17;

export interface PrefixBits {
  readonly ipv4: number;
  readonly ipv6: number;
}

export class RateLimiter {
  private readonly unitMs: number;
  private readonly toleranceMs: number;
  private readonly prefixBits: PrefixBits;
  private readonly tables = new Uint32Array(HASHED_BYTES * 256);
  /** When each cell's schedule is caught up, two rows. */
  private readonly cells = new Float64Array(2 * CELLS);

  /** `perSecond` units in the long run, `burst` at once; `perSecond` 0 = no limit. */
  constructor(perSecond: number, burst: number, prefixBits: PrefixBits, rng: Rng) {
    this.unitMs = perSecond === 0 ? 0 : 1000 / perSecond;
    this.toleranceMs = burst * this.unitMs;
    this.prefixBits = prefixBits;
    for (let i = 0; i < this.tables.length; i++) this.tables[i] = rng.u32();
  }

  /** Takes `units` for the network of an endpoint (`ENDPOINT_BYTES` at `at`); `false` = it is over its rate, and took none. */
  take(now: Millis, endpoint: Uint8Array, at: number, units = 1): boolean {
    if (this.unitMs === 0) return true;
    const hash = this.hash(endpoint, at);
    const first = hash & (CELLS - 1);
    const second = CELLS + ((hash >>> CELL_BITS) & (CELLS - 1));
    const cost = units * this.unitMs;
    const due1 = Math.max(now, this.cells[first] as number) + cost;
    const due2 = Math.max(now, this.cells[second] as number) + cost;
    if (Math.min(due1, due2) - now > this.toleranceMs) return false;
    // A cell that is full already is left to whom it belongs.
    if (due1 - now <= this.toleranceMs) this.cells[first] = due1;
    if (due2 - now <= this.toleranceMs) this.cells[second] = due2;
    return true;
  }

  private hash(endpoint: Uint8Array, at: number): number {
    const family = endpoint[at] as number;
    let bits = family === 4 ? this.prefixBits.ipv4 : this.prefixBits.ipv6;
    let hash = this.tables[family & 255] as number;
    for (let i = 1; bits > 0 && i < HASHED_BYTES && i < ENDPOINT_BYTES; i++, bits -= 8) {
      const kept = bits >= 8 ? 255 : (0xff00 >>> bits) & 255;
      hash ^= this.tables[i * 256 + ((endpoint[at + i] as number) & kept)] as number;
    }
    return hash;
  }
}
