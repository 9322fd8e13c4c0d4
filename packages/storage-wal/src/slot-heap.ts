/** A binary min-heap of slots by a u32 each: what expires, is due or is evicted first, in O(log n). 8 bytes a slot. */
import { grow } from '@molia/core';

export class SlotHeap {
  /** By slot: its number. Write it, then `settle` the slot. */
  keys: Uint32Array = new Uint32Array(0);
  private heap: Int32Array = new Int32Array(0);
  /** By slot: place in the heap + 1, 0 = not in it. Grown when first used. */
  private places: Int32Array = new Int32Array(0);
  private used = 0;

  get count(): number {
    return this.used;
  }

  /** Room for slots below `capacity`. */
  grow(capacity: number): void {
    this.keys = grow(this.keys, capacity);
    if (this.used > 0) this.places = grow(this.places, capacity);
  }

  has(slot: number): boolean {
    return slot < this.places.length && this.places[slot] !== 0;
  }

  /** The slot with the least number, -1 = empty. */
  peek(): number {
    return this.used === 0 ? -1 : (this.heap[0] as number);
  }

  /** Enters a slot, or moves it after its number changed. */
  settle(slot: number): void {
    if (slot >= this.places.length) this.places = grow(this.places, this.keys.length);
    let place = (this.places[slot] as number) - 1;
    if (place < 0) {
      place = this.used++;
      if (place >= this.heap.length) {
        this.heap = grow(this.heap, Math.min(this.keys.length, Math.max(64, place + (place >> 1))));
      }
      this.put(place, slot);
    }
    this.up(place);
    this.down((this.places[slot] as number) - 1);
  }

  remove(slot: number): void {
    if (!this.has(slot)) return;
    const place = (this.places[slot] as number) - 1;
    this.places[slot] = 0;
    this.used--;
    if (place === this.used) return;
    const last = this.heap[this.used] as number;
    this.put(place, last);
    this.up(place);
    this.down((this.places[last] as number) - 1);
  }

  private put(place: number, slot: number): void {
    this.heap[place] = slot;
    this.places[slot] = place + 1;
  }

  private up(from: number): void {
    let place = from;
    const slot = this.heap[place] as number;
    const key = this.keys[slot] as number;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const other = this.heap[parent] as number;
      if ((this.keys[other] as number) <= key) break;
      this.put(place, other);
      place = parent;
    }
    this.put(place, slot);
  }

  private down(from: number): void {
    let place = from;
    const slot = this.heap[place] as number;
    const key = this.keys[slot] as number;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.used) break;
      const right = child + 1;
      if (
        right < this.used &&
        (this.keys[this.heap[right] as number] as number) < (this.keys[this.heap[child] as number] as number)
      ) {
        child = right;
      }
      const other = this.heap[child] as number;
      if ((this.keys[other] as number) >= key) break;
      this.put(place, other);
      place = child;
    }
    this.put(place, slot);
  }
}
