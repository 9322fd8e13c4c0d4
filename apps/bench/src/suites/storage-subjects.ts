/** The stores that the suite `storage` compares, behind one face: 32-byte keys, values of one length, durable batches. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createSecureRng } from '@molia/core';
import { openKeyedStore, StoreEntry } from '@molia/storage-wal';
import { openDirectory } from '@molia/storage-wal/node-fs';
import { peerCommonJs } from '../peer-modules.ts';

export const VALUE_BYTES = 200;

export interface Subject {
  /** Puts records [from, from + count) and resolves when all of them are durable. */
  put(from: number, count: number): Promise<void>;
  /** The value of a record; throws when it is not there. */
  get(index: number): Uint8Array;
  close(): Promise<void>;
}

export const SUBJECTS: Readonly<Record<string, (path: string) => Promise<Subject>>> = {
  molia: openMolia,
  'classic-level': openLevel,
  lmdb: openLmdb,
  'better-sqlite3': openSqlite,
};

const key = Buffer.alloc(32);
const value = Buffer.alloc(VALUE_BYTES);
/** Values are cut out of it at many places: nothing that a store could compress. */
const pool = randomBytes(2 ** 20);

/** Well spread, as hashes are: a bijection of 32 bits, repeated. */
function keyOf(index: number): Buffer {
  let mixed = Math.imul(index ^ (index >>> 16), 0x7feb352d);
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x846ca68b);
  mixed ^= mixed >>> 16;
  for (let i = 0; i < 32; i += 4) key.writeInt32LE(mixed, i);
  return key;
}

function payloadOf(index: number): Buffer {
  pool.copy(value, 0, Math.imul(index, 7919) & 0xfff00);
  value.writeUInt32LE(index, 0);
  return value;
}

async function openMolia(path: string): Promise<Subject> {
  const directory = openDirectory(join(path, 'molia'));
  const store = openKeyedStore({
    disk: directory.disk,
    wake: directory.wake,
    rng: createSecureRng(),
    nowUnix: 0,
    countMax: 2 ** 24,
    bytesMax: 2 ** 34,
  });
  directory.drive(store);
  const entry = new StoreEntry();
  entry.key = key;
  entry.value = value;
  entry.valueLength = VALUE_BYTES;
  return {
    async put(from, count) {
      for (let i = from; i < from + count; i++) {
        keyOf(i);
        payloadOf(i);
        if (store.put(entry) < 0) throw new Error('refused');
        // The disk gets its turn while a large batch is made.
        if ((i & 8191) === 8191) await new Promise((resolve) => setImmediate(resolve));
      }
      await directory.settled();
    },
    get(index) {
      const at = store.load(store.find(keyOf(index), 0));
      return store.loaded.subarray(at, at + VALUE_BYTES);
    },
    close: () => directory.close(),
  };
}

interface Level {
  open(): Promise<void>;
  batch(operations: readonly object[], options: object): Promise<void>;
  getSync(key: Uint8Array): Uint8Array;
  close(): Promise<void>;
}

async function openLevel(path: string): Promise<Subject> {
  const { ClassicLevel } = (await peerCommonJs('classic-level')) as {
    ClassicLevel: new (path: string, options: object) => Level;
  };
  const db = new ClassicLevel(join(path, 'level'), { keyEncoding: 'view', valueEncoding: 'view' });
  await db.open();
  return {
    put: (from, count) =>
      db.batch(
        Array.from({ length: count }, (_, i) => ({
          type: 'put',
          key: Buffer.from(keyOf(from + i)),
          value: Buffer.from(payloadOf(from + i)),
        })),
        { sync: true },
      ),
    get: (index) => db.getSync(keyOf(index)),
    close: () => db.close(),
  };
}

interface Lmdb {
  transactionSync(work: () => void): void;
  putSync(key: Uint8Array, value: Uint8Array): void;
  getBinaryFast(key: Uint8Array): Uint8Array;
  readonly flushed: Promise<unknown>;
  close(): Promise<void>;
}

async function openLmdb(path: string): Promise<Subject> {
  const { open } = (await peerCommonJs('lmdb')) as { open(options: object): Lmdb };
  const db = open({ path: join(path, 'lmdb'), keyEncoding: 'binary', encoding: 'binary', mapSize: 2 ** 34 });
  return {
    async put(from, count) {
      db.transactionSync(() => {
        for (let i = from; i < from + count; i++) db.putSync(keyOf(i), payloadOf(i));
      });
      await db.flushed;
    },
    get: (index) => db.getBinaryFast(keyOf(index)),
    close: () => db.close(),
  };
}

interface Statement {
  run(...values: Uint8Array[]): void;
  get(key: Uint8Array): { v: Uint8Array };
}
interface Sqlite {
  pragma(text: string): void;
  exec(text: string): void;
  prepare(text: string): Statement;
  transaction(work: (from: number, count: number) => void): (from: number, count: number) => void;
  close(): void;
}

async function openSqlite(path: string): Promise<Subject> {
  const Database = (await peerCommonJs('better-sqlite3')) as new (path: string) => Sqlite;
  const db = new Database(join(path, 'sqlite'));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE IF NOT EXISTS r (k BLOB PRIMARY KEY, v BLOB) WITHOUT ROWID');
  const insert = db.prepare('INSERT OR REPLACE INTO r VALUES (?, ?)');
  const select = db.prepare('SELECT v FROM r WHERE k = ?');
  const putAll = db.transaction((from, count) => {
    for (let i = from; i < from + count; i++) insert.run(keyOf(i), payloadOf(i));
  });
  return {
    put: async (from, count) => putAll(from, count),
    get: (index) => select.get(keyOf(index)).v,
    close: async () => db.close(),
  };
}
