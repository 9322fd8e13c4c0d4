/**
 * The contact slab: every node we know of, once, as a row of typed-array columns. Tables, shortlists and requests
 * hold row indices. Interned by public key (its id is the key's BLAKE3, so the two name the same thing and a known
 * contact costs no hash). Rows are reference counted; a row without references keeps what was learned until its
 * place is needed.
 */
import {
  commonPrefixBits,
  compareDistance,
  copyBytes,
  ENDPOINT_BYTES,
  equalBytes,
  grow,
  ID_BYTES,
  type Millis,
  NONE,
  nodeIdInto,
} from '@molia/core';
import { FAILURES_MAX, QUIET_DOUBLINGS, QUIET_MS, RTTVAR_GAIN, SRTT_GAIN } from './constants.ts';

export const ContactFlag = {
  /** Lies in a bucket. */
  TABLE: 1,
  /** Lies in a replacement cache. */
  CACHED: 2,
  /** Said by NEGOTIATE that it only asks. */
  CLIENT: 4,
  /** Answered NEGOTIATE. */
  NEGOTIATED: 8,
  /** Waits in the probe queue. */
  QUEUED: 16,
  /** A liveness request to it is in flight. */
  CHECKED: 32,
  /** Fell silent and left the table; remembered by `Lost`. */
  LOST: 64,
} as const;

/** First four bytes of an id as a signed integer: a small integer to V8, unlike a u32. */
export function wordAt(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset] as number) << 24) |
    ((bytes[offset + 1] as number) << 16) |
    ((bytes[offset + 2] as number) << 8) |
    (bytes[offset + 3] as number)
  );
}

const INITIAL = 64;
/** First bytes of an id that are kept. Two ids that share them are told apart by their keys' hashes, made anew. */
export const HEAD_BYTES = 8;
/** Grain of `quietUntil`. */
const QUIET_TICK_MS = 100;

export class Contacts {
  /** 32 bytes a row. */
  keys = new Uint8Array(INITIAL * ID_BYTES);
  /** First `HEAD_BYTES` of the ids. */
  heads = new Uint8Array(INITIAL * HEAD_BYTES);
  /** 19 bytes a row. */
  endpoints = new Uint8Array(INITIAL * ENDPOINT_BYTES);
  /** `wordAt` of the id. */
  words = new Int32Array(INITIAL);
  /** Peer handle, or NONE before the first request. */
  peers = new Int32Array(INITIAL).fill(NONE);
  flags = new Uint8Array(INITIAL);
  /** Consecutive unanswered requests. */
  failures = new Uint8Array(INITIAL);
  /** Milliseconds; 0 = never measured. */
  srtt = new Float32Array(INITIAL);
  rttvar = new Float32Array(INITIAL);
  /** `now` of the last authenticated answer; -1 = never. */
  seenAt = new Float64Array(INITIAL).fill(-1);
  /** Seconds of `now` when it entered the table. */
  addedSecs = new Float32Array(INITIAL);

  /** Until then it is not asked on hearsay: it was silent again and again. Ticks of 100 ms: enough for 6.8 years. */
  private quietTicks = new Int32Array(INITIAL);
  private readonly idA = new Uint8Array(ID_BYTES);
  private readonly idB = new Uint8Array(ID_BYTES);
  private refs = new Uint32Array(INITIAL);
  private used = new Uint8Array(INITIAL);
  /** Open addressing over rows, `NONE` = empty; twice the capacity. */
  private slots = new Int32Array(INITIAL * 2).fill(NONE);
  private readonly seed: number;
  private readonly rowsMax: number;
  private rows = INITIAL;
  private hand = 0;
  private live = 0;

  constructor(rowsMax: number, seed: number) {
    this.rowsMax = Math.max(rowsMax, INITIAL);
    this.seed = seed | 1;
  }

  /** Rows of the columns now. */
  get capacity(): number {
    return this.rows;
  }

  /** Known contacts. */
  get count(): number {
    return this.live;
  }

  /** The row of a public key, or NONE. */
  find(key: Uint8Array, keyOffset: number): number {
    const mask = this.slots.length - 1;
    let slot = this.hash(key, keyOffset) & mask;
    for (;;) {
      const row = this.slots[slot] as number;
      if (row === NONE) return NONE;
      if (equalBytes(this.keys, row * ID_BYTES, key, keyOffset, ID_BYTES)) return row;
      slot = (slot + 1) & mask;
    }
  }

  /**
   * The row of a contact, created when unknown; NONE when every row is referenced. The endpoint of a known contact
   * changes only while it never answered and does not answer now: a hint never displaces a proven address. `id`: the
   * key's, where it is known.
   */
  intern(
    key: Uint8Array,
    keyOffset: number,
    endpoint: Uint8Array,
    endpointOffset: number,
    id?: Uint8Array,
  ): number {
    const found = this.find(key, keyOffset);
    if (found !== NONE) {
      if ((this.seenAt[found] as number) < 0 && (this.failures[found] as number) > 0) {
        this.moveTo(found, endpoint, endpointOffset);
      }
      return found;
    }
    const row = this.take();
    if (row === NONE) return NONE;
    copyBytes(this.keys, row * ID_BYTES, key, keyOffset, ID_BYTES);
    if (id === undefined) nodeIdInto(this.idA, 0, key, keyOffset);
    copyBytes(this.heads, row * HEAD_BYTES, id ?? this.idA, 0, HEAD_BYTES);
    copyBytes(this.endpoints, row * ENDPOINT_BYTES, endpoint, endpointOffset, ENDPOINT_BYTES);
    this.words[row] = wordAt(this.heads, row * HEAD_BYTES);
    this.peers[row] = NONE;
    this.flags[row] = 0;
    this.failures[row] = 0;
    this.srtt[row] = 0;
    this.rttvar[row] = 0;
    this.seenAt[row] = -1;
    this.addedSecs[row] = 0;
    this.quietTicks[row] = 0;
    this.link(row);
    return row;
  }

  /** Sets another endpoint; the next request opens its peer again. */
  moveTo(row: number, endpoint: Uint8Array, endpointOffset: number): void {
    if (equalBytes(this.endpoints, row * ENDPOINT_BYTES, endpoint, endpointOffset, ENDPOINT_BYTES)) return;
    copyBytes(this.endpoints, row * ENDPOINT_BYTES, endpoint, endpointOffset, ENDPOINT_BYTES);
    this.peers[row] = NONE;
    this.failures[row] = 0;
    this.quietTicks[row] = 0;
  }

  /**
   * The next contact from row `from` on, among `steps` rows, that was named to us and has neither answered nor failed us yet; NONE
   * without one.
   */
  nextUnheard(from: number, steps: number): number {
    for (let i = 0; i < steps && i < this.rows; i++) {
      const row = (from + i) % this.rows;
      if (this.used[row] === 1 && (this.seenAt[row] as number) < 0 && this.failures[row] === 0) return row;
    }
    return NONE;
  }

  hold(row: number): void {
    this.refs[row] = (this.refs[row] as number) + 1;
  }

  release(row: number): void {
    this.refs[row] = (this.refs[row] as number) - 1;
  }

  /** References of a row (for tests of the bookkeeping). */
  references(row: number): number {
    return this.refs[row] as number;
  }

  /** A round trip of `ms` was measured by ourselves (RFC 6298). */
  sampleRtt(row: number, ms: number): void {
    const srtt = this.srtt[row] as number;
    if (srtt === 0) {
      this.srtt[row] = ms;
      this.rttvar[row] = ms / 2;
      return;
    }
    const error = Math.abs(srtt - ms);
    this.rttvar[row] = (this.rttvar[row] as number) * (1 - RTTVAR_GAIN) + error * RTTVAR_GAIN;
    this.srtt[row] = srtt * (1 - SRTT_GAIN) + ms * SRTT_GAIN;
  }

  /** It answered. */
  heard(row: number, now: Millis): void {
    this.seenAt[row] = now;
    this.failures[row] = 0;
    this.quietTicks[row] = 0;
  }

  /** A request to it died. */
  silent(row: number, now: Millis): void {
    const failures = Math.min((this.failures[row] as number) + 1, 255);
    this.failures[row] = failures;
    if (failures < FAILURES_MAX) return;
    const quietMs = QUIET_MS * 2 ** Math.min(failures - FAILURES_MAX, QUIET_DOUBLINGS);
    this.quietTicks[row] = Math.ceil((now + quietMs) / QUIET_TICK_MS);
  }

  /** Whether others' word for it is not believed now. */
  isQuiet(row: number, now: Millis): boolean {
    return now < (this.quietTicks[row] as number) * QUIET_TICK_MS;
  }

  /** Others' word for it is believed at once. */
  forgive(row: number): void {
    this.quietTicks[row] = 0;
  }

  /** Writes the id of a contact, 32 bytes: a hash. */
  writeId(row: number, out: Uint8Array, offset: number): void {
    nodeIdInto(out, offset, this.keys, row * ID_BYTES);
  }

  /** Which of two contacts is closer to a target: negative = `a`. */
  compareDistance(target: Uint8Array, targetOffset: number, a: number, b: number): number {
    const { heads } = this;
    for (let i = 0; i < HEAD_BYTES; i++) {
      const x = heads[a * HEAD_BYTES + i] as number;
      const y = heads[b * HEAD_BYTES + i] as number;
      if (x === y) continue;
      const t = target[targetOffset + i] as number;
      return (x ^ t) - (y ^ t);
    }
    if (a === b) return 0;
    this.writeId(a, this.idA, 0);
    this.writeId(b, this.idB, 0);
    return compareDistance(target, targetOffset, this.idA, 0, this.idB, 0);
  }

  /** How many leading bits a contact's id shares with another: 0 to 256. */
  sharedBits(row: number, id: Uint8Array, offset: number): number {
    for (let i = 0; i < HEAD_BYTES; i++) {
      const x = (this.heads[row * HEAD_BYTES + i] as number) ^ (id[offset + i] as number);
      if (x !== 0) return i * 8 + Math.clz32(x) - 24;
    }
    this.writeId(row, this.idA, 0);
    return commonPrefixBits(this.idA, 0, id, offset);
  }

  private hash(key: Uint8Array, offset: number): number {
    let h = Math.imul(wordAt(key, offset) ^ this.seed, 0x9e3779b1);
    h = Math.imul(h ^ (h >>> 15) ^ wordAt(key, offset + 4), 0x85ebca6b);
    return h ^ (h >>> 13);
  }

  private link(row: number): void {
    const mask = this.slots.length - 1;
    let slot = this.hash(this.keys, row * ID_BYTES) & mask;
    while (this.slots[slot] !== NONE) slot = (slot + 1) & mask;
    this.slots[slot] = row;
    this.used[row] = 1;
    this.live++;
  }

  private unlink(row: number): void {
    const mask = this.slots.length - 1;
    let hole = this.hash(this.keys, row * ID_BYTES) & mask;
    while (this.slots[hole] !== row) hole = (hole + 1) & mask;
    // Backward shift: no tombstones, so lookups of unknown keys stay short.
    let next = (hole + 1) & mask;
    for (;;) {
      const moving = this.slots[next] as number;
      if (moving === NONE) break;
      const home = this.hash(this.keys, moving * ID_BYTES) & mask;
      if (((next - home) & mask) >= ((next - hole) & mask)) {
        this.slots[hole] = moving;
        hole = next;
      }
      next = (next + 1) & mask;
    }
    this.slots[hole] = NONE;
    this.used[row] = 0;
    this.live--;
  }

  /** A row without a contact: a fresh one, else the next that nobody references, else grown. BOUNDED: by rowsMax. */
  private take(): number {
    for (let step = 0; step < this.rows; step++) {
      const row = this.hand;
      this.hand = row + 1 === this.rows ? 0 : row + 1;
      if (this.used[row] === 0) return row;
      if (this.refs[row] === 0) {
        this.unlink(row);
        return row;
      }
    }
    if (this.rows >= this.rowsMax) return NONE;
    const first = this.rows;
    this.extend(Math.min(this.rows * 2, this.rowsMax));
    this.hand = first + 1 === this.rows ? 0 : first + 1;
    return first;
  }

  private extend(rows: number): void {
    const first = this.rows;
    this.keys = grow(this.keys, rows * ID_BYTES);
    this.heads = grow(this.heads, rows * HEAD_BYTES);
    this.endpoints = grow(this.endpoints, rows * ENDPOINT_BYTES);
    this.words = grow(this.words, rows);
    this.peers = grow(this.peers, rows).fill(NONE, first);
    this.flags = grow(this.flags, rows);
    this.failures = grow(this.failures, rows);
    this.srtt = grow(this.srtt, rows);
    this.rttvar = grow(this.rttvar, rows);
    this.seenAt = grow(this.seenAt, rows).fill(-1, first);
    this.addedSecs = grow(this.addedSecs, rows);
    this.quietTicks = grow(this.quietTicks, rows);
    this.refs = grow(this.refs, rows);
    this.used = grow(this.used, rows);
    this.rows = rows;
    let slots = this.slots.length;
    while (slots < rows * 2) slots *= 2;
    this.slots = new Int32Array(slots).fill(NONE);
    this.live = 0;
    for (let row = 0; row < first; row++) if (this.used[row] === 1) this.link(row);
  }
}
