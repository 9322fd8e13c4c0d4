/**
 * An index from 32-byte keys (or pairs of them) to slots of a slab: open addressing, linear probing, deletion by
 * shifting back. The keys stay in the slab's columns. The hash is multilinear over the bytes with secret random
 * multipliers: its top 25 bits are universal (Lemire & Kaser 2012: 32 >= 8 + 25 - 1), so that nobody who can choose
 * keys can choose collisions.
 */
import type { Rng } from '@molia/core';
import { equalBytes, grow, NO_I32, NO_U8 } from '@molia/core';

const KEY = 32;
const BITS_MIN = 6;
/** Slots at most: half of the 2^25 cells that the hash can tell apart. */
export const SLOTS_MAX = 2 ** 24;

export class KeyTable {
  private readonly multipliers: Int32Array;
  /** slot + 1, 0 = empty. */
  private cells: Int32Array;
  private shift: number;
  private hashes: Int32Array;
  private first: Uint8Array;
  private second: Uint8Array | undefined;
  private used = 0;

  /** `pair`: keys are pairs, and `attach` and `find` take two columns. */
  constructor(rng: Rng, pair: boolean) {
    this.multipliers = new Int32Array(pair ? 2 * KEY : KEY);
    for (let i = 0; i < this.multipliers.length; i++) this.multipliers[i] = rng.u32();
    this.cells = new Int32Array(1 << BITS_MIN);
    this.shift = 32 - BITS_MIN;
    this.hashes = NO_I32;
    this.first = NO_U8;
  }

  get count(): number {
    return this.used;
  }

  /** Names the slab's key columns (32 bytes a slot) after each growth of the slab to `capacity` slots. */
  attach(capacity: number, first: Uint8Array, second?: Uint8Array): void {
    this.first = first;
    this.second = second;
    this.hashes = grow(this.hashes, capacity);
  }

  /** The slot of a key, -1 = none. With duplicates, any of them. */
  find(a: Uint8Array, aOffset: number, b?: Uint8Array, bOffset = 0): number {
    const hash = this.hash(a, aOffset, b, bOffset);
    const mask = this.cells.length - 1;
    for (let cell = hash >>> this.shift; ; cell = (cell + 1) & mask) {
      const slot = (this.cells[cell] as number) - 1;
      if (slot < 0) return -1;
      if (this.hashes[slot] !== hash || !equalBytes(this.first, slot * KEY, a, aOffset, KEY)) continue;
      if (b === undefined || this.second === undefined) return slot;
      if (equalBytes(this.second, slot * KEY, b, bOffset, KEY)) return slot;
    }
  }

  /** Indexes a slot by what its columns hold now. The slot must not be indexed already. */
  insert(slot: number): void {
    if ((this.used + 1) * 2 > this.cells.length) this.widen();
    this.hashes[slot] = this.hash(this.first, slot * KEY, this.second, slot * KEY);
    this.place(slot);
    this.used++;
  }

  /** Forgets a slot; its key columns need not be intact. `false` = was not indexed. */
  remove(slot: number): boolean {
    const cells = this.cells;
    const mask = cells.length - 1;
    let hole = (this.hashes[slot] as number) >>> this.shift;
    while (cells[hole] !== slot + 1) {
      if (cells[hole] === 0) return false;
      hole = (hole + 1) & mask;
    }
    for (let cell = (hole + 1) & mask; cells[cell] !== 0; cell = (cell + 1) & mask) {
      const home = (this.hashes[(cells[cell] as number) - 1] as number) >>> this.shift;
      // An entry may move back into the hole unless its home lies cyclically within (hole, cell].
      if (((cell - home) & mask) < ((cell - hole) & mask)) continue;
      cells[hole] = cells[cell] as number;
      hole = cell;
    }
    cells[hole] = 0;
    this.used--;
    return true;
  }

  private place(slot: number): void {
    const mask = this.cells.length - 1;
    let cell = (this.hashes[slot] as number) >>> this.shift;
    while (this.cells[cell] !== 0) cell = (cell + 1) & mask;
    this.cells[cell] = slot + 1;
  }

  private widen(): void {
    const old = this.cells;
    this.cells = new Int32Array(old.length * 2);
    this.shift--;
    for (let cell = 0; cell < old.length; cell++) {
      const slot = (old[cell] as number) - 1;
      if (slot >= 0) this.place(slot);
    }
  }

  private hash(a: Uint8Array, aOffset: number, b: Uint8Array | undefined, bOffset: number): number {
    const multipliers = this.multipliers;
    let sum = 0;
    for (let i = 0; i < KEY; i++) {
      sum = (sum + Math.imul(multipliers[i] as number, a[aOffset + i] as number)) | 0;
    }
    if (b !== undefined && multipliers.length > KEY) {
      for (let i = 0; i < KEY; i++) {
        sum = (sum + Math.imul(multipliers[KEY + i] as number, b[bOffset + i] as number)) | 0;
      }
    }
    return sum;
  }
}
