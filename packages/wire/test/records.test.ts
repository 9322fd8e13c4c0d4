import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { blake3, createIdentity, nobleCurves, parseEndpoint, TAKEN } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { RecordSchema } from '../src/gen/molia/v1/record_pb.ts';
import {
  attachValue,
  compareRecords,
  createImmutable,
  createMutable,
  createProvider,
  detachRecord,
  immutableKey,
  mutableKey,
  ProviderValueView,
  RECORD_BYTES_MAX,
  RecordForm,
  RecordOrder,
  RecordType,
  RecordView,
  readProviderValue,
  readRecord,
  recordBytes,
  recordValue,
  recordValueHash,
  SIGNED_BYTES,
  signedBytesInto,
  VALUE_BYTES_MAX,
  verifyProvider,
  verifyRecord,
  verifyValue,
  WireDrop,
  writeKeyedRecord,
  writeRecord,
} from '../src/index.ts';

const identity = createIdentity(nobleCurves, new Uint8Array(32).fill(1));
const other = createIdentity(nobleCurves, new Uint8Array(32).fill(2));
const utf8 = (text: string) => new TextEncoder().encode(text);
const NONE = new Uint8Array(0);

function view(encoded: Uint8Array): RecordView {
  const out = new RecordView();
  expect(readRecord(encoded, 0, encoded.length, out)).toBe(TAKEN);
  return out;
}

const verify = (encoded: Uint8Array) => verifyRecord(view(encoded), encoded, nobleCurves);

const mutable = createMutable({
  identity,
  namespace: 'profile',
  salt: 'picture',
  sequence: 2 ** 40 + 3,
  value: utf8('hello'),
  ttlSecs: 86_400,
  notBeforeUnix: 1_800_000_000,
});

describe('an immutable record', () => {
  it('is its value under the hash of it, at any size up to 64 KiB', () => {
    for (const size of [0, 1, 1000, 1001, VALUE_BYTES_MAX]) {
      const value = new Uint8Array(size).fill(7);
      const encoded = createImmutable(value, 60);
      expect(verify(encoded)).toBe(TAKEN);
      const read = view(encoded);
      expect(encoded.subarray(read.keyOffset, read.keyOffset + 32)).toEqual(immutableKey(value));
      expect(recordValue(encoded, read)).toEqual(value);
      expect(encoded.length).toBeLessThanOrEqual(RECORD_BYTES_MAX);
    }
  });

  it('is refused with another value or under another key', () => {
    const encoded = createImmutable(utf8('hello'), 60);
    for (const offset of [view(encoded).keyOffset, view(encoded).valueOffset]) {
      const forged = encoded.slice();
      forged[offset] = (forged[offset] as number) ^ 1;
      expect(verify(forged)).toBe(WireDrop.KEY);
    }
  });

  it('too large, or with a ttl that is no u32, is a misuse', () => {
    expect(() => createImmutable(new Uint8Array(VALUE_BYTES_MAX + 1), 60)).toThrow(RangeError);
    for (const ttl of [-1, 1.5, 2 ** 32, Number.NaN])
      expect(() => createImmutable(NONE, ttl)).toThrow(RangeError);
  });
});

describe('a mutable record', () => {
  it('says what it was made of, and verifies', () => {
    expect(verify(mutable)).toBe(TAKEN);
    expect(fromBinary(RecordSchema, mutable)).toMatchObject({
      key: mutableKey(identity.publicKey, 'profile', utf8('picture')),
      type: RecordType.MUTABLE,
      value: utf8('hello'),
      sequence: 2n ** 40n + 3n,
      ttlSecs: 86_400,
      notBeforeUnix: 1_800_000_000n,
      owner: identity.publicKey,
      flags: 0,
      namespace: utf8('profile'),
      salt: utf8('picture'),
    });
  });

  it('has the key of the specification, spelled out', () => {
    const preimage = [...identity.publicKey, 7, ...utf8('profile'), ...utf8('picture')];
    expect(mutableKey(identity.publicKey, 'profile', 'picture')).toEqual(blake3(Uint8Array.from(preimage)));
    expect(mutableKey(identity.publicKey, 'profilep', 'icture')).not.toEqual(
      mutableKey(identity.publicKey, 'profile', 'picture'),
    );
  });

  it('signs the layout of the specification, spelled out', () => {
    const key = mutableKey(identity.publicKey, 'profile', 'picture');
    const expected = Buffer.concat([
      Buffer.from('molia/record/1', 'ascii'),
      Buffer.from([2]),
      key,
      Buffer.from('0000010000000003', 'hex'),
      Buffer.from('00015180', 'hex'),
      Buffer.from('000000006b49d200', 'hex'),
      Buffer.from('0000', 'hex'),
      blake3(utf8('hello')),
    ]);
    const out = new Uint8Array(SIGNED_BYTES);
    const length = signedBytesInto(
      out,
      0,
      2,
      key,
      0,
      2 ** 40 + 3,
      86_400,
      1_800_000_000,
      0,
      blake3(utf8('hello')),
      0,
    );
    expect(length).toBe(expected.length);
    expect(Buffer.from(out)).toEqual(expected);
    const signature = fromBinary(RecordSchema, mutable).signature;
    expect(nobleCurves.ed25519Verify(signature, expected, identity.publicKey)).toBe(true);
  });

  const forgeries: readonly [string, (record: ReturnType<typeof decode>) => void, number][] = [
    ['another value', (record) => (record.value = utf8('hullo')), WireDrop.SIGNATURE],
    ['another sequence', (record) => (record.sequence += 1n), WireDrop.SIGNATURE],
    ['another ttl', (record) => (record.ttlSecs += 1), WireDrop.SIGNATURE],
    ['another instant', (record) => (record.notBeforeUnix += 1n), WireDrop.SIGNATURE],
    ['other flags', (record) => (record.flags = 2), WireDrop.SIGNATURE],
    ['another namespace', (record) => (record.namespace = utf8('profil3')), WireDrop.KEY],
    ['another salt', (record) => (record.salt = utf8('pictur3')), WireDrop.KEY],
    ['another owner', (record) => (record.owner = other.publicKey), WireDrop.KEY],
    ['another key', (record) => (record.key = new Uint8Array(32)), WireDrop.KEY],
    [
      'an owner and key that are not the signer’s',
      (record) => {
        record.owner = other.publicKey;
        record.key = mutableKey(other.publicKey, 'profile', 'picture');
      },
      WireDrop.SIGNATURE,
    ],
    [
      'a namespace and salt with the border moved',
      (record) => {
        record.namespace = utf8('profilep');
        record.salt = utf8('icture');
      },
      WireDrop.KEY,
    ],
  ];
  const decode = (encoded: Uint8Array) => fromBinary(RecordSchema, encoded);
  it.each(forgeries)('is refused with %s', (_, forge, drop) => {
    const record = decode(mutable);
    forge(record);
    expect(verify(toBinary(RecordSchema, record))).toBe(drop);
  });

  it('may be empty, without salt, with the longest names, for a tombstone too', () => {
    const base = { identity, sequence: 0, ttlSecs: 1 };
    expect(verify(createMutable({ ...base, namespace: '' }))).toBe(TAKEN);
    expect(verify(createMutable({ ...base, namespace: new Uint8Array(255), salt: new Uint8Array(64) }))).toBe(
      TAKEN,
    );
    const tombstone = createMutable({ ...base, namespace: 'a', tombstone: true });
    expect(verify(tombstone)).toBe(TAKEN);
    expect(view(tombstone).flags).toBe(1);
  });

  it('beyond a limit is a misuse', () => {
    const base = { identity, namespace: 'a', sequence: 1, ttlSecs: 1 };
    expect(() => createMutable({ ...base, namespace: new Uint8Array(256) })).toThrow('namespace');
    expect(() => createMutable({ ...base, salt: new Uint8Array(65) })).toThrow('salt');
    expect(() => createMutable({ ...base, sequence: 2 ** 53 })).toThrow('sequence');
    expect(() => createMutable({ ...base, sequence: -1 })).toThrow('sequence');
    expect(() => createMutable({ ...base, notBeforeUnix: 0.5 })).toThrow('notBeforeUnix');
    expect(() => createMutable({ ...base, value: utf8('x'), tombstone: true })).toThrow('tombstone');
    expect(() => mutableKey(new Uint8Array(31), 'a')).toThrow('owner');
  });
});

describe('a provider record', () => {
  const key = blake3(utf8('content'));
  const endpoints = [parseEndpoint('192.0.2.7:4000'), parseEndpoint('[2001:db8::7]:4001')];
  const encoded = createProvider({
    identity,
    key,
    endpoints,
    metadata: utf8('meta'),
    sequence: 9,
    ttlSecs: 3600,
  });

  it('names endpoints and metadata, and verifies', () => {
    expect(verify(encoded)).toBe(TAKEN);
    const value = recordValue(encoded, view(encoded));
    const out = new ProviderValueView();
    expect(readProviderValue(value, 0, value.length, out)).toBe(TAKEN);
    expect(out.endpointsCount).toBe(2);
    expect([...out.endpointLengths.subarray(0, 2)]).toEqual([6, 18]);
    expect([...value.subarray(out.endpointOffsets[0], (out.endpointOffsets[0] as number) + 6)]).toEqual([
      192, 0, 2, 7, 0x0f, 0xa0,
    ]);
    expect(value.subarray(out.metadataOffset, out.metadataOffset + out.metadataLength)).toEqual(utf8('meta'));
  });

  it('travels without its key and verifies under the key that was asked for, not under another', () => {
    const whole = view(encoded);
    const keyless = new Uint8Array(recordBytes(whole, RecordForm.KEYLESS));
    writeRecord(keyless, 0, encoded, whole, RecordForm.KEYLESS, NONE, 0);
    const read = new RecordView();
    expect(readRecord(keyless, 0, keyless.length, read)).toBe(WireDrop.MISSING);
    expect(readRecord(keyless, 0, keyless.length, read, true)).toBe(TAKEN);
    expect(verifyRecord(read, keyless, nobleCurves)).toBe(WireDrop.MISSING);
    expect(verifyProvider(read, keyless, nobleCurves, key, 0)).toBe(TAKEN);
    expect(verifyProvider(read, keyless, nobleCurves, new Uint8Array(32), 0)).toBe(WireDrop.SIGNATURE);
    expect(verifyProvider(whole, encoded, nobleCurves, key, 0)).toBe(WireDrop.INCONSISTENT);
    const again = new Uint8Array(encoded.length);
    expect(writeKeyedRecord(again, 0, keyless, read, key, 0)).toBe(encoded.length);
    expect(again).toEqual(encoded);
  });

  const values: readonly [string, readonly number[], number][] = [
    ['nothing', [], WireDrop.TRUNCATED],
    ['nine endpoints', [9], WireDrop.TOO_MANY],
    ['an endpoint that is not there', [1], WireDrop.TRUNCATED],
    ['an endpoint cut short', [1, 6, 1, 2, 3], WireDrop.TRUNCATED],
    ['an endpoint of 7 bytes', [1, 7, 1, 2, 3, 4, 5, 6, 7], WireDrop.LENGTH],
    ['129 bytes of metadata', [0, ...new Array(129).fill(1)], WireDrop.TOO_LARGE],
  ];
  it.each(values)('with %s in its value is refused', (_, value, drop) => {
    const out = new ProviderValueView();
    expect(readProviderValue(Uint8Array.from(value), 0, value.length, out)).toBe(drop);
    const record = fromBinary(RecordSchema, encoded);
    record.value = Uint8Array.from(value);
    expect(verify(toBinary(RecordSchema, record))).toBe(drop);
  });

  it('beyond a limit is a misuse', () => {
    const base = { identity, key, sequence: 1, ttlSecs: 1 };
    expect(() => createProvider({ ...base, metadata: new Uint8Array(129) })).toThrow('metadata');
    expect(() => createProvider({ ...base, endpoints: Array(9).fill(endpoints[0]) })).toThrow('endpoints');
    expect(() => createProvider({ ...base, key: new Uint8Array(31) })).toThrow('key');
  });
});

describe('a value away from its record', () => {
  it('leaves an envelope that still verifies, and comes back to the same bytes', () => {
    const value = new Uint8Array(5000).fill(3);
    const records = [
      createImmutable(value, 60),
      createMutable({ identity, namespace: 'n', salt: 's', sequence: 4, value, ttlSecs: 9 }),
    ];
    for (const encoded of records) {
      const detached = detachRecord(encoded);
      expect(detached.length).toBeLessThan(300);
      expect(verify(detached)).toBe(TAKEN);
      expect(view(detached)).toMatchObject({ hasValue: false, declaredValueLength: 5000, valueLength: 0 });
      expect(verifyValue(view(detached), detached, value, 0, value.length)).toBe(TAKEN);
      expect(attachValue(detached, value)).toEqual(encoded);
    }
  });

  it('is refused with other bytes or another length', () => {
    const detached = detachRecord(createImmutable(utf8('hello'), 60));
    const read = view(detached);
    expect(verifyValue(read, detached, utf8('hellp'), 0, 5)).toBe(WireDrop.VALUE);
    expect(verifyValue(read, detached, utf8('hello!'), 0, 6)).toBe(WireDrop.VALUE);
    expect(verifyValue(view(mutable), mutable, utf8('hello'), 0, 5)).toBe(WireDrop.VALUE);
    expect(() => attachValue(detached, utf8('hellp'))).toThrow(RangeError);
    expect(() => detachRecord(utf8('no record'))).toThrow(RangeError);
  });

  it('never happens to an empty value, nor to a provider’s', () => {
    const empty = createImmutable(NONE, 60);
    expect(detachRecord(empty)).toEqual(empty);
    const provider = createProvider({ identity, key: blake3(NONE), sequence: 1, ttlSecs: 60 });
    expect(detachRecord(provider)).toEqual(provider);
  });
});

describe('two records of one key', () => {
  const make = (sequence: number, value: string, ttlSecs = 60, tombstone = false, notBeforeUnix = 0) => {
    const encoded = createMutable({
      identity,
      namespace: 'n',
      sequence,
      value: utf8(value),
      ttlSecs,
      tombstone,
      notBeforeUnix,
    });
    const hash = new Uint8Array(32);
    recordValueHash(view(encoded), encoded, hash, 0);
    return { view: view(encoded), hash };
  };
  const order = (a: ReturnType<typeof make>, b: ReturnType<typeof make>) =>
    compareRecords(a.view, a.hash, 0, b.view, b.hash, 0);

  it('are ordered by sequence whatever their values', () => {
    expect(order(make(2, 'a'), make(1, 'b'))).toBe(RecordOrder.NEWER);
    expect(order(make(1, 'b'), make(2, 'a'))).toBe(RecordOrder.OLDER);
  });

  it('are the same when only the ttl differs', () => {
    expect(order(make(1, 'a'), make(1, 'a', 61))).toBe(RecordOrder.SAME);
  });

  it('equivocate under one sequence, and every node keeps the larger value hash', () => {
    const a = make(1, 'a');
    const b = make(1, 'b');
    const aWins = Buffer.compare(a.hash, b.hash) > 0;
    expect(order(a, b)).toBe(aWins ? RecordOrder.EQUIVOCATION_WINS : RecordOrder.EQUIVOCATION_LOSES);
    expect(order(b, a)).toBe(aWins ? RecordOrder.EQUIVOCATION_LOSES : RecordOrder.EQUIVOCATION_WINS);
  });

  it('equivocate with one value too: a tombstone beats an empty value, the later instant the earlier', () => {
    expect(order(make(1, '', 60, true), make(1, ''))).toBe(RecordOrder.EQUIVOCATION_WINS);
    expect(order(make(1, 'a', 60, false, 5), make(1, 'a', 60, false, 6))).toBe(
      RecordOrder.EQUIVOCATION_LOSES,
    );
  });
});
