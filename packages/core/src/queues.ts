/** Bounded first-in-first-out queues over fixed memory: what is full says so, nothing grows. */
import type { Transmit } from './engine.ts';
import { assert } from './errors.ts';
import { NONE } from './handles.ts';
import { copyBytes } from './ids.ts';

/** A queue of at most `capacity` signed 32-bit integers. */
export class FixedQueue {
  readonly capacity: number;
  private readonly items: Int32Array;
  private head = 0;
  private used = 0;

  /** Throws RangeError unless `capacity` is a positive integer. */
  constructor(capacity: number) {
    requirePositive('capacity', capacity);
    this.capacity = capacity;
    this.items = new Int32Array(capacity);
  }

  get length(): number {
    return this.used;
  }

  /** `false` = full, nothing was queued. */
  push(value: number): boolean {
    if (this.used === this.capacity) return false;
    let at = this.head + this.used;
    if (at >= this.capacity) at -= this.capacity;
    this.items[at] = value;
    this.used++;
    return true;
  }

  /** The oldest value, or `NONE` when empty (ask `length` where -1 is a value of yours). */
  pop(): number {
    if (this.used === 0) return NONE;
    const value = this.items[this.head] as number;
    this.head++;
    if (this.head === this.capacity) this.head = 0;
    this.used--;
    return value;
  }

  /** The oldest value without taking it, or `NONE` when empty. */
  peek(): number {
    return this.used === 0 ? NONE : (this.items[this.head] as number);
  }

  clear(): void {
    this.head = 0;
    this.used = 0;
  }
}

const FIELDS = 4;
/** Room of a fresh `ByteRing`; most never need more. */
const INITIAL_BYTES = 1_024;
const INITIAL_RECORDS = 16;

/**
 * A queue of datagrams with their `to` and `flags`, bounded in bytes and in number. Each datagram lies in one piece,
 * so room at the end of the buffer may stay unused when the next one is longer. Memory doubles up to the bounds.
 */
export class ByteRing {
  private readonly bytesMax: number;
  private readonly recordsMax: number;
  private bytes: Uint8Array;
  /** Per record: to, flags, start, length. */
  private records: Int32Array;
  /** Records that `records` holds. */
  private recordsRoom: number;
  private head = 0;
  private used = 0;
  /** Where the next datagram is tried. */
  private tail = 0;
  private held = 0;

  /** Throws RangeError unless both bounds are positive integers. `recordsMax` defaults to a record per 64 bytes. */
  constructor(bytesMax: number, recordsMax: number = Math.max(1, bytesMax >>> 6)) {
    requirePositive('bytesMax', bytesMax);
    requirePositive('recordsMax', recordsMax);
    this.bytesMax = bytesMax;
    this.recordsMax = recordsMax;
    this.recordsRoom = Math.min(recordsMax, INITIAL_RECORDS);
    this.bytes = new Uint8Array(Math.min(bytesMax, INITIAL_BYTES));
    this.records = new Int32Array(this.recordsRoom * FIELDS);
  }

  /** Datagrams waiting. */
  get length(): number {
    return this.used;
  }

  /** Their bytes. */
  get byteLength(): number {
    return this.held;
  }

  /** Copies one datagram in. `false` = no room, nothing was queued. */
  push(to: number, flags: number, bytes: Uint8Array, offset: number, length: number): boolean {
    if (this.used === this.recordsRoom && !this.widenRecords()) return false;
    // An empty datagram takes a byte too, so that two records never share a start.
    const footprint = length === 0 ? 1 : length;
    let start = this.room(footprint);
    while (start === NONE) {
      if (!this.widenBytes()) return false;
      start = this.room(footprint);
    }
    let slot = this.head + this.used;
    if (slot >= this.recordsRoom) slot -= this.recordsRoom;
    const field = slot * FIELDS;
    this.records[field] = to;
    this.records[field + 1] = flags;
    this.records[field + 2] = start;
    this.records[field + 3] = length;
    copyBytes(this.bytes, start, bytes, offset, length);
    this.tail = start + footprint;
    this.used++;
    this.held += length;
    return true;
  }

  /** Moves the oldest datagram to `out.offset` and sets `to`, `flags`, `length`. `false` = empty, `out` untouched. */
  pop(out: Transmit): boolean {
    if (this.used === 0) return false;
    const field = this.head * FIELDS;
    const start = this.records[field + 2] as number;
    const length = this.records[field + 3] as number;
    assert(out.offset + length <= out.bytes.length, 'the host keeps room for every queued datagram');
    copyBytes(out.bytes, out.offset, this.bytes, start, length);
    out.to = this.records[field] as number;
    out.flags = this.records[field + 1] as number;
    out.length = length;
    this.head++;
    if (this.head === this.recordsRoom) this.head = 0;
    this.used--;
    this.held -= length;
    return true;
  }

  /** Drops everything and wipes the buffer: queued plaintext is secret. */
  clear(): void {
    this.bytes.fill(0);
    this.head = 0;
    this.used = 0;
    this.tail = 0;
    this.held = 0;
  }

  /** Twice the records, the oldest first again; `false` at the bound. */
  private widenRecords(): boolean {
    const room = Math.min(this.recordsRoom * 2, this.recordsMax);
    if (room === this.recordsRoom) return false;
    const records = new Int32Array(room * FIELDS);
    const split = this.head * FIELDS;
    records.set(this.records.subarray(split));
    records.set(this.records.subarray(0, split), this.records.length - split);
    this.records = records;
    this.recordsRoom = room;
    this.head = 0;
    return true;
  }

  /** Twice the bytes, the oldest datagram first again; `false` at the bound. The old ones are wiped. */
  private widenBytes(): boolean {
    const size = Math.min(this.bytes.length * 2, this.bytesMax);
    if (size === this.bytes.length) return false;
    const bytes = new Uint8Array(size);
    let at = 0;
    for (let i = 0; i < this.used; i++) {
      const field = ((this.head + i) % this.recordsRoom) * FIELDS;
      const length = this.records[field + 3] as number;
      copyBytes(bytes, at, this.bytes, this.records[field + 2] as number, length);
      this.records[field + 2] = at;
      at += length === 0 ? 1 : length;
    }
    this.bytes.fill(0);
    this.bytes = bytes;
    this.tail = at;
    return true;
  }

  /** Where `length` bytes fit in one piece, or `NONE`. */
  private room(length: number): number {
    const capacity = this.bytes.length;
    if (this.used === 0) return length <= capacity ? 0 : NONE;
    const oldest = this.records[this.head * FIELDS + 2] as number;
    if (this.tail > oldest) {
      if (length <= capacity - this.tail) return this.tail;
      return length <= oldest ? 0 : NONE;
    }
    // Wrapped; tail === oldest is a full buffer, for an empty one was answered above.
    return length <= oldest - this.tail ? this.tail : NONE;
  }
}

function requirePositive(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`${name} must be a positive integer, not ${value}`);
  }
}
