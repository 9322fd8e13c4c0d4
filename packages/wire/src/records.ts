/**
 * Making records (docs/spec/records.md). An *encoded record* is the canonical protobuf of `molia.v1.Record` with its
 * value inside, at most `RECORD_BYTES_MAX` bytes: the form in which records are stored and handed to applications.
 * These run once per write and use protobuf-es; the packet path reads and relays records by offset.
 */
import { create, toBinary } from '@bufbuild/protobuf';
import { blake3Into, type Identity } from '@molia/core';
import {
  INTEGER_MAX,
  KEY_BYTES,
  NAMESPACE_BYTES_MAX,
  RecordFlag,
  RecordType,
  SALT_BYTES_MAX,
  SIGNATURE_BYTES,
  VALUE_BYTES_MAX,
} from './constants.ts';
import { RecordSchema } from './gen/molia/v1/record_pb.ts';
import {
  immutableKey,
  mutableKey,
  requireLength,
  SIGNED_BYTES,
  signedBytesInto,
  utf8OrBytes,
} from './keys.ts';
import { createProviderValue } from './provider-value.ts';
import {
  attachedRecordBytes,
  RecordForm,
  RecordView,
  readRecord,
  recordBytes,
  writeAttachedRecord,
  writeRecord,
} from './record-view.ts';
import { recordValueHash, verifyValue } from './verify.ts';

const U32_MAX = 0xffff_ffff;
const NOTHING = new Uint8Array(0);

export interface MutableRecordInit {
  /** The owner, who signs. */
  readonly identity: Identity;
  /** At most 255 bytes; text counts as UTF-8. */
  readonly namespace: string | Uint8Array;
  /** At most 64 bytes; default none. */
  readonly salt?: string | Uint8Array;
  /** 0 to 2^53 - 1; higher wins. */
  readonly sequence: number;
  /** At most 64 KiB; default empty. */
  readonly value?: Uint8Array;
  readonly ttlSecs: number;
  /** Unix seconds; default 0 = at once. */
  readonly notBeforeUnix?: number;
  /** Says "deleted"; the value must be empty then. */
  readonly tombstone?: boolean;
}

export interface ProviderRecordInit {
  /** The provider, who signs. */
  readonly identity: Identity;
  /** The content key that is provided, 32 bytes. */
  readonly key: Uint8Array;
  /** 19-byte endpoints, at most 8; default none. */
  readonly endpoints?: readonly Uint8Array[];
  /** At most 128 bytes; default none. */
  readonly metadata?: Uint8Array;
  readonly sequence: number;
  readonly ttlSecs: number;
  readonly notBeforeUnix?: number;
}

/** An encoded immutable record; its key is `immutableKey(value)`. Throws RangeError beyond a limit. */
export function createImmutable(value: Uint8Array, ttlSecs: number): Uint8Array {
  requireLength('value', value.length, 0, VALUE_BYTES_MAX);
  requireInteger('ttlSecs', ttlSecs, U32_MAX);
  const key = immutableKey(value);
  return toBinary(RecordSchema, create(RecordSchema, { key, type: RecordType.IMMUTABLE, value, ttlSecs }));
}

/** An encoded, signed mutable record. Throws RangeError beyond a limit. */
export function createMutable(init: MutableRecordInit): Uint8Array {
  const namespace = utf8OrBytes(init.namespace);
  const salt = utf8OrBytes(init.salt ?? NOTHING);
  const value = init.value ?? NOTHING;
  const tombstone = init.tombstone ?? false;
  requireLength('namespace', namespace.length, 0, NAMESPACE_BYTES_MAX);
  requireLength('salt', salt.length, 0, SALT_BYTES_MAX);
  requireLength(
    tombstone ? "a tombstone's value" : 'value',
    value.length,
    0,
    tombstone ? 0 : VALUE_BYTES_MAX,
  );
  return sign(init, {
    type: RecordType.MUTABLE,
    key: mutableKey(init.identity.publicKey, namespace, salt),
    value,
    flags: tombstone ? RecordFlag.TOMBSTONE : 0,
    namespace,
    salt,
  });
}

/** An encoded, signed provider record. Throws RangeError beyond a limit. */
export function createProvider(init: ProviderRecordInit): Uint8Array {
  requireLength('key', init.key.length, KEY_BYTES, KEY_BYTES);
  return sign(init, {
    type: RecordType.PROVIDER,
    key: init.key,
    value: createProviderValue(init.endpoints ?? [], init.metadata ?? NOTHING),
    flags: 0,
    namespace: NOTHING,
    salt: NOTHING,
  });
}

interface SignedContent {
  readonly type: RecordType;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly flags: number;
  readonly namespace: Uint8Array;
  readonly salt: Uint8Array;
}

function sign(init: MutableRecordInit | ProviderRecordInit, content: SignedContent): Uint8Array {
  const notBeforeUnix = init.notBeforeUnix ?? 0;
  requireInteger('sequence', init.sequence, INTEGER_MAX);
  requireInteger('ttlSecs', init.ttlSecs, U32_MAX);
  requireInteger('notBeforeUnix', notBeforeUnix, INTEGER_MAX);
  const hash = new Uint8Array(KEY_BYTES);
  blake3Into(hash, 0, content.value, 0, content.value.length);
  const message = new Uint8Array(SIGNED_BYTES);
  signedBytesInto(
    message,
    0,
    content.type,
    content.key,
    0,
    init.sequence,
    init.ttlSecs,
    notBeforeUnix,
    content.flags,
    hash,
    0,
  );
  const signature = new Uint8Array(SIGNATURE_BYTES);
  init.identity.signInto(signature, message);
  const record = create(RecordSchema, {
    ...content,
    sequence: BigInt(init.sequence),
    ttlSecs: init.ttlSecs,
    notBeforeUnix: BigInt(notBeforeUnix),
    owner: init.identity.publicKey,
    signature,
  });
  return toBinary(RecordSchema, record);
}

/** The detached form of an encoded record: hash and length stand for the value. Throws RangeError when it is no record. */
export function detachRecord(encoded: Uint8Array): Uint8Array {
  const view = requireRecord(encoded);
  const hash = new Uint8Array(KEY_BYTES);
  recordValueHash(view, encoded, hash, 0);
  const out = new Uint8Array(recordBytes(view, RecordForm.DETACHED));
  writeRecord(out, 0, encoded, view, RecordForm.DETACHED, hash, 0);
  return out;
}

/** Puts a pulled value back into a detached record. Throws RangeError when it is not the declared value. */
export function attachValue(detached: Uint8Array, value: Uint8Array): Uint8Array {
  const view = requireRecord(detached);
  if (verifyValue(view, detached, value, 0, value.length) < 0) {
    throw new RangeError('this is not the value that the record declares');
  }
  const out = new Uint8Array(attachedRecordBytes(view));
  writeAttachedRecord(out, 0, detached, view, value, 0);
  return out;
}

function requireRecord(encoded: Uint8Array): RecordView {
  const view = new RecordView();
  if (readRecord(encoded, 0, encoded.length, view) < 0)
    throw new RangeError('these bytes are no encoded record');
  return view;
}

function requireInteger(name: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 0 && value <= max) return;
  throw new RangeError(`${name} must be an integer of 0 to ${max}, not ${value}`);
}
