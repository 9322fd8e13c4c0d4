/**
 * The index in memory: one row a record, columns of typed arrays by slot, found by 32-byte key with open addressing
 * (linear probing, deletion by shifting back). About 90 bytes a record, 130 with links, due times and eviction order.
 *
 * The hash is multilinear over the bytes with secret multipliers: its top 25 bits are universal (Lemire and Kaser
 * 2012), so that nobody who can choose keys can choose collisions.
 */
import { assert, copyBytes, equalBytes, grow, NO_U32, NONE, type Rng, SlotHeap } from '@molia/core';
import { Links } from './links.ts';

const KEY = 32;
const BITS_MIN = 6;
/** A thousand groups: the cells of one are 8 KiB for a million rows. */
const ORDER_BITS = 10;

/** Bits of a row's flags. */
export const RowFlag = {
  /** An older frame of this key may tell of a later expiry: when the row expires, a REMOVE frame must say so. */
  SHORTENED: 1,
} as const;

export class Rows {
  keys: Uint8Array = new Uint8Array(0);
  /** Index of the segment. */
  segment = new Uint16Array(0);
  /** Where in it the frame of the record begins. */
  position = new Int32Array(0);
  /** Length of the frame's body; 0 = free row. */
  length = new Int32Array(0);
  flags = new Uint8Array(0);
  tag = new Int32Array(0);
  /** Index + 1 of the segment with the TOUCH frame that holds for the row, 0 = the PUT frame does. */
  touched = new Uint16Array(0);
  /** Place in the cache + 1. */
  cached = new Int32Array(0);
  readonly expiry = new SlotHeap(NO_U32);
  readonly due = new SlotHeap(NO_U32);
  /** What is evicted first has the least number: the complement of the rank. */
  readonly eviction = new SlotHeap(NO_U32);
  readonly links = new Links();
  count = 0;
  capacity = 0;

  private readonly multipliers = new Int32Array(KEY);
  /** slot + 1, 0 = empty. */
  private cells = new Int32Array(1 << BITS_MIN);
  private shift = 32 - BITS_MIN;
  private hashes = new Int32Array(0);
  private freeHead = NONE;
  private readonly countMax: number;

  constructor(rng: Rng, countMax: number) {
    this.countMax = countMax;
    for (let i = 0; i < KEY; i++) this.multipliers[i] = rng.u32();
  }

  /** Slot of a key, NONE = not there. */
  find(key: Uint8Array, offset: number): number {
    const hash = this.hash(key, offset);
    const { cells, hashes, keys } = this;
    const mask = cells.length - 1;
    for (let cell = hash >>> this.shift; ; cell = (cell + 1) & mask) {
      const slot = (cells[cell] as number) - 1;
      if (slot < 0) return NONE;
      if (hashes[slot] === hash && equalBytes(keys, slot * KEY, key, offset, KEY)) return slot;
    }
  }

  /** A row for a key that is not there; the caller fills in the columns. NONE = `countMax` rows. */
  insert(key: Uint8Array, offset: number): number {
    if (this.freeHead === NONE && !this.widenRows()) return NONE;
    if ((this.count + 1) * 3 > this.cells.length * 2) this.widenCells(this.cells.length * 2);
    const slot = this.freeHead;
    this.freeHead = this.position[slot] as number;
    copyBytes(this.keys, slot * KEY, key, offset, KEY);
    this.hashes[slot] = this.hash(key, offset);
    this.place(slot);
    this.count++;
    return slot;
  }

  remove(slot: number): void {
    const { cells, hashes } = this;
    const mask = cells.length - 1;
    let hole = (hashes[slot] as number) >>> this.shift;
    // INVARIANT: a row with a record is in the table, so its cell follows its home without a gap.
    while (cells[hole] !== slot + 1) {
      assert(cells[hole] !== 0, 'a row that is removed is in the table');
      hole = (hole + 1) & mask;
    }
    for (let cell = (hole + 1) & mask; cells[cell] !== 0; cell = (cell + 1) & mask) {
      const home = (hashes[(cells[cell] as number) - 1] as number) >>> this.shift;
      // An entry may move back into the hole unless its home lies cyclically within (hole, cell].
      if (((cell - home) & mask) < ((cell - hole) & mask)) continue;
      cells[hole] = cells[cell] as number;
      hole = cell;
    }
    cells[hole] = 0;
    this.expiry.remove(slot);
    this.due.remove(slot);
    this.eviction.remove(slot);
    this.links.remove(slot);
    this.length[slot] = 0;
    this.flags[slot] = 0;
    this.touched[slot] = 0;
    this.cached[slot] = 0;
    this.release(slot);
    this.count--;
  }

  /** Makes room for `count` rows at once, before a recovery appends them. */
  prepare(count: number): void {
    const wanted = Math.min(count, this.countMax);
    if (wanted > this.capacity) this.growRows(wanted);
  }

  /**
   * Takes `count` keys over, for a recovery that fills an empty index: the first of their slots, which follow each other;
   * NONE = more than `countMax`. Then fill in the columns (links: `links.values`), and `adopt` once after the last.
   */
  append(keys: Uint8Array, offset: number, count: number): number {
    const first = this.count;
    if (first + count > this.countMax) return NONE;
    if (first + count > this.capacity)
      this.growRows(Math.min(this.countMax, Math.max(first + count, this.capacity + (this.capacity >> 1))));
    this.keys.set(keys.subarray(offset, offset + count * KEY), first * KEY);
    this.count += count;
    return first;
  }

  /** Makes what was appended findable. Of two rows with one key the one stays that `isNewer` than the other. */
  adopt(isNewer: (slot: number, than: number) => boolean): void {
    const end = this.count;
    this.freeHead = NONE;
    for (let slot = this.capacity - 1; slot >= end; slot--) this.release(slot);
    let size = this.cells.length;
    while (end * 3 > size * 2) size *= 2;
    this.cells = new Int32Array(size);
    this.shift = Math.clz32(size) + 1;
    for (let slot = 0; slot < end; slot++) this.hashes[slot] = this.hash(this.keys, slot * KEY);
    // By neighbourhoods of cells, not by slot: the table of a million rows is larger than a processor's near caches.
    for (const slot of this.byHash(end)) this.enter(slot, isNewer);
    for (let slot = 0; slot < end; slot++) {
      const link = this.links.values[slot] as number;
      if (link !== 0) this.links.add(slot, link);
    }
  }

  /** The first `count` slots by the top bits of their hashes, in ascending order within each group. */
  private byHash(count: number): Int32Array {
    const { hashes } = this;
    const ends = new Int32Array((1 << ORDER_BITS) + 1);
    for (let slot = 0; slot < count; slot++) {
      const group = ((hashes[slot] as number) >>> (32 - ORDER_BITS)) + 1;
      ends[group] = (ends[group] as number) + 1;
    }
    for (let group = 1; group < ends.length; group++)
      ends[group] = (ends[group] as number) + (ends[group - 1] as number);
    const order = new Int32Array(count);
    for (let slot = 0; slot < count; slot++) {
      const group = (hashes[slot] as number) >>> (32 - ORDER_BITS);
      order[ends[group] as number] = slot;
      ends[group] = (ends[group] as number) + 1;
    }
    return order;
  }

  /** As `place`, for a key that may be there. */
  private enter(slot: number, isNewer: (slot: number, than: number) => boolean): void {
    const { cells, hashes, keys } = this;
    const mask = cells.length - 1;
    const hash = hashes[slot] as number;
    let cell = hash >>> this.shift;
    for (; cells[cell] !== 0; cell = (cell + 1) & mask) {
      const other = (cells[cell] as number) - 1;
      if (hashes[other] !== hash || !equalBytes(keys, other * KEY, keys, slot * KEY, KEY)) continue;
      const stays = isNewer(slot, other);
      if (stays) cells[cell] = slot + 1;
      this.forget(stays ? other : slot);
      return;
    }
    cells[cell] = slot + 1;
  }

  /** A row that was appended and never entered, or no longer is. */
  private forget(slot: number): void {
    this.length[slot] = 0;
    this.flags[slot] = 0;
    this.touched[slot] = 0;
    this.links.values[slot] = 0;
    this.count--;
    this.release(slot);
  }

  private release(slot: number): void {
    this.position[slot] = this.freeHead;
    this.freeHead = slot;
  }

  private place(slot: number): void {
    const { cells } = this;
    const mask = cells.length - 1;
    let cell = (this.hashes[slot] as number) >>> this.shift;
    while (cells[cell] !== 0) cell = (cell + 1) & mask;
    cells[cell] = slot + 1;
  }

  private widenCells(size: number): void {
    const old = this.cells;
    this.cells = new Int32Array(size);
    this.shift = Math.clz32(size) + 1;
    for (let cell = 0; cell < old.length; cell++) {
      const slot = (old[cell] as number) - 1;
      if (slot >= 0) this.place(slot);
    }
  }

  /** By half: a full store of n rows holds columns for at most 1.5 n. */
  private widenRows(): boolean {
    if (this.capacity >= this.countMax) return false;
    this.growRows(Math.min(this.countMax, Math.max(256, this.capacity + (this.capacity >> 1))));
    return true;
  }

  private growRows(capacity: number): void {
    const first = this.capacity;
    this.keys = grow(this.keys, capacity * KEY);
    this.hashes = grow(this.hashes, capacity);
    this.segment = grow(this.segment, capacity);
    this.position = grow(this.position, capacity);
    this.length = grow(this.length, capacity);
    this.flags = grow(this.flags, capacity);
    this.tag = grow(this.tag, capacity);
    this.touched = grow(this.touched, capacity);
    this.cached = grow(this.cached, capacity);
    this.expiry.grow(capacity);
    this.due.grow(capacity);
    this.eviction.grow(capacity);
    this.links.grow(capacity);
    for (let slot = capacity - 1; slot >= first; slot--) this.release(slot);
    this.capacity = capacity;
  }

  private hash(key: Uint8Array, offset: number): number {
    const { multipliers } = this;
    let sum = 0;
    for (let i = 0; i < KEY; i++) {
      sum = (sum + Math.imul(multipliers[i] as number, key[offset + i] as number)) | 0;
    }
    return sum;
  }
}
