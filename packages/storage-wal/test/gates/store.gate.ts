import { createSeededRng } from '@molia/core';
import type { GateOperation } from '../../../../tools/gate.ts';
import {
  crc32c,
  type Disk,
  DiskOperation,
  type KeyedStore,
  OperationKind,
  openKeyedStore,
  StoreEntry,
} from '../../src/index.ts';

const RECORDS = 4096;
const LENGTH = 200;

/** One large segment in memory; copies without views. */
class PlainDisk implements Disk {
  readonly bytes = new Uint8Array(2 ** 22);
  list(): [] {
    return [];
  }
  read(_file: number, position: number, out: Uint8Array, offset: number, length: number): number {
    for (let i = 0; i < length; i++) out[offset + i] = this.bytes[position + i] as number;
    return length;
  }
  execute(operation: DiskOperation): void {
    if (operation.kind !== OperationKind.WRITE) return;
    const { bytes, offset, length, position } = operation;
    if (position + length > this.bytes.length) return;
    for (let i = 0; i < length; i++) this.bytes[position + i] = bytes[offset + i] as number;
  }
}

function open(cacheBytes: number): {
  store: KeyedStore;
  entry: StoreEntry;
  keys: Uint8Array;
  turn: () => void;
} {
  const rng = createSeededRng(1);
  const disk = new PlainDisk();
  const store = openKeyedStore({
    disk,
    rng,
    nowUnix: 0,
    segmentBytes: 2 ** 30,
    bytesMax: 2 ** 30,
    cacheBytes,
  });
  const keys = new Uint8Array(RECORDS * 32);
  rng.fill(keys, 0, keys.length);
  const entry = new StoreEntry();
  entry.key = keys;
  entry.value = new Uint8Array(LENGTH);
  entry.valueLength = LENGTH;
  entry.rank = 1;
  const operation = new DiskOperation();
  let now = 0;
  const turn = (): void => {
    now = (now + 50) & 0xffffff;
    while (store.poll(now, operation)) {
      disk.execute(operation);
      store.complete(now, 0);
    }
  };
  for (let i = 0; i < RECORDS; i++) {
    entry.keyOffset = i * 32;
    store.put(entry);
  }
  turn();
  turn();
  turn();
  return { store, entry, keys, turn };
}

export const operations: GateOperation[] = [
  {
    name: 'KeyedStore.put in place of a record, and its part of a group commit',
    operationsMax: 20_000,
    setup() {
      const { store, entry, turn } = open(2 ** 21);
      let i = 0;
      return () => {
        i = (i + 1237) % RECORDS;
        entry.keyOffset = i * 32;
        if (store.put(entry) !== 1) throw new Error('refused');
        if ((i & 63) === 0) turn();
      };
    },
  },
  {
    name: 'KeyedStore.find of one of 4,096 records',
    setup() {
      const { store, keys } = open(2 ** 21);
      let i = 0;
      return () => {
        i = (i + 1237) % RECORDS;
        if (store.find(keys, i * 32) < 0) throw new Error('lost');
      };
    },
  },
  {
    name: 'KeyedStore.load out of the cache',
    setup() {
      const { store, keys } = open(2 ** 23);
      let i = 0;
      return () => {
        i = (i + 1237) % RECORDS;
        if (store.load(store.find(keys, i * 32)) < 0) throw new Error('lost');
      };
    },
  },
  {
    name: 'KeyedStore.load by position, past a cache that is too small',
    setup() {
      const { store, keys } = open(2 ** 21);
      for (let i = 0; i < 50; i++) store.load(i);
      let i = 0;
      return () => {
        i = (i + 1237) % RECORDS;
        const slot = store.find(keys, i * 32);
        store.rows.cached[slot] = 0;
        if (store.load(slot) < 0) throw new Error('lost');
      };
    },
  },
  {
    name: 'KeyedStore.touch',
    operationsMax: 20_000,
    setup() {
      const { store, entry, keys, turn } = open(2 ** 21);
      let i = 0;
      return () => {
        i = (i + 1237) % RECORDS;
        entry.expiresUnix = 1_000_000 + i;
        if (!store.touch(store.find(keys, i * 32), entry, false)) throw new Error('refused');
        if ((i & 63) === 0) turn();
      };
    },
  },
  {
    name: 'crc32c of 256 bytes',
    setup() {
      const bytes = new Uint8Array(256);
      let seed = 0;
      return () => {
        seed = crc32c(seed, bytes, 0, 256);
      };
    },
  },
];
