/**
 * KRPC (BEP 5) read by offset into one reused slot. Tolerant where the network is: unknown keys, any order of the envelope's
 * keys, transaction ids of any length up to 32 bytes, a missing `v`. Not tolerant: truncation, trailing bytes, fields of a
 * wrong length (their query is answered with 203, their answer dropped).
 */
import { bencodeEnd, integerEnd, stringEnd, stringStart } from './bencode.ts';
import {
  DATAGRAM_BYTES_MAX,
  NODE_ID_BYTES,
  PUBLIC_KEY_BYTES,
  SIGNATURE_BYTES,
  TRANSACTION_BYTES_MAX,
} from './constants.ts';

export const Method = {
  UNKNOWN: 0,
  PING: 1,
  FIND_NODE: 2,
  GET_PEERS: 3,
  ANNOUNCE_PEER: 4,
  GET: 5,
  PUT: 6,
} as const;
/** Names on the wire, by `Method`. */
export const METHOD_NAMES = ['', 'ping', 'find_node', 'get_peers', 'announce_peer', 'get', 'put'] as const;

export const MessageKind = { QUERY: 1, RESPONSE: 2, ERROR: 3 } as const;
/** Families that a query's `want` asks for (BEP 32). */
export const Want = { IPV4: 1, IPV6: 2 } as const;

/** A message in place: `…At` are offsets into the datagram, -1 = absent. Valid while its bytes are. */
export class KrpcMessage {
  kind = 0;
  method = 0;
  tidAt = -1;
  tidLength = 0;
  readOnly = false;
  /** A field that KRPC defines has a wrong type or length. */
  malformed = false;
  want = 0;
  idAt = -1;
  targetAt = -1;
  infoHashAt = -1;
  tokenAt = -1;
  tokenLength = 0;
  port = -1;
  impliedPort = false;
  keyAt = -1;
  signatureAt = -1;
  saltAt = -1;
  saltLength = 0;
  /** The value, bencoded; `valueStrict` when it is canonical. */
  valueAt = -1;
  valueLength = 0;
  valueStrict = false;
  /** Sequence number and `cas`: offset of their digits, and the number in two words when it is 0 to 2^63 - 1. */
  hasSeq = false;
  seqHigh = 0;
  seqLow = 0;
  hasCas = false;
  casHigh = 0;
  casLow = 0;
  nodesAt = -1;
  nodesLength = 0;
  nodes6At = -1;
  nodes6Length = 0;
  /** Inside of the list of compact peers. */
  valuesAt = -1;
  valuesEnd = 0;
  ipAt = -1;
  ipLength = 0;
  errorCode = 0;
  errorTextAt = -1;
  errorTextLength = 0;

  clear(): void {
    this.kind = 0;
    this.method = 0;
    this.tidAt = -1;
    this.tidLength = 0;
    this.readOnly = false;
    this.malformed = false;
    this.want = 0;
    this.idAt = -1;
    this.targetAt = -1;
    this.infoHashAt = -1;
    this.tokenAt = -1;
    this.tokenLength = 0;
    this.port = -1;
    this.impliedPort = false;
    this.keyAt = -1;
    this.signatureAt = -1;
    this.saltAt = -1;
    this.saltLength = 0;
    this.valueAt = -1;
    this.valueLength = 0;
    this.valueStrict = false;
    this.hasSeq = false;
    this.hasCas = false;
    this.nodesAt = -1;
    this.nodesLength = 0;
    this.nodes6At = -1;
    this.nodes6Length = 0;
    this.valuesAt = -1;
    this.valuesEnd = 0;
    this.ipAt = -1;
    this.ipLength = 0;
    this.errorCode = 0;
    this.errorTextAt = -1;
    this.errorTextLength = 0;
  }
}

/** Reads one datagram; `false` = not KRPC, and the slot holds nothing of use. Never throws. */
export function readKrpc(m: KrpcMessage, bytes: Uint8Array, offset: number, length: number): boolean {
  m.clear();
  const limit = offset + length;
  if (length > DATAGRAM_BYTES_MAX || bytes[offset] !== 0x64) return false;
  let at = offset + 1;
  let argumentsAt = -1;
  let responseAt = -1;
  let errorAt = -1;
  // BOUNDED: by the datagram, here and in all loops below.
  while (at < limit && bytes[at] !== 0x65) {
    const key = stringStart(bytes, at, limit);
    if (key < 0) return false;
    const keyLength = stringEnd() - key;
    const value = stringEnd();
    const end = bencodeEnd(bytes, value, limit, false);
    if (end < 0) return false;
    const first = bytes[key] as number;
    if (keyLength === 1) {
      if (first === 0x61) argumentsAt = value;
      else if (first === 0x72) responseAt = value;
      else if (first === 0x65) errorAt = value;
      else if (first === 0x74) {
        m.tidAt = stringStart(bytes, value, limit);
        if (m.tidAt < 0) return false;
        m.tidLength = stringEnd() - m.tidAt;
      } else if (first === 0x79) {
        const kind = stringStart(bytes, value, limit);
        if (kind < 0 || stringEnd() !== kind + 1) return false;
        const letter = bytes[kind];
        m.kind = letter === 0x71 ? 1 : letter === 0x72 ? 2 : letter === 0x65 ? 3 : 0;
      } else if (first === 0x71) m.method = readMethod(bytes, value, limit);
    } else if (keyLength === 2) {
      const second = bytes[key + 1];
      if (first === 0x69 && second === 0x70) {
        m.ipAt = stringStart(bytes, value, limit);
        m.ipLength = stringEnd() - m.ipAt;
      } else if (first === 0x72 && second === 0x6f)
        m.readOnly = bytes[value] === 0x69 && bytes[value + 1] !== 0x30;
    }
    at = end;
  }
  if (at !== limit - 1 || m.tidAt < 0 || m.tidLength > TRANSACTION_BYTES_MAX) return false;
  if (m.kind === MessageKind.QUERY) {
    if (argumentsAt < 0 || bytes[argumentsAt] !== 0x64) m.malformed = true;
    else readBody(m, bytes, argumentsAt + 1, limit);
    return true;
  }
  if (m.kind === MessageKind.RESPONSE) {
    if (responseAt < 0 || bytes[responseAt] !== 0x64) return false;
    readBody(m, bytes, responseAt + 1, limit);
    return !m.malformed && m.idAt >= 0;
  }
  return m.kind === MessageKind.ERROR && errorAt >= 0 && readError(m, bytes, errorAt, limit);
}

function readMethod(bytes: Uint8Array, at: number, limit: number): number {
  const start = stringStart(bytes, at, limit);
  if (start < 0) return Method.UNKNOWN;
  const length = stringEnd() - start;
  for (let method = 1; method < METHOD_NAMES.length; method++) {
    const name = METHOD_NAMES[method] as string;
    if (name.length === length && hasText(bytes, start, name)) return method;
  }
  return Method.UNKNOWN;
}

function hasText(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

function readError(m: KrpcMessage, bytes: Uint8Array, at: number, limit: number): boolean {
  if (bytes[at] !== 0x6c) return false;
  const end = integerEnd(bytes, at + 1, limit);
  if (end < 0) return false;
  for (let i = at + 2; i < end - 1 && m.errorCode < 100_000; i++) {
    m.errorCode = m.errorCode * 10 + Math.max(0, (bytes[i] as number) - 0x30);
  }
  const text = stringStart(bytes, end, limit);
  if (text >= 0) {
    m.errorTextAt = text;
    m.errorTextLength = stringEnd() - text;
  }
  return true;
}

/** The dictionary `a` or `r`, whose structure was scanned with the envelope. */
function readBody(m: KrpcMessage, bytes: Uint8Array, from: number, limit: number): void {
  let at = from;
  while (bytes[at] !== 0x65) {
    const key = stringStart(bytes, at, limit);
    const value = stringEnd();
    const keyLength = value - key;
    const end = bencodeEnd(bytes, value, limit, false);
    readField(m, bytes, key, keyLength, value, end);
    at = end;
  }
}

function readField(
  m: KrpcMessage,
  bytes: Uint8Array,
  key: number,
  keyLength: number,
  at: number,
  end: number,
): void {
  switch (keyLength) {
    case 1:
      if (bytes[key] === 0x6b) m.keyAt = fixedString(m, bytes, at, end, PUBLIC_KEY_BYTES);
      else if (bytes[key] === 0x76) {
        m.valueAt = at;
        m.valueLength = end - at;
        m.valueStrict = bencodeEnd(bytes, at, end, true) === end;
      }
      return;
    case 2:
      if (hasText(bytes, key, 'id')) m.idAt = fixedString(m, bytes, at, end, NODE_ID_BYTES);
      return;
    case 3:
      if (hasText(bytes, key, 'seq')) {
        m.hasSeq = readSequence(m, bytes, at, end);
        m.seqHigh = sequenceHigh;
        m.seqLow = sequenceLow;
      } else if (hasText(bytes, key, 'cas')) {
        m.hasCas = readSequence(m, bytes, at, end);
        m.casHigh = sequenceHigh;
        m.casLow = sequenceLow;
      } else if (hasText(bytes, key, 'sig')) m.signatureAt = fixedString(m, bytes, at, end, SIGNATURE_BYTES);
      return;
    case 4:
      if (hasText(bytes, key, 'salt')) {
        m.saltAt = anyString(m, bytes, at, end);
        m.saltLength = end - m.saltAt;
      } else if (hasText(bytes, key, 'port')) m.port = smallInteger(m, bytes, at, end);
      else if (hasText(bytes, key, 'want')) readWant(m, bytes, at, end);
      return;
    case 5:
      if (hasText(bytes, key, 'token')) {
        m.tokenAt = anyString(m, bytes, at, end);
        m.tokenLength = end - m.tokenAt;
      } else if (hasText(bytes, key, 'nodes')) {
        m.nodesAt = anyString(m, bytes, at, end);
        m.nodesLength = end - m.nodesAt;
      }
      return;
    case 6:
      if (hasText(bytes, key, 'target')) m.targetAt = fixedString(m, bytes, at, end, NODE_ID_BYTES);
      else if (hasText(bytes, key, 'nodes6')) {
        m.nodes6At = anyString(m, bytes, at, end);
        m.nodes6Length = end - m.nodes6At;
      } else if (hasText(bytes, key, 'values') && bytes[at] === 0x6c) {
        m.valuesAt = at + 1;
        m.valuesEnd = end - 1;
      }
      return;
    case 9:
      if (hasText(bytes, key, 'info_hash')) m.infoHashAt = fixedString(m, bytes, at, end, NODE_ID_BYTES);
      return;
    case 12:
      if (hasText(bytes, key, 'implied_port')) m.impliedPort = bytes[at] === 0x69 && bytes[at + 1] !== 0x30;
      return;
  }
}

function anyString(m: KrpcMessage, bytes: Uint8Array, at: number, end: number): number {
  const start = stringStart(bytes, at, end);
  if (start < 0) m.malformed = true;
  return start;
}

function fixedString(m: KrpcMessage, bytes: Uint8Array, at: number, end: number, length: number): number {
  const start = anyString(m, bytes, at, end);
  if (start >= 0 && end - start === length) return start;
  m.malformed = true;
  return -1;
}

function smallInteger(m: KrpcMessage, bytes: Uint8Array, at: number, end: number): number {
  let value = 0;
  if (bytes[at] !== 0x69 || end - at > 7) {
    m.malformed = true;
    return -1;
  }
  for (let i = at + 1; i < end - 1; i++) value = value * 10 + (bytes[i] as number) - 0x30;
  if (value >= 0 && value <= 65535) return value;
  m.malformed = true;
  return -1;
}

let sequenceHigh = 0;
let sequenceLow = 0;

/** An integer from 0 to 2^63 - 1 into two words; anything else marks the message malformed. */
function readSequence(m: KrpcMessage, bytes: Uint8Array, at: number, end: number): boolean {
  if (bytes[at] !== 0x69 || bytes[at + 1] === 0x2d) {
    m.malformed = true;
    return false;
  }
  let high = 0;
  let low = 0;
  for (let i = at + 1; i < end - 1; i++) {
    const sum = low * 10 + (bytes[i] as number) - 0x30;
    low = sum % 0x1_0000_0000;
    high = high * 10 + (sum - low) / 0x1_0000_0000;
    if (high > 0x7fffffff) {
      m.malformed = true;
      return false;
    }
  }
  sequenceHigh = high;
  sequenceLow = low;
  return true;
}

function readWant(m: KrpcMessage, bytes: Uint8Array, at: number, end: number): void {
  if (bytes[at] !== 0x6c) return;
  let i = at + 1;
  while (i < end - 1) {
    const start = stringStart(bytes, i, end);
    if (start < 0) return;
    if (stringEnd() - start === 2 && bytes[start] === 0x6e) {
      if (bytes[start + 1] === 0x34) m.want |= Want.IPV4;
      else if (bytes[start + 1] === 0x36) m.want |= Want.IPV6;
    }
    i = stringEnd();
  }
}
