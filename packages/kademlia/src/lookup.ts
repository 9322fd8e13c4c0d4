/**
 * One lookup's shortlist (Kademlia section 2.3 with the rules of docs/spec/routing.md): contacts in order of distance, what
 * became of each, whom to ask next, and whether the K closest live ones have answered. It sends nothing and knows no
 * message: an operation asks it `next` and reports `answered`, `late`, `dead`, `refused`.
 */
import { copyBytes, grow, ID_BYTES, type Millis, NONE } from '@molia/core';
import { ATTEMPTS_MAX, PATHS_MAX, SHORTLIST_DISJOINT_MAX, SHORTLIST_MAX } from './constants.ts';
import { type Contacts, wordAt } from './contacts.ts';
import type { Tuning } from './types.ts';

export const Entry = {
  NEW: 0,
  WAITING: 1,
  /** Frees its α slot; its answer is still welcome, and it is asked again while there is time. */
  LATE: 2,
  /** Dead once; may be asked once more. */
  RETRY: 3,
  ANSWERED: 4,
  FAILED: 5,
} as const;

/** The distance word of nobody. */
export const NO_REACH = -0x8000_0000;

export class Lookup {
  readonly target = new Uint8Array(ID_BYTES);
  /** Contact rows, closest first. */
  rows = new Int32Array(SHORTLIST_MAX);
  /** `Entry` of each. */
  states = new Uint8Array(SHORTLIST_MAX);
  count = 0;
  asked = 0;
  answers = 0;
  /** Requests that hold an α slot. */
  active = 0;
  alpha = 0;
  /** What α goes back to on progress, and up to without. */
  private alphaBase = 0;
  private alphaTop = 0;
  /** So many of the closest live ones have to answer: K, or fewer when the engine only fills a bucket. */
  width: number;
  /** Contacts may share a path; each path asks only what it found itself. */
  pathCount = 1;
  private attempts = new Uint8Array(SHORTLIST_MAX);
  private paths = new Uint8Array(SHORTLIST_MAX);
  /** First word of the distance, biased so that signed order is distance order. */
  private distances = new Int32Array(SHORTLIST_MAX);
  private limit = SHORTLIST_MAX;
  /** Biased distance word up to which more than K entries are asked. */
  private reach = NO_REACH;
  /** Biased distance word up to which entries belong to the K closest by all that is known of the network's size. */
  private near = NO_REACH;
  /** Requests in flight once the K closest are in sight; 0 = never more than α. */
  private rush = 0;
  private word = 0;
  private progressAt: Millis = 0;
  private readonly contacts: Contacts;
  private readonly tuning: Tuning;
  private readonly live = new Int32Array(PATHS_MAX);

  constructor(contacts: Contacts, tuning: Tuning) {
    this.contacts = contacts;
    this.tuning = tuning;
    this.width = tuning.k;
  }

  /** Begins anew for a target; `clear` must have run since the last one. */
  start(now: Millis, target: Uint8Array, targetOffset: number, paths: number): void {
    copyBytes(this.target, 0, target, targetOffset, ID_BYTES);
    this.word = wordAt(target, targetOffset);
    this.asked = 0;
    this.answers = 0;
    this.active = 0;
    this.alpha = this.tuning.alphaStart;
    this.alphaBase = this.tuning.alphaStart;
    this.alphaTop = this.tuning.alphaMax;
    this.width = this.tuning.k;
    this.progressAt = now;
    this.pathCount = paths;
    this.reach = NO_REACH;
    this.near = NO_REACH;
    this.rush = 0;
    this.limit = paths > 1 ? SHORTLIST_DISJOINT_MAX : SHORTLIST_MAX;
    if (this.rows.length < this.limit) {
      this.rows = grow(this.rows, this.limit);
      this.states = grow(this.states, this.limit);
      this.attempts = grow(this.attempts, this.limit);
      this.paths = grow(this.paths, this.limit);
      this.distances = grow(this.distances, this.limit);
    }
  }

  /**
   * Asks not only the K closest but everybody up to this biased distance word, up to twice K: the expected distance
   * of the K-th closest, so that identities crowded around the target do not hide the honest ones.
   */
  extend(word: number): void {
    if (this.pathCount === 1) this.reach = word;
  }

  /**
   * Asks up to `parallel` at once as soon as the K closest are in sight: those up to this biased distance word, and
   * everybody once the closest one known has answered.
   */
  hasten(word: number, parallel: number): void {
    this.rush = parallel;
    this.near = word;
  }

  /** Every listed contact that fits, closest first, whatever became of it; how many. */
  named(out: Int32Array): number {
    const found = Math.min(this.count, out.length);
    for (let i = 0; i < found; i++) out[i] = this.rows[i] as number;
    return found;
  }

  /**
   * Goes on over at least this many paths: who is known is dealt out in turn, each path asks only what it finds from now
   * on, and all together ask twice as many.
   */
  spread(paths: number): void {
    if (this.pathCount >= paths) return;
    this.pathCount = paths;
    for (let i = 0; i < this.count; i++) this.paths[i] = i % paths;
  }

  /** Lets go of every contact. */
  clear(): void {
    for (let i = 0; i < this.count; i++) this.contacts.release(this.rows[i] as number);
    this.count = 0;
    this.active = 0;
  }

  /**
   * Adds a contact that was heard of; returns its position, or NONE when it was known or is farther than everything
   * in a full shortlist. `path` is the path of whoever told it.
   */
  add(row: number, path: number): number {
    const distance = ((this.contacts.words[row] as number) ^ this.word ^ 0x80000000) | 0;
    const at = this.lowerBound(row, distance);
    if (at < this.count && this.rows[at] === row) return NONE;
    if (this.count === this.limit) {
      if (at === this.count) return NONE;
      this.dropLast();
    }
    this.rows.copyWithin(at + 1, at, this.count);
    this.states.copyWithin(at + 1, at, this.count);
    this.attempts.copyWithin(at + 1, at, this.count);
    this.paths.copyWithin(at + 1, at, this.count);
    this.distances.copyWithin(at + 1, at, this.count);
    this.rows[at] = row;
    this.states[at] = Entry.NEW;
    this.attempts[at] = 0;
    this.paths[at] = path;
    this.distances[at] = distance;
    this.contacts.hold(row);
    this.count++;
    return at;
  }

  /** Position of a contact, or NONE. */
  find(row: number): number {
    const distance = ((this.contacts.words[row] as number) ^ this.word ^ 0x80000000) | 0;
    const at = this.lowerBound(row, distance);
    return at < this.count && this.rows[at] === row ? at : NONE;
  }

  pathOf(position: number): number {
    return this.paths[position] as number;
  }

  /**
   * Whom to ask now, or NONE: no free α slot, or everybody worth asking was asked. Marks the entry WAITING.
   * Within each path the K closest entries that may still be alive are asked, nearest first; among candidates at the
   * same logarithmic distance the one with the shortest measured round trip.
   */
  next(): number {
    const crowded = this.active >= Math.max(this.alpha, this.pathCount);
    if (crowded && this.active >= this.rush) return NONE;
    const { live } = this;
    const window = this.window();
    live.fill(0);
    let chosen = NONE;
    let arrived = false;
    let alive = 0;
    for (let i = 0; i < this.count; i++) {
      const path = this.paths[i] as number;
      const seen = live[path] as number;
      if (seen >= window && this.isBeyond(i, seen, window)) {
        if (this.pathCount === 1) break;
        continue;
      }
      const state = this.states[i] as number;
      if (state === Entry.FAILED || state === Entry.LATE) continue;
      live[path] = seen + 1;
      if (alive++ === 0) arrived = state === Entry.ANSWERED;
      if (state !== Entry.NEW && state !== Entry.RETRY) continue;
      if (chosen === NONE) {
        chosen = i;
        continue;
      }
      if (this.rank(i) !== this.rank(chosen)) break;
      if (this.isNearer(i, chosen)) chosen = i;
    }
    if (chosen === NONE) return NONE;
    if (crowded && !arrived && (this.distances[chosen] as number) > this.near) return NONE;
    this.states[chosen] = Entry.WAITING;
    this.attempts[chosen] = (this.attempts[chosen] as number) + 1;
    this.active++;
    this.asked++;
    return this.rows[chosen] as number;
  }

  /** The request could not be sent after all; it stays worth asking. */
  unsent(row: number): void {
    const at = this.find(row);
    if (at === NONE || this.states[at] !== Entry.WAITING) return;
    this.states[at] = Entry.NEW;
    this.attempts[at] = (this.attempts[at] as number) - 1;
    this.active--;
    this.asked--;
  }

  /** Whether an overdue contact is worth another request while the first may still be answered; marks it asked. */
  again(row: number): boolean {
    const at = this.find(row);
    if (at === NONE || this.states[at] !== Entry.LATE || (this.attempts[at] as number) >= ATTEMPTS_MAX)
      return false;
    this.attempts[at] = (this.attempts[at] as number) + 1;
    this.asked++;
    return true;
  }

  /** A contact answered; returns its position, or NONE when it is no longer listed. */
  answered(row: number): number {
    const at = this.settle(row);
    this.answers++;
    if (at !== NONE) this.states[at] = Entry.ANSWERED;
    return at;
  }

  /** Overdue: it frees its slot. */
  late(row: number): void {
    const at = this.find(row);
    if (at === NONE || this.states[at] !== Entry.WAITING) return;
    this.states[at] = Entry.LATE;
    this.active--;
  }

  /** Its time is over. With `resend` it was asked again in time if it was to be; else it is now, once. */
  dead(row: number): void {
    const at = this.settle(row);
    if (at === NONE || this.states[at] === Entry.ANSWERED) return;
    const retries = !this.tuning.resend && (this.attempts[at] as number) < ATTEMPTS_MAX;
    this.states[at] = retries ? Entry.RETRY : Entry.FAILED;
  }

  /** It cannot or will not help: no retry. */
  refused(row: number): void {
    const at = this.settle(row);
    if (at === NONE) return;
    this.states[at] = Entry.FAILED;
    this.attempts[at] = ATTEMPTS_MAX;
  }

  /** Too few answered: whoever was given up after one request may be asked once more. False: nobody. */
  revive(): boolean {
    let revived = false;
    for (let i = 0; i < this.count; i++) {
      if (this.states[i] !== Entry.FAILED || (this.attempts[i] as number) >= ATTEMPTS_MAX) continue;
      this.states[i] = Entry.RETRY;
      revived = true;
    }
    return revived;
  }

  /** A search that is worth more requests: so many in flight from its start. */
  widenTo(alpha: number): void {
    this.alpha = alpha;
    this.alphaBase = alpha;
    this.alphaTop = alpha;
  }

  /** Somebody closer than anybody before was heard of: α goes back. */
  progress(now: Millis): void {
    this.progressAt = now;
    this.alpha = Math.min(this.alpha, this.alphaBase);
  }

  /** A peer said it is overloaded. */
  slowDown(): void {
    this.alpha = this.tuning.alphaMin;
  }

  /** Raises α by 2 when one round trip passed without progress. */
  pace(now: Millis, srttMs: number): void {
    if (now - this.progressAt < srttMs || this.alpha >= this.alphaTop) return;
    this.alpha = Math.min(this.alpha + 2, this.alphaTop);
    this.progressAt = now;
  }

  /** When `pace` may raise α next; Infinity at the maximum. */
  paceAt(srttMs: number): Millis {
    return this.alpha >= this.alphaTop ? Number.POSITIVE_INFINITY : this.progressAt + Math.ceil(srttMs);
  }

  /** Whether in every path the K closest entries that are not dead have answered. */
  get converged(): boolean {
    const { live } = this;
    const window = this.window();
    live.fill(0);
    for (let i = 0; i < this.count; i++) {
      const path = this.paths[i] as number;
      const seen = live[path] as number;
      if (seen >= window && this.isBeyond(i, seen, window)) {
        if (this.pathCount === 1) return true;
        continue;
      }
      const state = this.states[i] as number;
      if (state === Entry.FAILED) continue;
      if (state !== Entry.ANSWERED) return false;
      live[path] = seen + 1;
    }
    return true;
  }

  /** Writes up to `max` answered contacts, closest first, into `out`; returns how many. */
  closest(max: number, out: Int32Array): number {
    let found = 0;
    for (let i = 0; i < this.count && found < max; i++) {
      if (this.states[i] === Entry.ANSWERED) out[found++] = this.rows[i] as number;
    }
    return found;
  }

  /** Of the K closest that answered the farthest, `skip` of them left out, or NONE. */
  farthestAnswered(skip: number): number {
    let left = skip;
    let live = 0;
    let last = 0;
    for (; last < this.count && live < this.tuning.k; last++) if (this.states[last] !== Entry.FAILED) live++;
    for (let i = last - 1; i >= 0; i--)
      if (this.states[i] === Entry.ANSWERED && left-- === 0) return this.rows[i] as number;
    return NONE;
  }

  /** Leading bits that a contact shares with the target. */
  sharedBits(row: number): number {
    return this.contacts.sharedBits(row, this.target, 0);
  }

  /** K, or with d disjoint paths a share of 2 K each, so that the paths overlap the closest K together. */
  private window(): number {
    return this.pathCount === 1 ? this.width : Math.ceil((2 * this.tuning.k) / this.pathCount);
  }

  /** Whether an entry behind the K closest of its path need not be asked. */
  private isBeyond(position: number, seen: number, window: number): boolean {
    return seen >= window * 2 || (this.distances[position] as number) > this.reach;
  }

  private settle(row: number): number {
    const at = this.find(row);
    if (at === NONE) return NONE;
    if (this.states[at] === Entry.WAITING) this.active--;
    return at;
  }

  /** Entries of one rank are asked in the order of their round trips: the logarithm of the distance, and all that are near. */
  private rank(position: number): number {
    const distance = this.distances[position] as number;
    return distance <= this.near ? 33 : Math.clz32(distance ^ 0x80000000);
  }

  private isNearer(a: number, b: number): boolean {
    const srttA = this.contacts.srtt[this.rows[a] as number] as number;
    const srttB = this.contacts.srtt[this.rows[b] as number] as number;
    return srttA > 0 && (srttB === 0 || srttA < srttB);
  }

  private dropLast(): void {
    const last = this.count - 1;
    if (this.states[last] === Entry.WAITING) this.active--;
    this.contacts.release(this.rows[last] as number);
    this.count = last;
  }

  /** First position that is not closer than the row. */
  private lowerBound(row: number, distance: number): number {
    const { distances, contacts } = this;
    let left = 0;
    let right = this.count;
    while (left < right) {
      const middle = (left + right) >>> 1;
      const other = distances[middle] as number;
      const closer =
        other !== distance
          ? other < distance
          : contacts.compareDistance(this.target, 0, this.rows[middle] as number, row) < 0;
      if (closer) left = middle + 1;
      else right = middle;
    }
    return left;
  }
}
