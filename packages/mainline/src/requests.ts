/** Requests under way: transaction ids, the endpoints that may answer, when each is late and when it is dead. */
import { ENDPOINT_BYTES, equalBytes, grow, type Millis, NONE, type Rng, TimerTable } from '@molia/core';
import { LATE_MS_MAX, LATE_MS_MIN, REQUESTS_MAX } from './constants.ts';

/** Bytes of our transaction ids: 12 bits name the row, 20 are random. */
export const TID_BYTES = 4;

export class Requests {
  endpoints = new Uint8Array(0);
  sentAt = new Float64Array(0);
  /** What the request belongs to: an operation's handle (0 = none), and the candidate's index in it. */
  owners = new Float64Array(0);
  indices = new Int16Array(0);
  purposes = new Uint8Array(0);
  private tids = new Uint32Array(0);
  private isLate = new Uint8Array(0);
  readonly timers = new TimerTable(0);
  private readonly rng: Rng;
  private readonly deadMs: number;
  private readonly freeRows: number[] = [];
  private used = 0;
  /** [smoothed round trip, its deviation] in milliseconds. */
  private readonly rtt = new Float64Array(2);
  count = 0;
  /** Transaction id of the request that `open` made last. */
  tid = 0;

  constructor(rng: Rng, deadMs: number) {
    this.rng = rng;
    this.deadMs = deadMs;
    this.rtt[0] = 150;
    this.rtt[1] = 100;
  }

  /** After so long without an answer the next candidate takes the request's place. */
  get lateMs(): number {
    const late = Math.ceil((this.rtt[0] as number) + 4 * (this.rtt[1] as number));
    return Math.min(this.deadMs, Math.max(LATE_MS_MIN, Math.min(LATE_MS_MAX, late)));
  }

  /** A new request's row, or `NONE` when `REQUESTS_MAX` are under way. */
  open(now: Millis, endpoint: Uint8Array, at: number, purpose: number, owner: number, index: number): number {
    let row = this.freeRows.pop() ?? NONE;
    if (row === NONE) {
      if (this.used === REQUESTS_MAX) return NONE;
      if (this.used === this.purposes.length) this.widen();
      row = this.used++;
    }
    this.endpoints.set(endpoint.subarray(at, at + ENDPOINT_BYTES), row * ENDPOINT_BYTES);
    this.sentAt[row] = now;
    this.owners[row] = owner;
    this.indices[row] = index;
    this.purposes[row] = purpose;
    this.isLate[row] = 0;
    this.tid = ((this.rng.u32() & 0xfffff000) | row) >>> 0;
    this.tids[row] = this.tid;
    this.timers.set(row, now + this.lateMs);
    this.count++;
    return row;
  }

  /** The request that a datagram answers: same transaction id, same address, same port. `NONE`: none does. */
  match(bytes: Uint8Array, tidAt: number, tidLength: number, endpoint: Uint8Array, at: number): number {
    if (tidLength !== TID_BYTES) return NONE;
    const tid =
      (((bytes[tidAt] as number) << 24) |
        ((bytes[tidAt + 1] as number) << 16) |
        ((bytes[tidAt + 2] as number) << 8) |
        (bytes[tidAt + 3] as number)) >>>
      0;
    const row = tid & 0xfff;
    if (row >= this.used || !this.timers.isSet(row) || this.tids[row] !== tid) return NONE;
    return equalBytes(this.endpoints, row * ENDPOINT_BYTES, endpoint, at, ENDPOINT_BYTES) ? row : NONE;
  }

  /** Ends a request. `answered` feeds the round-trip estimate (Jacobson). Returns whether it was late. */
  close(now: Millis, row: number, answered: boolean): boolean {
    this.timers.clear(row);
    this.freeRows.push(row);
    this.count--;
    if (answered) {
      const rtt = now - (this.sentAt[row] as number);
      const error = rtt - (this.rtt[0] as number);
      this.rtt[0] = (this.rtt[0] as number) + error / 8;
      this.rtt[1] = (this.rtt[1] as number) + (Math.abs(error) - (this.rtt[1] as number)) / 4;
    }
    return this.isLate[row] === 1;
  }

  /** A request's timer went off. `true`: it is dead (close it); `false`: it is late, and still listened for. */
  isDead(now: Millis, row: number): boolean {
    const deadAt = (this.sentAt[row] as number) + this.deadMs;
    if (now >= deadAt) {
      // INVARIANT: `match` asks for a set timer, and `close` clears it.
      this.timers.set(row, deadAt);
      return true;
    }
    this.isLate[row] = 1;
    this.timers.set(row, deadAt);
    return false;
  }

  wasLate(row: number): boolean {
    return this.isLate[row] === 1;
  }

  private widen(): void {
    const rows = Math.max(16, Math.min(REQUESTS_MAX, this.used * 2));
    this.endpoints = grow(this.endpoints, rows * ENDPOINT_BYTES);
    this.sentAt = grow(this.sentAt, rows);
    this.owners = grow(this.owners, rows);
    this.indices = grow(this.indices, rows);
    this.purposes = grow(this.purposes, rows);
    this.tids = grow(this.tids, rows);
    this.isLate = grow(this.isLate, rows);
    this.timers.grow(rows);
  }
}
