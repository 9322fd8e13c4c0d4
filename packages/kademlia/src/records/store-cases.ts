/**
 * What every `RecordStore` must do, as data bound to no test runner: a provider of the port runs each case with a
 * factory of empty stores. A case throws when the store fails it.
 */
import { assert, createSeededRng, equalBytes, type Rng, randomBelow } from '@molia/core';
import { KEY_BYTES, RECORD_BYTES_MAX, RecordFlag, RecordType } from '@molia/wire';
import { PutVerdict, RecordMark, type RecordStore, StoredRecord } from './store-port.ts';

export interface StoreCaseOptions {
  /** Our node id. */
  readonly id: Uint8Array;
  readonly rng: Rng;
  readonly bytesMax: number;
  readonly countMax: number;
  readonly providersPerKeyMax: number;
}

/** Makes an empty store with these bounds. */
export type StoreFactory = (options: StoreCaseOptions) => RecordStore;

export interface StoreCase {
  readonly name: string;
  readonly run: (factory: StoreFactory) => void;
}

const ID = new Uint8Array(KEY_BYTES);
const MIB = 2 ** 20;

function open(factory: StoreFactory, options: Partial<StoreCaseOptions> = {}): RecordStore {
  const defaults = { bytesMax: 8 * MIB, countMax: 10_000, providersPerKeyMax: 8 };
  return factory({ id: ID, rng: createSeededRng(1), ...defaults, ...options });
}

/** A record of random content; its first key byte is `distance`, so that is how far from ID it lies. */
function sample(rng: Rng, type: number, distance: number, length = 200): StoredRecord {
  const record = new StoredRecord();
  const front = randomBelow(rng, 16);
  record.bytes = new Uint8Array(front + length);
  rng.fill(record.bytes, 0, front + length);
  record.offset = front;
  record.length = length;
  record.valueOffset = front + Math.min(20, length);
  record.valueLength = Math.max(0, length - 30);
  record.key = randomKey(rng);
  record.key[0] = distance;
  record.owner = type === RecordType.IMMUTABLE ? new Uint8Array(KEY_BYTES) : randomKey(rng);
  record.hash = type === RecordType.IMMUTABLE ? record.key : randomKey(rng);
  record.type = type;
  record.account = randomBelow(rng, 16);
  record.sequence = type === RecordType.IMMUTABLE ? 0 : randomBelow(rng, 2 ** 32) * 2 ** 20;
  record.ttlSecs = randomBelow(rng, 86_400);
  record.expiresUnix = 2_000_000_000 + randomBelow(rng, 86_400);
  return record;
}

function randomKey(rng: Rng): Uint8Array {
  const key = new Uint8Array(KEY_BYTES);
  rng.fill(key, 0, KEY_BYTES);
  return key;
}

function requireSame(record: StoredRecord, found: StoredRecord): void {
  assert(found.length === record.length, 'length');
  assert(equalBytes(found.bytes, found.offset, record.bytes, record.offset, record.length), 'bytes');
  assert(found.valueOffset - found.offset === record.valueOffset - record.offset, 'value offset');
  assert(found.valueLength === record.valueLength, 'value length');
  assert(equalBytes(found.key, found.keyOffset, record.key, record.keyOffset, KEY_BYTES), 'key');
  assert(equalBytes(found.owner, found.ownerOffset, record.owner, record.ownerOffset, KEY_BYTES), 'owner');
  assert(equalBytes(found.hash, found.hashOffset, record.hash, record.hashOffset, KEY_BYTES), 'hash');
  for (const name of COLUMNS) assert(found[name] === record[name], name);
}

const COLUMNS = [
  'type',
  'flags',
  'marks',
  'account',
  'sequence',
  'ttlSecs',
  'notBeforeUnix',
  'expiresUnix',
  'republishUnix',
] as const;

function holds(store: RecordStore, record: StoredRecord, out = new StoredRecord()): boolean {
  if (record.type !== RecordType.PROVIDER) return store.get(record.key, record.keyOffset, out);
  return store.getProvider(record.key, record.keyOffset, record.owner, record.ownerOffset, out);
}

function providersOf(store: RecordStore, key: Uint8Array, skip = 0): number[] {
  const out = new StoredRecord();
  const sequences: number[] = [];
  for (let ok = store.firstProvider(key, 0, skip, out); ok; ok = store.nextProvider(out)) {
    sequences.push(out.sequence);
  }
  return sequences;
}

export const storeCases: readonly StoreCase[] = [
  {
    name: 'gives back every column of what was put',
    run(factory) {
      const store = open(factory);
      const rng = createSeededRng(2);
      const records = [RecordType.IMMUTABLE, RecordType.MUTABLE, RecordType.PROVIDER].map((type) => {
        const record = sample(rng, type, 7);
        record.notBeforeUnix = 2 ** 40 + 3;
        record.republishUnix = 1_999_999_999;
        record.sequence = type === RecordType.IMMUTABLE ? 0 : Number.MAX_SAFE_INTEGER;
        record.marks = RecordMark.FLAGGED | RecordMark.SINGLE;
        return record;
      });
      for (const record of records) assert(store.put(record) === PutVerdict.ADDED, 'added');
      const out = new StoredRecord();
      for (const record of records) {
        assert(holds(store, record, out), 'held');
        requireSame(record, out);
      }
      assert(!store.get(randomKey(rng), 0, out), 'an unknown key is not held');
      assert(store.stats().count === 3 && store.stats().providers === 1, 'counts');
    },
  },
  {
    name: 'keeps records of every size up to the largest and refuses larger ones',
    run(factory) {
      const store = open(factory);
      const rng = createSeededRng(3);
      const records = [1, 63, 127, 128, 129, 1000, 4097, 65_535, RECORD_BYTES_MAX].map((length) =>
        sample(rng, RecordType.MUTABLE, 1, length),
      );
      for (const record of records) assert(store.put(record) === PutVerdict.ADDED, `added ${record.length}`);
      const out = new StoredRecord();
      for (const record of records) {
        assert(holds(store, record, out), `held ${record.length}`);
        requireSame(record, out);
      }
      const verdict = store.put(sample(rng, RecordType.MUTABLE, 1, RECORD_BYTES_MAX + 1));
      assert(verdict === PutVerdict.TOO_LARGE, 'too large');
    },
  },
  {
    name: 'replaces the record of the same identity, whatever its size',
    run(factory) {
      const store = open(factory);
      const rng = createSeededRng(4);
      const first = sample(rng, RecordType.MUTABLE, 1);
      store.put(first);
      for (const length of [200, 210, 5000, 100]) {
        const next = sample(rng, RecordType.MUTABLE, 1, length);
        next.key = first.key;
        assert(store.put(next) === PutVerdict.REPLACED, 'replaced');
        const out = new StoredRecord();
        assert(holds(store, first, out), 'held');
        requireSame(next, out);
      }
      assert(store.stats().count === 1, 'one record');
    },
  },
  {
    name: 'finds values by hash until they are replaced or removed',
    run(factory) {
      const store = open(factory);
      const rng = createSeededRng(5);
      const out = new StoredRecord();
      const immutable = sample(rng, RecordType.IMMUTABLE, 1);
      const mutable = sample(rng, RecordType.MUTABLE, 1);
      store.put(immutable);
      store.put(mutable);
      assert(store.getByHash(immutable.key, 0, out) && out.type === RecordType.IMMUTABLE, 'immutable');
      assert(store.getByHash(mutable.hash, 0, out), 'mutable');
      requireSame(mutable, out);
      const next = sample(rng, RecordType.MUTABLE, 1);
      next.key = mutable.key;
      store.put(next);
      assert(!store.getByHash(mutable.hash, 0, out), 'the old value is gone');
      assert(store.getByHash(next.hash, 0, out), 'the new one is there');
      const twin = sample(rng, RecordType.MUTABLE, 2);
      twin.hash = next.hash;
      store.put(twin);
      assert(store.remove(next) && store.getByHash(next.hash, 0, out), 'the twin still has that value');
      assert(store.remove(twin) && !store.getByHash(next.hash, 0, out), 'nobody has it');
    },
  },
  {
    name: 'pages through the providers of a key, oldest first',
    run(factory) {
      const store = open(factory);
      const rng = createSeededRng(6);
      const key = randomKey(rng);
      for (let i = 1; i <= 5; i++) {
        const record = sample(rng, RecordType.PROVIDER, 1);
        record.key = key;
        record.sequence = i;
        store.put(record);
        store.put(sample(rng, RecordType.PROVIDER, 1));
      }
      assert(providersOf(store, key).join() === '1,2,3,4,5', 'all');
      assert(providersOf(store, key, 3).join() === '4,5', 'from the third on');
      assert(
        providersOf(store, key, 5).length === 0 && providersOf(store, randomKey(rng)).length === 0,
        'none',
      );
      assert(store.providerCount(key, 0) === 5, 'count');
      assert(!store.get(key, 0, new StoredRecord()), 'a provider is no record of the key');
      const out = new StoredRecord();
      for (const [leaves, comes, left] of [
        [5, 6, '1,2,3,4,6'],
        [1, 7, '2,3,4,6,7'],
        [4, 8, '2,3,6,7,8'],
      ] as const) {
        for (let ok = store.firstProvider(key, 0, 0, out); out.sequence !== leaves; ) {
          assert(ok, 'listed');
          ok = store.nextProvider(out);
        }
        assert(store.remove(out), 'removed');
        const record = sample(rng, RecordType.PROVIDER, 1);
        record.key = key;
        record.sequence = comes;
        store.put(record);
        assert(providersOf(store, key).join() === left, 'the others in their order');
      }
    },
  },
  {
    name: 'drops the provider that expires first when the list of a key is full',
    run(factory) {
      const store = open(factory, { providersPerKeyMax: 3 });
      const rng = createSeededRng(7);
      const key = randomKey(rng);
      const put = (sequence: number, expiresUnix: number): number => {
        const record = sample(rng, RecordType.PROVIDER, 1);
        record.key = key;
        record.sequence = sequence;
        record.expiresUnix = expiresUnix;
        return store.put(record);
      };
      for (const [sequence, expires] of [
        [1, 300],
        [2, 100],
        [3, 200],
      ] as const) {
        put(sequence, expires);
      }
      assert(put(4, 50) === PutVerdict.FULL, 'one that expires before all others is refused');
      assert(put(5, 400) === PutVerdict.ADDED, 'added');
      assert(providersOf(store, key).join() === '1,3,5', 'the second went');
    },
  },
  {
    name: 'forgets what expired, all of it and nothing else, a bounded number at a time',
    run(factory) {
      const store = open(factory);
      const rng = createSeededRng(8);
      const records = Array.from({ length: 500 }, (_, i) => {
        const record = sample(rng, 1 + (i % 3), 1);
        record.expiresUnix = 1000 + randomBelow(rng, 100);
        store.put(record);
        return record;
      });
      const moved = records[0] as StoredRecord;
      moved.expiresUnix = 5000;
      assert(store.update(moved), 'updated');
      assert(store.nextExpiryUnix() === Math.min(...records.map((r) => r.expiresUnix)), 'the next expiry');
      const due = records.filter((record) => record.expiresUnix <= 1050).length;
      assert(store.expire(1050, 10) === 10, 'a batch');
      assert(store.expire(1050, 10_000) === due - 10, 'the rest');
      for (const record of records) {
        assert(holds(store, record) === record.expiresUnix > 1050, 'held exactly when not expired');
      }
      store.expire(4999, 10_000);
      assert(store.stats().count === 1 && store.stats().expired === 499, 'one left');
      store.expire(5000, 1);
      assert(store.nextExpiryUnix() === 0 && store.stats().bytes === 0, 'nothing left');
    },
  },
  {
    name: 'names what is due for republication in order, until it is moved',
    run(factory) {
      const store = open(factory);
      const rng = createSeededRng(9);
      for (let i = 0; i < 50; i++) {
        const record = sample(rng, RecordType.MUTABLE, 1);
        record.republishUnix = i % 2 === 0 ? 0 : 100 + randomBelow(rng, 1000);
        store.put(record);
      }
      const out = new StoredRecord();
      let last = 0;
      let count = 0;
      assert(!store.due(99, out), 'nothing is due yet');
      while (store.due(2000, out)) {
        assert(out.republishUnix >= last && out.republishUnix === store.nextDueUnix(), 'in order');
        last = out.republishUnix;
        count++;
        out.republishUnix = 0;
        assert(store.update(out), 'updated');
      }
      assert(count === 25 && store.nextDueUnix() === 0, 'each once');
    },
  },
  {
    name: 'evicts cached records first, then the farthest, never own ones, and refuses what is farther than all',
    run(factory) {
      const store = open(factory, { countMax: 4 });
      const rng = createSeededRng(10);
      const own = sample(rng, RecordType.MUTABLE, 255);
      own.marks = RecordMark.OWN;
      const cached = sample(rng, RecordType.MUTABLE, 0);
      cached.marks = RecordMark.CACHED;
      const near = sample(rng, RecordType.IMMUTABLE, 10);
      const far = sample(rng, RecordType.PROVIDER, 200);
      for (const record of [own, cached, near, far]) assert(store.put(record) === PutVerdict.ADDED, 'added');
      const first = sample(rng, RecordType.MUTABLE, 100);
      assert(store.put(first) === PutVerdict.ADDED && !holds(store, cached), 'the cached one went');
      const second = sample(rng, RecordType.MUTABLE, 101);
      assert(store.put(second) === PutVerdict.ADDED && !holds(store, far), 'the farthest went');
      assert(store.put(sample(rng, RecordType.MUTABLE, 102)) === PutVerdict.FULL, 'farther than all');
      const lateCache = sample(rng, RecordType.MUTABLE, 0);
      lateCache.marks = RecordMark.CACHED;
      assert(store.put(lateCache) === PutVerdict.FULL, 'a cached copy displaces no regular one');
      const mine = sample(rng, RecordType.MUTABLE, 255);
      mine.marks = RecordMark.OWN;
      assert(store.put(mine) === PutVerdict.ADDED && !holds(store, second), 'an own one always finds room');
      assert(holds(store, own) && holds(store, near) && holds(store, first), 'the rest stayed');
      assert(store.stats().count === 4 && store.stats().evicted === 3, 'counts');
    },
  },
  {
    name: 'stays within its bytes and keeps the nearest',
    run(factory) {
      const bytesMax = MIB;
      const store = open(factory, { bytesMax });
      const rng = createSeededRng(11);
      const nearest = sample(rng, RecordType.MUTABLE, 0, 60_000);
      store.put(nearest);
      for (let i = 0; i < 3000; i++) {
        store.put(sample(rng, RecordType.MUTABLE, 1 + randomBelow(rng, 255), 1 + randomBelow(rng, 20_000)));
        assert(store.stats().bytes <= bytesMax, 'within the bound');
      }
      const out = new StoredRecord();
      assert(holds(store, nearest, out), 'the nearest is held');
      requireSame(nearest, out);
    },
  },
  {
    name: 'leaves the held record alone when its successor finds no room',
    run(factory) {
      const store = open(factory, { bytesMax: 128 * 1024 });
      const rng = createSeededRng(12);
      const far = sample(rng, RecordType.MUTABLE, 200, 100);
      store.put(far);
      store.put(sample(rng, RecordType.MUTABLE, 1, 65_500));
      const larger = sample(rng, RecordType.MUTABLE, 200, RECORD_BYTES_MAX);
      larger.key = far.key;
      assert(store.put(larger) === PutVerdict.FULL, 'refused');
      const out = new StoredRecord();
      assert(holds(store, far, out), 'held');
      requireSame(far, out);
      for (let i = 0; i < 2; i++) store.put(sample(rng, RecordType.MUTABLE, 2, 60_000));
      assert(!holds(store, far), 'and evicted like any other');
    },
  },
  {
    name: 'sums bytes and records by account',
    run(factory) {
      const store = open(factory);
      const rng = createSeededRng(13);
      const records = Array.from({ length: 100 }, (_, i) => sample(rng, 1 + (i % 3), 1));
      for (const record of records) store.put(record);
      const sum = (of: (account: number) => number): number =>
        Array.from({ length: 16 }, (_, account) => of(account)).reduce((a, b) => a + b, 0);
      assert(sum((account) => store.accountCount(account)) === 100, 'records');
      assert(sum((account) => store.accountBytes(account)) === store.stats().bytes, 'bytes');
      for (const record of records) assert(store.remove(record), 'removed');
      assert(sum((a) => store.accountBytes(a)) === 0 && sum((a) => store.accountCount(a)) === 0, 'none');
    },
  },
  {
    name: 'agrees with a plain map over thousands of random operations',
    run(factory) {
      const store = open(factory, { bytesMax: 256 * MIB, countMax: 100_000, providersPerKeyMax: 1000 });
      const rng = createSeededRng(14);
      const model = new Map<string, StoredRecord>();
      const known: StoredRecord[] = [];
      const nameOf = (r: StoredRecord): string =>
        `${r.type === RecordType.PROVIDER ? r.owner.join() : ''}/${r.key.join()}`;
      for (let step = 0; step < 6000; step++) {
        const dice = randomBelow(rng, 10);
        const old = known[randomBelow(rng, Math.max(1, known.length))];
        if (dice < 5 || old === undefined) {
          const record = sample(
            rng,
            1 + randomBelow(rng, 3),
            randomBelow(rng, 256),
            1 + randomBelow(rng, 600),
          );
          if (old !== undefined && dice === 0) {
            record.key = old.key;
            record.owner = old.owner;
            record.type = old.type;
            record.hash = old.type === RecordType.IMMUTABLE ? old.key : record.hash;
          }
          if (record.type === RecordType.MUTABLE && dice === 1) record.flags = RecordFlag.TOMBSTONE;
          const added = store.put(record);
          assert(added === (model.has(nameOf(record)) ? PutVerdict.REPLACED : PutVerdict.ADDED), 'verdict');
          model.set(nameOf(record), record);
          known.push(record);
        } else if (dice < 8) {
          assert(store.remove(old) === model.delete(nameOf(old)), 'removed as in the model');
        } else {
          const out = new StoredRecord();
          const expected = model.get(nameOf(old));
          assert(holds(store, old, out) === (expected !== undefined), 'held as in the model');
          if (expected !== undefined) requireSame(expected, out);
        }
        if (step % 50 === 0) {
          const earliest = Math.min(...[...model.values()].map((record) => record.expiresUnix));
          assert(model.size === 0 || store.nextExpiryUnix() === earliest, 'the next expiry');
        }
      }
      const out = new StoredRecord();
      let visited = 0;
      for (out.cursor = -1; store.next(out); visited++) assert(model.has(nameOf(copyOf(out))), 'visited');
      assert(visited === model.size && store.stats().count === model.size, 'each once');
    },
  },
];

function copyOf(record: StoredRecord): StoredRecord {
  const copy = new StoredRecord();
  copy.type = record.type;
  copy.key = record.key.slice(record.keyOffset, record.keyOffset + KEY_BYTES);
  copy.owner = record.owner.slice(record.ownerOffset, record.ownerOffset + KEY_BYTES);
  return copy;
}
