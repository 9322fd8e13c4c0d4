/**
 * A binary min-heap of a slab's slots by a number each: what expires, is due or goes first, in O(log n). 8 bytes a slot
 * that was ever in it, beside the numbers, whose width the caller chooses: a `Uint32Array` (4 bytes) for instants and
 * ranks, a `Float64Array` (8 bytes) for numbers beyond 32 bits or below zero. No allocation but for growth.
 *
 * Let one program use one kind in one place: `keys` is read in the innermost loop, which is fast while it sees one type.
 */
import { grow, NO_I32 } from './grow.ts';

export class SlotHeap<Keys extends Uint32Array | Float64Array> {
  /** By slot: its number. Write it, then `settle` the slot; passing it as an argument would box it. */
  keys: Keys;
  private heap: Int32Array = NO_I32;
  /** By slot: place in the heap + 1, 0 = not in it. Grown when first used. */
  private places: Int32Array = NO_I32;
  private used = 0;

  /** `keys`: an empty column of the type wanted. */
  constructor(keys: Keys) {
    this.keys = keys;
  }

  get count(): number {
    return this.used;
  }

  /** Makes room for slots below `capacity`; never shrinks. */
  grow(capacity: number): void {
    this.keys = grow<Uint32Array | Float64Array>(this.keys, capacity) as Keys;
    if (this.used > 0) this.places = grow(this.places, capacity);
  }

  has(slot: number): boolean {
    return slot < this.places.length && this.places[slot] !== 0;
  }

  /** The number of a slot, 0 when it is not in the heap. */
  key(slot: number): number {
    return this.has(slot) ? (this.keys[slot] as number) : 0;
  }

  /** The slot with the least number, -1 = empty. */
  peek(): number {
    return this.used === 0 ? -1 : (this.heap[0] as number);
  }

  /** Enters a slot below the capacity, or moves it after its number changed. */
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

  /** Takes a slot out; nothing happens when it is not in the heap. */
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
