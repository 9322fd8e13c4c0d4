/**
 * Compaction: copies what is alive out of a sealed segment to the head of the log, step by step, then declares it
 * FREED and removes its file. Readers are never in its way: until a copy is in the index they read the original, and
 * the file goes only when nothing points to it and the copies are durable.
 *
 * A victim is the segment with the least alive, at most half: so each byte is moved once on average, and a store never
 * takes more than twice its live bytes and a few segments.
 */
import { IDLE } from '@molia/core';
import {
  COMPACT_SHARE,
  COMPACT_STEP_BYTES,
  FRAME_ALIGN,
  FRAME_HEAD_BYTES,
  LIVE_SHARE_MAX,
  MARKS_SHARE_MAX,
} from './constants.ts';
import { type DiskOperation, type DiskWork, OperationKind } from './disk.ts';
import {
  checkFrame,
  FREED_BYTES,
  FrameKind,
  FreedField,
  frameBytes,
  PutField,
  REMOVE_BYTES,
  RemoveField,
  readI32,
  readU32,
  TouchField,
  writeU32,
} from './frame.ts';
import type { Log } from './log.ts';
import type { Rows } from './rows.ts';
import { SegmentState, type Segments } from './segments.ts';

const Phase = { IDLE: 0, READ: 1, COPIED: 2, FREEING: 3 } as const;
/** Small segments are put together when there are more than this. */
const SMALL_MIN = 8;

export interface CompactorOptions {
  readonly rows: Rows;
  readonly segments: Segments;
  readonly log: Log;
  readonly segmentBytes: number;
  readonly pendingBytesMax: number;
  /** Appends the record of a slot again, from these bytes; `false` = not now. */
  readonly copy: (slot: number, bytes: Uint8Array, body: number) => boolean;
  /** Appends a TOUCH of a slot again. */
  readonly touch: (slot: number) => boolean;
  /** Appends a REMOVE frame again. */
  readonly remark: (bytes: Uint8Array, key: number, floor: number, expires: number) => boolean;
  /** Bytes of a victim did not verify. */
  readonly onDamage: (segment: number, bytes: number) => void;
  /** Nothing is read from a victim any more: rows that still point to it are lost. */
  readonly onDrained: (segment: number) => void;
  readonly nowUnix: () => number;
}

export class Compactor implements DiskWork {
  /** Segments compacted, and bytes copied. */
  compacted = 0;
  bytesCopied = 0;
  private readonly options: CompactorOptions;
  private buffer: Uint8Array = new Uint8Array(0);
  private phase: number = Phase.IDLE;
  private victim = -1;
  private cursor = 0;
  private ticket = 0;
  /** Garbage at the last look that found no victim; another look is worth it when there is more. */
  private lookedAt = -1;
  private damaged = 0;
  /** The bytes of the running READ. */
  private reading = 0;

  constructor(options: CompactorOptions) {
    this.options = options;
  }

  get isIdle(): boolean {
    return this.phase === Phase.IDLE;
  }

  poll(_now: number, out: DiskOperation): boolean {
    const { segments, log, pendingBytesMax } = this.options;
    this.advance();
    if (this.phase !== Phase.READ || log.pending > pendingBytesMax * COMPACT_SHARE || log.failures > 0)
      return false;
    const left = (segments.size[this.victim] as number) - this.cursor;
    this.reading = Math.min(left, this.buffer.length);
    out.kind = OperationKind.READ;
    out.file = segments.sequence[this.victim] as number;
    out.position = this.cursor;
    out.bytes = this.buffer;
    out.offset = 0;
    out.length = this.reading;
    return true;
  }

  complete(_now: number, outcome: number): void {
    if (outcome === this.reading) this.step(outcome);
    else {
      // Unreadable: what the index still has there is lost, the rest of the file too.
      this.damaged += this.reading;
      this.cursor = this.options.segments.size[this.victim] as number;
    }
    this.advance();
  }

  nextDelay(_now: number): number {
    const { log, pendingBytesMax } = this.options;
    this.advance();
    return this.phase === Phase.READ && log.failures === 0 && log.pending <= pendingBytesMax * COMPACT_SHARE
      ? 0
      : IDLE;
  }

  /** All that needs no reading. */
  private advance(): void {
    const { segments, log } = this.options;
    if (this.phase === Phase.IDLE) this.choose();
    if (this.phase === Phase.READ && this.cursor >= (segments.size[this.victim] as number)) {
      if (this.damaged > 0) this.options.onDamage(this.victim, this.damaged);
      this.options.onDrained(this.victim);
      this.phase = Phase.COPIED;
      this.ticket = log.appended;
      log.flush();
    }
    if (this.phase === Phase.COPIED && log.durable >= this.ticket && log.reserve(FREED_BYTES, true)) {
      writeU32(log.bytes, log.body, FrameKind.FREED);
      writeU32(log.bytes, log.body + FreedField.SEGMENT, segments.sequence[this.victim] as number);
      log.finish(FREED_BYTES);
      segments.state[this.victim] = SegmentState.FREEING;
      this.phase = Phase.FREEING;
      this.ticket = log.appended;
      log.flush();
    }
    if (this.phase === Phase.FREEING && log.durable >= this.ticket) {
      segments.state[this.victim] = SegmentState.FREED;
      log.unlink(segments.sequence[this.victim] as number);
      this.compacted++;
      this.phase = Phase.IDLE;
      this.lookedAt = -1;
      this.buffer = new Uint8Array(0);
    }
  }

  private choose(): void {
    const { segments, segmentBytes } = this.options;
    const garbage = this.garbage();
    if (this.lookedAt >= 0 && garbage - this.lookedAt < segmentBytes / 16) return;
    this.lookedAt = garbage;
    const victim = this.best();
    if (victim < 0) return;
    this.victim = victim;
    segments.state[victim] = SegmentState.VICTIM;
    this.phase = Phase.READ;
    this.cursor = 0;
    this.damaged = 0;
    this.buffer = new Uint8Array(COMPACT_STEP_BYTES);
  }

  private garbage(): number {
    const { segments } = this.options;
    let live = 0;
    for (let i = 0; i < segments.end; i++) live += segments.live[i] as number;
    return segments.bytes - live;
  }

  private best(): number {
    const { segments, segmentBytes, nowUnix } = this.options;
    const now = nowUnix();
    let best = -1;
    let bestShare = LIVE_SHARE_MAX + 1e-9;
    let oldest = -1;
    let marks = 0;
    const small = segments.count > SMALL_MIN ? segmentBytes / 4 : 0;
    for (let i = 0; i < segments.end; i++) {
      const size = segments.size[i] as number;
      if (segments.state[i] !== SegmentState.SEALED || (segments.written[i] as number) < size) continue;
      const needed = segments.needsMarks(i, now) ? (segments.markBytes[i] as number) : 0;
      const share = size <= small ? 0.5 : ((segments.live[i] as number) + needed) / size;
      marks += needed;
      if (share < bestShare) {
        best = i;
        bestShare = share;
      }
      if (oldest < 0 || (segments.sequence[i] as number) < (segments.sequence[oldest] as number)) oldest = i;
    }
    return best < 0 && marks > segments.bytes * MARKS_SHARE_MAX ? oldest : best;
  }

  /** Handles the frames of one read; `cursor` ends where the next read begins. */
  private step(held: number): void {
    const { segments } = this.options;
    const { buffer } = this;
    const epoch = segments.epoch[this.victim] as number;
    const isLast = this.cursor + held >= (segments.size[this.victim] as number);
    let at = 0;
    while (at < held) {
      const length = checkFrame(buffer, at, held - at, epoch, this.cursor + at);
      if (length < 0) {
        // Perhaps it goes on behind this buffer; if it began the buffer, it would fit: damage.
        if (at > 0 && !isLast && held - at < frameBytesAt(buffer, at, held)) break;
        this.damaged += FRAME_ALIGN;
        at += FRAME_ALIGN;
        continue;
      }
      if (!this.frame(at, length)) break;
      at += frameBytes(length);
    }
    this.cursor += Math.min(at, held);
  }

  /** `false` = the writer is behind; the frame is to be looked at again. */
  private frame(at: number, length: number): boolean {
    const { rows, segments } = this.options;
    const { buffer, victim } = this;
    const body = at + FRAME_HEAD_BYTES;
    const kind = buffer[body];
    if (kind === FrameKind.PUT) {
      const slot = rows.find(buffer, body + PutField.KEY);
      if (slot < 0 || rows.segment[slot] !== victim || rows.position[slot] !== this.cursor + at) return true;
      this.bytesCopied += frameBytes(length);
      return this.options.copy(slot, buffer, body);
    }
    if (kind === FrameKind.TOUCH) {
      const slot = rows.find(buffer, body + PutField.KEY);
      if (slot < 0 || rows.touched[slot] !== victim + 1) return true;
      const about = readU32(buffer, body + TouchField.SEGMENT);
      if (about !== segments.sequence[rows.segment[slot] as number]) return true;
      if (readI32(buffer, body + TouchField.POSITION) !== rows.position[slot]) return true;
      return this.options.touch(slot);
    }
    if (kind === FrameKind.REMOVE) {
      // Put off to the end of the log it must not reach what was put after it in this very segment.
      const before = (segments.sequence[victim] as number) - 1;
      const floor = Math.min(before, readU32(buffer, body + RemoveField.FLOOR));
      const expires = readU32(buffer, body + RemoveField.EXPIRES);
      if (expires <= this.options.nowUnix() || segments.oldestBut(victim) > floor) return true;
      this.bytesCopied += frameBytes(REMOVE_BYTES);
      return this.options.remark(buffer, body + RemoveField.KEY, floor, expires);
    }
    return true;
  }
}

/** What the damaged or cut frame at `at` says it takes; an impossible length counts as one that goes on. */
function frameBytesAt(bytes: Uint8Array, at: number, held: number): number {
  if (held - at < 4) return held;
  const length = readI32(bytes, at);
  return length > 0 && length < COMPACT_STEP_BYTES ? frameBytes(length) : 0;
}
