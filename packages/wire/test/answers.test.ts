import { blake3, createIdentity, createSeededRng, nobleCurves, parseEndpoint, TAKEN } from '@molia/core';
import { describe, expect, it } from 'vitest';
import {
  AnswerWriter,
  BODY_BYTES_MAX,
  CHUNK_BYTES_MAX,
  CONTACTS_MAX,
  ContactList,
  createImmutable,
  createMutable,
  createProvider,
  FindValueResponseView,
  HEADER_BYTES,
  MESSAGE_BYTES_MAX,
  NO_STAMP,
  RecordForm,
  RecordView,
  readFindNodeResponse,
  readFindValueResponse,
  readRecord,
  recordBytes,
  VALUE_INLINE_BYTES_MAX,
  writeFetchChunkResponse,
  writeStoreRequest,
} from '../src/index.ts';

const identity = createIdentity(nobleCurves, new Uint8Array(32).fill(1));
const ipv4 = parseEndpoint('192.0.2.1:4000');
const ipv6 = parseEndpoint('[2001:db8::1]:4000');
const keys = new Uint8Array(32 * 32);
createSeededRng(1).fill(keys, 0, keys.length);
const bytes = new Uint8Array(4096);
const answers = new AnswerWriter();
const NONE = new Uint8Array(0);

function view(encoded: Uint8Array): RecordView {
  const out = new RecordView();
  expect(readRecord(encoded, 0, encoded.length, out)).toBe(TAKEN);
  return out;
}

function addContacts(endpoint: Uint8Array): number {
  let count = 0;
  while (count < 32 && answers.addContact(keys, count * 32, endpoint, 0)) count++;
  return count;
}

describe('an answer', () => {
  it('holds twenty contacts of either family within a datagram, and no more', () => {
    for (const endpoint of [ipv4, ipv6]) {
      answers.beginFindNode(bytes, HEADER_BYTES);
      expect(addContacts(endpoint)).toBe(CONTACTS_MAX);
      const length = answers.end();
      expect(HEADER_BYTES + length).toBeLessThanOrEqual(MESSAGE_BYTES_MAX);
      const list = new ContactList();
      expect(readFindNodeResponse(bytes, HEADER_BYTES, length, list)).toBe(TAKEN);
      expect(list.count).toBe(CONTACTS_MAX);
      expect(bytes.slice(list.keyOffsets[19], (list.keyOffsets[19] as number) + 32)).toEqual(
        keys.slice(19 * 32, 20 * 32),
      );
    }
  });

  it('with a value has at most eight contacts, fewer where they do not fit', () => {
    const small = createImmutable(new Uint8Array(10), 60);
    answers.beginFindValue(bytes, 0);
    expect(answers.addRecord(small, view(small), RecordForm.WHOLE, NONE, 0)).toBe(true);
    expect(addContacts(ipv4)).toBe(8);
    const large = createImmutable(new Uint8Array(VALUE_INLINE_BYTES_MAX), 60);
    answers.beginFindValue(bytes, 0);
    expect(answers.addRecord(large, view(large), RecordForm.WHOLE, NONE, 0)).toBe(true);
    expect(addContacts(ipv4)).toBe(3);
    const length = answers.end(0xffff_ffff);
    expect(length).toBeLessThanOrEqual(BODY_BYTES_MAX);
    expect(readFindValueResponse(bytes, 0, length, new FindValueResponseView())).toBe(TAKEN);
  });

  it('takes a value that is too large only as its hash, and writes nothing on refusal', () => {
    const value = new Uint8Array(1200).fill(3);
    const encoded = createMutable({ identity, namespace: 'n', sequence: 1, value, ttlSecs: 60 });
    answers.beginFindValue(bytes, 0);
    expect(answers.addRecord(encoded, view(encoded), RecordForm.WHOLE, NONE, 0)).toBe(false);
    expect(answers.addRecord(encoded, view(encoded), RecordForm.DETACHED, blake3(value), 0)).toBe(true);
    const out = new FindValueResponseView();
    expect(readFindValueResponse(bytes, 0, answers.end(), out)).toBe(TAKEN);
    expect(out.record).toMatchObject({ hasValue: false, declaredValueLength: 1200 });
    const hashAt = out.record.valueHashOffset;
    expect(bytes.slice(hashAt, hashAt + 32)).toEqual(blake3(value));
  });

  it('takes as many providers as fit, and says how many there are', () => {
    const provider = createProvider({
      identity,
      key: blake3(NONE),
      endpoints: [ipv4],
      sequence: 1,
      ttlSecs: 60,
    });
    answers.beginFindValue(bytes, 0);
    let count = 0;
    while (count < 40 && answers.addProvider(provider, view(provider))) count++;
    expect(count).toBeGreaterThanOrEqual(8);
    const length = answers.end(300);
    expect(length).toBeLessThanOrEqual(BODY_BYTES_MAX);
    const out = new FindValueResponseView();
    expect(readFindValueResponse(bytes, 0, length, out)).toBe(TAKEN);
    expect(out).toMatchObject({ hasRecord: false, providersCount: count, providersTotal: 300 });
    answers.beginFindValue(bytes, 0, 60_000);
    for (count = 0; count < 40 && answers.addProvider(provider, view(provider)); ) count++;
    expect(count).toBe(32);
    answers.beginFindNode(bytes, 0);
    expect(answers.addProvider(provider, view(provider))).toBe(false);
  });
});

describe('a datagram', () => {
  it('holds the largest chunk, and a STORE of an inline value under a short name', () => {
    const chunk = writeFetchChunkResponse(bytes, 0, 65_535, bytes, 2000, CHUNK_BYTES_MAX, 65_536);
    expect(chunk).toBeLessThanOrEqual(BODY_BYTES_MAX);
    const value = new Uint8Array(VALUE_INLINE_BYTES_MAX);
    const immutable = createImmutable(value, 0xffff_ffff);
    const length = writeStoreRequest(
      bytes,
      0,
      immutable,
      view(immutable),
      RecordForm.WHOLE,
      NONE,
      0,
      -1,
      NO_STAMP,
      0xffff_ffff,
      true,
    );
    expect(length).toBeLessThanOrEqual(BODY_BYTES_MAX);
  });

  it('holds the largest envelope once the value is away', () => {
    const encoded = createMutable({
      identity,
      namespace: new Uint8Array(255),
      salt: new Uint8Array(64),
      sequence: 2 ** 53 - 1,
      value: new Uint8Array(65_536),
      ttlSecs: 0xffff_ffff,
      notBeforeUnix: 2 ** 53 - 1,
    });
    expect(recordBytes(view(encoded), RecordForm.DETACHED)).toBeLessThan(600);
  });
});
