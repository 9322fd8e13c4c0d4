/** The table of segments: columns by index. An index is used again once its segment is gone; sequence numbers never are. */
import { assert } from '@molia/core';
import { SEGMENTS_MAX } from './constants.ts';

export const SegmentState = {
  NONE: 0,
  /** Appended to. */
  HEAD: 1,
  /** Filled, or closed by a recovery. */
  SEALED: 2,
  /** Being compacted. */
  VICTIM: 3,
  /** Nothing in it counts; its file is being removed. */
  FREED: 4,
  /** Its FREED frame is in the log, but not durable yet. */
  FREEING: 5,
} as const;

const INITIAL = 64;

export class Segments {
  state = new Uint8Array(INITIAL);
  /** Sequence number; also the number of its file. */
  sequence = new Uint32Array(INITIAL);
  epoch = new Int32Array(INITIAL);
  /** Bytes of its frames. */
  size = new Int32Array(INITIAL);
  /** Bytes of the file that were written. */
  written = new Int32Array(INITIAL);
  /** Bytes of frames that the index points to. */
  live = new Int32Array(INITIAL);
  /** Bytes of REMOVE frames, the greatest floor and the last expiry among them. */
  markBytes = new Int32Array(INITIAL);
  markFloor = new Uint32Array(INITIAL);
  markExpires = new Uint32Array(INITIAL);
  /** The file exists. */
  created = new Uint8Array(INITIAL);
  /** Greatest index in use + 1. */
  end = 0;
  count = 0;
  /** Bytes of all of them. */
  bytes = 0;
  private readonly bySequence = new Map<number, number>();

  /** Index of a segment, -1 = not there. */
  find(sequence: number): number {
    return this.bySequence.get(sequence) ?? -1;
  }

  /** A new row; `isFull` must have been asked. */
  add(sequence: number, epoch: number, state: number): number {
    let index = 0;
    while (index < this.end && this.state[index] !== SegmentState.NONE) index++;
    assert(index < SEGMENTS_MAX, 'the table of segments has room');
    if (index === this.state.length) this.widen();
    if (index === this.end) this.end++;
    this.state[index] = state;
    this.sequence[index] = sequence;
    this.epoch[index] = epoch;
    this.size[index] = 0;
    this.written[index] = 0;
    this.live[index] = 0;
    this.markBytes[index] = 0;
    this.markFloor[index] = 0;
    this.markExpires[index] = 0;
    this.created[index] = 0;
    this.count++;
    this.bySequence.set(sequence, index);
    return index;
  }

  remove(index: number): void {
    this.bySequence.delete(this.sequence[index] as number);
    this.bytes -= this.size[index] as number;
    this.state[index] = SegmentState.NONE;
    this.count--;
    while (this.end > 0 && this.state[this.end - 1] === SegmentState.NONE) this.end--;
  }

  /** A head or snapshot that is written now names it: no FREED frame of it lies before them. */
  isNamed(index: number): boolean {
    const state = this.state[index];
    return state !== SegmentState.NONE && state !== SegmentState.FREED && state !== SegmentState.FREEING;
  }

  get isFull(): boolean {
    return this.count >= SEGMENTS_MAX - 1;
  }

  grew(index: number, bytes: number): void {
    this.size[index] = (this.size[index] as number) + bytes;
    this.bytes += bytes;
  }

  addLive(index: number, bytes: number): void {
    this.live[index] = (this.live[index] as number) + bytes;
  }

  /** Counts a REMOVE frame. */
  addMark(index: number, bytes: number, floor: number, expires: number): void {
    this.markBytes[index] = (this.markBytes[index] as number) + bytes;
    if (floor > (this.markFloor[index] as number)) this.markFloor[index] = floor;
    if (expires > (this.markExpires[index] as number)) this.markExpires[index] = expires;
  }

  /** Least sequence number that exists besides that of `but`; Infinity when there is none. */
  oldestBut(but: number): number {
    let oldest = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.end; i++) {
      if (i !== but && this.state[i] !== SegmentState.NONE)
        oldest = Math.min(oldest, this.sequence[i] as number);
    }
    return oldest;
  }

  /** Whether REMOVE frames of a segment may still be needed: something they guard against may come back. */
  needsMarks(index: number, nowUnix: number): boolean {
    if (this.markBytes[index] === 0 || (this.markExpires[index] as number) <= nowUnix) return false;
    return this.oldestBut(index) <= (this.markFloor[index] as number);
  }

  private widen(): void {
    const size = this.state.length * 2;
    const wider = <T extends Uint8Array | Uint32Array | Int32Array>(old: T, next: T): T => {
      next.set(old);
      return next;
    };
    this.state = wider(this.state, new Uint8Array(size));
    this.sequence = wider(this.sequence, new Uint32Array(size));
    this.epoch = wider(this.epoch, new Int32Array(size));
    this.size = wider(this.size, new Int32Array(size));
    this.written = wider(this.written, new Int32Array(size));
    this.live = wider(this.live, new Int32Array(size));
    this.markBytes = wider(this.markBytes, new Int32Array(size));
    this.markFloor = wider(this.markFloor, new Uint32Array(size));
    this.markExpires = wider(this.markExpires, new Uint32Array(size));
    this.created = wider(this.created, new Uint8Array(size));
  }
}
