/**
 * Opening a store: the snapshot's rows, then every frame logged since, segment by segment; without a snapshot, every
 * frame there is. Whatever verifies is kept. What does not is reported and never silently dropped: a torn end is cut
 * off, a damaged stretch is stepped over, a missing segment and a useless snapshot are named.
 */
import { STORE_COUNT_MAX } from './constants.ts';
import { type Disk, type DiskFile, SNAPSHOT_FILE, SNAPSHOT_NEXT_FILE } from './disk.ts';
import { unknownVersion } from './errors.ts';
import {
  FrameKind,
  FreedField,
  frameBytes,
  HeadField,
  PutField,
  RemoveField,
  readI32,
  readU32,
  STORE_ID_BYTES,
  TOUCH_BYTES,
  TouchField,
} from './frame.ts';
import { KeyedStore } from './keyed-store.ts';
import { Reports } from './reports.ts';
import { RowFlag, Rows } from './rows.ts';
import { SegmentScanner } from './scanner.ts';
import { SegmentState, Segments } from './segments.ts';
import { Column, type SnapshotHead, SnapshotReader, type SnapshotRows } from './snapshot.ts';
import { type KeyedStoreOptions, resolveStoreOptions } from './store-options.ts';
import type { StoreParts } from './store-types.ts';

/**
 * Opens the store on a disk, reading what is there. Blocks for as long as that takes: some 0.3 s for a million records
 * with a snapshot. Throws TypeError or RangeError for options, MoliaError STORE_VERSION.
 */
export function openKeyedStore(options: KeyedStoreOptions): KeyedStore {
  const limits = resolveStoreOptions(options);
  return new KeyedStore({ ...new Recovery(options).run(), limits });
}

type Recovered = Omit<StoreParts, 'limits'>;

class Recovery {
  private readonly options: KeyedStoreOptions;
  private readonly disk: Disk;
  private readonly segments = new Segments();
  private readonly scanner: SegmentScanner;
  private rows: Rows;
  private readonly reports = new Reports();
  private readonly cuts: { file: number; length: number }[] = [];
  private readonly leftovers: number[] = [];
  private readonly freed = new Set<number>();
  private readonly missing = new Set<number>();
  private storeId: Uint8Array | undefined;
  private snapshot: SnapshotHead | undefined;
  private replayed = 0;
  /** The segments alive when the newest segment began, by its head. */
  private newest = 0;
  private newestList: readonly number[] = [];
  /** Rows of a snapshot may speak of segments that are gone: they have an index until replay is over. */
  private readonly phantoms: number[] = [];

  constructor(options: KeyedStoreOptions) {
    this.options = options;
    this.disk = options.disk;
    this.scanner = new SegmentScanner(options.disk);
    this.rows = new Rows(options.rng, STORE_COUNT_MAX);
  }

  run(): Recovered {
    const files = [...this.disk.list()].sort((a, b) => a.file - b.file);
    const segments = files.filter(({ file }) => file > 0);
    if (files.some(({ file }) => file === SNAPSHOT_NEXT_FILE)) this.leftovers.push(SNAPSHOT_NEXT_FILE);
    if (files.some(({ file }) => file === SNAPSHOT_FILE)) this.loadSnapshot();
    for (const file of segments) this.openSegment(file);
    this.findMissing(segments);
    const bytes = this.settle();
    const last = Math.max(0, this.snapshot?.segment ?? 0, this.newest, ...segments.map(({ file }) => file));
    return {
      disk: this.disk,
      rng: this.options.rng,
      rows: this.rows,
      segments: this.segments,
      storeId: this.storeId ?? this.newId(),
      nextSequence: last + 1,
      snapshotBytes: this.snapshot?.bytes ?? 0,
      replayedBytes: this.replayed,
      bytes,
      nowUnix: this.options.nowUnix,
      reports: this.reports,
      cuts: this.cuts,
      leftovers: this.leftovers,
      wake: this.options.wake ?? (() => {}),
    };
  }

  private loadSnapshot(): void {
    const reader = new SnapshotReader(this.disk);
    const first = reader.head();
    if (first !== undefined) this.rows.prepare(first.rows);
    this.snapshot = reader.read((chunk) => this.takeRows(chunk));
    if (this.snapshot !== undefined) {
      this.rows.adopt((slot, than) => this.isNewer(slot, than));
      this.storeId = this.snapshot.storeId;
      return;
    }
    this.reports.tell(
      'SNAPSHOT_UNUSABLE',
      'the snapshot does not verify or is of another version; all segments are read instead',
      0,
      0,
    );
    this.rows = new Rows(this.options.rng, STORE_COUNT_MAX);
    for (const index of this.phantoms) this.segments.remove(index);
    this.phantoms.length = 0;
  }

  private takeRows(chunk: SnapshotRows): void {
    const { rows } = this;
    const { bytes, count } = chunk;
    const first = rows.append(bytes, chunk.keys, count);
    if (first < 0) return;
    const segments = chunk.column(Column.SEGMENT);
    const touches = chunk.column(Column.TOUCHED);
    const flags = chunk.column(Column.FLAGS);
    // Rows beside each other mostly lie in one segment.
    let sequence = -1;
    let index = -1;
    for (let i = 0; i < count; i++) {
      const named = readU32(bytes, segments + 4 * i);
      if (named !== sequence) index = this.indexOf(named);
      sequence = named;
      rows.segment[first + i] = index;
      const touched = readU32(bytes, touches + 4 * i);
      rows.touched[first + i] = touched === 0 ? 0 : this.indexOf(touched) + 1;
      rows.flags[first + i] = bytes[flags + 4 * i] as number;
    }
    takeColumn(rows.position, first, chunk, Column.POSITION);
    takeColumn(rows.length, first, chunk, Column.LENGTH);
    takeColumn(rows.tag, first, chunk, Column.TAG);
    takeColumn(rows.links.values, first, chunk, Column.LINK);
    takeColumn(rows.expiry.keys, first, chunk, Column.EXPIRES);
    takeColumn(rows.due.keys, first, chunk, Column.DUE);
    const ranks = chunk.column(Column.RANK);
    for (let i = 0; i < count; i++) rows.eviction.keys[first + i] = ~readI32(bytes, ranks + 4 * i);
  }

  /** Of two rows of one key, by the place of their frames in the log. */
  private isNewer(slot: number, than: number): boolean {
    const { rows, segments } = this;
    const mine = segments.sequence[rows.segment[slot] as number] as number;
    const other = segments.sequence[rows.segment[than] as number] as number;
    if (mine !== other) return mine > other;
    return (rows.position[slot] as number) > (rows.position[than] as number);
  }

  /** Index of a segment that a row names; for one not opened yet it is a phantom until it is. */
  private indexOf(sequence: number): number {
    const index = this.segments.find(sequence);
    if (index >= 0) return index;
    const phantom = this.segments.add(sequence, 0, SegmentState.FREED);
    this.phantoms.push(phantom);
    return phantom;
  }

  private openSegment({ file, size }: DiskFile): void {
    const { scanner, snapshot } = this;
    const known = snapshot?.segments.find(({ sequence }) => sequence === file);
    // Freed before the snapshot; only its removal did not come through.
    if (snapshot !== undefined && file < snapshot.segment && known === undefined) {
      this.leftovers.push(file);
      return;
    }
    const whole = scanner.open(file, size);
    if (whole) this.readHead(file);
    else if (!scanner.openHeadless()) {
      this.setAside(file, size);
      return;
    }
    let index = this.segments.find(file);
    if (index < 0) index = this.segments.add(file, 0, SegmentState.SEALED);
    this.segments.state[index] = SegmentState.SEALED;
    this.segments.epoch[index] = scanner.epoch;
    this.segments.created[index] = 1;
    if (known !== undefined) {
      this.segments.addMark(index, known.markBytes, known.markFloor, known.markExpires);
      // What the snapshot tells of is not replayed: older frames would undo newer ones in segments that are not read.
      if (snapshot !== undefined && file < snapshot.segment) {
        this.close(index, Math.min(size, known.size));
        return;
      }
    }
    if (snapshot !== undefined && file === snapshot.segment && snapshot.position > 0)
      scanner.skipTo(snapshot.position);
    this.replay(index, file);
  }

  private readHead(file: number): void {
    const { scanner } = this;
    if (!scanner.isReadable) throw unknownVersion(scanner.version);
    const id = scanner.body + HeadField.STORE;
    this.storeId ??= scanner.bytes.slice(id, id + STORE_ID_BYTES);
    this.newest = file;
    this.newestList = scanner.headSegments();
  }

  /** Nothing in the file verifies. The newest may be one that a crash kept from being begun. */
  private setAside(file: number, size: number): void {
    const torn = this.scanner.countNonZero(size);
    if (torn === 0) this.leftovers.push(file);
    else
      this.reports.tell(
        'DAMAGED',
        `${torn} bytes, all of a segment, do not verify; the file is left alone`,
        file,
        torn,
      );
  }

  private replay(index: number, file: number): void {
    const { scanner } = this;
    const from = scanner.end;
    while (scanner.next()) this.apply(index);
    this.replayed += scanner.end - from;
    this.close(index, scanner.end);
    if (scanner.damagedBytes > 0) {
      this.reports.tellDamage(file, scanner.damagedBytes);
    }
    if (scanner.tornBytes > 0) {
      const torn = scanner.tornBytes;
      this.reports.tell(
        'TORN_TAIL',
        `${torn} bytes at the end were not written whole and were cut off`,
        file,
        torn,
      );
    }
    if (!scanner.isClosed) this.cuts.push({ file, length: scanner.end });
  }

  private close(index: number, size: number): void {
    this.segments.grew(index, size);
    this.segments.written[index] = size;
  }

  private apply(index: number): void {
    const { scanner } = this;
    const { bytes, body } = scanner;
    switch (bytes[body]) {
      case FrameKind.PUT:
        this.applyPut(index);
        break;
      case FrameKind.TOUCH:
        this.applyTouch(index);
        break;
      case FrameKind.REMOVE: {
        const floor = readU32(bytes, body + RemoveField.FLOOR);
        const expires = readU32(bytes, body + RemoveField.EXPIRES);
        this.segments.addMark(index, frameBytes(scanner.length), floor, expires);
        const slot = this.rows.find(bytes, body + RemoveField.KEY);
        // A mark that was put off by a compaction comes after records that are newer than it.
        if (slot >= 0 && (this.segments.sequence[this.rows.segment[slot] as number] as number) <= floor)
          this.rows.remove(slot);
        break;
      }
      case FrameKind.FREED:
        this.freed.add(readU32(bytes, body + FreedField.SEGMENT));
        break;
      default:
    }
  }

  private applyPut(index: number): void {
    const { rows, scanner } = this;
    const { bytes, body } = scanner;
    const held = rows.find(bytes, body + PutField.KEY);
    const slot = held < 0 ? rows.insert(bytes, body + PutField.KEY) : held;
    if (slot < 0) return;
    const flags = held < 0 ? 0 : (rows.flags[slot] as number);
    this.applyHead(slot, flags);
    const link = readI32(bytes, body + PutField.LINK);
    if (rows.links.values[slot] !== link) {
      rows.links.remove(slot);
      rows.links.add(slot, link);
    }
    rows.segment[slot] = index;
    rows.position[slot] = scanner.position;
    rows.length[slot] = scanner.length;
    rows.touched[slot] = 0;
  }

  private applyTouch(index: number): void {
    const { rows, scanner, segments } = this;
    const { bytes, body } = scanner;
    const slot = rows.find(bytes, body + PutField.KEY);
    if (slot < 0 || rows.position[slot] !== readI32(bytes, body + TouchField.POSITION)) return;
    const about = segments.sequence[rows.segment[slot] as number];
    if (about !== readU32(bytes, body + TouchField.SEGMENT)) return;
    this.applyHead(slot, rows.flags[slot] as number);
    rows.touched[slot] = index + 1;
  }

  private applyHead(slot: number, flags: number): void {
    const { rows, scanner } = this;
    const { bytes, body } = scanner;
    const expires = readU32(bytes, body + PutField.EXPIRES);
    const isShorter = expires < (rows.expiry.keys[slot] as number) && rows.length[slot] !== 0;
    rows.flags[slot] = flags | (bytes[body + PutField.FLAGS] as number) | (isShorter ? RowFlag.SHORTENED : 0);
    rows.expiry.keys[slot] = expires;
    rows.due.keys[slot] = readU32(bytes, body + PutField.DUE);
    rows.eviction.keys[slot] = ~readU32(bytes, body + PutField.RANK);
    rows.tag[slot] = readI32(bytes, body + PutField.TAG);
  }

  private findMissing(files: readonly DiskFile[]): void {
    const { snapshot } = this;
    const there = new Set(files.map(({ file }) => file));
    const byList = snapshot !== undefined && snapshot.segment >= this.newest;
    const expected = byList ? snapshot.segments.map(({ sequence }) => sequence) : this.newestList;
    for (const sequence of expected) {
      if (there.has(sequence) || this.freed.has(sequence)) continue;
      const message = 'a segment is missing; its records are lost';
      this.missing.add(sequence);
      this.reports.tell('MISSING_SEGMENT', message, sequence, 0);
    }
    // Freed for good, but the removal of the file did not come through.
    for (const sequence of this.freed) if (there.has(sequence)) this.retire(sequence);
  }

  private retire(sequence: number): void {
    const index = this.segments.find(sequence);
    if (index >= 0) this.segments.state[index] = SegmentState.FREED;
    this.leftovers.push(sequence);
  }

  /** Drops rows that point nowhere, enters the others into the heaps, sums up; bytes of all records. */
  private settle(): number {
    const { rows, segments } = this;
    let bytes = 0;
    let lost = 0;
    for (let slot = 0; slot < rows.capacity; slot++) {
      const length = rows.length[slot] as number;
      if (length === 0) continue;
      const segment = rows.segment[slot] as number;
      const total = frameBytes(length);
      if ((rows.position[slot] as number) + total > (segments.size[segment] as number)) {
        if (this.isLoss(slot)) lost++;
        rows.remove(slot);
        continue;
      }
      bytes += total;
      segments.addLive(segment, total);
      const touched = rows.touched[slot] as number;
      if (touched !== 0) {
        if (segments.state[touched - 1] === SegmentState.SEALED)
          segments.addLive(touched - 1, frameBytes(TOUCH_BYTES));
        else rows.touched[slot] = 0;
      }
      rows.expiry.settle(slot);
      if (rows.due.keys[slot] !== 0) rows.due.settle(slot);
      if (~(rows.eviction.keys[slot] as number) !== 0) rows.eviction.settle(slot);
    }
    for (const index of this.phantoms) {
      if (segments.size[index] === 0 && segments.created[index] === 0) segments.remove(index);
    }
    if (lost > 0) this.reports.tell('RECORDS_LOST', `${lost} records are gone with what held them`, 0, lost);
    return bytes;
  }

  /**
   * Of a row whose frame is not there. The snapshot also tells of records that left since and whose segment was
   * compacted: their marks may be gone with the last segment that they guarded against. That is no loss.
   */
  private isLoss(slot: number): boolean {
    const { rows, segments } = this;
    const segment = rows.segment[slot] as number;
    if ((rows.expiry.keys[slot] as number) <= this.options.nowUnix) return false;
    return segments.created[segment] !== 0 || this.missing.has(segments.sequence[segment] as number);
  }

  private newId(): Uint8Array {
    const id = new Uint8Array(STORE_ID_BYTES);
    this.options.rng.fill(id, 0, STORE_ID_BYTES);
    return id;
  }
}

function takeColumn(
  into: Int32Array | Uint32Array,
  first: number,
  chunk: SnapshotRows,
  column: number,
): void {
  const { bytes, count } = chunk;
  const at = chunk.column(column);
  for (let i = 0; i < count; i++) into[first + i] = readI32(bytes, at + 4 * i);
}
