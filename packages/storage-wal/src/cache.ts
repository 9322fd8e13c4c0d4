/**
 * Values read lately: a ring of bytes, first in first out, each piece a frame as it lies in its segment. What a read
 * hands out lies here, so a borrowed value stays as it is until the ring has gone round once.
 */
import type { Rows } from './rows.ts';

/** Slot and footprint, before each piece. */
const HEAD_BYTES = 8;

export class Cache {
  readonly bytes: Uint8Array;
  private readonly words: Int32Array;
  private readonly rows: Rows;
  /** Where the next piece goes, and where the oldest begins; both multiples of 8. */
  private head = 0;
  private tail = 0;
  private used = 0;
  /** End of the last piece before the ring was wrapped. */
  private end: number;

  constructor(rows: Rows, size: number) {
    this.bytes = new Uint8Array(size & -8);
    this.words = new Int32Array(this.bytes.buffer);
    this.rows = rows;
    this.end = this.bytes.length;
  }

  /** Room for a frame of `length` bytes of a slot; where in `bytes`. The oldest pieces make way. */
  add(slot: number, length: number): number {
    const footprint = (HEAD_BYTES + length + 7) & -8;
    if (this.head + footprint > this.bytes.length) {
      while (this.used > 0 && this.tail >= this.head) this.evictOldest();
      this.end = this.head;
      this.head = 0;
      if (this.used === 0) this.tail = 0;
    }
    while (this.used > 0 && this.tail >= this.head && this.tail < this.head + footprint) this.evictOldest();
    const at = this.head;
    if (this.used === 0) this.tail = at;
    this.words[at >> 2] = slot;
    this.words[(at >> 2) + 1] = footprint;
    this.head = at + footprint;
    this.used++;
    this.rows.cached[slot] = at + 1;
    return at + HEAD_BYTES;
  }

  /** Where the frame of a slot begins, -1 = not here. */
  find(slot: number): number {
    const place = this.rows.cached[slot] as number;
    return place === 0 ? -1 : place - 1 + HEAD_BYTES;
  }

  private evictOldest(): void {
    const slot = this.words[this.tail >> 2] as number;
    if (this.rows.cached[slot] === this.tail + 1) this.rows.cached[slot] = 0;
    this.tail += this.words[(this.tail >> 2) + 1] as number;
    this.used--;
    if (this.tail < this.end) return;
    this.tail = 0;
    this.end = this.bytes.length;
  }
}
