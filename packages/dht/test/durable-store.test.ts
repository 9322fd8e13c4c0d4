/** The record store on disk as kademlia's record store: the same cases that the one in memory passes. */
import { createSeededRng, randomBelow } from '@molia/core';
import { type RecordStore, StoredRecord, type StoreFactory, storeCases } from '@molia/kademlia';
import { SimDisk } from '@molia/sim';
import { createRecordStore, type DurableRecordStore, openKeyedStore } from '@molia/storage-wal';
import { RECORD_BYTES_MAX, RecordType } from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { run } from '../../storage-wal/test/sim-disk.ts';

interface Opened {
  readonly store: DurableRecordStore;
  /** Lets the disk do all that it has to. */
  readonly settle: () => void;
}

function open(disk: SimDisk, options: Parameters<StoreFactory>[0]): Opened {
  const { id, rng, bytesMax, countMax, providersPerKeyMax } = options;
  const keyed = openKeyedStore({
    disk,
    rng,
    nowUnix: 0,
    bytesMax,
    countMax,
    segmentBytes: 2 ** 20,
    cacheBytes: 2 ** 21,
  });
  let now = 0;
  const settle = (): void => {
    now += 1000;
    keyed.flush();
    run(keyed, disk, now);
  };
  return {
    store: createRecordStore(keyed, { id, providersPerKeyMax, recordBytesMax: RECORD_BYTES_MAX }),
    settle,
  };
}

/** The disk has its turn after every put. */
const factory: StoreFactory = (options) => {
  const { store, settle } = open(new SimDisk(createSeededRng(1)), options);
  const put = store.put.bind(store);
  store.put = (record) => {
    const verdict = put(record);
    settle();
    return verdict;
  };
  return store satisfies RecordStore;
};

describe('the record store on disk as a record store', () => {
  for (const storeCase of storeCases) it(storeCase.name, () => storeCase.run(factory));
});

describe('the record store on disk', () => {
  it('is after a restart what it was, columns, accounts, providers and all, with a snapshot or without', () => {
    for (const snapshot of [false, true]) {
      const rng = createSeededRng(5);
      const disk = new SimDisk(rng);
      const options = {
        id: new Uint8Array(32),
        rng,
        bytesMax: 2 ** 24,
        countMax: 1000,
        providersPerKeyMax: 8,
      };
      const before = open(disk, options);
      const records = Array.from({ length: 300 }, (_, i) => sample(i));
      for (const record of records) expect(before.store.put(record)).toBe(0);
      const moved = records[7] as StoredRecord;
      moved.expiresUnix = 5_000_000;
      moved.marks = 4;
      before.store.update(moved);
      before.store.remove(records[8] as StoredRecord);
      if (snapshot) before.store.keyed.wantSnapshot();
      before.settle();
      expect(before.store.keyed.durable).toBe(before.store.keyed.ticket);
      const stats = before.store.stats();
      disk.crash();
      const { store } = open(disk, options);
      expect(store.keyed.pollReport()).toBeUndefined();
      expect(store.stats()).toEqual(stats);
      const out = new StoredRecord();
      for (const [i, record] of records.entries()) {
        const found =
          record.type === RecordType.PROVIDER
            ? store.getProvider(record.key, 0, record.owner, 0, out)
            : store.get(record.key, 0, out);
        expect(found).toBe(i !== 8);
        if (!found) continue;
        expect(out.bytes.slice(out.offset, out.offset + out.length)).toEqual(record.bytes);
        for (const name of ['type', 'marks', 'account', 'sequence', 'expiresUnix', 'republishUnix'] as const)
          expect(out[name]).toBe(record[name]);
        if (record.type !== RecordType.PROVIDER) expect(store.getByHash(record.hash, 0, out)).toBe(true);
      }
      for (let account = 0; account < 16; account++) {
        expect(store.accountBytes(account)).toBe(before.store.accountBytes(account));
        expect(store.accountCount(account)).toBe(before.store.accountCount(account));
      }
    }
    function sample(i: number): StoredRecord {
      const of = createSeededRng(i);
      const fresh = (length: number): Uint8Array => {
        const bytes = new Uint8Array(length);
        of.fill(bytes, 0, length);
        return bytes;
      };
      const record = new StoredRecord();
      record.type = 1 + (i % 3);
      record.bytes = fresh(50 + randomBelow(of, 500));
      record.length = record.bytes.length;
      record.valueOffset = 30;
      record.valueLength = record.length - 30;
      record.key = fresh(32);
      record.owner = record.type === RecordType.IMMUTABLE ? new Uint8Array(32) : fresh(32);
      record.hash = record.type === RecordType.IMMUTABLE ? record.key : fresh(32);
      record.account = i % 16;
      record.sequence = record.type === RecordType.IMMUTABLE ? 0 : 2 ** 50 + i;
      record.expiresUnix = 1_000_000 + i;
      record.republishUnix = i % 2 === 0 ? 0 : 500_000 + i;
      return record;
    }
  });
});
