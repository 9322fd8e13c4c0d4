/**
 * Timers of a slab: one instant a row, found in time order without a scan. A hierarchical wheel (Varghese and
 * Lauck 1987, scheme 7) of six levels with 32 slots; a timer lies at the level of the highest digit in which its
 * instant differs from the wheel's, so the next due slot is the lowest set bit of the lowest level in use and a
 * timer moves down at most five times. Links are Int32Array columns: nothing allocates after construction.
 */
import { IDLE, type Millis } from './engine.ts';
import { grow } from './grow.ts';
import { NONE } from './handles.ts';

const LEVEL_BITS = 5;
const LEVELS = 6;
const SLOTS = LEVELS << LEVEL_BITS;
/** List of the timers beyond the wheel's current turn. */
const BEYOND = SLOTS;
/** List heads lie before the rows' nodes: row `id` is node `FIRST + id`. */
const FIRST = SLOTS + 1;
/** Milliseconds of one turn of the whole wheel: 12.4 days, one more than `IDLE`. */
const TURN_MS = 2 ** (LEVEL_BITS * LEVELS);
/** Not in any list. */
const UNSET = -1;

/** One timer for each id in `[0, capacity)`. Instants are integers; an instant in the past is due at once. */
export class TimerTable {
  private rows: number;
  /** Circular doubly linked lists through their heads. */
  private next: Int32Array;
  private previous: Int32Array;
  private instants: Float64Array;
  /** One bit a slot, set while its list holds a timer. */
  private readonly used: Int32Array;
  /** Instant up to which the wheel has turned. INVARIANT: no slot that holds a timer lies before it. */
  private turned: Millis = 0;
  /** Start of the next turn of the whole wheel. */
  private turnEnd: Millis = TURN_MS;

  /** Throws RangeError unless `capacity` is an integer from 0 to 2^20. */
  constructor(capacity: number) {
    requireCapacity(capacity);
    this.rows = 0;
    this.next = new Int32Array(FIRST);
    this.previous = new Int32Array(FIRST);
    this.instants = new Float64Array(0);
    this.used = new Int32Array(LEVELS);
    for (let head = 0; head < FIRST; head++) {
      this.next[head] = head;
      this.previous[head] = head;
    }
    this.grow(capacity);
  }

  get capacity(): number {
    return this.rows;
  }

  /** More ids, after a slab grew. A smaller capacity changes nothing. */
  grow(capacity: number): void {
    requireCapacity(capacity);
    if (capacity <= this.rows) return;
    this.next = grow(this.next, FIRST + capacity);
    this.previous = grow(this.previous, FIRST + capacity);
    this.instants = grow(this.instants, capacity);
    this.next.fill(UNSET, FIRST + this.rows);
    this.rows = capacity;
  }

  /** Arms the timer of `id`, replacing what was set. Throws RangeError when `id` is no row. */
  set(id: number, at: Millis): void {
    if (!(id >= 0 && id < this.rows)) throw new RangeError(`timer id must be below ${this.rows}, not ${id}`);
    const node = FIRST + id;
    if (this.next[node] !== UNSET) this.unlink(node);
    this.instants[id] = at;
    this.place(node, at);
  }

  /** Disarms; harmless when unset. */
  clear(id: number): void {
    const node = FIRST + id;
    if (id >= 0 && id < this.rows && this.next[node] !== UNSET) this.unlink(node);
  }

  isSet(id: number): boolean {
    return id >= 0 && id < this.rows && this.next[FIRST + id] !== UNSET;
  }

  /** The instant last given for `id`; meaningful while `isSet(id)`. */
  at(id: number): Millis {
    return this.instants[id] as number;
  }

  /**
   * Takes one timer that is due at `now` and unsets it; -1 when none is. Timers come in order of their instants,
   * those of one instant in the order of their slot's list. Call until -1: what is set meanwhile and due comes too.
   */
  expired(now: Millis): number {
    for (;;) {
      const level = this.lowestLevel();
      if (level === NONE) {
        if (!this.turnOver(now)) return NONE;
        continue;
      }
      const slot = ctz32(this.used[level] as number);
      const start = this.slotStart(level, slot);
      if (start > now) {
        if (now > this.turned) this.turned = now;
        return NONE;
      }
      if (start > this.turned) this.turned = start;
      const head = (level << LEVEL_BITS) | slot;
      if (level === 0) {
        const node = this.next[head] as number;
        this.unlink(node);
        return node - FIRST;
      }
      this.redistribute(head);
    }
  }

  /**
   * Milliseconds until `expired` may find something: 0 = now, `IDLE` = nothing is set. Never later than the truth; earlier
   * (by less than the span of the timer's slot) for timers far ahead.
   */
  nextDelay(now: Millis): number {
    const level = this.lowestLevel();
    let start: Millis;
    if (level === NONE) {
      if (this.next[BEYOND] === BEYOND) return IDLE;
      start = this.turnEnd;
    } else {
      start = this.slotStart(level, ctz32(this.used[level] as number));
    }
    const delay = start - now;
    return delay <= 0 ? 0 : delay < IDLE ? delay : IDLE;
  }

  private lowestLevel(): number {
    for (let level = 0; level < LEVELS; level++) {
      if (this.used[level] !== 0) return level;
    }
    return NONE;
  }

  /** First instant of a slot that holds a timer: the wheel's instant with its low digits replaced. */
  private slotStart(level: number, slot: number): Millis {
    const shift = level * LEVEL_BITS;
    const below = TURN_MS - 1;
    const turnStart = this.turnEnd - TURN_MS;
    const within = this.turned - turnStart;
    const kept = within & below & ~((1 << (shift + LEVEL_BITS)) - 1);
    return turnStart + (kept | (slot << shift));
  }

  private place(node: number, at: Millis): void {
    const due = at > this.turned ? at : this.turned;
    if (due >= this.turnEnd) {
      this.append(BEYOND, node);
      return;
    }
    // Within one turn both share the bits above 30, so truncation to 32 bits by the operators loses nothing.
    const difference = (due ^ this.turned) & (TURN_MS - 1);
    // INVARIANT: floor(x / 5) for x in 0..29 equals x * 205 >> 10.
    const level = ((31 - Math.clz32(difference | 1)) * 205) >>> 10;
    const slot = (due >>> (level * LEVEL_BITS)) & 31;
    this.used[level] = (this.used[level] as number) | (1 << slot);
    this.append((level << LEVEL_BITS) | slot, node);
  }

  private append(head: number, node: number): void {
    const last = this.previous[head] as number;
    this.next[last] = node;
    this.previous[node] = last;
    this.next[node] = head;
    this.previous[head] = node;
  }

  private unlink(node: number): void {
    const next = this.next[node] as number;
    const previous = this.previous[node] as number;
    this.next[previous] = next;
    this.previous[next] = previous;
    this.next[node] = UNSET;
    if (next === previous && next < BEYOND) {
      // Only the head is left.
      const level = next >>> LEVEL_BITS;
      this.used[level] = (this.used[level] as number) & ~(1 << (next & 31));
    }
  }

  /** Places the timers of one list again, now that the wheel has turned to it. */
  private redistribute(head: number): void {
    let node = this.next[head] as number;
    while (node !== head) {
      // BOUNDED: by the list's length; no timer returns to the list it left.
      this.unlink(node);
      this.place(node, this.instants[node - FIRST] as number);
      node = this.next[head] as number;
    }
  }

  /** Nothing is left in this turn: starts the one that holds `now`, or the next that holds a timer. */
  private turnOver(now: Millis): boolean {
    if (now < this.turnEnd) {
      if (now > this.turned) this.turned = now;
      return false;
    }
    if (this.next[BEYOND] === BEYOND) {
      this.turned = now;
      this.turnEnd = (Math.floor(now / TURN_MS) + 1) * TURN_MS;
      return false;
    }
    this.turned = this.turnEnd;
    this.turnEnd += TURN_MS;
    // A timer may stay beyond the new turn too: walk as many as there are now, not until the list is empty.
    const last = this.previous[BEYOND] as number;
    let node: number;
    do {
      node = this.next[BEYOND] as number;
      this.unlink(node);
      this.place(node, this.instants[node - FIRST] as number);
    } while (node !== last);
    return true;
  }
}

/** Index of the lowest set bit of a non-zero word. */
function ctz32(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function requireCapacity(capacity: number): void {
  if (!Number.isInteger(capacity) || capacity < 0 || capacity > 2 ** 20) {
    throw new RangeError(`capacity must be an integer from 0 to 1048576, not ${capacity}`);
  }
}
