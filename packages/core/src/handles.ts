/**
 * Handles: how a slab's rows are named outside it. A handle is a non-negative 31-bit integer,
 * `generation << 20 | index`; freeing a row bumps its generation, so a handle kept too long reads as stale instead
 * of naming the row's next owner. Rows are reused first in, first out, so that the 11 bits of generation last.
 */
import { grow } from './grow.ts';

/** No handle, no index, no op: what lookups answer instead. */
export const NONE = -1;
/** Bits of a handle that hold the row index: at most 1,048,576 rows a table. */
export const HANDLE_INDEX_BITS = 20;

const INDEX_MASK = (1 << HANDLE_INDEX_BITS) - 1;
const GENERATION_MASK = (1 << (31 - HANDLE_INDEX_BITS)) - 1;
/** Marks a live row in the column that chains the free ones. */
const LIVE = -2;

export interface HandleTableOptions {
  /** Rows to start with (default: the smaller of 16 and the maximum). */
  readonly initial?: number;
  /** Called with the new capacity when the table doubled, before `alloc` returns: grow the slab's columns here. */
  readonly onGrow?: (capacity: number) => void;
}

/**
 * Mints, resolves and recycles handles of one slab. Allocates only while it grows.
 * A stale handle can be mistaken for a live one after its row was freed 2,048 times.
 */
export class HandleTable {
  private readonly capacityMax: number;
  private readonly onGrow: ((capacity: number) => void) | undefined;
  private generations: Uint16Array;
  /** `LIVE`, or the next free row, or `NONE` at the end of the chain. */
  private chain: Int32Array;
  private freeHead = NONE;
  private freeTail = NONE;
  private rows = 0;
  private live = 0;

  /** `capacityMax`: 1 to 2^20 rows. Throws RangeError. */
  constructor(capacityMax: number, options: HandleTableOptions = {}) {
    if (!Number.isInteger(capacityMax) || capacityMax < 1 || capacityMax > INDEX_MASK + 1) {
      throw new RangeError(`capacityMax must be an integer from 1 to ${INDEX_MASK + 1}, not ${capacityMax}`);
    }
    const initial = options.initial ?? Math.min(16, capacityMax);
    if (!Number.isInteger(initial) || initial < 1 || initial > capacityMax) {
      throw new RangeError(`initial must be an integer from 1 to capacityMax ${capacityMax}, not ${initial}`);
    }
    this.capacityMax = capacityMax;
    this.onGrow = options.onGrow;
    this.generations = new Uint16Array(0);
    this.chain = new Int32Array(0);
    this.extend(initial);
  }

  /** Rows the slab's columns must have now. */
  get capacity(): number {
    return this.rows;
  }

  /** Live handles. */
  get count(): number {
    return this.live;
  }

  /** A fresh handle, or `NONE` when `capacityMax` rows are live. */
  alloc(): number {
    if (this.freeHead === NONE) {
      if (this.rows === this.capacityMax) return NONE;
      this.extend(Math.min(this.rows * 2, this.capacityMax));
      this.onGrow?.(this.rows);
    }
    const index = this.freeHead;
    const next = this.chain[index] as number;
    this.freeHead = next;
    if (next === NONE) this.freeTail = NONE;
    this.chain[index] = LIVE;
    this.live++;
    return ((this.generations[index] as number) << HANDLE_INDEX_BITS) | index;
  }

  /** Frees a row. `false`: the handle was stale or never minted, and nothing changed. */
  free(handle: number): boolean {
    const index = this.index(handle);
    if (index === NONE) return false;
    this.generations[index] = ((this.generations[index] as number) + 1) & GENERATION_MASK;
    this.chain[index] = NONE;
    if (this.freeTail === NONE) this.freeHead = index;
    else this.chain[this.freeTail] = index;
    this.freeTail = index;
    this.live--;
    return true;
  }

  /** The row of a live handle, or -1 when it is stale, `NONE` or never minted. */
  index(handle: number): number {
    if (handle < 0) return NONE;
    const index = handle & INDEX_MASK;
    if (index >= this.rows || this.chain[index] !== LIVE) return NONE;
    return this.generations[index] === handle >>> HANDLE_INDEX_BITS ? index : NONE;
  }

  /** The live handle of a row, or `NONE` when the row is free: for walking a slab by index. */
  handleAt(index: number): number {
    if (index < 0 || index >= this.rows || this.chain[index] !== LIVE) return NONE;
    return ((this.generations[index] as number) << HANDLE_INDEX_BITS) | index;
  }

  private extend(capacity: number): void {
    const first = this.rows;
    this.generations = grow(this.generations, capacity);
    this.chain = grow(this.chain, capacity);
    for (let index = first; index < capacity; index++) {
      this.chain[index] = index + 1 < capacity ? index + 1 : NONE;
    }
    // INVARIANT: extend runs with an empty chain, so the new rows are the whole of it.
    this.freeHead = first;
    this.freeTail = capacity - 1;
    this.rows = capacity;
  }
}
