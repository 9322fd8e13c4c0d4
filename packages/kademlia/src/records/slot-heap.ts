/** A binary min-heap of a slab's slots by a number each: what expires, is due or goes first, in O(log n). */
import { grow, NO_F64, NO_I32 } from '@molia/core';

export class SlotHeap {
  private heap: Int32Array = NO_I32;
  /** By slot: place in the heap + 1, 0 = not in it. */
  private places: Int32Array = NO_I32;
  /** By slot: its number. Write it, then `settle` the slot; passing it as an argument would box it. */
  keys: Float64Array = NO_F64;
  private used = 0;

  get count(): number {
    return this.used;
  }

  /** Makes room for slots below `capacity`. */
  grow(capacity: number): void {
    this.heap = grow(this.heap, capacity);
    this.places = grow(this.places, capacity);
    this.keys = grow(this.keys, capacity);
  }

  /** The number of a slot, 0 when it is not in the heap. */
  key(slot: number): number {
    return this.places[slot] === 0 ? 0 : (this.keys[slot] as number);
  }

  /** The slot with the least number, -1 = empty. */
  peek(): number {
    return this.used === 0 ? -1 : (this.heap[0] as number);
  }

  /** Enters a slot, or moves it after its number changed. */
  settle(slot: number): void {
    let place = (this.places[slot] as number) - 1;
    if (place < 0) {
      place = this.used++;
      this.put(place, slot);
    }
    this.up(place);
    this.down((this.places[slot] as number) - 1);
  }

  remove(slot: number): void {
    const place = (this.places[slot] as number) - 1;
    if (place < 0) return;
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
      if (
        child + 1 < this.used &&
        (this.keys[this.heap[child + 1] as number] as number) <
          (this.keys[this.heap[child] as number] as number)
      ) {
        child++;
      }
      const other = this.heap[child] as number;
      if ((this.keys[other] as number) >= key) break;
      this.put(place, other);
      place = child;
    }
    this.put(place, slot);
  }
}
