/**
 * Chains of slots that share a 32-bit number, oldest first: how records are found by what is not their key (the hash
 * of a value, a content key). The number is a keyed hash made by the layer above; 0 = in no chain.
 */
import { grow } from '@molia/core';

export class Links {
  /** By slot: its number. */
  values: Int32Array = new Int32Array(0);
  /** By slot: next slot of the chain + 1. */
  private nexts: Int32Array = new Int32Array(0);
  /** By bucket: first slot + 1. */
  private heads: Int32Array = new Int32Array(64);
  private used = 0;

  grow(capacity: number): void {
    this.values = grow(this.values, capacity);
    this.nexts = grow(this.nexts, capacity);
  }

  /** First slot whose number is `value`, -1 = none. */
  first(value: number): number {
    return this.seek((this.heads[value & (this.heads.length - 1)] as number) - 1, value);
  }

  /** The next one after `slot`. */
  after(slot: number): number {
    return this.seek((this.nexts[slot] as number) - 1, this.values[slot] as number);
  }

  /** Enters a slot at the end of its chain. */
  add(slot: number, value: number): void {
    this.values[slot] = value;
    if (value === 0) return;
    if (++this.used > this.heads.length) this.widen();
    this.append(this.heads, slot);
  }

  remove(slot: number): void {
    const value = this.values[slot] as number;
    if (value === 0) return;
    const bucket = value & (this.heads.length - 1);
    let at = (this.heads[bucket] as number) - 1;
    if (at === slot) this.heads[bucket] = this.nexts[slot] as number;
    else {
      // BOUNDED: by the chain; a slot with a number is in the chain of that number.
      while ((this.nexts[at] as number) !== slot + 1) at = (this.nexts[at] as number) - 1;
      this.nexts[at] = this.nexts[slot] as number;
    }
    this.values[slot] = 0;
    this.used--;
  }

  private seek(from: number, value: number): number {
    let slot = from;
    while (slot >= 0 && this.values[slot] !== value) slot = (this.nexts[slot] as number) - 1;
    return slot;
  }

  private append(heads: Int32Array, slot: number): void {
    this.nexts[slot] = 0;
    const bucket = (this.values[slot] as number) & (heads.length - 1);
    let at = (heads[bucket] as number) - 1;
    if (at < 0) {
      heads[bucket] = slot + 1;
      return;
    }
    while (this.nexts[at] !== 0) at = (this.nexts[at] as number) - 1;
    this.nexts[at] = slot + 1;
  }

  private widen(): void {
    const wider = new Int32Array(this.heads.length * 2);
    for (let bucket = 0; bucket < this.heads.length; bucket++) {
      for (let slot = (this.heads[bucket] as number) - 1; slot >= 0; ) {
        const next = (this.nexts[slot] as number) - 1;
        this.append(wider, slot);
        slot = next;
      }
    }
    this.heads = wider;
  }
}
