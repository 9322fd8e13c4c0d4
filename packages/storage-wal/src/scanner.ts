/**
 * Walks the frames of one segment file, whole ones only: what recovery, compaction, `verify` and `dump` see of a
 * segment. After bytes that do not verify it looks for the next whole frame by the segment's epoch.
 */
import { BODY_BYTES_MAX, FORMAT_VERSION, FRAME_ALIGN, FRAME_HEAD_BYTES, SCAN_BYTES } from './constants.ts';
import type { Disk } from './disk.ts';
import {
  checkFrame,
  FrameKind,
  frameBytes,
  HEAD_MAGIC,
  HEAD_MAGIC_2,
  HeadField,
  readI32,
  readU32,
} from './frame.ts';

export class SegmentScanner {
  /** After `next`: the frame's body is [body, body + length) of `bytes`, the frame begins at `position` of the file. */
  readonly bytes: Uint8Array;
  body = 0;
  length = 0;
  position = 0;
  epoch = 0;
  /** End of the last whole frame. */
  end = 0;
  /** A SEAL frame was seen, or the file ends with a frame. */
  isClosed = false;
  /** Bytes that verify as nothing, with whole frames behind them. */
  damagedBytes = 0;
  /** Bytes after the last whole frame that are not all zero. */
  tornBytes = 0;

  private readonly disk: Disk;
  /** `bytes` as words: what was reserved and never written is skipped fast. */
  private readonly words: Int32Array;
  private file = 0;
  private size = 0;
  /** `bytes` holds [base, base + held) of the file; `at` is the next place to look at, in the file. */
  private base = 0;
  private held = 0;
  private at = 0;
  /** The last `resume` came upon zeros only. */
  private isQuiet = false;

  constructor(disk: Disk, bufferBytes: number = SCAN_BYTES) {
    this.disk = disk;
    this.bytes = new Uint8Array(Math.max(bufferBytes, 2 * frameBytes(BODY_BYTES_MAX)) & -FRAME_ALIGN);
    this.words = new Int32Array(this.bytes.buffer);
  }

  /** Reads the HEAD frame: `false` = there is none, and nothing else can be read. Then `next` goes on behind it. */
  open(file: number, size: number): boolean {
    this.file = file;
    this.size = size;
    this.base = 0;
    this.held = 0;
    this.at = 0;
    this.end = 0;
    this.isClosed = false;
    this.damagedBytes = 0;
    this.tornBytes = 0;
    this.fill(0);
    if (this.held < FRAME_HEAD_BYTES) return false;
    this.epoch = readI32(this.bytes, 8);
    this.length = checkFrame(this.bytes, 0, this.held, this.epoch, 0);
    this.body = FRAME_HEAD_BYTES;
    this.position = 0;
    if (this.length < HeadField.LIST || this.bytes[this.body] !== FrameKind.HEAD) return false;
    if (readI32(this.bytes, this.body + HeadField.MAGIC) !== HEAD_MAGIC) return false;
    if (readI32(this.bytes, this.body + HeadField.MAGIC + 4) !== HEAD_MAGIC_2) return false;
    if (readU32(this.bytes, this.body + HeadField.SEGMENT) !== file) return false;
    this.at = frameBytes(this.length);
    this.end = this.at;
    return true;
  }

  /** The version of the format that the HEAD frame names is ours. Ask after `open`. */
  get isReadable(): boolean {
    return this.version === FORMAT_VERSION;
  }

  get version(): number {
    return this.bytes[this.body + HeadField.VERSION] as number;
  }

  /** The segments alive when this one began, by its HEAD frame. Ask after `open`. */
  headSegments(): number[] {
    const { body, bytes } = this;
    const count = readU32(bytes, body + HeadField.COUNT);
    return Array.from({ length: count }, (_, i) => readU32(bytes, body + HeadField.LIST + 4 * i));
  }

  /** Without a HEAD frame: goes on with an epoch that any whole frame shows. `false` = there is none. */
  openHeadless(): boolean {
    for (let at = FRAME_ALIGN; at + FRAME_HEAD_BYTES < this.size; at += FRAME_ALIGN) {
      if (!this.fill(at)) return false;
      const i = at - this.base;
      const length = readI32(this.bytes, i);
      if (length < 1 || length > BODY_BYTES_MAX) continue;
      const epoch = readI32(this.bytes, i + 8);
      if (checkFrame(this.bytes, i, this.held - i, epoch, at) < 0) continue;
      this.epoch = epoch;
      this.at = at;
      this.damagedBytes = at;
      return true;
    }
    return false;
  }

  /** Goes on at a position where a frame begins. */
  skipTo(position: number): void {
    this.at = position;
    this.end = Math.max(this.end, position);
  }

  /** The next whole frame; `false` = no more. */
  next(): boolean {
    if (this.isClosed) return false;
    if (this.at >= this.size) {
      this.isClosed = this.at === this.size;
      return false;
    }
    this.fill(this.at);
    let length = this.check(this.at);
    if (length < 0) {
      const found = this.resume(this.at);
      if (found < 0) {
        // Nothing but zeros was passed: then only what is too short for a frame is left to look at.
        const from = this.isQuiet ? Math.max(this.at, this.size - 2 * FRAME_ALIGN) : this.at;
        const torn = this.countTorn(from);
        this.tornBytes = torn === 0 ? 0 : from + torn - this.at;
        return false;
      }
      this.damagedBytes += found - this.at;
      this.at = found;
      length = this.check(found);
    }
    this.position = this.at;
    this.body = this.at - this.base + FRAME_HEAD_BYTES;
    this.length = length;
    this.at += frameBytes(length);
    this.end = this.at;
    if (this.bytes[this.body] === FrameKind.SEAL) this.isClosed = true;
    return true;
  }

  /** After an `open` that failed: bytes of the file up to the last one that is not zero. */
  countNonZero(size: number): number {
    this.size = size;
    return this.countTorn(0);
  }

  private check(at: number): number {
    const i = at - this.base;
    return checkFrame(this.bytes, i, this.held - i, this.epoch, at);
  }

  /** Where after `from` the next whole frame begins, -1 = nowhere. The buffer then holds it. */
  private resume(from: number): number {
    this.isQuiet = this.skipZeros(from) > from;
    for (let at = from + FRAME_ALIGN; at + FRAME_HEAD_BYTES < this.size; at += FRAME_ALIGN) {
      if (!this.fill(at)) return -1;
      const next = this.skipZeros(at);
      if (next > at) {
        at = next - FRAME_ALIGN;
        continue;
      }
      this.isQuiet = false;
      if (readI32(this.bytes, at - this.base + 8) === this.epoch && this.check(at) >= 0) return at;
    }
    return -1;
  }

  /** The first place at or after `at` with a byte that is not zero in its 8, or the last whole place of the buffer. */
  private skipZeros(at: number): number {
    const { words } = this;
    const end = (this.held & -FRAME_ALIGN) >> 2;
    let word = (at - this.base) >> 2;
    while (word < end && ((words[word] as number) | (words[word + 1] as number)) === 0) word += 2;
    return this.base + 4 * word;
  }

  /** Bytes from `from` to the last one that is not zero. */
  private countTorn(from: number): number {
    const { bytes, words } = this;
    let last = from;
    for (let at = from; at < this.size; at = this.base + this.held) {
      if (!this.fillFrom(at)) break;
      let end = this.held;
      while (end > 0 && (end & 3) !== 0 && bytes[end - 1] === 0) end--;
      while ((end & 3) === 0 && end > 0 && words[(end >> 2) - 1] === 0) end -= 4;
      while (end > 0 && bytes[end - 1] === 0) end--;
      if (end > 0) last = this.base + end;
    }
    return last - from;
  }

  /** The buffer holds the largest frame that may begin at `at`, or all up to the end of the file. */
  private fill(at: number): boolean {
    const wanted = Math.min(this.size, at + frameBytes(BODY_BYTES_MAX));
    if (at >= this.base && wanted <= this.base + this.held) return true;
    return this.fillFrom(at);
  }

  private fillFrom(at: number): boolean {
    const length = Math.min(this.bytes.length, this.size - at);
    const got = this.disk.read(this.file, at, this.bytes, 0, length);
    this.base = at;
    this.held = Math.max(0, got);
    // A file that shrank or cannot be read to its end ends where the bytes end.
    if (got < length) this.size = at + this.held;
    return this.held > 0;
  }
}
