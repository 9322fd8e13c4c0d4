import { createSeededRng, randomBelow } from '@molia/core';
import { describe, expect, it } from 'vitest';
import {
  crc32c,
  type KeyedStore,
  NEVER_UNIX,
  openKeyedStore,
  SNAPSHOT_FILE,
  SNAPSHOT_NEXT_FILE,
  StoreEntry,
  type StoreReport,
  StoreVerdict,
  verifyStore,
} from '../src/index.ts';
import { Model } from './model.ts';
import { run, SimDisk } from './sim-disk.ts';

const SEGMENT = 192 * 1024;

function open(disk: SimDisk, options: { segmentBytes?: number; bytesMax?: number } = {}): KeyedStore {
  return openKeyedStore({
    disk,
    rng: createSeededRng(9),
    nowUnix: 100,
    segmentBytes: SEGMENT,
    cacheBytes: 2 ** 21,
    pendingBytesMax: 2 ** 22,
    ...options,
  });
}

function reportsOf(store: KeyedStore): StoreReport[] {
  const reports: StoreReport[] = [];
  for (let report = store.pollReport(); report !== undefined; report = store.pollReport())
    reports.push(report);
  return reports;
}

const codes = (store: KeyedStore): string[] => reportsOf(store).map(({ code }) => code);

function keyOf(index: number): Uint8Array {
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(0, Math.imul(index, 2654435761));
  new DataView(key.buffer).setUint32(4, index);
  return key;
}

function bytesOf(index: number, length = 500): Uint8Array {
  const value = new Uint8Array(length);
  createSeededRng(index).fill(value, 0, length);
  return value;
}

function put(store: KeyedStore, index: number, value = bytesOf(index), expiresUnix = NEVER_UNIX): number {
  const entry = new StoreEntry();
  entry.key = keyOf(index);
  entry.value = value;
  entry.valueLength = value.length;
  entry.expiresUnix = expiresUnix;
  entry.rank = 1 + index;
  return store.put(entry);
}

/** Throws unless exactly these bytes are held. */
function requireHeld(store: KeyedStore, index: number, value = bytesOf(index)): void {
  const found = read(store, index);
  if (found === undefined || Buffer.compare(found, value) !== 0)
    throw new Error(`record ${index} is lost or wrong`);
}

function read(store: KeyedStore, index: number): Uint8Array | undefined {
  const slot = store.find(keyOf(index), 0);
  const at = slot < 0 ? -1 : store.load(slot);
  return at < 0 ? undefined : store.loaded.slice(at, at + store.valueLength(slot));
}

let clock = 0;
function settle(store: KeyedStore, disk: SimDisk): void {
  store.flush();
  for (let i = 0; i < 100 && !store.isSettled; i++) {
    clock += 1_000;
    run(store, disk, clock);
  }
  expect(store.isSettled).toBe(true);
}

/** A disk with `count` durable records, over several segments. */
function filled(count: number, snapshot = false): SimDisk {
  const disk = new SimDisk(createSeededRng(3));
  const store = open(disk);
  for (let i = 0; i < count; i++) {
    expect(put(store, i)).toBe(StoreVerdict.ADDED);
    if (i % 100 === 0) settle(store, disk);
  }
  if (snapshot) store.wantSnapshot();
  settle(store, disk);
  return disk;
}

describe('recovery', () => {
  it('finds CRC-32C as everybody computes it', () => {
    // RFC 3720, appendix B.4.
    expect(crc32c(0, new Uint8Array(32), 0, 32) >>> 0).toBe(0x8a9136aa);
    expect(crc32c(0, new Uint8Array(32).fill(255), 0, 32) >>> 0).toBe(0x62a8ab43);
    expect(
      crc32c(
        0,
        Uint8Array.from({ length: 32 }, (_, i) => i),
        0,
        32,
      ) >>> 0,
    ).toBe(0x46dd794e);
  });

  it('needs the snapshot for speed only: with and without it the same is there', () => {
    const disk = filled(1_000, true);
    const bare = disk.clone(createSeededRng(1));
    bare.delete(SNAPSHOT_FILE);
    for (const one of [disk, bare]) {
      const store = open(one);
      expect(codes(store)).toEqual([]);
      expect(store.stats().count).toBe(1_000);
      for (let i = 0; i < 1_000; i++) requireHeld(store, i);
    }
  });

  it('reads all segments when the snapshot is cut or damaged anywhere, and says so', () => {
    const disk = filled(200, true);
    const size = disk.list().find(({ file }) => file === SNAPSHOT_FILE)?.size as number;
    const rng = createSeededRng(4);
    for (let i = 0; i < 60; i++) {
      const damaged = disk.clone(rng);
      if (i % 2 === 0) damaged.cut(SNAPSHOT_FILE, randomBelow(rng, size));
      else damaged.flip(SNAPSHOT_FILE, randomBelow(rng, size), randomBelow(rng, 8));
      const store = open(damaged);
      const said = codes(store);
      // A flipped bit of padding harms nobody.
      if (said.length > 0) expect(said).toEqual(['SNAPSHOT_UNUSABLE']);
      else expect(i % 2).toBe(1);
      expect(store.stats().count).toBe(200);
    }
  });

  it('keeps all that verifies around a flipped bit, and reports what is lost', () => {
    const values = Array.from({ length: 1_000 }, (_, i) => bytesOf(i));
    for (const snapshot of [false, true]) {
      const disk = filled(1_000, snapshot);
      const files = disk.list().filter(({ file }) => file > 0);
      const rng = createSeededRng(5);
      for (let i = 0; i < 60; i++) {
        const damaged = disk.clone(rng);
        const { file, size } = files[randomBelow(rng, files.length)] as (typeof files)[number];
        damaged.flip(file, randomBelow(rng, size), randomBelow(rng, 8));
        const store = open(damaged);
        let found = 0;
        for (let index = 0; index < 1_000; index++) {
          if (store.find(keyOf(index), 0) < 0 || read(store, index) === undefined) continue;
          requireHeld(store, index, values[index]);
          found++;
        }
        expect(found).toBeGreaterThanOrEqual(999);
        if (found < 1_000) expect(reportsOf(store).length).toBeGreaterThan(0);
      }
    }
  });

  it('writes its snapshot although there is always something to be logged', () => {
    const disk = filled(500);
    const store = open(disk);
    const hasSnapshot = (): boolean => disk.list().some(({ file }) => file === SNAPSHOT_FILE);
    store.wantSnapshot();
    for (let i = 0; i < 300 && !hasSnapshot(); i++) {
      put(store, i);
      store.flush();
      run(store, disk, ++clock, 1);
    }
    expect(store.durable).toBeLessThan(store.ticket);
    expect(hasSnapshot()).toBe(true);
  });

  it('commits within its time although every operation finds something new to write', () => {
    const disk = new SimDisk(createSeededRng(3));
    const store = open(disk);
    put(store, 0);
    const first = store.ticket;
    const from = clock;
    // A put a millisecond, an operation a millisecond; a group waits 100 ms and takes three operations.
    for (let i = 1; store.durable < first && clock < from + 1_000; i++) {
      run(store, disk, ++clock, 1);
      put(store, i % 50);
    }
    expect(clock - from).toBeLessThan(120);
  });

  it('holds a record once that left and came again while a snapshot was written', () => {
    const disk = new SimDisk(createSeededRng(3));
    const store = open(disk);
    const count = 20_000;
    const small = bytesOf(1, 8);
    for (let i = 0; i < count; i++) {
      put(store, i, small);
      if (i % 1_000 === 0) settle(store, disk);
    }
    settle(store, disk);
    store.wantSnapshot();
    // Begun, and the rows of the first records written.
    while (store.stats().writtenBytes - store.stats().putBytes < 500_000 && run(store, disk, clock, 1) > 0);
    expect(disk.list().some(({ file }) => file === SNAPSHOT_NEXT_FILE)).toBe(true);
    expect(store.remove(store.find(keyOf(0), 0))).toBe(true);
    put(store, count, small);
    put(store, 0, bytesOf(2));
    settle(store, disk);
    disk.crash();
    const after = open(disk);
    expect(codes(after)).toEqual([]);
    expect(after.stats().count).toBe(count + 1);
    requireHeld(after, 0, bytesOf(2));
    expect(after.remove(after.find(keyOf(0), 0))).toBe(true);
    expect(after.find(keyOf(0), 0)).toBeLessThan(0);
  });

  it('names a segment that is gone and keeps the others', () => {
    for (const snapshot of [false, true]) {
      const disk = filled(1_000, snapshot);
      disk.delete(2);
      const store = open(disk);
      const reports = reportsOf(store);
      expect(reports.some(({ code, file }) => code === 'MISSING_SEGMENT' && file === 2)).toBe(true);
      expect(reports.some(({ code }) => code === 'RECORDS_LOST')).toBe(snapshot);
      const { count } = store.stats();
      expect(count).toBeGreaterThan(500);
      expect(count).toBeLessThan(1_000);
    }
  });

  it('cuts a torn end off and goes on behind it', () => {
    const disk = filled(10);
    const [file] = disk.list() as [{ file: number; size: number }];
    // The last record ends in the middle.
    const store = open(disk);
    const { size } = verifyStore(disk).segments[0] as { size: number };
    disk.cut(file.file, size - 100);
    const torn = open(disk);
    expect(codes(torn)).toEqual(['TORN_TAIL']);
    expect(torn.stats().count).toBe(9);
    put(torn, 50);
    settle(torn, disk);
    expect(codes(open(disk))).toEqual([]);
    expect(open(disk).stats().count).toBe(10);
    expect(store.stats().count).toBe(10);
  });

  it('refuses writes on a full disk, keeps what it has, and goes on when there is room', () => {
    const disk = filled(10);
    const store = open(disk);
    disk.bytesMax = 0;
    expect(put(store, 100)).toBe(StoreVerdict.ADDED);
    store.flush();
    clock += 1_000;
    run(store, disk, clock);
    expect(codes(store)).toEqual(['DISK_FULL']);
    expect(put(store, 101)).toBe(StoreVerdict.BUSY);
    expect(read(store, 100)).toEqual(bytesOf(100));
    expect(read(store, 3)).toEqual(bytesOf(3));
    expect(store.durable).toBeLessThan(store.ticket);
    disk.bytesMax = Number.POSITIVE_INFINITY;
    settle(store, disk);
    expect(codes(store)).toEqual(['DISK_RECOVERED']);
    expect(put(store, 101)).toBe(StoreVerdict.ADDED);
    settle(store, disk);
    disk.crash();
    expect(open(disk).stats().count).toBe(12);
  });

  it('replaces a record that expired while a full quota makes room, and holds what replaced it', () => {
    const disk = new SimDisk(createSeededRng(3));
    const store = open(disk, { bytesMax: 10_000 });
    let count = 0;
    while (put(store, count, bytesOf(count), count === 0 ? 200 : NEVER_UNIX) === StoreVerdict.ADDED) count++;
    expect(count).toBeGreaterThan(10);
    store.expire(300, 0);
    // Larger than what it replaces, so that room must be made: what ranks last leaves.
    const larger = bytesOf(1_000, 900);
    expect(put(store, 0, larger)).toBe(StoreVerdict.REPLACED);
    requireHeld(store, 0, larger);
    expect(store.stats()).toMatchObject({ count: count - 1, evicted: 1, expired: 0 });
    settle(store, disk);
    disk.crash();
    requireHeld(open(disk), 0, larger);
  });

  it('serves reads from a disk that became read-only', () => {
    const disk = filled(10);
    disk.isReadOnly = true;
    const store = open(disk);
    put(store, 100);
    store.flush();
    clock += 1_000;
    run(store, disk, clock);
    expect(codes(store)).toEqual(['DISK_READ_ONLY']);
    for (let i = 0; i < 10; i++) expect(read(store, i)).toEqual(bytesOf(i));
  });

  it('refuses writes, and drops soft updates before, when the writer falls behind', () => {
    const disk = new SimDisk(createSeededRng(3));
    const store = open(disk, { segmentBytes: 2 ** 23 });
    const entry = new StoreEntry();
    let count = 0;
    while (put(store, count, bytesOf(0, 60_000)) === StoreVerdict.ADDED) count++;
    expect(count).toBeGreaterThan(40);
    expect(codes(store)).toEqual(['WRITER_BEHIND']);
    const slot = store.find(keyOf(0), 0);
    entry.dueUnix = 7;
    entry.rank = 1;
    expect(store.touch(slot, entry, true)).toBe(true);
    expect(store.stats().softDropped).toBe(1);
    expect(store.remove(store.find(keyOf(1), 0))).toBe(true);
    settle(store, disk);
    disk.crash();
    const after = open(disk);
    expect(after.stats().count).toBe(count - 1);
    expect(after.rows.due.keys[after.find(keyOf(0), 0)]).toBe(0);
  });

  it('loses nothing when power is cut between any two operations of compactions', () => {
    const disk = new SimDisk(createSeededRng(3));
    const store = open(disk);
    // Every key three times, and every third removed: most of the first segments is garbage, none of it all.
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 300; i++) if (round < 2 || i % 2 === 0) put(store, i, bytesOf(i + 1000 * round));
    }
    for (let i = 0; i < 300; i += 3) store.remove(store.find(keyOf(i), 0));
    const wanted = new Map<number, Uint8Array>();
    for (let i = 0; i < 300; i++) if (i % 3 !== 0) wanted.set(i, bytesOf(i + (i % 2 === 0 ? 2000 : 1000)));
    store.flush();
    let cuts = 0;
    for (let seed = 0; ; seed++) {
      const isDurable = store.durable === store.ticket || store.stats().compactedSegments > 0;
      clock += 50;
      if (run(store, disk, clock, 1) === 0 && store.isSettled) break;
      if (!isDurable) continue;
      const cut = disk.clone(createSeededRng(seed));
      cut.crash();
      const after = open(cut);
      cuts++;
      expect(after.stats().count, `seed ${seed}`).toBe(wanted.size);
      for (const [i, value] of wanted) requireHeld(after, i, value);
    }
    expect(cuts).toBeGreaterThan(10);
    expect(store.stats().compactedSegments).toBeGreaterThan(1);
  });

  it('keeps the files within twice the live bytes and four segments, and each byte is moved about once', () => {
    const rng = createSeededRng(6);
    const disk = new SimDisk(rng);
    const store = open(disk);
    for (let i = 0; i < 20_000; i++) {
      put(store, randomBelow(rng, 2_000), bytesOf(i, 300));
      if (i % 50 === 0) {
        clock += 100;
        run(store, disk, clock);
      }
    }
    settle(store, disk);
    const stats = store.stats();
    expect(stats.count).toBeGreaterThan(1_900);
    expect(stats.diskBytes).toBeLessThan(2 * stats.bytes + 4 * SEGMENT);
    expect(stats.writtenBytes / stats.putBytes).toBeLessThan(2.1);
  });

  it('never brings a removed record back, however its versions and marks are compacted', () => {
    const rng = createSeededRng(8);
    const model = new Model(rng, { valueBytesMax: 9_000 });
    for (let i = 0; i < 6_000; i++) {
      model.step();
      if (i % 500 === 499) {
        model.settle();
        model.disk.delete(SNAPSHOT_FILE);
        model.crash();
        model.verify();
      }
    }
    expect(model.count).toBeGreaterThan(5);
  });
});
