/**
 * The append-only log: frames into blocks, blocks into segments, and the order of writes and syncs that makes them
 * durable in groups. No disk is touched here: `poll` says what is to be done next, `complete` how it ended.
 *
 * Bytes stay in memory until they are durable. A sync that failed may have dropped what it should have saved, so
 * everything since the last good one is then written again. One operation runs at a time; while it does, appends
 * gather in memory, so that the disk's own pace makes the groups.
 */
import { assert, IDLE, type Rng } from '@molia/core';
import {
  BLOCK_BYTES,
  BODY_BYTES_MAX,
  FORMAT_VERSION,
  FRAME_HEAD_BYTES,
  RESERVE_BLOCKS,
  RETRY_MS,
} from './constants.ts';
import { type DiskOperation, type DiskWork, OperationKind } from './disk.ts';
import {
  FrameKind,
  frameBytes,
  HEAD_MAGIC,
  HEAD_MAGIC_2,
  HeadField,
  SEAL_BYTES,
  STORE_ID_BYTES,
  sealFrame,
  writeU32,
} from './frame.ts';
import { SegmentState, type Segments } from './segments.ts';

export interface LogOptions {
  readonly rng: Rng;
  /** 16 random bytes that every segment of the store carries. */
  readonly storeId: Uint8Array;
  readonly segments: Segments;
  /** First sequence number to use. */
  readonly nextSequence: number;
  readonly segmentBytes: number;
  readonly pendingBytesMax: number;
  /** Longest wait between append and commit. */
  readonly commitMs: number;
  /** Most bytes between two commits. */
  readonly commitBytes: number;
  /** Something is to be polled, after there was nothing. */
  readonly wake: () => void;
  /** An operation failed (a `DiskError`), or, with 0, the disk works again. */
  readonly onDisk: (outcome: number) => void;
  /** A freed segment's file is gone, durably. */
  readonly onGone: (sequence: number) => void;
}

/** Appended bytes of one segment that are not durable yet. */
class Block {
  readonly bytes = new Uint8Array(BLOCK_BYTES);
  /** Index of the segment, and where in it the block begins. */
  segment = 0;
  start = 0;
  /** What `appended` was when the block began. */
  base = 0;
  used = 0;
  written = 0;
}

/** Operations that come before all writes: what recovery and compaction leave to do. */
interface Chore {
  readonly kind: number;
  readonly file: number;
  readonly length: number;
}

const SEAL_FRAME_BYTES = frameBytes(SEAL_BYTES);

export class Log implements DiskWork {
  /** After `reserve`: the body of the new frame starts at `bytes[body]`. */
  bytes: Uint8Array = new Uint8Array(0);
  body = 0;
  /** After `finish`: where the frame is. */
  segment = 0;
  position = 0;

  /** Bytes ever appended, handed to the operating system, and durable: tickets are such sums. */
  appended = 0;
  handed = 0;
  durable = 0;
  /** Operations that failed since the last that did not. */
  failures = 0;
  commits = 0;
  bytesWritten = 0;

  private readonly options: LogOptions;
  private readonly segments: Segments;
  private readonly blocksMax: number;
  private head = -1;
  private nextSequence: number;
  private readonly queue: Block[] = [];
  private readonly free: Block[] = [];
  private current: Block | undefined;
  private readonly chores: Chore[] = [];
  /** Segments written to since their last sync, oldest first. */
  private readonly dirty: number[] = [];
  private directoryDirty = false;
  private committing = false;
  /** What the next commit that was asked for must reach, and the last of all that were. */
  private forced = 0;
  private forcedLast = 0;
  private unsyncedSince = -1;
  private retryAt = -1;
  private awake = true;
  private running = 0;
  private runningBlock: Block | undefined;
  private runningEnd = 0;

  constructor(options: LogOptions) {
    this.options = options;
    this.segments = options.segments;
    this.nextSequence = options.nextSequence;
    this.blocksMax = Math.max(2, Math.floor(options.pendingBytesMax / BLOCK_BYTES));
  }

  /** Bytes in memory that wait for the disk. */
  get pending(): number {
    return this.appended - this.durable;
  }

  /** Sequence number of the segment that the next frame goes to, unless it is full. */
  get headSequence(): number {
    return this.head < 0 ? this.nextSequence : (this.segments.sequence[this.head] as number);
  }

  /** Where the next frame goes at the earliest. */
  get headPosition(): number {
    return this.head < 0 ? 0 : (this.segments.size[this.head] as number);
  }

  /**
   * Room for a frame with `length` bytes of body. `urgent` frames (removals, the log's own) may use what is kept in
   * reserve. `false` = the writer is behind; nothing changed.
   */
  reserve(length: number, urgent: boolean): boolean {
    assert(length > 0 && length <= BODY_BYTES_MAX, 'a body within bounds');
    const total = frameBytes(length);
    if (this.head < 0 || this.headPosition + total + SEAL_FRAME_BYTES > this.options.segmentBytes) {
      if (!this.roll(urgent)) return false;
    }
    if (!this.room(total, urgent)) return false;
    const block = this.current as Block;
    this.bytes = block.bytes;
    this.body = block.used + FRAME_HEAD_BYTES;
    return true;
  }

  /** Seals the frame whose body was written after `reserve(length)`. */
  finish(length: number): void {
    const block = this.current as Block;
    const at = this.body - FRAME_HEAD_BYTES;
    const total = frameBytes(length);
    this.segment = block.segment;
    this.position = block.start + at;
    sealFrame(block.bytes, at, length, this.segments.epoch[block.segment] as number, this.position);
    block.used += total;
    this.appended += total;
    this.segments.grew(block.segment, total);
    if (this.awake) return;
    this.awake = true;
    this.options.wake();
  }

  /** Asks for a commit of everything appended so far, without waiting for its turn. */
  flush(): void {
    // A commit that was asked for is not put off by those who ask after it.
    if (this.durable >= this.forced) this.forced = this.appended;
    this.forcedLast = this.appended;
    this.stir();
  }

  /** Cuts a file to `length` bytes, durably, before anything else is written. */
  truncate(file: number, length: number): void {
    this.chores.push({ kind: OperationKind.TRUNCATE, file, length });
    this.chores.push({ kind: OperationKind.SYNC, file, length: 0 });
    this.stir();
  }

  /** Removes the file of a segment that nothing points to and that is durably FREED. */
  unlink(file: number): void {
    this.chores.push({ kind: OperationKind.UNLINK, file, length: 0 });
    this.chores.push({ kind: OperationKind.SYNC_DIRECTORY, file, length: 0 });
    this.stir();
  }

  /** The frame at a position is still in memory: then it lies in `bytes` at `body - FRAME_HEAD_BYTES`. */
  findPending(segment: number, position: number): boolean {
    for (let i = this.queue.length - 1; i >= 0; i--) {
      const block = this.queue[i] as Block;
      if (block.segment !== segment || position < block.start) continue;
      if (position >= block.start + block.used) return false;
      this.bytes = block.bytes;
      this.body = position - block.start + FRAME_HEAD_BYTES;
      return true;
    }
    return false;
  }

  poll(now: number, out: DiskOperation): boolean {
    assert(this.running === 0, 'one operation at a time');
    this.look(now);
    if (now < this.retryAt || !this.next(now, out)) {
      this.awake = false;
      return false;
    }
    this.running = out.kind;
    return true;
  }

  complete(now: number, outcome: number): void {
    const kind = this.running;
    this.running = 0;
    if (outcome < 0) {
      this.fail(now, kind, outcome);
      return;
    }
    if (this.failures > 0) {
      this.failures = 0;
      this.options.onDisk(0);
    }
    if (this.runningBlock !== undefined) this.wrote(kind);
    else if (this.committing) this.synced(kind);
    else this.choreDone();
  }

  nextDelay(now: number): number {
    if (this.running !== 0) return IDLE;
    this.look(now);
    if (now < this.retryAt) return this.retryAt - now;
    if (this.chores.length > 0 || this.committing) return 0;
    if (this.handed < this.appended || this.commitWanted(now)) return 0;
    return this.durable < this.appended
      ? Math.max(0, this.unsyncedSince + this.options.commitMs - now)
      : IDLE;
  }

  private stir(): void {
    if (this.awake) return;
    this.awake = true;
    this.options.wake();
  }

  /** Appends know no clock: what was found waiting is as old as the first look at it. */
  private look(now: number): void {
    if (this.durable === this.appended) this.unsyncedSince = -1;
    else if (this.unsyncedSince < 0) this.unsyncedSince = now;
  }

  private commitWanted(now: number): boolean {
    if (this.durable === this.appended) return false;
    if (this.durable < this.forced || this.pending >= this.options.commitBytes) return true;
    return this.unsyncedSince >= 0 && now - this.unsyncedSince >= this.options.commitMs;
  }

  private next(now: number, out: DiskOperation): boolean {
    const chore = this.chores[0];
    if (chore !== undefined && !this.committing) {
      out.kind = chore.kind;
      out.file = chore.file;
      out.length = chore.length;
      return true;
    }
    if (!this.committing) {
      // At once: what the system has survives the end of this process. One write at a time makes them large under load.
      // But a commit that is due waits for nothing that came after what it is for: there may always be more to write.
      const isDue = this.commitWanted(now);
      const target = this.durable < this.forced ? this.forced : this.durable + 1;
      if (this.handed < this.appended && !(isDue && this.handed >= target)) return this.nextWrite(out);
      if (!isDue) return false;
      this.committing = true;
    }
    const segment = this.dirty[0];
    out.kind = segment === undefined ? OperationKind.SYNC_DIRECTORY : OperationKind.SYNC;
    out.file = segment === undefined ? 0 : (this.segments.sequence[segment] as number);
    return true;
  }

  private nextWrite(out: DiskOperation): boolean {
    let index = 0;
    // BOUNDED: unwritten bytes lie in a block.
    while ((this.queue[index] as Block).written === (this.queue[index] as Block).used) index++;
    const block = this.queue[index] as Block;
    const { segment } = block;
    out.file = this.segments.sequence[segment] as number;
    this.runningBlock = block;
    if (this.segments.created[segment] === 0) {
      out.kind = OperationKind.CREATE;
      out.length = this.options.segmentBytes;
      return true;
    }
    out.kind = OperationKind.WRITE;
    out.position = block.start + block.written;
    out.bytes = block.bytes;
    out.offset = block.written;
    out.length = block.used - block.written;
    this.runningEnd = block.used;
    return true;
  }

  private wrote(kind: number): void {
    const block = this.runningBlock as Block;
    this.runningBlock = undefined;
    const { segment } = block;
    if (kind === OperationKind.CREATE) {
      this.segments.created[segment] = 1;
      this.directoryDirty = true;
      return;
    }
    this.bytesWritten += this.runningEnd - block.written;
    block.written = this.runningEnd;
    this.segments.written[segment] = block.start + block.written;
    this.handed = block.base + block.written;
    if (!this.dirty.includes(segment)) this.dirty.push(segment);
  }

  private synced(kind: number): void {
    if (kind === OperationKind.SYNC) this.dirty.shift();
    else this.directoryDirty = false;
    if (this.dirty.length > 0 || this.directoryDirty) return;
    this.committing = false;
    this.commits++;
    this.durable = this.handed;
    this.unsyncedSince = -1;
    if (this.durable >= this.forced) this.forced = this.forcedLast;
    // BOUNDED: by the blocks there are.
    while (this.queue.length > 0) {
      const block = this.queue[0] as Block;
      if (block.base + block.used > this.durable || block === this.current) break;
      this.queue.shift();
      if (this.free.length < 2) this.free.push(block);
    }
  }

  private choreDone(): void {
    const chore = this.chores.shift() as Chore;
    if (chore.kind === OperationKind.SYNC_DIRECTORY) this.options.onGone(chore.file);
  }

  private fail(now: number, kind: number, outcome: number): void {
    this.failures++;
    this.retryAt = now + RETRY_MS;
    this.runningBlock = undefined;
    this.options.onDisk(outcome);
    if (!this.committing || kind !== OperationKind.SYNC) return;
    this.committing = false;
    this.handed = this.durable;
    for (const block of this.queue) {
      block.written = Math.max(0, Math.min(block.used, this.durable - block.base));
      const written = block.start + block.written;
      if ((this.segments.written[block.segment] as number) > written)
        this.segments.written[block.segment] = written;
    }
  }

  /** Room for `total` bytes in one piece of the head. */
  private room(total: number, urgent: boolean): boolean {
    const block = this.current;
    if (block !== undefined && block.segment === this.head && block.used + total <= BLOCK_BYTES) return true;
    if (!this.hasBlocks(1, urgent)) return false;
    const next = this.free.pop() ?? new Block();
    next.segment = this.head;
    next.start = this.headPosition;
    next.base = this.appended;
    next.used = 0;
    next.written = 0;
    this.queue.push(next);
    this.current = next;
    return true;
  }

  private hasBlocks(count: number, urgent: boolean): boolean {
    return this.queue.length + count <= this.blocksMax + (urgent ? RESERVE_BLOCKS : 0);
  }

  /** Ends the head and begins the next segment, whose first frame names the segments there are. */
  private roll(urgent: boolean): boolean {
    if (!this.hasBlocks(2, urgent) || this.segments.isFull) return false;
    if (this.head >= 0) {
      assert(this.room(SEAL_FRAME_BYTES, true), 'a block for the seal');
      const block = this.current as Block;
      this.body = block.used + FRAME_HEAD_BYTES;
      writeU32(block.bytes, this.body, FrameKind.SEAL);
      this.finish(SEAL_BYTES);
      this.segments.state[this.head] = SegmentState.SEALED;
    }
    const { segments } = this;
    const sequence = this.nextSequence++;
    this.head = segments.add(sequence, this.options.rng.u32() | 0, SegmentState.HEAD);
    assert(this.room(BLOCK_BYTES, true), 'a block for the head');
    const block = this.current as Block;
    const { bytes } = block;
    const at = FRAME_HEAD_BYTES;
    this.body = at;
    writeU32(bytes, at, FrameKind.HEAD | (FORMAT_VERSION << (8 * HeadField.VERSION)));
    writeU32(bytes, at + HeadField.MAGIC, HEAD_MAGIC);
    writeU32(bytes, at + HeadField.MAGIC + 4, HEAD_MAGIC_2);
    writeU32(bytes, at + HeadField.SEGMENT, sequence);
    bytes.set(this.options.storeId.subarray(0, STORE_ID_BYTES), at + HeadField.STORE);
    let count = 0;
    for (let i = 0; i < segments.end; i++) {
      if (i === this.head || !segments.isNamed(i)) continue;
      writeU32(bytes, at + HeadField.LIST + 4 * count++, segments.sequence[i] as number);
    }
    writeU32(bytes, at + HeadField.COUNT, count);
    this.finish(HeadField.LIST + 4 * count);
    return true;
  }
}
