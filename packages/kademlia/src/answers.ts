/**
 * Answers that are owed: each a few numbers and at most 32 bytes, in columns, turned into bytes only when the host
 * polls, straight into its buffer. Nothing is encoded for a peer that is never sent to, nothing is copied twice.
 */
import { copyBytes, ENDPOINT_BYTES, grow, ID_BYTES, type Millis, NONE, type Transmit } from '@molia/core';
import {
  AnswerWriter,
  BODY_BYTES_MAX,
  CONTACTS_BESIDE_VALUE_MAX,
  CONTACTS_MAX,
  ErrorCode,
  encodeNegotiate,
  HEADER_BYTES,
  HeaderFlag,
  MessageType,
  Negotiation,
  Qos,
  RecordForm,
  RecordView,
  readRecord,
  recordBytes,
  type StoreStatus,
  VALUE_INLINE_BYTES_MAX,
  Want,
  writeError,
  writeFetchChunkResponse,
  writeHeader,
  writePong,
  writeStoreResponse,
} from '@molia/wire';
import { ANSWERS_QUEUED_MAX } from './constants.ts';
import { StoredRecord } from './records/store-port.ts';
import type { Shared } from './shared.ts';

const INITIAL = 8;
/** Tag and length of a nested record, and room for one closer contact. */
const BESIDE_RECORD_BYTES = 64;

export class Answers {
  /** Columns of the waiting answers; the meaning of `a`, `b`, `c` follows from the type. */
  flags = new Uint8Array(INITIAL);
  a = new Float64Array(INITIAL);
  b = new Float64Array(INITIAL);
  c = new Float64Array(INITIAL);
  /** The asker's contact row, left out of the contacts it is told. */
  rows = new Int32Array(INITIAL);
  /** 32 bytes each: target, key, hash, ping payload. */
  keys = new Uint8Array(INITIAL * ID_BYTES);
  private types = new Uint8Array(INITIAL);
  private peers = new Int32Array(INITIAL);
  private correlations = new Uint32Array(INITIAL);
  private streams = new Uint32Array(INITIAL);
  private head = 0;
  private tail = 0;
  private readonly shared: Shared;
  private readonly writer = new AnswerWriter();
  private readonly nearest = new Int32Array(CONTACTS_MAX);
  private readonly stored = new StoredRecord();
  private readonly view = new RecordView();
  private readonly observed = new Uint8Array(ENDPOINT_BYTES);

  constructor(shared: Shared) {
    this.shared = shared;
  }

  /** Queues an answer and returns its index for `a`, `b`, `c`, `rows`, `keys`; NONE when too many wait. */
  push(type: number, peer: number, correlation: number, stream: number): number {
    if (this.tail === this.types.length && !this.makeRoom()) return NONE;
    const at = this.tail++;
    this.types[at] = type;
    this.peers[at] = peer;
    this.correlations[at] = correlation;
    this.streams[at] = stream;
    this.flags[at] = HeaderFlag.RESPONSE;
    this.a[at] = 0;
    this.b[at] = 0;
    this.c[at] = 0;
    this.rows[at] = NONE;
    return at;
  }

  /** Writes the oldest answer. `false` = none waits. */
  poll(now: Millis, out: Transmit): boolean {
    if (this.head === this.tail) return false;
    const at = this.head++;
    let type = this.types[at] as number;
    const body = out.offset + HEADER_BYTES;
    let length = this.write(now, at, type, out.bytes, body);
    if (length < 0) {
      type = MessageType.ERROR;
      length = writeError(out.bytes, body, ErrorCode.NOT_FOUND, 0, out.bytes, 0, 0);
    }
    const flags = this.flags[at] as number;
    writeHeader(
      out.bytes,
      out.offset,
      type,
      flags,
      Qos.CONTROL,
      this.correlations[at] as number,
      this.streams[at] as number,
    );
    out.to = this.peers[at] as number;
    out.length = HEADER_BYTES + length;
    out.flags = 0;
    if (this.head === this.tail) {
      this.head = 0;
      this.tail = 0;
    }
    return true;
  }

  /** Length of the body, or -1 for ERROR NOT_FOUND. */
  private write(now: Millis, at: number, type: number, bytes: Uint8Array, body: number): number {
    switch (type) {
      case MessageType.PONG:
        return this.pong(at, bytes, body);
      case MessageType.FIND_NODE_RESPONSE:
        return this.closest(at, bytes, body);
      case MessageType.FIND_VALUE_RESPONSE:
        return this.a[at] === Want.PROVIDERS
          ? this.providers(now, at, bytes, body)
          : this.value(now, at, bytes, body);
      case MessageType.FETCH_CHUNK_RESPONSE:
        return this.chunk(now, at, bytes, body);
      case MessageType.NEGOTIATE_RESPONSE:
        return writeNegotiation(this.shared, bytes, body);
      case MessageType.ERROR:
        return writeError(bytes, body, this.a[at] as number, this.b[at] as number, bytes, 0, 0);
      default:
        return writeStoreResponse(bytes, body, this.a[at] as StoreStatus, this.b[at] as number);
    }
  }

  private pong(at: number, bytes: Uint8Array, body: number): number {
    const known = this.shared.peers.endpoint(this.peers[at] as number, this.observed, 0);
    const payload = this.a[at] as number;
    return writePong(bytes, body, this.keys, at * ID_BYTES, payload, this.observed, known ? 0 : -1);
  }

  private closest(at: number, bytes: Uint8Array, body: number): number {
    this.writer.beginFindNode(bytes, body);
    this.addContacts(at, this.a[at] as number);
    return this.writer.end();
  }

  private value(now: Millis, at: number, bytes: Uint8Array, body: number): number {
    const { writer, stored, view } = this;
    writer.beginFindValue(bytes, body);
    const held =
      this.shared.book.find(now, this.keys, at * ID_BYTES, stored) >= 0 &&
      stored.sequence >= (this.b[at] as number) &&
      readRecord(stored.bytes, stored.offset, stored.length, view) >= 0;
    if (!held) {
      this.addContacts(at, CONTACTS_MAX);
      return writer.end();
    }
    const inline =
      view.valueLength <= VALUE_INLINE_BYTES_MAX &&
      recordBytes(view, RecordForm.WHOLE) + BESIDE_RECORD_BYTES <= BODY_BYTES_MAX;
    const form = inline ? RecordForm.WHOLE : RecordForm.DETACHED;
    writer.addRecord(stored.bytes, view, form, stored.hash, stored.hashOffset);
    this.addContacts(at, CONTACTS_BESIDE_VALUE_MAX);
    return writer.end();
  }

  private providers(now: Millis, at: number, bytes: Uint8Array, body: number): number {
    const { writer, stored, view } = this;
    const { book } = this.shared;
    const key = at * ID_BYTES;
    writer.beginFindValue(bytes, body);
    let more = book.firstProvider(now, this.keys, key, this.c[at] as number, stored);
    // Contacts first, but never so many that the providers find no room.
    this.addContacts(at, more ? CONTACTS_BESIDE_VALUE_MAX : CONTACTS_MAX);
    for (; more; more = book.nextProvider(now, stored)) {
      if (readRecord(stored.bytes, stored.offset, stored.length, view) < 0) continue;
      if (!writer.addProvider(stored.bytes, view)) break;
    }
    return writer.end(book.providerCount(this.keys, key));
  }

  private chunk(now: Millis, at: number, bytes: Uint8Array, body: number): number {
    const { stored } = this;
    if (!this.shared.book.findValue(now, this.keys, at * ID_BYTES, stored)) return -1;
    const from = Math.min(this.a[at] as number, stored.valueLength);
    const length = Math.min(this.b[at] as number, stored.valueLength - from);
    return writeFetchChunkResponse(
      bytes,
      body,
      from,
      stored.bytes,
      stored.valueOffset + from,
      length,
      stored.valueLength,
    );
  }

  private addContacts(at: number, max: number): void {
    const { contacts, table } = this.shared;
    const { nearest } = this;
    const found = table.index.closest(this.keys, at * ID_BYTES, max, nearest, this.rows[at] as number, true);
    for (let i = 0; i < found; i++) {
      const row = nearest[i] as number;
      if (!this.writer.addContact(contacts.keys, row * ID_BYTES, contacts.endpoints, row * ENDPOINT_BYTES))
        break;
    }
  }

  /** Moves the waiting answers to the front, or doubles. BOUNDED: by ANSWERS_QUEUED_MAX. */
  private makeRoom(): boolean {
    const waiting = this.tail - this.head;
    if (this.head > 0) {
      for (const column of [
        this.flags,
        this.a,
        this.b,
        this.c,
        this.rows,
        this.types,
        this.peers,
        this.correlations,
        this.streams,
      ]) {
        column.copyWithin(0, this.head, this.tail);
      }
      this.keys.copyWithin(0, this.head * ID_BYTES, this.tail * ID_BYTES);
      this.head = 0;
      this.tail = waiting;
      return true;
    }
    if (waiting >= ANSWERS_QUEUED_MAX) return false;
    const length = waiting * 2;
    this.flags = grow(this.flags, length);
    this.a = grow(this.a, length);
    this.b = grow(this.b, length);
    this.c = grow(this.c, length);
    this.rows = grow(this.rows, length);
    this.keys = grow(this.keys, length * ID_BYTES);
    this.types = grow(this.types, length);
    this.peers = grow(this.peers, length);
    this.correlations = grow(this.correlations, length);
    this.streams = grow(this.streams, length);
    return true;
  }
}

/** Writes the body of our NEGOTIATE or its answer; cold. */
export function writeNegotiation(shared: Shared, bytes: Uint8Array, body: number): number {
  const ours = new Negotiation();
  ours.features = shared.features;
  ours.publicKey = shared.identity.publicKey;
  ours.client = shared.client;
  ours.node = shared.nodeRecord;
  const encoded = encodeNegotiate(ours);
  copyBytes(bytes, body, encoded, 0, encoded.length);
  return encoded.length;
}
