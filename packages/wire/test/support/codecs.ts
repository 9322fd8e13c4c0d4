/**
 * One entry per hot body: how protobuf-es and how our codec see it, in the same plain terms. The equality, tolerance,
 * vector and fuzz tests all walk this table.
 */
import type { DescMessage, Message, MessageShape } from '@bufbuild/protobuf';
import { toBinary } from '@bufbuild/protobuf';
import { endpointFromCompact, type Verdict } from '@molia/core';
import type fc from 'fast-check';
import * as pb from '../../src/gen/molia/v1/messages_pb.ts';
import { RecordSchema, type Record as WireRecord } from '../../src/gen/molia/v1/record_pb.ts';
import * as wire from '../../src/index.ts';
import { arbitraries } from './messages.ts';

export type Plain = { [name: string]: unknown };

export interface CodecCase {
  readonly name: string;
  readonly type: number;
  readonly schema: DescMessage;
  readonly arbitrary: fc.Arbitrary<Message>;
  /** Writes the body with our codec; returns its length. */
  write(bytes: Uint8Array, offset: number, message: Message): number;
  /** Reads the body into this case's view. */
  read(bytes: Uint8Array, offset: number, length: number): Verdict;
  /** What the view says. */
  seen(bytes: Uint8Array): Plain;
  /** What protobuf-es says. */
  expected(message: Message): Plain;
}

interface Definition<Desc extends DescMessage> {
  readonly name: string;
  readonly type: number;
  readonly schema: Desc;
  readonly arbitrary: fc.Arbitrary<MessageShape<Desc>>;
  write(bytes: Uint8Array, offset: number, message: MessageShape<Desc>): number;
  read(bytes: Uint8Array, offset: number, length: number): Verdict;
  seen(bytes: Uint8Array): Plain;
  expected(message: MessageShape<Desc>): Plain;
}

function define<Desc extends DescMessage>(definition: Definition<Desc>): CodecCase {
  return definition as unknown as CodecCase;
}

/** Hex of a range; '' for an absent one (offset -1). Throws RangeError when the range leaves the bytes. */
function hex(bytes: Uint8Array, offset = 0, length = bytes.length): string {
  if (offset < 0) return '';
  if (offset + length > bytes.length) throw new RangeError('a view points behind its message');
  return Buffer.from(bytes.subarray(offset, offset + length)).toString('hex');
}

function endpoint19(compact: Uint8Array): Uint8Array {
  const endpoint = new Uint8Array(19);
  endpointFromCompact(endpoint, 0, compact, 0, compact.length);
  // IPv4-mapped IPv6 becomes IPv4 in core; here the family must survive.
  if (compact.length === 18) {
    endpoint[0] = 6;
    endpoint.set(compact.subarray(0, 16), 1);
    endpoint.set(compact.subarray(16), 17);
  }
  return endpoint;
}

export function plainRecordView(view: wire.RecordView, bytes: Uint8Array): Plain {
  return {
    key: hex(bytes, view.keyOffset, 32),
    type: view.type,
    value: hex(bytes, view.valueOffset, view.valueLength),
    sequence: BigInt(view.sequence),
    ttlSecs: view.ttlSecs,
    notBeforeUnix: BigInt(view.notBeforeUnix),
    owner: hex(bytes, view.ownerOffset, 32),
    signature: hex(bytes, view.signatureOffset, 64),
    flags: view.flags,
    valueHash: hex(bytes, view.valueHashOffset, 32),
    valueLength: view.hasValue ? 0 : view.declaredValueLength,
    namespace: hex(bytes, view.namespaceOffset, view.namespaceLength),
    salt: hex(bytes, view.saltOffset, view.saltLength),
  };
}

function plainRecord(record: WireRecord | undefined): Plain | undefined {
  if (record === undefined) return undefined;
  return {
    key: hex(record.key),
    type: record.type,
    value: hex(record.value),
    sequence: record.sequence,
    ttlSecs: record.ttlSecs,
    notBeforeUnix: record.notBeforeUnix,
    owner: hex(record.owner),
    signature: hex(record.signature),
    flags: record.flags,
    valueHash: hex(record.valueHash),
    valueLength: record.valueLength,
    namespace: hex(record.namespace),
    salt: hex(record.salt),
  };
}

function plainContacts(list: wire.ContactList, bytes: Uint8Array): Plain[] {
  return Array.from({ length: list.count }, (_, i) => ({
    publicKey: hex(bytes, list.keyOffsets[i], 32),
    endpoint: hex(bytes, list.endpointOffsets[i], list.endpointLengths[i]),
  }));
}

function contactsOf(contacts: readonly pb.Contact[]): Plain[] {
  return contacts.map(({ publicKey, endpoint }) => ({ publicKey: hex(publicKey), endpoint: hex(endpoint) }));
}

/** The view of a record that protobuf-es made. */
function viewOf(record: WireRecord, keyless = false): { source: Uint8Array; view: wire.RecordView } {
  const source = toBinary(RecordSchema, record);
  const view = new wire.RecordView();
  const verdict = wire.readRecord(source, 0, source.length, view, keyless);
  if (verdict < 0) throw new Error(`the arbitrary made an invalid record: ${verdict}`);
  return { source, view };
}

const NONE = new Uint8Array(0);
const pingView = new wire.PingView();
const pongView = new wire.PongView();
const findNodeView = new wire.FindNodeRequestView();
const contactList = new wire.ContactList();
const findValueView = new wire.FindValueRequestView();
const findValueResponseView = new wire.FindValueResponseView();
const recordView = new wire.RecordView();
const storeView = new wire.StoreRequestView();
const storeResponseView = new wire.StoreResponseView();
const chunkView = new wire.FetchChunkRequestView();
const chunkResponseView = new wire.FetchChunkResponseView();
const errorView = new wire.ErrorView();
const answers = new wire.AnswerWriter();
/** Room for the largest answer in number, beyond a datagram. */
export const BODY_ROOM = 40_000;

function stampOf(stampSalt: Uint8Array, stampNonce: bigint): wire.Stamp {
  const stamp = new wire.Stamp();
  stamp.bytes = stampSalt;
  stamp.saltLength = stampSalt.length;
  stamp.nonceHigh = Number(stampNonce >> 32n);
  stamp.nonceLow = Number(stampNonce & 0xffff_ffffn);
  return stamp;
}

function seenStamp(): Plain {
  const { bytes, saltOffset, saltLength, nonceHigh, nonceLow } = storeView.stamp;
  return {
    stampSalt: hex(bytes, saltOffset, saltLength),
    stampNonce: (BigInt(nonceHigh) << 32n) | BigInt(nonceLow),
  };
}

export const codecs: readonly CodecCase[] = [
  define({
    name: 'PING',
    type: wire.MessageType.PING,
    schema: pb.PingSchema,
    arbitrary: arbitraries.ping,
    write: (bytes, offset, { payload }) => wire.writePing(bytes, offset, payload, 0, payload.length),
    read: (bytes, offset, length) => wire.readPing(bytes, offset, length, pingView),
    seen: (bytes) => ({ payload: hex(bytes, pingView.payloadOffset, pingView.payloadLength) }),
    expected: ({ payload }) => ({ payload: hex(payload) }),
  }),
  define({
    name: 'PONG',
    type: wire.MessageType.PONG,
    schema: pb.PongSchema,
    arbitrary: arbitraries.pong,
    write: (bytes, offset, { payload, observed }) =>
      observed.length === 0
        ? wire.writePong(bytes, offset, payload, 0, payload.length, NONE, -1)
        : wire.writePong(bytes, offset, payload, 0, payload.length, endpoint19(observed), 0),
    read: (bytes, offset, length) => wire.readPong(bytes, offset, length, pongView),
    seen: (bytes) => ({
      payload: hex(bytes, pongView.payloadOffset, pongView.payloadLength),
      observed: hex(bytes, pongView.observedOffset, pongView.observedLength),
    }),
    expected: ({ payload, observed }) => ({ payload: hex(payload), observed: hex(observed) }),
  }),
  define({
    name: 'FIND_NODE',
    type: wire.MessageType.FIND_NODE,
    schema: pb.FindNodeRequestSchema,
    arbitrary: arbitraries.findNodeRequest,
    write: (bytes, offset, { target, limit }) => wire.writeFindNodeRequest(bytes, offset, target, 0, limit),
    read: (bytes, offset, length) => wire.readFindNodeRequest(bytes, offset, length, findNodeView),
    seen: (bytes) => ({ target: hex(bytes, findNodeView.targetOffset, 32), limit: findNodeView.limit }),
    expected: ({ target, limit }) => ({ target: hex(target), limit: limit === 0 ? 20 : limit }),
  }),
  define({
    name: 'FIND_NODE_RESPONSE',
    type: wire.MessageType.FIND_NODE_RESPONSE,
    schema: pb.FindNodeResponseSchema,
    arbitrary: arbitraries.findNodeResponse,
    write(bytes, offset, { contacts }) {
      answers.beginFindNode(bytes, offset);
      for (const { publicKey, endpoint } of contacts) {
        if (!answers.addContact(publicKey, 0, endpoint19(endpoint), 0)) throw new Error('no room');
      }
      return answers.end();
    },
    read: (bytes, offset, length) => wire.readFindNodeResponse(bytes, offset, length, contactList),
    seen: (bytes) => ({ contacts: plainContacts(contactList, bytes) }),
    expected: ({ contacts }) => ({ contacts: contactsOf(contacts) }),
  }),
  define({
    name: 'FIND_VALUE',
    type: wire.MessageType.FIND_VALUE,
    schema: pb.FindValueRequestSchema,
    arbitrary: arbitraries.findValueRequest,
    write: (bytes, offset, { key, want, sequenceMin, skip }) =>
      wire.writeFindValueRequest(bytes, offset, key, 0, want as wire.Want, Number(sequenceMin), skip),
    read: (bytes, offset, length) => wire.readFindValueRequest(bytes, offset, length, findValueView),
    seen: (bytes) => ({
      key: hex(bytes, findValueView.keyOffset, 32),
      want: findValueView.want,
      sequenceMin: BigInt(findValueView.sequenceMin),
      skip: findValueView.skip,
    }),
    expected: ({ key, want, sequenceMin, skip }) => ({ key: hex(key), want, sequenceMin, skip }),
  }),
  define({
    name: 'FIND_VALUE_RESPONSE',
    type: wire.MessageType.FIND_VALUE_RESPONSE,
    schema: pb.FindValueResponseSchema,
    arbitrary: arbitraries.findValueResponse,
    write(bytes, offset, { record, contacts, providers, providersTotal }) {
      answers.beginFindValue(bytes, offset, BODY_ROOM);
      if (record !== undefined) {
        const { source, view } = viewOf(record);
        if (!answers.addRecord(source, view, wire.RecordForm.WHOLE, NONE, 0)) throw new Error('no room');
      }
      for (const { publicKey, endpoint } of contacts) {
        if (!answers.addContact(publicKey, 0, endpoint19(endpoint), 0)) throw new Error('no room');
      }
      for (const provider of providers) {
        const { source, view } = viewOf(provider, true);
        if (!answers.addProvider(source, view)) throw new Error('no room');
      }
      return answers.end(providersTotal);
    },
    read: (bytes, offset, length) => wire.readFindValueResponse(bytes, offset, length, findValueResponseView),
    seen: (bytes) => ({
      record: findValueResponseView.hasRecord
        ? plainRecordView(findValueResponseView.record, bytes)
        : undefined,
      contacts: plainContacts(findValueResponseView.contacts, bytes),
      providers: findValueResponseView.providers
        .slice(0, findValueResponseView.providersCount)
        .map((view) => plainRecordView(view, bytes)),
      providersTotal: findValueResponseView.providersTotal,
    }),
    expected: ({ record, contacts, providers, providersTotal }) => ({
      record: plainRecord(record),
      contacts: contactsOf(contacts),
      providers: providers.map(plainRecord),
      providersTotal,
    }),
  }),
  define({
    name: 'Record',
    type: 0,
    schema: RecordSchema,
    arbitrary: arbitraries.record,
    write(bytes, offset, record) {
      const { source, view } = viewOf(record);
      const length = wire.writeRecord(bytes, offset, source, view, wire.RecordForm.WHOLE, NONE, 0);
      if (length !== wire.recordBytes(view, wire.RecordForm.WHOLE)) throw new Error('recordBytes is wrong');
      return length;
    },
    read: (bytes, offset, length) => wire.readRecord(bytes, offset, length, recordView),
    seen: (bytes) => plainRecordView(recordView, bytes),
    expected: (record) => plainRecord(record) as Plain,
  }),
  define({
    name: 'STORE',
    type: wire.MessageType.STORE,
    schema: pb.StoreRequestSchema,
    arbitrary: arbitraries.storeRequest,
    write(bytes, offset, { record, cas, sequenceExpected, stampSalt, stampNonce, ageSecs, single }) {
      const { source, view } = viewOf(record as WireRecord);
      const expected = cas ? Number(sequenceExpected) : -1;
      const stamp = stampOf(stampSalt, stampNonce);
      return wire.writeStoreRequest(
        bytes,
        offset,
        source,
        view,
        wire.RecordForm.WHOLE,
        NONE,
        0,
        expected,
        stamp,
        ageSecs,
        single,
      );
    },
    read: (bytes, offset, length) => wire.readStoreRequest(bytes, offset, length, storeView),
    seen: (bytes) => ({
      record: plainRecordView(storeView.record, bytes),
      cas: storeView.cas,
      sequenceExpected: BigInt(storeView.sequenceExpected),
      ...seenStamp(),
      ageSecs: storeView.ageSecs,
      single: storeView.single,
    }),
    expected: ({ record, cas, sequenceExpected, stampSalt, stampNonce, ageSecs, single }) => ({
      record: plainRecord(record),
      cas,
      sequenceExpected,
      stampSalt: hex(stampSalt),
      stampNonce,
      ageSecs,
      single,
    }),
  }),
  define({
    name: 'ANNOUNCE_PROVIDER',
    type: wire.MessageType.ANNOUNCE_PROVIDER,
    schema: pb.AnnounceProviderRequestSchema,
    arbitrary: arbitraries.announceRequest,
    write(bytes, offset, { record, stampSalt, stampNonce }) {
      const { source, view } = viewOf(record as WireRecord);
      return wire.writeAnnounceRequest(bytes, offset, source, view, stampOf(stampSalt, stampNonce));
    },
    read: (bytes, offset, length) => wire.readAnnounceRequest(bytes, offset, length, storeView),
    seen: (bytes) => ({ record: plainRecordView(storeView.record, bytes), ...seenStamp() }),
    expected: ({ record, stampSalt, stampNonce }) => ({
      record: plainRecord(record),
      stampSalt: hex(stampSalt),
      stampNonce,
    }),
  }),
  define({
    name: 'STORE_RESPONSE',
    type: wire.MessageType.STORE_RESPONSE,
    schema: pb.StoreResponseSchema,
    arbitrary: arbitraries.storeResponse,
    write: (bytes, offset, { status, sequence }) =>
      wire.writeStoreResponse(bytes, offset, status as wire.StoreStatus, Number(sequence)),
    read: (bytes, offset, length) => wire.readStoreResponse(bytes, offset, length, storeResponseView),
    seen: () => ({ status: storeResponseView.status, sequence: BigInt(storeResponseView.sequence) }),
    expected: ({ status, sequence }) => ({ status, sequence }),
  }),
  define({
    name: 'FETCH_CHUNK',
    type: wire.MessageType.FETCH_CHUNK,
    schema: pb.FetchChunkRequestSchema,
    arbitrary: arbitraries.fetchChunkRequest,
    write: (bytes, offset, message) =>
      wire.writeFetchChunkRequest(bytes, offset, message.valueHash, 0, message.offset, message.length),
    read: (bytes, offset, length) => wire.readFetchChunkRequest(bytes, offset, length, chunkView),
    seen: (bytes) => ({
      valueHash: hex(bytes, chunkView.hashOffset, 32),
      offset: chunkView.chunkOffset,
      length: chunkView.chunkLength,
    }),
    expected: ({ valueHash, offset, length }) => ({ valueHash: hex(valueHash), offset, length }),
  }),
  define({
    name: 'FETCH_CHUNK_RESPONSE',
    type: wire.MessageType.FETCH_CHUNK_RESPONSE,
    schema: pb.FetchChunkResponseSchema,
    arbitrary: arbitraries.fetchChunkResponse,
    write: (bytes, offset, { offset: chunkOffset, data, total }) =>
      wire.writeFetchChunkResponse(bytes, offset, chunkOffset, data, 0, data.length, total),
    read: (bytes, offset, length) => wire.readFetchChunkResponse(bytes, offset, length, chunkResponseView),
    seen: (bytes) => ({
      offset: chunkResponseView.chunkOffset,
      data: hex(bytes, chunkResponseView.dataOffset, chunkResponseView.dataLength),
      total: chunkResponseView.total,
    }),
    expected: ({ offset, data, total }) => ({ offset, data: hex(data), total }),
  }),
  define({
    name: 'ERROR',
    type: wire.MessageType.ERROR,
    schema: pb.ErrorSchema,
    arbitrary: arbitraries.error,
    write(bytes, offset, { code, retryAfterMs, reason }) {
      const text = new TextEncoder().encode(reason);
      return wire.writeError(bytes, offset, code, retryAfterMs, text, 0, text.length);
    },
    read: (bytes, offset, length) => wire.readError(bytes, offset, length, errorView),
    seen: (bytes) => ({
      code: errorView.code,
      retryAfterMs: errorView.retryAfterMs,
      reason: hex(bytes, errorView.reasonOffset, errorView.reasonLength),
    }),
    expected: ({ code, retryAfterMs, reason }) => ({
      code,
      retryAfterMs,
      reason: Buffer.from(reason, 'utf8').toString('hex'),
    }),
  }),
];
