/**
 * Bodies of STORE, ANNOUNCE_PROVIDER, FETCH_CHUNK and ERROR by offset, requests and answers. No allocation.
 */
import { TAKEN, type Verdict } from '@molia/core';
import {
  CHUNK_BYTES_MAX,
  KEY_BYTES,
  REASON_BYTES_MAX,
  RecordType,
  STAMP_SALT_BYTES_MAX,
  StoreStatus,
  VALUE_BYTES_MAX,
} from './constants.ts';
import { WireDrop } from './drops.ts';
import {
  BYTES,
  FIELD,
  highOf,
  isUtf8,
  ProtoReader,
  TWO_32,
  VARINT,
  writeBytesField,
  writeNumberField,
  writeVarint,
  writeWideField,
} from './proto.ts';
import { RecordForm, RecordView, readRecord, recordBytes, writeRecord } from './record-view.ts';

const RECORD = (1 << 3) | BYTES;
const STORE_CAS = (2 << 3) | VARINT;
const STORE_SEQUENCE = (3 << 3) | VARINT;
const STORE_STAMP_SALT = (4 << 3) | BYTES;
const STORE_STAMP_NONCE = (5 << 3) | VARINT;
const STORE_AGE = (6 << 3) | VARINT;
const STORE_SINGLE = (7 << 3) | VARINT;
const ANNOUNCE_STAMP_SALT = (2 << 3) | BYTES;
const ANNOUNCE_STAMP_NONCE = (3 << 3) | VARINT;
const BYTES_1 = (1 << 3) | BYTES;
const BYTES_2 = (2 << 3) | BYTES;
const BYTES_3 = (3 << 3) | BYTES;
const NUMBER_1 = (1 << 3) | VARINT;
const NUMBER_2 = (2 << 3) | VARINT;
const NUMBER_3 = (3 << 3) | VARINT;

const reader = new ProtoReader();
const NOTHING = new Uint8Array(0);

/** An operation stamp; `saltLength` 0 and a nonce of 0 = none. Reused. */
export class Stamp {
  bytes: Uint8Array = NOTHING;
  saltOffset = 0;
  /** At most `STAMP_SALT_BYTES_MAX`. */
  saltLength = 0;
  /** u32 each. */
  nonceHigh = 0;
  nonceLow = 0;
}

/** The absent stamp. */
export const NO_STAMP: Readonly<Stamp> = Object.freeze(new Stamp());

/** A STORE, or an ANNOUNCE_PROVIDER (whose `cas` and `single` are always false and `ageSecs` 0). */
export class StoreRequestView {
  readonly record = new RecordView();
  cas = false;
  /** What must be held now, below 2^53; 0 = nothing. */
  sequenceExpected = 0;
  readonly stamp = new Stamp();
  /** u32: seconds since the record's publisher stated it. */
  ageSecs = 0;
  /** Not to be handed on. */
  single = false;
}

export class StoreResponseView {
  /** `StoreStatus` */
  status = 0;
  /** Below 2^53. */
  sequence = 0;
}

export class FetchChunkRequestView {
  hashOffset = 0;
  /** Where the chunk begins in the value. */
  chunkOffset = 0;
  /** Bytes wanted, 1 to `CHUNK_BYTES_MAX`. */
  chunkLength = 0;
}

export class FetchChunkResponseView {
  chunkOffset = 0;
  dataOffset = 0;
  /** At most `CHUNK_BYTES_MAX`; `chunkOffset + dataLength <= total`. */
  dataLength = 0;
  /** Bytes of the whole value. */
  total = 0;
}

export class ErrorView {
  /** `ErrorCode`; a code that version 1 does not know is kept as it is. */
  code = 0;
  retryAfterMs = 0;
  reasonOffset = 0;
  /** Bytes of UTF-8, at most `REASON_BYTES_MAX`. */
  reasonLength = 0;
}

function writeNested(
  bytes: Uint8Array,
  offset: number,
  source: Uint8Array,
  view: RecordView,
  form: RecordForm,
  hash: Uint8Array,
  hashOffset: number,
): number {
  bytes[offset] = RECORD;
  const at = writeVarint(bytes, offset + 1, recordBytes(view, form));
  return at + writeRecord(bytes, at, source, view, form, hash, hashOffset);
}

function writeStamp(
  bytes: Uint8Array,
  position: number,
  saltTag: number,
  nonceTag: number,
  stamp: Readonly<Stamp>,
): number {
  let at = position;
  if (stamp.saltLength > 0) {
    at = writeBytesField(bytes, at, saltTag, stamp.bytes, stamp.saltOffset, stamp.saltLength);
  }
  return writeWideField(bytes, at, nonceTag, stamp.nonceHigh | 0, stamp.nonceLow | 0);
}

/**
 * Writes a STORE of the record in `view`. `sequenceExpected` < 0: no compare-and-swap. `hash`: the value's BLAKE3,
 * read only where `form` is DETACHED and the value is inside. `ageSecs`: u32, 0 from the publisher itself. The caller
 * sees to it that the result fits.
 */
export function writeStoreRequest(
  bytes: Uint8Array,
  offset: number,
  source: Uint8Array,
  view: RecordView,
  form: RecordForm,
  hash: Uint8Array,
  hashOffset: number,
  sequenceExpected: number,
  stamp: Readonly<Stamp>,
  ageSecs: number,
  single: boolean,
): number {
  let at = writeNested(bytes, offset, source, view, form, hash, hashOffset);
  if (sequenceExpected >= 0) {
    at = writeNumberField(bytes, at, STORE_CAS, 1);
    at = writeWideField(bytes, at, STORE_SEQUENCE, highOf(sequenceExpected), sequenceExpected | 0);
  }
  at = writeStamp(bytes, at, STORE_STAMP_SALT, STORE_STAMP_NONCE, stamp);
  at = writeNumberField(bytes, at, STORE_AGE, ageSecs | 0);
  return writeNumberField(bytes, at, STORE_SINGLE, single ? 1 : 0) - offset;
}

/** Writes an ANNOUNCE_PROVIDER of the provider record in `view`. */
export function writeAnnounceRequest(
  bytes: Uint8Array,
  offset: number,
  source: Uint8Array,
  view: RecordView,
  stamp: Readonly<Stamp>,
): number {
  // A provider's value is always inside: no hash is read.
  const at = writeNested(bytes, offset, source, view, RecordForm.WHOLE, source, 0);
  return writeStamp(bytes, at, ANNOUNCE_STAMP_SALT, ANNOUNCE_STAMP_NONCE, stamp) - offset;
}

/** Reads a STORE; provider records are refused, they have their own message. */
export function readStoreRequest(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: StoreRequestView,
): Verdict {
  const verdict = readRequest(bytes, offset, length, out, STORE_STAMP_SALT, STORE_STAMP_NONCE, true);
  if (verdict < 0) return verdict;
  return out.record.type === RecordType.PROVIDER ? WireDrop.INCONSISTENT : TAKEN;
}

/** Reads an ANNOUNCE_PROVIDER; anything but a provider record is refused. */
export function readAnnounceRequest(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: StoreRequestView,
): Verdict {
  const verdict = readRequest(bytes, offset, length, out, ANNOUNCE_STAMP_SALT, ANNOUNCE_STAMP_NONCE, false);
  if (verdict < 0) return verdict;
  return out.record.type === RecordType.PROVIDER ? TAKEN : WireDrop.INCONSISTENT;
}

function readRequest(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: StoreRequestView,
  saltTag: number,
  nonceTag: number,
  isStore: boolean,
): Verdict {
  let seen = false;
  const stamp = out.stamp;
  out.cas = false;
  out.sequenceExpected = 0;
  out.ageSecs = 0;
  out.single = false;
  stamp.bytes = bytes;
  stamp.saltOffset = offset;
  stamp.saltLength = 0;
  stamp.nonceHigh = 0;
  stamp.nonceLow = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    const tag = reader.tag;
    if (tag === RECORD) {
      if (seen) return WireDrop.DUPLICATE;
      seen = true;
      const refused = readRecord(bytes, reader.offset, reader.length, out.record);
      if (refused < 0) return refused;
    } else if (tag === saltTag) {
      if (reader.length > STAMP_SALT_BYTES_MAX) return WireDrop.TOO_LARGE;
      stamp.saltOffset = reader.offset;
      stamp.saltLength = reader.length;
    } else if (tag === nonceTag) {
      stamp.nonceHigh = reader.high >>> 0;
      stamp.nonceLow = reader.low >>> 0;
    } else if (isStore && tag === STORE_CAS) {
      out.cas = reader.low !== 0 || reader.high !== 0;
    } else if (isStore && tag === STORE_SEQUENCE) {
      if (!reader.isSafe()) return WireDrop.RANGE;
      out.sequenceExpected = reader.high * TWO_32 + (reader.low >>> 0);
    } else if (isStore && tag === STORE_AGE) {
      out.ageSecs = reader.low >>> 0;
    } else if (isStore && tag === STORE_SINGLE) {
      out.single = reader.low !== 0 || reader.high !== 0;
    }
  }
  if (verdict < 0) return verdict;
  return seen ? TAKEN : WireDrop.MISSING;
}

/** Answers STORE and ANNOUNCE_PROVIDER. */
export function writeStoreResponse(
  bytes: Uint8Array,
  offset: number,
  status: StoreStatus,
  sequence: number,
): number {
  const at = writeNumberField(bytes, offset, NUMBER_1, status);
  return writeWideField(bytes, at, NUMBER_2, highOf(sequence), sequence | 0) - offset;
}

export function readStoreResponse(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: StoreResponseView,
): Verdict {
  out.status = 0;
  out.sequence = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    if (reader.tag === NUMBER_1) out.status = reader.low;
    else if (reader.tag === NUMBER_2) {
      if (!reader.isSafe()) return WireDrop.RANGE;
      out.sequence = reader.high * TWO_32 + (reader.low >>> 0);
    }
  }
  if (verdict < 0) return verdict;
  if (out.status === 0) return WireDrop.MISSING;
  return out.status < 0 || out.status > StoreStatus.FULL ? WireDrop.RANGE : TAKEN;
}

export function writeFetchChunkRequest(
  bytes: Uint8Array,
  offset: number,
  hash: Uint8Array,
  hashOffset: number,
  chunkOffset: number,
  chunkLength: number,
): number {
  let at = writeBytesField(bytes, offset, BYTES_1, hash, hashOffset, KEY_BYTES);
  at = writeNumberField(bytes, at, NUMBER_2, chunkOffset);
  return writeNumberField(bytes, at, NUMBER_3, chunkLength) - offset;
}

export function readFetchChunkRequest(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: FetchChunkRequestView,
): Verdict {
  let hashLength = 0;
  out.chunkOffset = 0;
  out.chunkLength = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    if (reader.tag === BYTES_1) {
      out.hashOffset = reader.offset;
      hashLength = reader.length;
    } else if (reader.tag === NUMBER_2) out.chunkOffset = reader.low >>> 0;
    else if (reader.tag === NUMBER_3) out.chunkLength = reader.low >>> 0;
  }
  if (verdict < 0) return verdict;
  if (hashLength !== KEY_BYTES) return hashLength === 0 ? WireDrop.MISSING : WireDrop.LENGTH;
  if (out.chunkLength === 0 || out.chunkOffset >= VALUE_BYTES_MAX) return WireDrop.RANGE;
  return out.chunkLength > CHUNK_BYTES_MAX ? WireDrop.TOO_LARGE : TAKEN;
}

export function writeFetchChunkResponse(
  bytes: Uint8Array,
  offset: number,
  chunkOffset: number,
  data: Uint8Array,
  dataOffset: number,
  dataLength: number,
  total: number,
): number {
  let at = writeNumberField(bytes, offset, NUMBER_1, chunkOffset);
  if (dataLength > 0) at = writeBytesField(bytes, at, BYTES_2, data, dataOffset, dataLength);
  return writeNumberField(bytes, at, NUMBER_3, total) - offset;
}

export function readFetchChunkResponse(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: FetchChunkResponseView,
): Verdict {
  out.chunkOffset = 0;
  out.dataOffset = offset;
  out.dataLength = 0;
  out.total = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    if (reader.tag === NUMBER_1) out.chunkOffset = reader.low >>> 0;
    else if (reader.tag === BYTES_2) {
      if (reader.length > CHUNK_BYTES_MAX) return WireDrop.TOO_LARGE;
      out.dataOffset = reader.offset;
      out.dataLength = reader.length;
    } else if (reader.tag === NUMBER_3) out.total = reader.low >>> 0;
  }
  if (verdict < 0) return verdict;
  if (out.total > VALUE_BYTES_MAX) return WireDrop.TOO_LARGE;
  return out.chunkOffset + out.dataLength > out.total ? WireDrop.RANGE : TAKEN;
}

/** `reason`: UTF-8, at most `REASON_BYTES_MAX` bytes; never what a stranger sent. */
export function writeError(
  bytes: Uint8Array,
  offset: number,
  code: number,
  retryAfterMs: number,
  reason: Uint8Array,
  reasonOffset: number,
  reasonLength: number,
): number {
  let at = writeNumberField(bytes, offset, NUMBER_1, code);
  at = writeNumberField(bytes, at, NUMBER_2, retryAfterMs | 0);
  if (reasonLength > 0) at = writeBytesField(bytes, at, BYTES_3, reason, reasonOffset, reasonLength);
  return at - offset;
}

export function readError(bytes: Uint8Array, offset: number, length: number, out: ErrorView): Verdict {
  out.code = 0;
  out.retryAfterMs = 0;
  out.reasonOffset = offset;
  out.reasonLength = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    if (reader.tag === NUMBER_1) out.code = reader.low;
    else if (reader.tag === NUMBER_2) out.retryAfterMs = reader.low >>> 0;
    else if (reader.tag === BYTES_3) {
      if (reader.length > REASON_BYTES_MAX) return WireDrop.TOO_LARGE;
      if (!isUtf8(bytes, reader.offset, reader.length)) return WireDrop.UTF8;
      out.reasonOffset = reader.offset;
      out.reasonLength = reader.length;
    }
  }
  return verdict;
}
