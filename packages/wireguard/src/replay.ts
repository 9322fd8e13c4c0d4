/**
 * Replay windows (RFC 6479): which counters of a session were seen, 8,128 behind the newest in a ring of 8,192 bits.
 * Most sessions of a DHT carry a handful of packets, so a session begins with one word and takes one of the
 * 1 KiB rings only when its counter reaches 32.
 */
import { assert, growI32, growU32, NO_I32, NO_U32, NONE } from '@molia/core';
import {
  REJECT_AFTER_MESSAGES_HIGH,
  REJECT_AFTER_MESSAGES_LOW,
  REPLAY_RING_BITS,
  REPLAY_WINDOW,
} from './constants.ts';

const WORDS = REPLAY_RING_BITS / 32;
const WORD_MASK = WORDS - 1;
/** Blocks are 64 bits wide, as in the reference implementations, so that the same counters are accepted. */
const BLOCK_WORDS = 2;
const INLINE_BITS = 32;

/** Windows of the rows of a slab; counters are pairs of u32. */
export class ReplayWindows {
  private maxLow: Uint32Array = NO_U32;
  private maxHigh: Uint32Array = NO_U32;
  /** Seen bits of a row without a ring. */
  private few: Uint32Array = NO_U32;
  private ringOf: Int32Array = NO_I32;
  private rings: Uint32Array = NO_U32;
  private freeRings: Int32Array = NO_I32;
  private freeCount = 0;
  private ringCapacity = 0;

  /** Rows after the slab grew. */
  grow(rows: number): void {
    const first = this.ringOf.length;
    this.maxLow = growU32(this.maxLow, rows);
    this.maxHigh = growU32(this.maxHigh, rows);
    this.few = growU32(this.few, rows);
    this.ringOf = growI32(this.ringOf, rows);
    this.ringOf.fill(NONE, first);
  }

  /** Forgets what the row saw. */
  reset(row: number): void {
    this.maxLow[row] = 0;
    this.maxHigh[row] = 0;
    this.few[row] = 0;
    const ring = this.ringOf[row] as number;
    if (ring === NONE) return;
    this.ringOf[row] = NONE;
    this.freeRings[this.freeCount++] = ring;
  }

  /** Rings in use, for `stats`. */
  get ringCount(): number {
    return this.ringCapacity - this.freeCount;
  }

  /** Whether the counter is new and near enough; it then counts as seen. Call only for authenticated packets. */
  accept(row: number, low: number, high: number): boolean {
    if (high === REJECT_AFTER_MESSAGES_HIGH && low >= REJECT_AFTER_MESSAGES_LOW) return false;
    if ((this.ringOf[row] as number) === NONE) {
      if (high === 0 && low < INLINE_BITS) return this.acceptFew(row, low);
      this.takeRing(row);
    }
    return this.acceptRing(row, low, high);
  }

  private acceptFew(row: number, low: number): boolean {
    const seen = this.few[row] as number;
    const bit = 1 << low;
    if ((seen & bit) !== 0) return false;
    this.few[row] = seen | bit;
    if (low > (this.maxLow[row] as number)) this.maxLow[row] = low;
    return true;
  }

  private acceptRing(row: number, low: number, high: number): boolean {
    const maxLow = this.maxLow[row] as number;
    const maxHigh = this.maxHigh[row] as number;
    // Exact where it matters: only a difference beyond 2^53 rounds, and that is far outside either bound.
    const ahead = (high - maxHigh) * 0x1_0000_0000 + (low - maxLow);
    if (ahead < -REPLAY_WINDOW) return false;
    const base = (this.ringOf[row] as number) * WORDS;
    if (ahead > 0) {
      this.advance(base, maxLow, low, ahead);
      this.maxLow[row] = low;
      this.maxHigh[row] = high;
    }
    const word = base + ((low >>> 5) & WORD_MASK);
    const bit = 1 << (low & 31);
    const seen = this.rings[word] as number;
    if ((seen & bit) !== 0) return false;
    this.rings[word] = seen | bit;
    return true;
  }

  /** Clears the blocks between the old newest counter's and the new one's. */
  private advance(base: number, maxLow: number, low: number, ahead: number): void {
    // Blocks crossed, not counters: 8,191 ahead may already come back to the block it started from.
    if (ahead >= REPLAY_RING_BITS || ahead + (maxLow & 63) >= REPLAY_RING_BITS) {
      this.rings.fill(0, base, base + WORDS);
      return;
    }
    const blockMask = WORDS / BLOCK_WORDS - 1;
    let block = (maxLow >>> 6) & blockMask;
    const last = (low >>> 6) & blockMask;
    while (block !== last) {
      // BOUNDED: by the blocks of the ring.
      block = (block + 1) & blockMask;
      this.rings[base + block * BLOCK_WORDS] = 0;
      this.rings[base + block * BLOCK_WORDS + 1] = 0;
    }
  }

  private takeRing(row: number): void {
    if (this.freeCount === 0) this.growRings();
    const ring = this.freeRings[--this.freeCount] as number;
    this.ringOf[row] = ring;
    this.rings.fill(0, ring * WORDS, (ring + 1) * WORDS);
    this.rings[ring * WORDS] = this.few[row] as number;
  }

  private growRings(): void {
    const capacity = Math.max(4, this.ringCapacity * 2);
    // BOUNDED: a row has at most one ring.
    assert(this.ringCapacity < this.ringOf.length * 2, 'there are no more rings than rows');
    this.rings = growU32(this.rings, capacity * WORDS);
    this.freeRings = growI32(this.freeRings, capacity);
    for (let ring = capacity - 1; ring >= this.ringCapacity; ring--) this.freeRings[this.freeCount++] = ring;
    this.ringCapacity = capacity;
  }
}
