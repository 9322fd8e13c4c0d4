/**
 * The keyed store: 32-byte keys, values in the log, an index in memory. Writes append and return at once; what is
 * durable is told by tickets (`ticket`, `durable`). Reads are by position, out of memory where the disk is behind.
 * Expiry, a second alarm (`due`), eviction by rank and chains by link come with the rows and are as durable.
 */
import { assert, copyBytes, IDLE, NONE } from '@molia/core';
import { Cache } from './cache.ts';
import { Compactor } from './compactor.ts';
import { EVICTIONS_MAX, FRAME_HEAD_BYTES, NEVER_UNIX, SOFT_SHARE, VALUE_BYTES_MAX } from './constants.ts';
import type { Disk, DiskOperation, DiskWork } from './disk.ts';
import {
  checkFrame,
  copyRange,
  FrameKind,
  frameBytes,
  PUT_BYTES,
  PutField,
  REMOVE_BYTES,
  RemoveField,
  TOUCH_BYTES,
  TouchField,
  writeU32,
} from './frame.ts';
import { Log } from './log.ts';
import { type Reports, type StoreReport, StoreVerdict } from './reports.ts';
import { RowFlag, type Rows } from './rows.ts';
import { SegmentState, type Segments } from './segments.ts';
import { SnapshotWriter } from './snapshot.ts';
import type { StoreLimits } from './store-options.ts';
import type { KeyedStoreStats, StoreEntry, StoreParts } from './store-types.ts';

const KEY = 32;

export class KeyedStore implements DiskWork {
  readonly rows: Rows;
  /** 16 random bytes of this store: never sent anywhere. */
  readonly storeId: Uint8Array;
  /** Told the slot of each record that is about to leave the index. */
  onDrop: (slot: number) => void = () => {};

  private readonly disk: Disk;
  private readonly limits: StoreLimits;
  private readonly segments: Segments;
  private readonly log: Log;
  private readonly cache: Cache;
  private readonly compactor: Compactor;
  private readonly snapshots: SnapshotWriter;
  private readonly reports: Reports;
  private runner: DiskWork | undefined;
  private nowUnix: number;
  private bytes: number;
  private putBytes = 0;
  private evicted = 0;
  private expired = 0;
  private lost = 0;
  private softDropped = 0;
  private refused = 0;
  private isBehind = false;
  private isSnapshotsTurn = false;

  constructor(parts: StoreParts) {
    const { limits, rows, segments, rng, storeId } = parts;
    this.disk = parts.disk;
    this.limits = limits;
    this.rows = rows;
    this.storeId = storeId;
    this.segments = segments;
    this.reports = parts.reports;
    this.nowUnix = parts.nowUnix;
    this.bytes = parts.bytes;
    this.cache = new Cache(rows, limits.cacheBytes);
    this.log = new Log({
      rng,
      storeId,
      segments,
      nextSequence: parts.nextSequence,
      segmentBytes: limits.segmentBytes,
      pendingBytesMax: limits.pendingBytesMax,
      commitMs: limits.commitMs,
      commitBytes: limits.commitBytes,
      wake: parts.wake,
      onDisk: (outcome) => this.reports.tellDisk(outcome, this.log.failures),
      onGone: (sequence) => this.forgetSegment(sequence),
    });
    this.compactor = new Compactor({
      rows,
      segments,
      log: this.log,
      segmentBytes: limits.segmentBytes,
      pendingBytesMax: limits.pendingBytesMax,
      copy: (slot, bytes, body) => this.copy(slot, bytes, body),
      touch: (slot) => this.logTouch(slot, false),
      remark: (bytes, key, floor, expires) => this.logRemove(bytes, key, floor, expires, false),
      onDamage: (segment, amount) => this.reports.tellDamage(segments.sequence[segment] as number, amount),
      onDrained: (segment) => this.dropLeft(segment),
      nowUnix: () => this.nowUnix,
    });
    this.snapshots = new SnapshotWriter(rows, segments, this.log, rng, storeId);
    this.snapshots.begin(parts.snapshotBytes, parts.replayedBytes);
    for (const { file, length } of parts.cuts) this.log.truncate(file, length);
    for (const file of parts.leftovers) this.log.unlink(file);
  }

  /** Everything put so far is durable when `durable` is at least this. */
  get ticket(): number {
    return this.log.appended;
  }
  get durable(): number {
    return this.log.durable;
  }
  /** Asks for a commit now instead of at its turn. */
  flush(): void {
    this.log.flush();
  }

  /** Asks for a commit and a snapshot: the next start is quick. */
  wantSnapshot(): void {
    this.log.flush();
    this.snapshots.want();
  }

  /** All is durable, and the snapshot that was wanted is written. */
  get isSaved(): boolean {
    return this.log.pending === 0 && this.snapshots.isIdle && this.runner === undefined;
  }

  /** The same, and no compaction runs. */
  get isSettled(): boolean {
    return this.isSaved && this.compactor.isIdle;
  }

  /** The disk took nothing lately. */
  get isFailing(): boolean {
    return this.log.failures > 0;
  }
  /** Copies a record in; a `StoreVerdict`. Makes room by evicting what expired, then what ranks above the newcomer. */
  put(entry: StoreEntry): number {
    const valueLength = entry.headLength + entry.valueLength;
    if (valueLength > VALUE_BYTES_MAX) return StoreVerdict.TOO_LARGE;
    const { rows, log } = this;
    const length = PUT_BYTES + valueLength;
    const needed = frameBytes(length);
    if (log.failures > 0 || log.pending + needed > this.limits.pendingBytesMax) return this.refuse();
    const held = rows.find(entry.key, entry.keyOffset);
    if (held >= 0) {
      // Expired or last in rank, it must not leave while room is made: its slot is used again.
      rows.expiry.remove(held);
      rows.eviction.remove(held);
    }
    const given = held < 0 ? 0 : frameBytes(rows.length[held] as number);
    const isRoom = this.makeRoom(entry.rank, needed - given, held < 0 ? 1 : 0);
    if (!isRoom || !log.reserve(length, false)) {
      if (held >= 0) this.rank(held);
      return isRoom ? this.refuse() : StoreVerdict.FULL;
    }
    const slot = held < 0 ? rows.insert(entry.key, entry.keyOffset) : held;
    assert(slot !== NONE, 'room was made');
    if (held >= 0) this.replaced(held, entry);
    rows.expiry.keys[slot] = entry.expiresUnix;
    rows.due.keys[slot] = entry.dueUnix;
    rows.eviction.keys[slot] = ~entry.rank;
    rows.tag[slot] = entry.tag;
    // In its chain a record keeps its place as long as the chain is the same.
    if (rows.links.values[slot] !== entry.link) {
      rows.links.remove(slot);
      rows.links.add(slot, entry.link);
    }
    this.writeHead(FrameKind.PUT, slot);
    const at = log.body + PUT_BYTES;
    copyRange(log.bytes, at, entry.head, 0, entry.headLength);
    copyRange(log.bytes, at + entry.headLength, entry.value, entry.valueOffset, entry.valueLength);
    log.finish(length);
    this.putBytes += needed;
    this.bytes += needed - given;
    this.point(slot, length);
    this.rank(slot);
    return held < 0 ? StoreVerdict.ADDED : StoreVerdict.REPLACED;
  }

  /** Slot of a key, -1 = not held; good until the record leaves. */
  find(key: Uint8Array, keyOffset: number): number {
    return this.rows.find(key, keyOffset);
  }

  /** Bytes that `load` reads into; what it pointed to stays there until 2 MiB or more were loaded since. */
  get loaded(): Uint8Array {
    return this.cache.bytes;
  }

  valueLength(slot: number): number {
    return (this.rows.length[slot] as number) - PUT_BYTES;
  }

  /** Where in `loaded` the value of a slot begins. -1 = the disk does not give it back: damaged, it is dropped and reported. */
  load(slot: number): number {
    const { cache, rows, segments } = this;
    const held = cache.find(slot);
    if (held >= 0) return held + FRAME_HEAD_BYTES + PUT_BYTES;
    const length = rows.length[slot] as number;
    const segment = rows.segment[slot] as number;
    const position = rows.position[slot] as number;
    const total = FRAME_HEAD_BYTES + length;
    const at = cache.add(slot, total);
    if (position + total > (segments.written[segment] as number)) {
      assert(this.log.findPending(segment, position), 'what is not written is in memory');
      copyRange(cache.bytes, at, this.log.bytes, this.log.body - FRAME_HEAD_BYTES, total);
      return at + FRAME_HEAD_BYTES + PUT_BYTES;
    }
    const got = this.disk.read(segments.sequence[segment] as number, position, cache.bytes, at, total);
    if (
      got === total &&
      checkFrame(cache.bytes, at, total, segments.epoch[segment] as number, position) === length
    )
      return at + FRAME_HEAD_BYTES + PUT_BYTES;
    rows.cached[slot] = 0;
    if (got >= 0) this.lose(slot);
    return -1;
  }

  /**
   * Sets instants, rank and tag of a held record. With `soft`, and when the disk is far behind, only in memory: for what
   * may be forgotten. `false` = the writer is so far behind that even this is refused; nothing changed.
   */
  touch(slot: number, entry: StoreEntry, soft: boolean): boolean {
    const { rows } = this;
    const before = rows.expiry.keys[slot] as number;
    if (soft && (this.log.failures > 0 || this.log.pending > this.limits.pendingBytesMax * SOFT_SHARE)) {
      this.softDropped++;
    } else if (!this.log.reserve(TOUCH_BYTES, !soft)) {
      if (!soft) return false;
      this.softDropped++;
    } else {
      if (entry.expiresUnix < before) rows.flags[slot] = (rows.flags[slot] as number) | RowFlag.SHORTENED;
      this.set(slot, entry);
      this.finishTouch(slot);
      return true;
    }
    if (entry.expiresUnix !== before) return false;
    this.set(slot, entry);
    return true;
  }

  /** Removes a record. `false` = the writer is so far behind that it cannot be logged; it stays. */
  remove(slot: number): boolean {
    const { rows } = this;
    const expires =
      ((rows.flags[slot] as number) & RowFlag.SHORTENED) === 0
        ? (rows.expiry.keys[slot] as number)
        : NEVER_UNIX;
    if (!this.logRemove(rows.keys, slot * KEY, -1, expires, true)) return false;
    this.drop(slot);
    return true;
  }

  /** Forgets at most `max` records that expired; how many. */
  expire(nowUnix: number, max: number): number {
    const { rows } = this;
    if (nowUnix > this.nowUnix) this.nowUnix = nowUnix;
    let done = 0;
    for (; done < max; done++) {
      const slot = rows.expiry.peek();
      if (slot < 0 || (rows.expiry.keys[slot] as number) > nowUnix) break;
      if (((rows.flags[slot] as number) & RowFlag.SHORTENED) === 0) this.drop(slot);
      else if (!this.remove(slot)) break;
      this.expired++;
    }
    return done;
  }

  /** The oldest report that was not taken yet. */
  pollReport(): StoreReport | undefined {
    return this.reports.take();
  }

  stats(): KeyedStoreStats {
    const { limits, log, segments } = this;
    return {
      count: this.rows.count,
      bytes: this.bytes,
      countMax: limits.countMax,
      bytesMax: limits.bytesMax,
      diskBytes: segments.bytes,
      segments: segments.count,
      pendingBytes: log.pending,
      putBytes: this.putBytes,
      writtenBytes: log.bytesWritten + this.snapshots.bytesWritten,
      commits: log.commits,
      compactedSegments: this.compactor.compacted,
      evicted: this.evicted,
      expired: this.expired,
      lost: this.lost,
      softDropped: this.softDropped,
      refused: this.refused,
    };
  }

  poll(now: number, out: DiskOperation): boolean {
    assert(this.runner === undefined, 'one operation at a time');
    // By turns: a log that is never idle would keep the snapshot from being written.
    this.isSnapshotsTurn = !this.isSnapshotsTurn;
    if (this.isSnapshotsTurn && this.snapshots.poll(now, out)) this.runner = this.snapshots;
    else if (this.log.poll(now, out)) this.runner = this.log;
    else if (this.snapshots.poll(now, out)) this.runner = this.snapshots;
    else if (this.compactor.poll(now, out)) this.runner = this.compactor;
    if (this.runner !== undefined) return true;
    // The two may have appended or asked for a commit while they looked.
    if (!this.log.poll(now, out)) return false;
    this.runner = this.log;
    return true;
  }

  complete(now: number, outcome: number): void {
    const { runner } = this;
    this.runner = undefined;
    runner?.complete(now, outcome);
    if (this.isBehind && this.log.pending < this.limits.pendingBytesMax / 2) this.isBehind = false;
  }

  nextDelay(now: number): number {
    if (this.runner !== undefined) return IDLE;
    // The compactor first: it may append while it looks.
    return Math.min(this.compactor.nextDelay(now), this.log.nextDelay(now), this.snapshots.nextDelay(now));
  }

  private refuse(): number {
    this.refused++;
    if (!this.isBehind && this.log.failures === 0) {
      this.isBehind = true;
      this.reports.tell(
        'WRITER_BEHIND',
        'the disk is slower than the writers; writes are refused meanwhile',
        0,
        0,
      );
    }
    return StoreVerdict.BUSY;
  }

  private makeRoom(rank: number, bytes: number, slots: number): boolean {
    const { bytesMax, countMax } = this.limits;
    for (let evictions = 0; evictions < EVICTIONS_MAX; evictions++) {
      if (this.bytes + bytes <= bytesMax && this.rows.count + slots <= countMax) return true;
      if (this.expire(this.nowUnix, 1) > 0) continue;
      const worst = this.rows.eviction.peek();
      if (worst < 0) return false;
      // Ranks are kept as complements: the least of those is the greatest rank.
      if (rank !== 0 && (this.rows.eviction.keys[worst] as number) >= ~rank >>> 0) return false;
      if (!this.remove(worst)) return false;
      this.evicted++;
    }
    return false;
  }

  /** The old frame of a slot counts no more. */
  private replaced(slot: number, entry: StoreEntry): void {
    const { rows } = this;
    rows.cached[slot] = 0;
    this.unpoint(slot);
    if (entry.expiresUnix < (rows.expiry.keys[slot] as number))
      rows.flags[slot] = (rows.flags[slot] as number) | RowFlag.SHORTENED;
  }

  /** The frame that was just finished is the slot's. */
  private point(slot: number, length: number): void {
    const { rows, log } = this;
    rows.segment[slot] = log.segment;
    rows.position[slot] = log.position;
    rows.length[slot] = length;
    this.segments.addLive(log.segment, frameBytes(length));
  }

  private unpoint(slot: number): void {
    const { rows, segments } = this;
    segments.addLive(rows.segment[slot] as number, -frameBytes(rows.length[slot] as number));
    const touched = rows.touched[slot] as number;
    if (touched === 0) return;
    segments.addLive(touched - 1, -frameBytes(TOUCH_BYTES));
    rows.touched[slot] = 0;
  }

  private set(slot: number, entry: StoreEntry): void {
    const { rows } = this;
    rows.expiry.keys[slot] = entry.expiresUnix;
    rows.due.keys[slot] = entry.dueUnix;
    rows.eviction.keys[slot] = ~entry.rank;
    rows.tag[slot] = entry.tag;
    this.rank(slot);
  }

  /** Enters a slot into the heaps by its columns. */
  private rank(slot: number): void {
    const { rows } = this;
    rows.expiry.settle(slot);
    if (rows.due.keys[slot] === 0) rows.due.remove(slot);
    else rows.due.settle(slot);
    if (rows.eviction.keys[slot] === NEVER_UNIX) rows.eviction.remove(slot);
    else rows.eviction.settle(slot);
  }

  private drop(slot: number): void {
    this.onDrop(slot);
    this.bytes -= frameBytes(this.rows.length[slot] as number);
    this.unpoint(slot);
    this.rows.remove(slot);
  }

  /** Writes everything of a PUT or TOUCH before the value, from the columns. */
  private writeHead(kind: number, slot: number): void {
    const { rows, log } = this;
    const { bytes, body } = log;
    writeU32(bytes, body, kind | ((rows.flags[slot] as number) << (8 * PutField.FLAGS)));
    // As signed numbers: a u32 beyond 2^31 would be boxed on its way.
    writeU32(bytes, body + PutField.EXPIRES, (rows.expiry.keys[slot] as number) | 0);
    writeU32(bytes, body + PutField.DUE, (rows.due.keys[slot] as number) | 0);
    writeU32(bytes, body + PutField.RANK, ~(rows.eviction.keys[slot] as number));
    writeU32(bytes, body + PutField.TAG, rows.tag[slot] as number);
    writeU32(bytes, body + PutField.LINK, rows.links.values[slot] as number);
    copyBytes(bytes, body + PutField.KEY, rows.keys, slot * KEY, KEY);
  }

  /** Appends the record again, with what holds for it now. */
  private copy(slot: number, bytes: Uint8Array, body: number): boolean {
    const { rows, log } = this;
    const length = rows.length[slot] as number;
    if (!log.reserve(length, false)) return false;
    this.writeHead(FrameKind.PUT, slot);
    copyRange(log.bytes, log.body + PUT_BYTES, bytes, body + PUT_BYTES, length - PUT_BYTES);
    log.finish(length);
    this.unpoint(slot);
    this.point(slot, length);
    return true;
  }

  private logTouch(slot: number, urgent: boolean): boolean {
    if (!this.log.reserve(TOUCH_BYTES, urgent)) return false;
    this.finishTouch(slot);
    return true;
  }

  private finishTouch(slot: number): void {
    const { rows, log, segments } = this;
    this.writeHead(FrameKind.TOUCH, slot);
    const about = segments.sequence[rows.segment[slot] as number] as number;
    writeU32(log.bytes, log.body + TouchField.SEGMENT, about);
    writeU32(log.bytes, log.body + TouchField.POSITION, rows.position[slot] as number);
    log.finish(TOUCH_BYTES);
    const touched = rows.touched[slot] as number;
    if (touched !== 0) segments.addLive(touched - 1, -frameBytes(TOUCH_BYTES));
    rows.touched[slot] = log.segment + 1;
    segments.addLive(log.segment, frameBytes(TOUCH_BYTES));
  }

  /** `floor` -1: all segments there are. */
  private logRemove(keys: Uint8Array, key: number, floor: number, expires: number, urgent: boolean): boolean {
    const { log, segments } = this;
    if (!log.reserve(REMOVE_BYTES, urgent)) return false;
    const upTo = floor < 0 ? log.headSequence : floor;
    writeU32(log.bytes, log.body, FrameKind.REMOVE);
    writeU32(log.bytes, log.body + RemoveField.FLOOR, upTo);
    writeU32(log.bytes, log.body + RemoveField.EXPIRES, expires);
    copyBytes(log.bytes, log.body + RemoveField.KEY, keys, key, KEY);
    log.finish(REMOVE_BYTES);
    segments.addMark(log.segment, frameBytes(REMOVE_BYTES), upTo, expires);
    return true;
  }

  private lose(slot: number): void {
    this.lost++;
    const sequence = this.segments.sequence[this.rows.segment[slot] as number] as number;
    this.reports.tell('RECORDS_LOST', '1 record does not verify any more and was dropped', sequence, 1);
    // Without a mark an older version could come back.
    if (!this.remove(slot)) this.drop(slot);
  }

  /** A compacted segment must not be pointed to: what still does could not be read. */
  private dropLeft(segment: number): void {
    const { rows, segments } = this;
    if ((segments.live[segment] as number) <= 0) return;
    let count = 0;
    for (let slot = 0; slot < rows.capacity; slot++) {
      if (rows.length[slot] === 0) continue;
      if (rows.touched[slot] === segment + 1) {
        rows.touched[slot] = 0;
        segments.addLive(segment, -frameBytes(TOUCH_BYTES));
      }
      if (rows.segment[slot] !== segment) continue;
      if (!this.remove(slot)) this.drop(slot);
      count++;
    }
    if (count === 0) return;
    this.lost += count;
    const message = `${count} records do not verify any more and were dropped`;
    this.reports.tell('RECORDS_LOST', message, segments.sequence[segment] as number, count);
  }

  private forgetSegment(sequence: number): void {
    const index = this.segments.find(sequence);
    if (index >= 0 && this.segments.state[index] === SegmentState.FREED) this.segments.remove(index);
  }
}
