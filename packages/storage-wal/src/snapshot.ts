/**
 * The snapshot: the rows of the index in one file, so that a start need not read every segment. It is written row by
 * row while the store goes on, and names the place in the log where it began: what was logged from there on is
 * replayed over it. It counts only when all of it verifies and it was renamed into place after the log it speaks of
 * was durable. Frames as in a segment: head, chunks of rows, end. Rows lie by column, as in memory: a start copies them.
 */
import { copyBytes, IDLE, type Rng } from '@molia/core';
import {
  BODY_BYTES_MAX,
  FRAME_HEAD_BYTES,
  SNAPSHOT_CHUNK_ROWS,
  SNAPSHOT_COST_SHARE,
  SNAPSHOT_EVERY_BYTES,
  SNAPSHOT_VERSION,
  SNAPSHOT_WRITE_CHUNKS,
} from './constants.ts';
import {
  type Disk,
  type DiskOperation,
  type DiskWork,
  OperationKind,
  SNAPSHOT_FILE,
  SNAPSHOT_NEXT_FILE,
} from './disk.ts';
import { checkFrame, frameBytes, readI32, readU32, STORE_ID_BYTES, sealFrame, writeU32 } from './frame.ts';
import type { Log } from './log.ts';
import type { Rows } from './rows.ts';
import type { Segments } from './segments.ts';

const Kind = { HEAD: 16, ROWS: 17, END: 18 } as const;
/** Offsets in the body of HEAD: where the log is replayed from, rows at the time, segments alive. */
const Head = { VERSION: 1, STORE: 4, SEGMENT: 20, POSITION: 24, ROWS: 28, COUNT: 32, LIST: 36 } as const;
/** Columns of u32 behind the keys of a chunk, in this order. */
export const Column = {
  SEGMENT: 0,
  POSITION: 1,
  LENGTH: 2,
  TOUCHED: 3,
  EXPIRES: 4,
  DUE: 5,
  RANK: 6,
  TAG: 7,
  LINK: 8,
  FLAGS: 9,
} as const;
const KEY_BYTES = 32;
const ROW_BYTES = KEY_BYTES + 4 * 10;
/** Of a segment in the head: sequence number, size, and its REMOVE frames. */
const ITEM_BYTES = 20;
/** Body of ROWS: kind, count, keys, columns. Body of END: kind, rows in total. */
const ROWS_HEAD_BYTES = 8;
const END_BYTES = 8;

const Phase = { IDLE: 0, CREATE: 1, WRITE: 2, SYNC: 3, RENAME: 4, DIRECTORY: 5 } as const;

export class SnapshotWriter implements DiskWork {
  /** Size of the last snapshot, and bytes of all of them. */
  size = 0;
  bytesWritten = 0;

  private readonly rows: Rows;
  private readonly segments: Segments;
  private readonly log: Log;
  private readonly rng: Rng;
  private readonly storeId: Uint8Array;
  private buffer: Uint8Array = new Uint8Array(0);
  private filled = 0;
  private phase: number = Phase.IDLE;
  private slot = 0;
  private readonly slots = new Int32Array(SNAPSHOT_CHUNK_ROWS);
  private total = 0;
  private position = 0;
  private epoch = 0;
  private isLast = false;
  private wanted = false;
  /** `log.appended` when the last snapshot began, and what must be durable before this one counts. */
  private begunAt = 0;
  private ticket = 0;
  private retryAt = -1;

  constructor(rows: Rows, segments: Segments, log: Log, rng: Rng, storeId: Uint8Array) {
    this.rows = rows;
    this.segments = segments;
    this.log = log;
    this.rng = rng;
    this.storeId = storeId;
  }

  /** Writes one as soon as nothing else is to be done; for a close. */
  want(): void {
    this.wanted = true;
  }

  get isIdle(): boolean {
    return this.phase === Phase.IDLE && !this.wanted;
  }

  /** `replayed`: bytes of log that the start had to replay. They count towards the next snapshot. */
  begin(size: number, replayed: number): void {
    this.size = size;
    this.begunAt = -replayed;
  }

  poll(now: number, out: DiskOperation): boolean {
    if (now < this.retryAt) return false;
    out.file = SNAPSHOT_NEXT_FILE;
    switch (this.phase) {
      case Phase.IDLE:
        if (!this.isDue()) return false;
        this.start();
        out.kind = OperationKind.CREATE;
        out.length = 0;
        return true;
      case Phase.WRITE:
        out.kind = OperationKind.WRITE;
        out.position = this.position;
        out.bytes = this.buffer;
        out.offset = 0;
        out.length = this.filled;
        return true;
      case Phase.SYNC:
        // Rows must not speak of frames that a crash could still take back.
        if (this.log.durable < this.ticket) return false;
        out.kind = OperationKind.SYNC;
        return true;
      case Phase.RENAME:
        out.kind = OperationKind.RENAME;
        out.target = SNAPSHOT_FILE;
        return true;
      default:
        out.kind = OperationKind.SYNC_DIRECTORY;
        return true;
    }
  }

  complete(now: number, outcome: number): void {
    if (outcome < 0) {
      // Nothing is lost by that: the old one still counts. A later one begins anew.
      this.phase = Phase.IDLE;
      this.wanted = false;
      this.retryAt = now + 10_000;
      return;
    }
    switch (this.phase) {
      case Phase.CREATE:
        this.phase = Phase.WRITE;
        break;
      case Phase.WRITE:
        this.position += this.filled;
        this.bytesWritten += this.filled;
        if (this.isLast) {
          this.phase = Phase.SYNC;
          this.ticket = this.log.appended;
          this.log.flush();
        } else this.fillRows();
        break;
      case Phase.SYNC:
        this.phase = Phase.RENAME;
        break;
      case Phase.RENAME:
        this.phase = Phase.DIRECTORY;
        break;
      default:
        this.phase = Phase.IDLE;
        this.size = this.position;
        this.buffer = new Uint8Array(0);
    }
  }

  nextDelay(now: number): number {
    if (now < this.retryAt) return this.retryAt - now;
    if (this.phase === Phase.IDLE) return this.isDue() ? 0 : IDLE;
    return this.phase === Phase.SYNC && this.log.durable < this.ticket ? IDLE : 0;
  }

  private isDue(): boolean {
    if (this.wanted) return true;
    const since = this.log.appended - this.begunAt;
    return since >= SNAPSHOT_EVERY_BYTES && this.rows.count * ROW_BYTES <= since * SNAPSHOT_COST_SHARE;
  }

  private start(): void {
    this.wanted = false;
    this.phase = Phase.CREATE;
    this.buffer = new Uint8Array(
      Math.max(
        SNAPSHOT_WRITE_CHUNKS * frameBytes(ROWS_HEAD_BYTES + SNAPSHOT_CHUNK_ROWS * ROW_BYTES),
        frameBytes(Head.LIST + ITEM_BYTES * this.segments.count),
      ) + frameBytes(END_BYTES),
    );
    this.begunAt = this.log.appended;
    this.slot = 0;
    this.total = 0;
    this.position = 0;
    this.epoch = this.rng.u32() | 0;
    this.isLast = false;
    this.fillHead();
  }

  private fillHead(): void {
    const { buffer, segments, log } = this;
    const at = FRAME_HEAD_BYTES;
    buffer.fill(0, 0, at + Head.LIST);
    buffer[at] = Kind.HEAD;
    buffer[at + Head.VERSION] = SNAPSHOT_VERSION;
    buffer.set(this.storeId, at + Head.STORE);
    writeU32(buffer, at + Head.SEGMENT, log.headSequence);
    writeU32(buffer, at + Head.POSITION, log.headPosition);
    writeU32(buffer, at + Head.ROWS, this.rows.count);
    let count = 0;
    for (let i = 0; i < segments.end; i++) {
      if (!segments.isNamed(i)) continue;
      const item = at + Head.LIST + ITEM_BYTES * count++;
      writeU32(buffer, item, segments.sequence[i] as number);
      writeU32(buffer, item + 4, segments.size[i] as number);
      writeU32(buffer, item + 8, segments.markBytes[i] as number);
      writeU32(buffer, item + 12, segments.markFloor[i] as number);
      writeU32(buffer, item + 16, segments.markExpires[i] as number);
    }
    writeU32(buffer, at + Head.COUNT, count);
    this.seal(0, Head.LIST + ITEM_BYTES * count);
  }

  private fillRows(): void {
    this.filled = 0;
    for (let i = 0; i < SNAPSHOT_WRITE_CHUNKS && !this.isLast; i++) this.fillChunk(this.filled);
  }

  /** Writes the next chunk at `start` of the buffer, and the end behind the last. */
  private fillChunk(start: number): void {
    const { buffer, rows, slots } = this;
    const at = start + FRAME_HEAD_BYTES;
    let count = 0;
    for (; this.slot < rows.capacity && count < SNAPSHOT_CHUNK_ROWS; this.slot++) {
      if (rows.length[this.slot] !== 0) slots[count++] = this.slot;
    }
    this.total += count;
    writeU32(buffer, at, Kind.ROWS);
    writeU32(buffer, at + 4, count);
    const keys = at + ROWS_HEAD_BYTES;
    const columns = keys + count * KEY_BYTES;
    for (let i = 0; i < count; i++) {
      copyBytes(buffer, keys + i * KEY_BYTES, rows.keys, (slots[i] as number) * KEY_BYTES, KEY_BYTES);
      this.writeColumns(columns + 4 * i, 4 * count, slots[i] as number);
    }
    this.seal(start, ROWS_HEAD_BYTES + count * ROW_BYTES);
    if (this.slot < rows.capacity) return;
    this.isLast = true;
    const end = this.filled;
    writeU32(buffer, end + FRAME_HEAD_BYTES, Kind.END);
    writeU32(buffer, end + FRAME_HEAD_BYTES + 4, this.total);
    this.seal(end, END_BYTES);
  }

  /** `stride`: bytes from a row's place in one column to that in the next. */
  private writeColumns(at: number, stride: number, slot: number): void {
    const { buffer, rows, segments } = this;
    const touched = rows.touched[slot] as number;
    const segment = segments.sequence[rows.segment[slot] as number] as number;
    writeU32(buffer, at + Column.SEGMENT * stride, segment);
    writeU32(buffer, at + Column.POSITION * stride, rows.position[slot] as number);
    writeU32(buffer, at + Column.LENGTH * stride, rows.length[slot] as number);
    const by = touched === 0 ? 0 : (segments.sequence[touched - 1] as number);
    writeU32(buffer, at + Column.TOUCHED * stride, by);
    writeU32(buffer, at + Column.EXPIRES * stride, rows.expiry.keys[slot] as number);
    writeU32(buffer, at + Column.DUE * stride, rows.due.keys[slot] as number);
    writeU32(buffer, at + Column.RANK * stride, ~(rows.eviction.keys[slot] as number));
    writeU32(buffer, at + Column.TAG * stride, rows.tag[slot] as number);
    writeU32(buffer, at + Column.LINK * stride, rows.links.values[slot] as number);
    writeU32(buffer, at + Column.FLAGS * stride, rows.flags[slot] as number);
  }

  private seal(at: number, length: number): void {
    sealFrame(this.buffer, at, length, this.epoch, this.position + at);
    this.filled = at + frameBytes(length);
  }
}

/** One chunk of a snapshot's rows. A row may come twice: when it left and came again while the snapshot was written. */
export class SnapshotRows {
  bytes: Uint8Array = new Uint8Array(0);
  count = 0;
  /** Offset of the keys. */
  keys = 0;

  /** Offset of a `Column`. */
  column(index: number): number {
    return this.keys + this.count * (KEY_BYTES + 4 * index);
  }
}

/** What the head of a whole snapshot says. */
export interface SnapshotHead {
  readonly storeId: Uint8Array;
  /** The log is replayed from here. */
  readonly segment: number;
  readonly position: number;
  readonly rows: number;
  /** The segments alive then. */
  readonly segments: readonly SnapshotSegment[];
  readonly bytes: number;
}

export interface SnapshotSegment {
  readonly sequence: number;
  readonly size: number;
  readonly markBytes: number;
  readonly markFloor: number;
  readonly markExpires: number;
}

function readItem(bytes: Uint8Array, at: number): SnapshotSegment {
  return {
    sequence: readU32(bytes, at),
    size: readU32(bytes, at + 4),
    markBytes: readU32(bytes, at + 8),
    markFloor: readU32(bytes, at + 12),
    markExpires: readU32(bytes, at + 16),
  };
}

/** Reads a snapshot, and verifies all of it while it does. */
export class SnapshotReader {
  private readonly disk: Disk;
  private readonly buffer = new Uint8Array(frameBytes(BODY_BYTES_MAX) + 2 ** 20);
  private base = 0;
  private held = 0;
  private epoch = 0;

  constructor(disk: Disk) {
    this.disk = disk;
  }

  /** What the head says, when it verifies. */
  head(): SnapshotHead | undefined {
    this.base = 0;
    this.held = 0;
    this.load(0);
    const bytes = this.buffer;
    if (this.held < FRAME_HEAD_BYTES + Head.LIST) return undefined;
    this.epoch = readI32(bytes, 8);
    const length = checkFrame(bytes, 0, this.held, this.epoch, 0);
    const at = FRAME_HEAD_BYTES;
    if (length < Head.LIST || bytes[at] !== Kind.HEAD || bytes[at + Head.VERSION] !== SNAPSHOT_VERSION)
      return undefined;
    const count = readU32(bytes, at + Head.COUNT);
    if (length !== Head.LIST + ITEM_BYTES * count) return undefined;
    return {
      storeId: bytes.slice(at + Head.STORE, at + Head.STORE + STORE_ID_BYTES),
      segment: readU32(bytes, at + Head.SEGMENT),
      position: readU32(bytes, at + Head.POSITION),
      rows: readU32(bytes, at + Head.ROWS),
      segments: Array.from({ length: count }, (_, i) => readItem(bytes, at + Head.LIST + ITEM_BYTES * i)),
      bytes: frameBytes(length),
    };
  }

  /** Gives rows to `visit` as they come; `undefined` at the end = it did not verify, and the rows are not to be used. */
  read(visit: (rows: SnapshotRows) => void): SnapshotHead | undefined {
    const head = this.head();
    if (head === undefined) return undefined;
    const { buffer: bytes, epoch } = this;
    const chunk = new SnapshotRows();
    chunk.bytes = bytes;
    let total = 0;
    let length = 0;
    for (let position = head.bytes; ; position += frameBytes(length)) {
      this.load(position);
      const at = position - this.base;
      length = checkFrame(bytes, at, this.held - at, epoch, position);
      if (length < END_BYTES) return undefined;
      const body = at + FRAME_HEAD_BYTES;
      const rows = readU32(bytes, body + 4);
      if (bytes[body] === Kind.END) {
        return rows === total ? { ...head, bytes: position + frameBytes(length) } : undefined;
      }
      if (bytes[body] !== Kind.ROWS || length !== ROWS_HEAD_BYTES + rows * ROW_BYTES) return undefined;
      total += rows;
      chunk.count = rows;
      chunk.keys = body + ROWS_HEAD_BYTES;
      visit(chunk);
    }
  }

  private load(position: number): void {
    const end = this.base + this.held;
    if (position + frameBytes(BODY_BYTES_MAX) <= end && position >= this.base) return;
    this.base = position;
    this.held = Math.max(0, this.disk.read(SNAPSHOT_FILE, position, this.buffer, 0, this.buffer.length));
  }
}
