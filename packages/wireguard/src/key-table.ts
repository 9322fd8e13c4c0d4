/**
 * From a 32-byte public key to the row of a slab that holds it: open addressing, keyed by HalfSipHash-1-3
 * (Aumasson and Bernstein 2012), because strangers choose the keys. Holds rows only; the keys stay in the slab.
 */
import { equalBytes, NONE, type Rng } from '@molia/core';

const FREE = -1;
const WORDS = 8;

/** Rows by the key at `row * stride + field` of the slab's bytes. */
export class KeyTable {
  readonly #stride: number;
  readonly #field: number;
  readonly #seed0: number;
  readonly #seed1: number;
  #rows: Int32Array;
  #count = 0;

  constructor(rng: Rng, stride: number, field: number) {
    this.#stride = stride;
    this.#field = field;
    this.#seed0 = rng.u32() | 0;
    this.#seed1 = rng.u32() | 0;
    this.#rows = new Int32Array(32).fill(FREE);
  }

  /** The row that holds the key, or `NONE`. `slab` is where all rows lie. */
  find(slab: Uint8Array, key: Uint8Array, offset: number): number {
    const mask = this.#rows.length - 1;
    let at = this.#hash(key, offset) & mask;
    for (;;) {
      // BOUNDED: the table is at most half full, so a free cell follows.
      const row = this.#rows[at] as number;
      if (row === FREE) return NONE;
      if (equalBytes(slab, row * this.#stride + this.#field, key, offset, 32)) return row;
      at = (at + 1) & mask;
    }
  }

  /** Adds a row whose key is not there yet. */
  insert(slab: Uint8Array, row: number): void {
    if ((this.#count + 1) * 2 > this.#rows.length) this.#grow(slab);
    this.#place(slab, row);
    this.#count++;
  }

  /** Takes a row out; harmless when it is not there. */
  remove(slab: Uint8Array, row: number): void {
    const mask = this.#rows.length - 1;
    let at = this.#hash(slab, row * this.#stride + this.#field) & mask;
    while (this.#rows[at] !== row) {
      if (this.#rows[at] === FREE) return;
      at = (at + 1) & mask;
    }
    this.#count--;
    // Rows behind the gap move up, so that every probe still ends at the first free cell.
    let gap = at;
    let next = (gap + 1) & mask;
    while (this.#rows[next] !== FREE) {
      const moved = this.#rows[next] as number;
      const home = this.#hash(slab, moved * this.#stride + this.#field) & mask;
      if (((next - home) & mask) >= ((next - gap) & mask)) {
        this.#rows[gap] = moved;
        gap = next;
      }
      next = (next + 1) & mask;
    }
    this.#rows[gap] = FREE;
  }

  #place(slab: Uint8Array, row: number): void {
    const mask = this.#rows.length - 1;
    let at = this.#hash(slab, row * this.#stride + this.#field) & mask;
    while (this.#rows[at] !== FREE) at = (at + 1) & mask;
    this.#rows[at] = row;
  }

  #grow(slab: Uint8Array): void {
    const old = this.#rows;
    this.#rows = new Int32Array(old.length * 2).fill(FREE);
    for (let i = 0; i < old.length; i++) {
      const row = old[i] as number;
      if (row !== FREE) this.#place(slab, row);
    }
  }

  #hash(key: Uint8Array, offset: number): number {
    let v0 = this.#seed0;
    let v1 = this.#seed1;
    let v2 = 0x6c796765 ^ this.#seed0;
    let v3 = 0x74656462 ^ this.#seed1;
    for (let i = 0; i <= WORDS + 3; i++) {
      let word = 0;
      if (i < WORDS) {
        const at = offset + i * 4;
        word =
          (key[at] as number) |
          ((key[at + 1] as number) << 8) |
          ((key[at + 2] as number) << 16) |
          ((key[at + 3] as number) << 24);
      } else if (i === WORDS) {
        word = 32 << 24;
      } else if (i === WORDS + 1) {
        v2 ^= 0xff;
      }
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    return v1 ^ v3;
  }
}
