/** A record book over a memory store, identities and records for the tests; all from seeds, on virtual time. */
import { createIdentity, createSeededRng, type Identity, nobleCurves } from '@molia/core';
import { createImmutable, createMutable, createProvider } from '@molia/wire';
import {
  AcceptRequest,
  createMemoryStore,
  RecordBook,
  type RecordStore,
  StoredRecord,
} from '../../src/index.ts';

/** 2026-01-01, a whole second. */
export const WALL = 1_767_225_600_000;
export const UNIX = WALL / 1000;
export const HOUR = 3_600_000;
export const DAY_SECS = 86_400;

export interface TestBook {
  book: RecordBook;
  store: RecordStore;
  out: StoredRecord;
}

export function openBook(seed = 1, limits: { bytesMax?: number; countMax?: number } = {}): TestBook {
  const rng = createSeededRng(seed);
  const id = new Uint8Array(32);
  rng.fill(id, 0, 32);
  const store = createMemoryStore({ id, rng, bytesMax: 64 * 2 ** 20, ...limits });
  const book = new RecordBook({ store, curves: nobleCurves, rng, wallMsAtZero: WALL });
  return { book, store, out: new StoredRecord() };
}

export function identityOf(seed: number): Identity {
  return createIdentity(nobleCurves, new Uint8Array(32).fill(seed));
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export const alice = identityOf(1);
export const bob = identityOf(2);

export function mutable(
  sequence: number,
  value: string,
  more: { ttlSecs?: number; tombstone?: boolean; notBeforeUnix?: number; namespace?: string } = {},
): Uint8Array {
  return createMutable({
    identity: alice,
    namespace: 'test',
    ttlSecs: DAY_SECS,
    sequence,
    value: bytesOf(value),
    ...more,
  });
}

export function tombstone(sequence: number, ttlSecs = 60): Uint8Array {
  return mutable(sequence, '', { tombstone: true, ttlSecs });
}

export function immutable(value: string | Uint8Array, ttlSecs = DAY_SECS): Uint8Array {
  return createImmutable(typeof value === 'string' ? bytesOf(value) : value, ttlSecs);
}

export function provider(identity: Identity, key: Uint8Array, sequence: number, more = {}): Uint8Array {
  return createProvider({ identity, key, sequence, metadata: bytesOf('m'), ttlSecs: DAY_SECS, ...more });
}

export function request(more: Partial<AcceptRequest> = {}): AcceptRequest {
  return Object.assign(new AcceptRequest(), { peerKey: bob.publicKey }, more);
}

export function accept(
  t: TestBook,
  now: number,
  record: Uint8Array,
  more: Partial<AcceptRequest> = {},
): number {
  return t.book.accept(now, record, 0, record.length, request(more));
}

export function publish(t: TestBook, now: number, record: Uint8Array): number {
  return t.book.publish(now, record, 0, record.length);
}

/** The value that a read gives, or the verdict. */
export function read(t: TestBook, now: number, key: Uint8Array): string | number {
  const verdict = t.book.find(now, key, 0, t.out);
  if (verdict !== 0) return verdict;
  const { bytes, valueOffset, valueLength } = t.out;
  return new TextDecoder().decode(bytes.subarray(valueOffset, valueOffset + valueLength));
}
