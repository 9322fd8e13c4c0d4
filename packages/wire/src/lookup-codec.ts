/**
 * Bodies of PING, PONG, FIND_NODE and FIND_VALUE requests by offset. Writers produce canonical protobuf and return
 * the body's length; readers fill a reused view with offsets into the borrowed bytes. No allocation.
 */
import { TAKEN, type Verdict } from '@molia/core';
import { CONTACTS_MAX, KEY_BYTES, PING_PAYLOAD_BYTES_MAX, Want } from './constants.ts';
import { isCompactLength, writeCompactField } from './contacts.ts';
import { WireDrop } from './drops.ts';
import {
  BYTES,
  FIELD,
  highOf,
  ProtoReader,
  TWO_32,
  VARINT,
  writeBytesField,
  writeNumberField,
  writeWideField,
} from './proto.ts';

const BYTES_1 = (1 << 3) | BYTES;
const BYTES_2 = (2 << 3) | BYTES;
const NUMBER_2 = (2 << 3) | VARINT;
const NUMBER_3 = (3 << 3) | VARINT;
const NUMBER_4 = (4 << 3) | VARINT;

const reader = new ProtoReader();

export class PingView {
  payloadOffset = 0;
  /** At most `PING_PAYLOAD_BYTES_MAX`. */
  payloadLength = 0;
}

export class PongView {
  payloadOffset = 0;
  payloadLength = 0;
  /** Compact endpoint of the asker as the answerer saw it; -1 = not told. */
  observedOffset = -1;
  /** 0, 6 or 18. */
  observedLength = 0;
}

export class FindNodeRequestView {
  targetOffset = 0;
  /** 1 to `CONTACTS_MAX`. */
  limit = 0;
}

export class FindValueRequestView {
  keyOffset = 0;
  /** `Want` */
  want = 0;
  /** Below 2^53. */
  sequenceMin = 0;
  skip = 0;
}

export function writePing(
  bytes: Uint8Array,
  offset: number,
  payload: Uint8Array,
  payloadOffset: number,
  payloadLength: number,
): number {
  if (payloadLength === 0) return 0;
  return writeBytesField(bytes, offset, BYTES_1, payload, payloadOffset, payloadLength) - offset;
}

export function readPing(bytes: Uint8Array, offset: number, length: number, out: PingView): Verdict {
  out.payloadOffset = offset;
  out.payloadLength = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    if (reader.tag !== BYTES_1) continue;
    if (reader.length > PING_PAYLOAD_BYTES_MAX) return WireDrop.TOO_LARGE;
    out.payloadOffset = reader.offset;
    out.payloadLength = reader.length;
  }
  return verdict;
}

/** `observedOffset` < 0: the observed endpoint (19-byte form) is left out. */
export function writePong(
  bytes: Uint8Array,
  offset: number,
  payload: Uint8Array,
  payloadOffset: number,
  payloadLength: number,
  observed: Uint8Array,
  observedOffset: number,
): number {
  const at = offset + writePing(bytes, offset, payload, payloadOffset, payloadLength);
  if (observedOffset < 0) return at - offset;
  bytes[at] = BYTES_2;
  return writeCompactField(bytes, at + 1, observed, observedOffset) - offset;
}

export function readPong(bytes: Uint8Array, offset: number, length: number, out: PongView): Verdict {
  out.payloadOffset = offset;
  out.payloadLength = 0;
  out.observedOffset = -1;
  out.observedLength = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    if (reader.tag === BYTES_1) {
      if (reader.length > PING_PAYLOAD_BYTES_MAX) return WireDrop.TOO_LARGE;
      out.payloadOffset = reader.offset;
      out.payloadLength = reader.length;
    } else if (reader.tag === BYTES_2) {
      if (reader.length !== 0 && !isCompactLength(reader.length)) return WireDrop.LENGTH;
      out.observedOffset = reader.length === 0 ? -1 : reader.offset;
      out.observedLength = reader.length;
    }
  }
  return verdict;
}

/** `limit`: contacts wanted, 1 to `CONTACTS_MAX`; 0 means `CONTACTS_MAX`. */
export function writeFindNodeRequest(
  bytes: Uint8Array,
  offset: number,
  target: Uint8Array,
  targetOffset: number,
  limit: number,
): number {
  const at = writeBytesField(bytes, offset, BYTES_1, target, targetOffset, KEY_BYTES);
  return writeNumberField(bytes, at, NUMBER_2, limit) - offset;
}

export function readFindNodeRequest(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: FindNodeRequestView,
): Verdict {
  let targetLength = 0;
  out.limit = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    if (reader.tag === BYTES_1) {
      out.targetOffset = reader.offset;
      targetLength = reader.length;
    } else if (reader.tag === NUMBER_2) {
      out.limit = reader.low;
    }
  }
  if (verdict < 0) return verdict;
  if (targetLength !== KEY_BYTES) return targetLength === 0 ? WireDrop.MISSING : WireDrop.LENGTH;
  if (out.limit >>> 0 > CONTACTS_MAX) return WireDrop.TOO_MANY;
  if (out.limit === 0) out.limit = CONTACTS_MAX;
  return TAKEN;
}

/** `sequenceMin` below 2^53, for mutable records; `skip` (u32) pages through providers. */
export function writeFindValueRequest(
  bytes: Uint8Array,
  offset: number,
  key: Uint8Array,
  keyOffset: number,
  want: Want,
  sequenceMin: number,
  skip: number,
): number {
  let at = writeBytesField(bytes, offset, BYTES_1, key, keyOffset, KEY_BYTES);
  at = writeNumberField(bytes, at, NUMBER_2, want);
  at = writeWideField(bytes, at, NUMBER_3, highOf(sequenceMin), sequenceMin | 0);
  return writeNumberField(bytes, at, NUMBER_4, skip | 0) - offset;
}

export function readFindValueRequest(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: FindValueRequestView,
): Verdict {
  let keyLength = 0;
  out.want = Want.VALUE;
  out.sequenceMin = 0;
  out.skip = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    if (reader.tag === BYTES_1) {
      out.keyOffset = reader.offset;
      keyLength = reader.length;
    } else if (reader.tag === NUMBER_2) {
      out.want = reader.low;
    } else if (reader.tag === NUMBER_3) {
      if (!reader.isSafe()) return WireDrop.RANGE;
      out.sequenceMin = reader.high * TWO_32 + (reader.low >>> 0);
    } else if (reader.tag === NUMBER_4) {
      out.skip = reader.low >>> 0;
    }
  }
  if (verdict < 0) return verdict;
  if (keyLength !== KEY_BYTES) return keyLength === 0 ? WireDrop.MISSING : WireDrop.LENGTH;
  return out.want === Want.VALUE || out.want === Want.PROVIDERS ? TAKEN : WireDrop.RANGE;
}
