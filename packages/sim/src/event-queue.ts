/**
 * The event queue: a calendar of two wheels over typed-array columns, in microseconds. The near wheel has slots of
 * 256 µs and turns once in 1.05 s, the far wheel's slots are one near turn each and turn once in 71 minutes, what is later
 * waits in one list. Only the slot at hand is ordered, by a binary heap: adding costs a few writes however many events
 * wait. Events of one instant come in the order of their `tie`, so that the order of adding never matters.
 *
 * BOUNDED: by its owner; columns double when full, and nothing is allocated once they are large enough.
 */
import { assert, grow, NONE } from '@molia/core';

/** Microseconds of a near slot, as a shift. */
const NEAR_SHIFT = 8;
const WHEEL_SHIFT = 12;
const SLOTS = 1 << WHEEL_SHIFT;
const NEAR_US = 2 ** NEAR_SHIFT;
const FAR_US = 2 ** (NEAR_SHIFT + WHEEL_SHIFT);
/** List heads: near wheel, far wheel, one for what is beyond. Event `id` is node `FIRST + id`. */
const FAR_HEAD = SLOTS;
const BEYOND = 2 * SLOTS;
const FIRST = 2 * SLOTS + 1;

const Where = { FREE: 0, LISTED: 1, HEAPED: 2, CANCELLED: 3 } as const;

/** An event is an integer id; its columns may be read from `add` until the next `take` after it was taken. */
export class EventQueue {
  /** What the next `add` adds: microseconds, tie. */
  readonly next = new Float64Array(2);
  /** Microseconds. */
  at: Float64Array = new Float64Array(0);
  tie: Float64Array = new Float64Array(0);
  kind: Uint8Array = new Uint8Array(0);
  host: Int32Array = new Int32Array(0);
  data: Int32Array = new Int32Array(0);
  /** Events waiting. */
  length = 0;
  #where: Uint8Array = new Uint8Array(0);
  #next: Int32Array = new Int32Array(FIRST);
  #previous: Int32Array = new Int32Array(FIRST);
  #heap: Int32Array = new Int32Array(64);
  #heaped = 0;
  #free = NONE;
  /** Bit for each slot that holds an event, for each wheel, and one summary word for each 32 of those. */
  readonly #bits = new Int32Array((2 * SLOTS) / 32);
  /** End of the slot that is in the heap. INVARIANT: whatever is earlier is in the heap, nothing else is. */
  #heapEnd = 0;
  /** End of the near wheel's turn. */
  #nearEnd: number = FAR_US;
  #farEnd: number = FAR_US * SLOTS;

  constructor(capacity = 1024) {
    for (let head = 0; head < FIRST; head++) {
      this.#next[head] = head;
      this.#previous[head] = head;
    }
    this.#resize(Math.max(16, capacity));
  }

  get capacity(): number {
    return this.at.length;
  }

  /**
   * Adds an event at the instant and with the tie that `next` holds: typed cells, as an argument beyond 2^31 may cost a
   * heap number. INVARIANT: it is not before the last event taken.
   */
  add(kind: number, host: number, data: number): number {
    if (this.#free === NONE) this.#resize(this.at.length * 2);
    const id = this.#free;
    this.#free = this.#next[FIRST + id] as number;
    this.at[id] = this.next[0] as number;
    this.tie[id] = this.next[1] as number;
    this.kind[id] = kind;
    this.host[id] = host;
    this.data[id] = data;
    this.length++;
    this.#place(id);
    return id;
  }

  /** Takes an event back. INVARIANT: it is waiting. */
  cancel(id: number): void {
    const where = this.#where[id];
    assert(where === Where.LISTED || where === Where.HEAPED, 'cancels an event that does not wait');
    this.length--;
    if (where === Where.LISTED) {
      this.#unlink(FIRST + id);
      this.#release(id);
    } else {
      this.#where[id] = Where.CANCELLED;
    }
  }

  /** The first event if it is due by `limit`, else `NONE`. Its row may be reused by the next `add`. */
  take(limit: number): number {
    const id = this.first(limit);
    if (id === NONE) return NONE;
    this.#pop();
    this.#release(id);
    this.length--;
    return id;
  }

  /** The first event if it is due by `limit`, else `NONE`; it goes on waiting. */
  first(limit: number): number {
    for (;;) {
      while (this.#heaped > 0) {
        const id = this.#heap[0] as number;
        if (this.#where[id] !== Where.CANCELLED) return (this.at[id] as number) > limit ? NONE : id;
        this.#pop();
        this.#release(id);
      }
      if (!this.#advance(limit)) return NONE;
    }
  }

  #place(id: number): void {
    const at = this.at[id] as number;
    if (at < this.#heapEnd) {
      this.#push(id);
      return;
    }
    this.#where[id] = Where.LISTED;
    if (at < this.#nearEnd) {
      const slot = Math.floor(at / NEAR_US) % SLOTS;
      this.#append(slot, FIRST + id);
    } else if (at < this.#farEnd) {
      const slot = Math.floor(at / FAR_US) % SLOTS;
      this.#append(FAR_HEAD + slot, FIRST + id);
    } else {
      this.#append(BEYOND, FIRST + id);
    }
  }

  /** Brings the next slot that holds events into the heap; `false` = none begins by `limit`. */
  #advance(limit: number): boolean {
    const nearStart = this.#nearEnd - FAR_US;
    const slot = this.#firstUsed(0);
    if (slot !== NONE) {
      const start = nearStart + slot * NEAR_US;
      if (start > limit) return false;
      this.#heapEnd = start + NEAR_US;
      this.#spread(slot);
      return true;
    }
    const far = this.#firstUsed(FAR_HEAD);
    if (far !== NONE) {
      const start = this.#farEnd - FAR_US * SLOTS + far * FAR_US;
      if (start > limit) return false;
      this.#heapEnd = start;
      this.#nearEnd = start + FAR_US;
      this.#spread(FAR_HEAD + far);
      return true;
    }
    if (this.#next[BEYOND] === BEYOND) return false;
    // The earliest of the list decides which turn comes next.
    let first = Number.POSITIVE_INFINITY;
    for (let node = this.#next[BEYOND] as number; node !== BEYOND; node = this.#next[node] as number) {
      first = Math.min(first, this.at[node - FIRST] as number);
    }
    if (first > limit) return false;
    const start = Math.floor(first / (FAR_US * SLOTS)) * (FAR_US * SLOTS);
    this.#farEnd = start + FAR_US * SLOTS;
    this.#nearEnd = start;
    this.#heapEnd = start;
    this.#spread(BEYOND);
    return true;
  }

  /** Places the events of one list again. INVARIANT: none returns to it, except to `BEYOND`, which is walked once. */
  #spread(head: number): void {
    let node = this.#next[head] as number;
    const last = this.#previous[head] as number;
    for (;;) {
      const next = this.#next[node] as number;
      this.#unlink(node);
      this.#place(node - FIRST);
      if (node === last) return;
      node = next;
    }
  }

  /** First slot of a wheel with an event, counted from its start: a wheel's turn begins at slot 0. */
  #firstUsed(wheel: number): number {
    const words = wheel >>> 5;
    for (let i = 0; i < SLOTS / 32; i++) {
      const word = this.#bits[words + i] as number;
      if (word !== 0) return (i << 5) + 31 - Math.clz32(word & -word);
    }
    return NONE;
  }

  #append(head: number, node: number): void {
    const last = this.#previous[head] as number;
    this.#next[last] = node;
    this.#previous[node] = last;
    this.#next[node] = head;
    this.#previous[head] = node;
    if (head < BEYOND) this.#bits[head >>> 5] = (this.#bits[head >>> 5] as number) | (1 << (head & 31));
  }

  #unlink(node: number): void {
    const next = this.#next[node] as number;
    const previous = this.#previous[node] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    if (next === previous && next < BEYOND)
      this.#bits[next >>> 5] = (this.#bits[next >>> 5] as number) & ~(1 << (next & 31));
  }

  #release(id: number): void {
    this.#where[id] = Where.FREE;
    this.#next[FIRST + id] = this.#free;
    this.#free = id;
  }

  #before(a: number, b: number): boolean {
    const difference = (this.at[a] as number) - (this.at[b] as number);
    return difference !== 0 ? difference < 0 : (this.tie[a] as number) < (this.tie[b] as number);
  }

  #push(id: number): void {
    if (this.#heaped === this.#heap.length) this.#heap = grow(this.#heap, this.#heap.length * 2);
    const heap = this.#heap;
    let at = this.#heaped++;
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      const other = heap[parent] as number;
      if (!this.#before(id, other)) break;
      heap[at] = other;
      at = parent;
    }
    heap[at] = id;
    this.#where[id] = Where.HEAPED;
  }

  #pop(): void {
    const heap = this.#heap;
    const id = heap[--this.#heaped] as number;
    const count = this.#heaped;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= count) break;
      if (child + 1 < count && this.#before(heap[child + 1] as number, heap[child] as number)) child++;
      const other = heap[child] as number;
      if (!this.#before(other, id)) break;
      heap[at] = other;
      at = child;
    }
    heap[at] = id;
  }

  #resize(capacity: number): void {
    const before = this.at.length;
    this.at = grow(this.at, capacity);
    this.tie = grow(this.tie, capacity);
    this.kind = grow(this.kind, capacity);
    this.host = grow(this.host, capacity);
    this.data = grow(this.data, capacity);
    this.#where = grow(this.#where, capacity);
    this.#next = grow(this.#next, FIRST + capacity);
    this.#previous = grow(this.#previous, FIRST + capacity);
    for (let id = capacity - 1; id >= before; id--) this.#release(id);
  }
}
