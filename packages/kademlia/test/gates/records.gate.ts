import { blake3, createIdentity, createSeededRng, nobleCurves } from '@molia/core';
import { createMutable, RecordType } from '@molia/wire';
import type { GateOperation } from '../../../../tools/gate.ts';
import {
  AcceptRequest,
  createMemoryStore,
  RecordBook,
  type RecordStore,
  Republish,
  StoredRecord,
} from '../../src/index.ts';
import { ChunkRequest, PullDone, Puller } from '../../src/records/puller.ts';

const WALL = 1_767_225_600_000;
const RECORDS = 4096;

function open(): { store: RecordStore; book: RecordBook; keys: Uint8Array; record: StoredRecord } {
  const rng = createSeededRng(1);
  const store = createMemoryStore({ id: new Uint8Array(32), rng });
  const book = new RecordBook({ store, curves: nobleCurves, rng, wallMsAtZero: WALL });
  const keys = new Uint8Array(RECORDS * 32);
  rng.fill(keys, 0, keys.length);
  const record = new StoredRecord();
  record.bytes = new Uint8Array(300);
  record.length = 300;
  record.keyOffset = 0;
  record.key = keys;
  record.owner = keys;
  record.hash = keys;
  record.type = RecordType.MUTABLE;
  record.sequence = 2 ** 40;
  for (let i = 0; i < RECORDS; i++) {
    describe(record, i);
    store.put(record);
  }
  return { store, book, keys, record };
}

function describe(record: StoredRecord, i: number): void {
  record.keyOffset = i * 32;
  record.hashOffset = ((i * 7) % RECORDS) * 32;
  record.ownerOffset = i * 32;
  record.account = i % 100;
  record.expiresUnix = WALL / 1000 + 3600 + (i % 997);
  record.republishUnix = WALL / 1000 + 1800 + (i % 991);
}

export const operations: GateOperation[] = [
  {
    name: 'RecordBook.find of one of 4,096 records',
    setup() {
      const { book, keys } = open();
      const out = new StoredRecord();
      let i = 0;
      return () => {
        i = (i + 1237) % RECORDS;
        if (book.find(0, keys, i * 32, out) !== 0) throw new Error('lost');
      };
    },
  },
  {
    name: 'RecordStore.put in place of a record of the same size',
    setup() {
      const { store, record } = open();
      let i = 0;
      return () => {
        i = (i + 1237) % RECORDS;
        describe(record, i);
        store.put(record);
      };
    },
  },
  {
    name: 'RecordStore.remove and put of a new record',
    setup() {
      const { store, record } = open();
      let i = 0;
      return () => {
        i = (i + 1237) % RECORDS;
        describe(record, i);
        store.remove(record);
        store.put(record);
      };
    },
  },
  {
    name: 'RecordBook.findValue by hash',
    setup() {
      const { book, keys } = open();
      const out = new StoredRecord();
      let i = 0;
      return () => {
        i = (i + 1237) % RECORDS;
        if (!book.findValue(0, keys, i * 32, out)) throw new Error('lost');
      };
    },
  },
  {
    name: 'a page of 32 providers',
    operationsMax: 20_000,
    setup() {
      const { store, book, record, keys } = open();
      const out = new StoredRecord();
      record.type = RecordType.PROVIDER;
      record.bytes = new Uint8Array(180);
      record.length = 180;
      for (let i = 0; i < 64; i++) {
        describe(record, i);
        record.keyOffset = 0;
        store.put(record);
      }
      return () => {
        let count = 0;
        for (
          let ok = book.firstProvider(0, keys, 0, 16, out);
          ok && count < 32;
          ok = book.nextProvider(0, out)
        ) {
          count++;
        }
        if (count !== 32) throw new Error('lost');
      };
    },
  },
  {
    name: 'RecordBook.accept of a record that is held',
    operationsMax: 20_000,
    // core's hash of the value, by noble where WebAssembly is missing, is not the book's.
    setup() {
      const { book } = open();
      const identity = createIdentity(nobleCurves, new Uint8Array(32).fill(1));
      const value = new Uint8Array(100);
      const bytes = createMutable({ identity, namespace: 'a', sequence: 2 ** 40, value, ttlSecs: 3600 });
      const request = new AcceptRequest();
      if (book.accept(0, bytes, 0, bytes.length, request) !== 0) throw new Error('refused');
      return () => {
        if (book.accept(0, bytes, 0, bytes.length, request) !== 1) throw new Error('not held');
      };
    },
  },
  {
    name: 'RecordBook.nextRepublish, nextDelay and handleTimeout',
    setup() {
      const { book } = open();
      const out = new Republish();
      let now = 0;
      return () => {
        if (book.nextDelay(now) === -1 || book.nextRepublish(now, out)) throw new Error('due');
        book.handleTimeout(now);
        now = (now + 1) % 1000;
      };
    },
  },
  {
    name: 'one chunk of a pull: request, timeout check, answer (a pull of 59 chunks, then the next)',
    setup() {
      const puller = new Puller();
      const value = new Uint8Array(65_536).fill(9);
      const hash = blake3(value);
      const request = new ChunkRequest();
      const done = new PullDone();
      let now = 0;
      return () => {
        now += 1;
        if (!puller.pollRequest(now, request)) {
          if (puller.count > 0) throw new Error('stuck');
          puller.pollDone(done);
          if (puller.start(now, 1, hash, 0, value.length, hash, 0, 32, 0, 20) < 0) throw new Error('refused');
          if (!puller.pollRequest(now, request)) throw new Error('stuck');
        }
        puller.handleTimeout(now);
        const { pull, offset, length } = request;
        if (puller.handleChunk(now, pull, 1, offset, value.length, value, offset, length) !== 0) {
          throw new Error('refused');
        }
      };
    },
  },
];
