/** Looking at a store's files without opening it: checks every byte, or lists every frame. Changes nothing. */
import type { Disk } from './disk.ts';
import { SNAPSHOT_FILE } from './disk.ts';
import { unknownVersion } from './errors.ts';
import { FrameKind, FreedField, PUT_BYTES, PutField, RemoveField, readI32, readU32 } from './frame.ts';
import { SegmentScanner } from './scanner.ts';
import { type SnapshotHead, SnapshotReader } from './snapshot.ts';

export interface SegmentCheck {
  /** Number of the segment; its file is that in hexadecimal. */
  readonly sequence: number;
  /** Bytes of the file up to the end of the last whole frame. */
  readonly size: number;
  readonly frames: number;
  /** Bytes between whole frames that do not verify; all of them where no frame does. */
  readonly damagedBytes: number;
  /** Bytes that were durable when the snapshot was written, by what it says, and that are gone from the end. */
  readonly lostBytes: number;
  /** Bytes after the last whole frame that are not zero. */
  readonly tornBytes: number;
  /** Filled to its end; the one that was written last is not. */
  readonly isClosed: boolean;
}

export interface StoreCheck {
  readonly segments: readonly SegmentCheck[];
  /** Numbers of the segments that should be there and are not. */
  readonly missing: readonly number[];
  readonly snapshot: 'none' | 'whole' | 'unusable';
  /** Every byte that should verify does, but for a torn end, which a crash may leave. */
  readonly isWhole: boolean;
}

/** Reads every byte of a store. Throws MoliaError STORE_VERSION. */
export function verifyStore(disk: Disk): StoreCheck {
  const scanner = new SegmentScanner(disk);
  const files = sorted(disk);
  const hasSnapshot = files.some(({ file }) => file === SNAPSHOT_FILE);
  const known = hasSnapshot ? new SnapshotReader(disk).read(() => {}) : undefined;
  const logged = files.filter(({ file }) => file > 0);
  const newest = logged.at(-1)?.file ?? 0;
  const segments: SegmentCheck[] = [];
  const freed = new Set<number>();
  let alive: { by: number; list: readonly number[] } = {
    by: known?.segment ?? 0,
    list: known?.segments.map(({ sequence }) => sequence) ?? [],
  };
  for (const { file, size } of logged) {
    let frames = 0;
    const hasHead = openSegment(scanner, file, size);
    if (hasHead && file > alive.by) alive = { by: file, list: scanner.headSegments() };
    if (hasHead || scanner.openHeadless()) {
      while (scanner.next()) {
        frames++;
        if (scanner.bytes[scanner.body] === FrameKind.FREED)
          freed.add(readU32(scanner.bytes, scanner.body + FreedField.SEGMENT));
      }
    }
    const { end, damagedBytes, isClosed } = scanner;
    // A crash may keep the newest from being begun; any other was whole once.
    const isNothing = !hasHead && frames === 0;
    const noise = isNothing ? scanner.countNonZero(size) : 0;
    segments.push({
      sequence: file,
      size: end,
      frames,
      damagedBytes: file === newest ? damagedBytes : damagedBytes + noise,
      lostBytes: Math.max(0, durableBytes(known, file) - end),
      tornBytes: isNothing && file === newest ? noise : scanner.tornBytes,
      isClosed,
    });
  }
  const there = new Set(logged.map(({ file }) => file));
  const missing = alive.list.filter((sequence) => !there.has(sequence) && !freed.has(sequence));
  // What was freed for good may be in any state.
  const kept = segments.filter(({ sequence }) => !freed.has(sequence));
  const snapshot = known !== undefined ? 'whole' : hasSnapshot ? 'unusable' : 'none';
  const isWhole =
    snapshot !== 'unusable' &&
    missing.length === 0 &&
    kept.every(({ damagedBytes, lostBytes }) => damagedBytes === 0 && lostBytes === 0);
  return { segments: kept, missing, snapshot, isWhole };
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

/** Every whole frame of the log, in the order in which they were written. Throws MoliaError STORE_VERSION. */
export function* dumpStore(disk: Disk): Generator<DumpedFrame> {
  const scanner = new SegmentScanner(disk);
  for (const { file, size } of sorted(disk)) {
    if (file <= 0 || !(openSegment(scanner, file, size) || scanner.openHeadless())) continue;
    while (scanner.next()) {
      const frame = dumped(scanner, file);
      if (frame !== undefined) yield frame;
    }
  }
}

function openSegment(scanner: SegmentScanner, file: number, size: number): boolean {
  if (!scanner.open(file, size)) return false;
  if (!scanner.isReadable) throw unknownVersion(scanner.version);
  return true;
}

/** How far a segment was durable when the snapshot was written. */
function durableBytes(known: SnapshotHead | undefined, file: number): number {
  if (known === undefined || file > known.segment) return 0;
  if (file === known.segment) return known.position;
  return known.segments.find(({ sequence }) => sequence === file)?.size ?? 0;
}

function dumped(scanner: SegmentScanner, segment: number): DumpedFrame | undefined {
  const { bytes, body, position } = scanner;
  const code = bytes[body];
  const of = { segment, position, expiresUnix: 0, rank: 0, tag: 0, valueBytes: 0 };
  const keyAt = (at: number): Uint8Array => bytes.slice(body + at, body + at + 32);
  if (code === FrameKind.FREED) return { ...of, kind: 'freed', key: new Uint8Array(0) };
  if (code === FrameKind.REMOVE) return { ...of, kind: 'remove', key: keyAt(RemoveField.KEY) };
  if (code !== FrameKind.PUT && code !== FrameKind.TOUCH) return undefined;
  return {
    ...of,
    kind: code === FrameKind.PUT ? 'put' : 'touch',
    key: keyAt(PutField.KEY),
    expiresUnix: readU32(bytes, body + PutField.EXPIRES),
    rank: readU32(bytes, body + PutField.RANK),
    tag: readI32(bytes, body + PutField.TAG),
    valueBytes: code === FrameKind.PUT ? scanner.length - PUT_BYTES : 0,
  };
}

function sorted(disk: Disk): { file: number; size: number }[] {
  return [...disk.list()].sort((a, b) => a.file - b.file);
}
