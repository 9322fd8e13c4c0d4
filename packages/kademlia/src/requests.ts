/**
 * Requests in flight: a slab whose row index is the low part of the correlation, so an answer finds its request
 * without a search. One timer a row, first for *late*, then for *dead* (docs/spec/routing.md). Requests wait in a queue
 * until the host polls; their clock starts when they are written.
 */
import { FixedQueue, grow, type Millis, NONE, type Rng, TimerTable } from '@molia/core';

const ROW_BITS = 14;
const ROW_MASK = (1 << ROW_BITS) - 1;
/** Rows at most: what the low bits of a correlation can name. */
export const REQUESTS_MAX = 1 << ROW_BITS;
const INITIAL = 16;

/** GONE: dead, and yet an answer would be read. */
const State = { FREE: 0, QUEUED: 1, GONE: 2, SENT: 3, LATE: 4, HELD: 5 } as const;

export const Expiry = { NONE: 0, LATE: 1, DEAD: 2, GONE: 3 } as const;

export class Requests {
  /** wire's MessageType. */
  types = new Uint8Array(INITIAL);
  /** Contact rows. */
  contacts = new Int32Array(INITIAL);
  /** Peer handles, set when sent. */
  peers = new Int32Array(INITIAL);
  /** Operation handles, NONE for the engine's own probes. */
  ops = new Int32Array(INITIAL);
  /** A number of the asker's: the page of a provider request. */
  extras = new Int32Array(INITIAL);
  /** The other request of the same operation to the same contact, sent when the first was late; NONE = alone. */
  twins = new Int32Array(INITIAL);
  sentAt = new Float64Array(INITIAL);
  /** After `expired`: LATE, DEAD or GONE. */
  expiry = 0;
  private readonly max: number;
  private readonly rng: Rng;
  private readonly timers = new TimerTable(INITIAL);
  private queue = new FixedQueue(INITIAL * 2);
  private states = new Uint8Array(INITIAL);
  private nonces = new Int32Array(INITIAL);
  private deadAt = new Float64Array(INITIAL);
  private free = new Int32Array(INITIAL);
  private freeCount = 0;
  private rows = 0;

  constructor(max: number, rng: Rng) {
    this.max = Math.min(max, REQUESTS_MAX);
    this.rng = rng;
    this.extend(Math.min(INITIAL, this.max));
  }

  /** Requests queued or in flight. */
  get count(): number {
    return this.rows - this.freeCount;
  }

  /** Queues a request to a contact; its row, or NONE when `requestsMax` are open. */
  open(type: number, contact: number, op: number): number {
    if (this.freeCount === 0) {
      if (this.rows >= this.max) return NONE;
      this.extend(Math.min(this.rows * 2, this.max));
    }
    if (this.queue.length === this.queue.capacity) return NONE;
    const row = this.free[--this.freeCount] as number;
    this.states[row] = State.QUEUED;
    this.types[row] = type;
    this.contacts[row] = contact;
    this.peers[row] = NONE;
    this.ops[row] = op;
    this.extras[row] = 0;
    this.twins[row] = NONE;
    this.sentAt[row] = -1;
    // The nonce makes an answer to an earlier owner of the row a stranger's.
    this.nonces[row] = this.rng.u32() & 0x1ffff;
    this.queue.push(this.correlation(row));
    return row;
  }

  /** 31 bits: nonce and row. */
  correlation(row: number): number {
    return ((this.nonces[row] as number) << ROW_BITS) | row;
  }

  /** The sent request that a peer may answer under this correlation, or NONE. */
  find(correlation: number, peer: number): number {
    const row = correlation & ROW_MASK;
    if (row >= this.rows || (this.states[row] as number) < State.GONE) return NONE;
    return this.correlation(row) === correlation && this.peers[row] === peer ? row : NONE;
  }

  /** The next request to write, or NONE. */
  nextQueued(): number {
    while (this.queue.length > 0) {
      const correlation = this.queue.pop();
      const row = correlation & ROW_MASK;
      if (this.states[row] === State.QUEUED && this.correlation(row) === correlation) return row;
    }
    return NONE;
  }

  /** Makes `row` the second request of a pair: it dies with the first. */
  pair(first: number, row: number): void {
    this.twins[first] = row;
    this.twins[row] = first;
  }

  /** It was written. `lateMs` at or after `deadMs` = it is never late. */
  sent(now: Millis, row: number, peer: number, lateMs: Millis, deadMs: Millis): void {
    const twin = this.twins[row] as number;
    this.states[row] = State.SENT;
    this.peers[row] = peer;
    this.sentAt[row] = now;
    this.deadAt[row] = twin === NONE ? now + deadMs : (this.deadAt[twin] as number);
    if (twin === NONE && lateMs < deadMs) {
      this.timers.set(row, now + lateMs);
    } else {
      this.states[row] = State.HELD;
      this.timers.set(row, this.deadAt[row] as number);
    }
  }

  /** It is dead; an answer within another `ms` still counts for something. */
  linger(now: Millis, row: number, ms: Millis): void {
    this.part(row);
    this.states[row] = State.GONE;
    this.timers.set(row, now + ms);
  }

  /** Whether it was given up already. */
  isGone(row: number): boolean {
    return this.states[row] === State.GONE;
  }

  /** The peer works on it: it dies only after another `ms`. */
  extendLife(now: Millis, row: number, ms: Millis): void {
    this.states[row] = State.HELD;
    this.deadAt[row] = now + ms;
    this.timers.set(row, now + ms);
  }

  close(row: number): void {
    if (this.states[row] === State.FREE) return;
    this.part(row);
    this.timers.clear(row);
    this.states[row] = State.FREE;
    this.free[this.freeCount++] = row;
  }

  /** A request whose time came, or NONE; `expiry` says which. A dead one is still open: `linger` or `close` it. */
  expired(now: Millis): number {
    const row = this.timers.expired(now);
    if (row === NONE) return NONE;
    if (this.states[row] === State.SENT) {
      this.states[row] = State.LATE;
      this.expiry = Expiry.LATE;
      this.timers.set(row, this.deadAt[row] as number);
    } else {
      this.expiry = this.states[row] === State.GONE ? Expiry.GONE : Expiry.DEAD;
    }
    return row;
  }

  /** The next sent request to a peer from `row` on, or NONE (cold: the peer is unreachable). */
  nextOfPeer(peer: number, from: number): number {
    for (let row = from; row < this.rows; row++) {
      if ((this.states[row] as number) >= State.SENT && this.peers[row] === peer) return row;
    }
    return NONE;
  }

  nextDelay(now: Millis): number {
    return this.timers.nextDelay(now);
  }

  /** Whether something waits to be written. */
  get queued(): boolean {
    return this.queue.length > 0;
  }

  private part(row: number): void {
    const twin = this.twins[row] as number;
    if (twin !== NONE) this.twins[twin] = NONE;
    this.twins[row] = NONE;
  }

  private extend(rows: number): void {
    // Twice the rows: a request closed before it was written leaves its place in line behind.
    const queue = new FixedQueue(rows * 2);
    while (this.queue.length > 0) queue.push(this.queue.pop());
    this.queue = queue;
    const first = this.rows;
    this.types = grow(this.types, rows);
    this.contacts = grow(this.contacts, rows);
    this.peers = grow(this.peers, rows);
    this.ops = grow(this.ops, rows);
    this.extras = grow(this.extras, rows);
    this.twins = grow(this.twins, rows).fill(NONE, first);
    this.sentAt = grow(this.sentAt, rows);
    this.states = grow(this.states, rows);
    this.nonces = grow(this.nonces, rows);
    this.deadAt = grow(this.deadAt, rows);
    this.free = grow(this.free, rows);
    this.timers.grow(rows);
    for (let row = rows - 1; row >= first; row--) this.free[this.freeCount++] = row;
    this.rows = rows;
  }
}
