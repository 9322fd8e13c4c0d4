/**
 * A bounded map from keys of fixed length to rows of columns, oldest use first out. Chained buckets under a keyed hash, all in
 * typed columns that double up to the bound; nothing allocates otherwise.
 */
import { grow, NONE, type Rng } from '@molia/core';
import { KeyedHash } from './keyed-hash.ts';

export class LruKeys {
  readonly keyBytes: number;
  readonly rowsMax: number;
  /** Rows the caller's columns must have now. */
  capacity: number;
  count = 0;
  /** The keys, `keyBytes` each, by row. */
  keys: Uint8Array;
  private readonly hasher: KeyedHash;
  private readonly onGrow: (capacity: number) => void;
  private heads: Int32Array;
  private chain: Int32Array;
  private newer: Int32Array;
  private older: Int32Array;
  private newest = NONE;
  private oldest = NONE;
  private free = NONE;
  private used = 0;

  /** `onGrow` hears the new capacity before a row of it is given out. */
  constructor(keyBytes: number, rowsMax: number, rng: Rng, onGrow: (capacity: number) => void = () => {}) {
    this.keyBytes = keyBytes;
    this.rowsMax = rowsMax;
    this.hasher = new KeyedHash(rng);
    this.onGrow = onGrow;
    this.capacity = Math.min(16, rowsMax);
    this.keys = new Uint8Array(this.capacity * keyBytes);
    this.heads = new Int32Array(powerOfTwo(this.capacity)).fill(NONE);
    this.chain = new Int32Array(this.capacity);
    this.newer = new Int32Array(this.capacity);
    this.older = new Int32Array(this.capacity);
    onGrow(this.capacity);
  }

  /** Least recently used row, or `NONE`. */
  get eldest(): number {
    return this.oldest;
  }

  /** Row used just before `row`'s turn to leave comes: the next newer one, or `NONE`. */
  after(row: number): number {
    return this.newer[row] as number;
  }

  find(key: Uint8Array, at: number): number {
    let row = this.heads[this.slot(key, at)] as number;
    while (row !== NONE && !this.equals(row, key, at)) row = this.chain[row] as number;
    return row;
  }

  /** A row for a key that `find` did not find; evicts the oldest when full. */
  insert(key: Uint8Array, at: number): number {
    let row = this.free;
    if (row !== NONE) this.free = this.chain[row] as number;
    else if (this.used < this.capacity) row = this.used++;
    else if (this.capacity < this.rowsMax) {
      this.widen();
      row = this.used++;
    } else {
      row = this.oldest;
      this.remove(row);
      this.free = this.chain[row] as number;
    }
    for (let i = 0; i < this.keyBytes; i++) this.keys[row * this.keyBytes + i] = key[at + i] as number;
    this.link(row);
    this.count++;
    this.append(row);
    return row;
  }

  /** Marks a row as just used. */
  touch(row: number): void {
    if (row === this.newest) return;
    this.detach(row);
    this.append(row);
  }

  remove(row: number): void {
    const slot = this.slot(this.keys, row * this.keyBytes);
    let at = this.heads[slot] as number;
    if (at === row) this.heads[slot] = this.chain[row] as number;
    else {
      while (this.chain[at] !== row) at = this.chain[at] as number;
      this.chain[at] = this.chain[row] as number;
    }
    this.detach(row);
    this.chain[row] = this.free;
    this.free = row;
    this.count--;
  }

  private slot(key: Uint8Array, at: number): number {
    return this.hasher.hash(key, at, this.keyBytes) & (this.heads.length - 1);
  }

  private equals(row: number, key: Uint8Array, at: number): boolean {
    const own = row * this.keyBytes;
    for (let i = 0; i < this.keyBytes; i++) if (this.keys[own + i] !== key[at + i]) return false;
    return true;
  }

  private link(row: number): void {
    const slot = this.slot(this.keys, row * this.keyBytes);
    this.chain[row] = this.heads[slot] as number;
    this.heads[slot] = row;
  }

  private append(row: number): void {
    this.newer[row] = NONE;
    this.older[row] = this.newest;
    if (this.newest === NONE) this.oldest = row;
    else this.newer[this.newest] = row;
    this.newest = row;
  }

  private detach(row: number): void {
    const newer = this.newer[row] as number;
    const older = this.older[row] as number;
    if (newer === NONE) this.newest = older;
    else this.older[newer] = older;
    if (older === NONE) this.oldest = newer;
    else this.newer[older] = newer;
  }

  /** INVARIANT: no row is free when this runs, so every row up to `capacity` is linked anew. */
  private widen(): void {
    const rows = this.capacity;
    this.capacity = Math.min(this.rowsMax, rows * 2);
    this.keys = grow(this.keys, this.capacity * this.keyBytes);
    this.chain = grow(this.chain, this.capacity);
    this.newer = grow(this.newer, this.capacity);
    this.older = grow(this.older, this.capacity);
    this.heads = new Int32Array(powerOfTwo(this.capacity)).fill(NONE);
    for (let row = 0; row < rows; row++) this.link(row);
    this.onGrow(this.capacity);
  }
}

function powerOfTwo(least: number): number {
  return 1 << (32 - Math.clz32(least - 1 || 1));
}
