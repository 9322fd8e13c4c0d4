/**
 * The record envelope by offset (proto/molia/v1/record.proto, docs/spec/records.md): a view into borrowed bytes and
 * the writer that makes canonical bytes of a view. Structure is checked here, once; keys and signatures in `verify.ts`.
 */
import { copyBytes, TAKEN, type Verdict } from '@molia/core';
import {
  KEY_BYTES,
  NAMESPACE_BYTES_MAX,
  PROVIDER_VALUE_BYTES_MAX,
  RECORD_BYTES_MAX,
  RECORD_FLAGS_MAX,
  RecordFlag,
  RecordType,
  SALT_BYTES_MAX,
  SIGNATURE_BYTES,
  VALUE_BYTES_MAX,
} from './constants.ts';
import { WireDrop } from './drops.ts';
import {
  BYTES,
  FIELD,
  highOf,
  ProtoReader,
  TWO_32,
  VARINT,
  varintBytes,
  wideVarintBytes,
  writeBytesField,
  writeNumberField,
  writeVarint,
  writeWideField,
} from './proto.ts';

const TAG_KEY = (1 << 3) | BYTES;
const TAG_TYPE = (2 << 3) | VARINT;
const TAG_VALUE = (3 << 3) | BYTES;
const TAG_SEQUENCE = (4 << 3) | VARINT;
const TAG_TTL = (5 << 3) | VARINT;
const TAG_NOT_BEFORE = (6 << 3) | VARINT;
const TAG_OWNER = (7 << 3) | BYTES;
const TAG_SIGNATURE = (8 << 3) | BYTES;
const TAG_FLAGS = (9 << 3) | VARINT;
const TAG_VALUE_HASH = (10 << 3) | BYTES;
const TAG_VALUE_LENGTH = (11 << 3) | VARINT;
const TAG_NAMESPACE = (12 << 3) | BYTES;
const TAG_SALT = (13 << 3) | BYTES;

/** How `writeRecord` lays out a record. */
export const RecordForm = {
  /** As the view has it. */
  WHOLE: 0,
  /** The value replaced by its hash and length; not an empty value, nor a provider's. */
  DETACHED: 1,
  /** As the view has it, without the key: a provider in an answer, where the asker knows the key. */
  KEYLESS: 2,
} as const;
export type RecordForm = (typeof RecordForm)[keyof typeof RecordForm];

/** A record in borrowed bytes; offsets count from the start of those bytes, -1 = absent. Reused. */
export class RecordView {
  /** The range of the encoded record. */
  offset = -1;
  length = 0;
  /** `RecordType` */
  type = 0;
  keyOffset = -1;
  /** Whether the value is inside (it may be empty); otherwise `valueHashOffset` and `declaredValueLength` stand for it. */
  hasValue = true;
  valueOffset = -1;
  valueLength = 0;
  valueHashOffset = -1;
  /** Bytes of the value, inside or not. */
  declaredValueLength = 0;
  /** Below 2^53. */
  sequence = 0;
  ttlSecs = 0;
  /** Unix seconds below 2^53; 0 = at once. */
  notBeforeUnix = 0;
  ownerOffset = -1;
  signatureOffset = -1;
  /** u16 of `RecordFlag` bits. */
  flags = 0;
  namespaceOffset = -1;
  namespaceLength = 0;
  saltOffset = -1;
  saltLength = 0;
}

function reset(view: RecordView, offset: number, length: number): void {
  view.offset = offset;
  view.length = length;
  view.type = 0;
  view.keyOffset = -1;
  view.hasValue = true;
  view.valueOffset = -1;
  view.valueLength = 0;
  view.valueHashOffset = -1;
  view.declaredValueLength = 0;
  view.sequence = 0;
  view.ttlSecs = 0;
  view.notBeforeUnix = 0;
  view.ownerOffset = -1;
  view.signatureOffset = -1;
  view.flags = 0;
  view.namespaceOffset = -1;
  view.namespaceLength = 0;
  view.saltOffset = -1;
  view.saltLength = 0;
}

const reader = new ProtoReader();

/**
 * Reads an encoded record. `keyless` is for the providers of an answer, which come without their key. On a negative
 * verdict the view is not to be used. Accepts any structurally sound record; see `verifyRecord` for the rest.
 */
export function readRecord(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: RecordView,
  keyless = false,
): Verdict {
  if (length > RECORD_BYTES_MAX) return WireDrop.TOO_LARGE;
  reset(out, offset, length);
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    const refused = readField(out);
    if (refused < 0) return refused;
  }
  return verdict < 0 ? verdict : checkStructure(out, keyless);
}

/** The length where a fixed-length field is well-formed: absent (also when written as empty) or exact. */
function fixed(expected: number): number {
  const length = reader.length;
  return length === expected ? reader.offset : length === 0 ? -1 : WireDrop.LENGTH;
}

function readField(view: RecordView): Verdict {
  switch (reader.tag) {
    case TAG_KEY:
      view.keyOffset = fixed(KEY_BYTES);
      return view.keyOffset < -1 ? view.keyOffset : TAKEN;
    case TAG_TYPE:
      view.type = reader.low;
      return TAKEN;
    case TAG_VALUE:
      view.valueOffset = reader.length === 0 ? -1 : reader.offset;
      view.valueLength = reader.length;
      return reader.length > VALUE_BYTES_MAX ? WireDrop.TOO_LARGE : TAKEN;
    case TAG_SEQUENCE:
      view.sequence = (reader.high >>> 0) * TWO_32 + (reader.low >>> 0);
      return reader.isSafe() ? TAKEN : WireDrop.RANGE;
    case TAG_TTL:
      view.ttlSecs = reader.low >>> 0;
      return TAKEN;
    case TAG_NOT_BEFORE:
      view.notBeforeUnix = (reader.high >>> 0) * TWO_32 + (reader.low >>> 0);
      return reader.isSafe() ? TAKEN : WireDrop.RANGE;
    case TAG_OWNER:
      view.ownerOffset = fixed(KEY_BYTES);
      return view.ownerOffset < -1 ? view.ownerOffset : TAKEN;
    case TAG_SIGNATURE:
      view.signatureOffset = fixed(SIGNATURE_BYTES);
      return view.signatureOffset < -1 ? view.signatureOffset : TAKEN;
    case TAG_FLAGS:
      view.flags = reader.low;
      return reader.low >>> 0 > RECORD_FLAGS_MAX ? WireDrop.RANGE : TAKEN;
    case TAG_VALUE_HASH:
      view.valueHashOffset = fixed(KEY_BYTES);
      return view.valueHashOffset < -1 ? view.valueHashOffset : TAKEN;
    case TAG_VALUE_LENGTH:
      view.declaredValueLength = reader.low;
      return reader.low >>> 0 > VALUE_BYTES_MAX ? WireDrop.TOO_LARGE : TAKEN;
    case TAG_NAMESPACE:
      view.namespaceOffset = reader.length === 0 ? -1 : reader.offset;
      view.namespaceLength = reader.length;
      return reader.length > NAMESPACE_BYTES_MAX ? WireDrop.TOO_LARGE : TAKEN;
    case TAG_SALT:
      view.saltOffset = reader.length === 0 ? -1 : reader.offset;
      view.saltLength = reader.length;
      return reader.length > SALT_BYTES_MAX ? WireDrop.TOO_LARGE : TAKEN;
    default:
      return TAKEN;
  }
}

/** The rules between fields, by type. */
function checkStructure(view: RecordView, keyless: boolean): Verdict {
  if (view.keyOffset < 0 && !keyless) return WireDrop.MISSING;
  if (view.valueHashOffset >= 0) {
    // An empty value always travels inside.
    if (view.valueLength !== 0 || view.declaredValueLength === 0) return WireDrop.INCONSISTENT;
    view.hasValue = false;
  } else {
    if (view.declaredValueLength !== 0) return WireDrop.INCONSISTENT;
    view.declaredValueLength = view.valueLength;
  }
  if (view.type === RecordType.IMMUTABLE) return checkImmutable(view);
  if (view.type !== RecordType.MUTABLE && view.type !== RecordType.PROVIDER) return WireDrop.RANGE;
  if (view.ownerOffset < 0 || view.signatureOffset < 0) return WireDrop.MISSING;
  const tombstone = (view.flags & RecordFlag.TOMBSTONE) !== 0;
  if (view.type === RecordType.MUTABLE) {
    return tombstone && view.declaredValueLength !== 0 ? WireDrop.INCONSISTENT : TAKEN;
  }
  if (tombstone || view.namespaceLength + view.saltLength !== 0 || !view.hasValue)
    return WireDrop.INCONSISTENT;
  return view.valueLength > PROVIDER_VALUE_BYTES_MAX ? WireDrop.TOO_LARGE : TAKEN;
}

/** Nothing in an immutable record but the value is authenticated, so nothing else may say anything; ttl is a wish. */
function checkImmutable(view: RecordView): Verdict {
  const clean =
    view.ownerOffset < 0 &&
    view.signatureOffset < 0 &&
    view.sequence === 0 &&
    view.notBeforeUnix === 0 &&
    view.flags === 0 &&
    view.namespaceLength === 0 &&
    view.saltLength === 0;
  return clean ? TAKEN : WireDrop.INCONSISTENT;
}

function fieldBytes(length: number): number {
  return length === 0 ? 0 : 1 + varintBytes(length) + length;
}

function numberBytes(value: number): number {
  return value === 0 ? 0 : 1 + varintBytes(value);
}

function wideBytes(high: number, low: number): number {
  return high === 0 && low === 0 ? 0 : 1 + wideVarintBytes(high, low);
}

/** Bytes that `writeRecord` will write. */
export function recordBytes(view: RecordView, form: RecordForm): number {
  const detached = isDetached(view, form);
  return (
    (form === RecordForm.KEYLESS || view.keyOffset < 0 ? 0 : 2 + KEY_BYTES) +
    numberBytes(view.type) +
    (detached ? 2 + KEY_BYTES + numberBytes(view.declaredValueLength) : fieldBytes(view.valueLength)) +
    wideBytes(highOf(view.sequence), view.sequence | 0) +
    numberBytes(view.ttlSecs | 0) +
    wideBytes(highOf(view.notBeforeUnix), view.notBeforeUnix | 0) +
    (view.ownerOffset < 0 ? 0 : 2 + KEY_BYTES) +
    (view.signatureOffset < 0 ? 0 : 2 + SIGNATURE_BYTES) +
    numberBytes(view.flags) +
    fieldBytes(view.namespaceLength) +
    fieldBytes(view.saltLength)
  );
}

/** An empty value and a provider's are never detached. */
function isDetached(view: RecordView, form: RecordForm): boolean {
  if (!view.hasValue) return true;
  return form === RecordForm.DETACHED && view.valueLength > 0 && view.type !== RecordType.PROVIDER;
}

/**
 * Writes the record of a view in canonical protobuf (unknown fields are left behind); returns its length, exactly
 * `recordBytes(view, form)`. `hash` is the BLAKE3 of the value, read only where a value that is inside is detached.
 */
export function writeRecord(
  bytes: Uint8Array,
  offset: number,
  source: Uint8Array,
  view: RecordView,
  form: RecordForm,
  hash: Uint8Array,
  hashOffset: number,
): number {
  const detached = isDetached(view, form);
  let at = offset;
  if (form !== RecordForm.KEYLESS && view.keyOffset >= 0) {
    at = writeBytesField(bytes, at, TAG_KEY, source, view.keyOffset, KEY_BYTES);
  }
  at = writeNumberField(bytes, at, TAG_TYPE, view.type);
  if (!detached && view.valueLength > 0) {
    at = writeBytesField(bytes, at, TAG_VALUE, source, view.valueOffset, view.valueLength);
  }
  at = writeSigned(bytes, at, source, view);
  if (detached) {
    at = view.hasValue
      ? writeBytesField(bytes, at, TAG_VALUE_HASH, hash, hashOffset, KEY_BYTES)
      : writeBytesField(bytes, at, TAG_VALUE_HASH, source, view.valueHashOffset, KEY_BYTES);
    bytes[at] = TAG_VALUE_LENGTH;
    at = writeVarint(bytes, at + 1, view.declaredValueLength);
  }
  return writePreimage(bytes, at, source, view) - offset;
}

/** Writes a keyless record of an answer with its key put back, canonical; returns its length: 34 more than `KEYLESS`. */
export function writeKeyedRecord(
  bytes: Uint8Array,
  offset: number,
  source: Uint8Array,
  view: RecordView,
  key: Uint8Array,
  keyOffset: number,
): number {
  const at = writeBytesField(bytes, offset, TAG_KEY, key, keyOffset, KEY_BYTES);
  // A keyless record is a provider, whose value is always inside: no hash is read.
  return at - offset + writeRecord(bytes, at, source, view, RecordForm.KEYLESS, source, 0);
}

/** Bytes of a detached record once its value is attached. */
export function attachedRecordBytes(view: RecordView): number {
  return (
    recordBytes(view, RecordForm.DETACHED) -
    (2 + KEY_BYTES + numberBytes(view.declaredValueLength)) +
    fieldBytes(view.declaredValueLength)
  );
}

/**
 * Writes a detached record with its value put back, canonical; returns its length. The value must have
 * `view.declaredValueLength` bytes; whether it is the right one is `verifyRecord`'s business.
 */
export function writeAttachedRecord(
  bytes: Uint8Array,
  offset: number,
  source: Uint8Array,
  view: RecordView,
  value: Uint8Array,
  valueOffset: number,
): number {
  let at = offset;
  if (view.keyOffset >= 0) at = writeBytesField(bytes, at, TAG_KEY, source, view.keyOffset, KEY_BYTES);
  at = writeNumberField(bytes, at, TAG_TYPE, view.type);
  at = writeBytesField(bytes, at, TAG_VALUE, value, valueOffset, view.declaredValueLength);
  at = writeSigned(bytes, at, source, view);
  return writePreimage(bytes, at, source, view) - offset;
}

function writeSigned(bytes: Uint8Array, position: number, source: Uint8Array, view: RecordView): number {
  let at = writeWideField(bytes, position, TAG_SEQUENCE, highOf(view.sequence), view.sequence | 0);
  at = writeNumberField(bytes, at, TAG_TTL, view.ttlSecs | 0);
  at = writeWideField(bytes, at, TAG_NOT_BEFORE, highOf(view.notBeforeUnix), view.notBeforeUnix | 0);
  if (view.ownerOffset >= 0) at = writeBytesField(bytes, at, TAG_OWNER, source, view.ownerOffset, KEY_BYTES);
  if (view.signatureOffset >= 0) {
    at = writeBytesField(bytes, at, TAG_SIGNATURE, source, view.signatureOffset, SIGNATURE_BYTES);
  }
  return writeNumberField(bytes, at, TAG_FLAGS, view.flags);
}

function writePreimage(bytes: Uint8Array, position: number, source: Uint8Array, view: RecordView): number {
  let at = position;
  if (view.namespaceLength > 0) {
    at = writeBytesField(bytes, at, TAG_NAMESPACE, source, view.namespaceOffset, view.namespaceLength);
  }
  if (view.saltLength > 0)
    at = writeBytesField(bytes, at, TAG_SALT, source, view.saltOffset, view.saltLength);
  return at;
}

/** Copies a value out of its record; a cold path. */
export function recordValue(bytes: Uint8Array, view: RecordView): Uint8Array {
  const value = new Uint8Array(view.valueLength);
  if (view.valueLength > 0) copyBytes(value, 0, bytes, view.valueOffset, view.valueLength);
  return value;
}
