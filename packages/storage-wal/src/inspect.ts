/** Looking at a store's files without opening it: checks every byte, or lists every record. Changes nothing. */
import type { Disk } from './disk.ts';
import { SNAPSHOT_FILE } from './disk.ts';
import { FrameKind, PUT_BYTES, PutField, readI32, readU32 } from './frame.ts';
import { SegmentScanner } from './scanner.ts';
import { SnapshotReader } from './snapshot.ts';

export interface SegmentCheck {
  /** Number of the segment; its file is that in hexadecimal. */
  readonly sequence: number;
  /** Bytes of the file up to the end of the last whole frame. */
  readonly size: number;
  readonly frames: number;
  /** Bytes between whole frames that do not verify. */
  readonly damagedBytes: number;
  /** Bytes after the last whole frame that are not zero. */
  readonly tornBytes: number;
  /** Filled to its end; the one that was written last is not. */
  readonly isClosed: boolean;
}

export interface StoreCheck {
  readonly segments: readonly SegmentCheck[];
  readonly snapshot: 'none' | 'whole' | 'unusable';
  /** Every byte that should verify does, but for a torn end, which a crash may leave. */
  readonly isWhole: boolean;
}

/** Reads every byte of a store. */
export function verifyStore(disk: Disk): StoreCheck {
  const scanner = new SegmentScanner(disk);
  const segments: SegmentCheck[] = [];
  let snapshot: StoreCheck['snapshot'] = 'none';
  for (const { file, size } of sorted(disk)) {
    if (file === SNAPSHOT_FILE)
      snapshot = new SnapshotReader(disk).read(() => {}) === undefined ? 'unusable' : 'whole';
    if (file <= 0) continue;
    let frames = 0;
    if (scanner.open(file, size) || scanner.openHeadless()) while (scanner.next()) frames++;
    const { end, damagedBytes, tornBytes, isClosed } = scanner;
    segments.push({ sequence: file, size: end, frames, damagedBytes, tornBytes, isClosed });
  }
  const isWhole = snapshot !== 'unusable' && segments.every(({ damagedBytes }) => damagedBytes === 0);
  return { segments, snapshot, isWhole };
}

/** One frame of the log, as `dumpStore` tells of it. */
export interface DumpedFrame {
  readonly segment: number;
  readonly position: number;
  readonly kind: 'put' | 'touch' | 'remove' | 'freed';
  /** 32 bytes; empty for `freed`. */
  readonly key: Uint8Array;
  /** Unix seconds, 0 where the frame has none. */
  readonly expiresUnix: number;
  readonly rank: number;
  readonly tag: number;
  readonly valueBytes: number;
}

/** Gives every whole frame of the log to `visit`, in the order in which they were written. */
export function dumpStore(disk: Disk, visit: (frame: DumpedFrame) => void): void {
  const scanner = new SegmentScanner(disk);
  for (const { file, size } of sorted(disk)) {
    if (file <= 0 || !(scanner.open(file, size) || scanner.openHeadless())) continue;
    while (scanner.next()) {
      const frame = dumped(scanner, file);
      if (frame !== undefined) visit(frame);
    }
  }
}

function dumped(scanner: SegmentScanner, segment: number): DumpedFrame | undefined {
  const { bytes, body, position } = scanner;
  const code = bytes[body];
  const of = { segment, position, expiresUnix: 0, rank: 0, tag: 0, valueBytes: 0 };
  if (code === FrameKind.FREED) return { ...of, kind: 'freed', key: new Uint8Array(0) };
  if (code === FrameKind.REMOVE) return { ...of, kind: 'remove', key: bytes.slice(body + 12, body + 44) };
  if (code !== FrameKind.PUT && code !== FrameKind.TOUCH) return undefined;
  return {
    ...of,
    kind: code === FrameKind.PUT ? 'put' : 'touch',
    key: bytes.slice(body + PutField.KEY, body + PutField.KEY + 32),
    expiresUnix: readU32(bytes, body + PutField.EXPIRES),
    rank: readU32(bytes, body + PutField.RANK),
    tag: readI32(bytes, body + PutField.TAG),
    valueBytes: code === FrameKind.PUT ? scanner.length - PUT_BYTES : 0,
  };
}

function sorted(disk: Disk): { file: number; size: number }[] {
  return [...disk.list()].sort((a, b) => a.file - b.file);
}
