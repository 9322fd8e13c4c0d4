/** Arbitraries for valid messages of every hot type, as protobuf-es objects. */
import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import {
  AnnounceProviderRequestSchema,
  ErrorSchema,
  FetchChunkRequestSchema,
  FetchChunkResponseSchema,
  FindNodeRequestSchema,
  FindNodeResponseSchema,
  FindValueRequestSchema,
  FindValueResponseSchema,
  PingSchema,
  PongSchema,
  StoreRequestSchema,
  StoreResponseSchema,
} from '../../src/gen/molia/v1/messages_pb.ts';
import { RecordSchema, RecordType } from '../../src/gen/molia/v1/record_pb.ts';

const bytes = (min: number, max: number) => fc.uint8Array({ minLength: min, maxLength: max });
const key = bytes(32, 32);
const u32 = fc.oneof(
  fc.constantFrom(0, 1, 127, 128, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
  fc.nat(0xffff_ffff),
);
const u53 = fc.oneof(
  fc.constantFrom(0n, 1n, 127n, 128n, 0xffff_ffffn, 0x1_0000_0000n, 0x1f_ffff_ffff_ffffn),
  fc.bigInt(0n, 0x1f_ffff_ffff_ffffn),
);
const u64 = fc.bigInt(0n, 0xffff_ffff_ffff_ffffn);
const compact = fc.oneof(bytes(6, 6), bytes(18, 18));
const contact = fc.record({ publicKey: key, endpoint: compact });

const ping = fc.record({ payload: bytes(0, 32) }).map((init) => create(PingSchema, init));
const pong = fc
  .record({ payload: bytes(0, 32), observed: fc.oneof(bytes(0, 0), compact) })
  .map((init) => create(PongSchema, init));
const findNodeRequest = fc
  .record({ target: key, limit: fc.integer({ min: 0, max: 20 }) })
  .map((init) => create(FindNodeRequestSchema, init));
const findNodeResponse = fc
  .record({ contacts: fc.array(contact, { maxLength: 20 }) })
  .map((init) => create(FindNodeResponseSchema, init));
const findValueRequest = fc
  .record({ key, want: fc.constantFrom(0, 1), sequenceMin: u53, skip: u32 })
  .map((init) => create(FindValueRequestSchema, init));

const attached = (max: number) => fc.record({ value: bytes(0, max) });
const detached = fc.record({ valueHash: key, valueLength: fc.integer({ min: 1, max: 65_536 }) });

const immutable = fc
  .record({ key, ttlSecs: u32, body: fc.oneof(attached(300), detached) })
  .map(({ body, ...rest }) => ({ ...rest, ...body, type: RecordType.IMMUTABLE }));
const mutable = fc
  .record({
    key,
    sequence: u53,
    ttlSecs: u32,
    notBeforeUnix: u53,
    owner: key,
    signature: bytes(64, 64),
    flags: fc.integer({ min: 0, max: 0xffff }).map((flags) => flags & 0xfffe),
    namespace: bytes(0, 255),
    salt: bytes(0, 64),
    body: fc.oneof(attached(300), detached),
  })
  .map(({ body, ...rest }) => ({ ...rest, ...body, type: RecordType.MUTABLE }));
const tombstone = fc
  .record({ key, sequence: u53, ttlSecs: u32, owner: key, signature: bytes(64, 64), flags: fc.constant(1) })
  .map((rest) => ({ ...rest, type: RecordType.MUTABLE }));
const keyless = fc
  .record({
    sequence: u53,
    ttlSecs: u32,
    notBeforeUnix: u53,
    owner: key,
    signature: bytes(64, 64),
    flags: fc.integer({ min: 0, max: 0xffff }).map((flags) => flags & 0xfffe),
    value: bytes(0, 281),
  })
  .map((rest) => ({ ...rest, type: RecordType.PROVIDER }));
const provider = fc.record({ key, rest: keyless }).map((init) => ({ key: init.key, ...init.rest }));

const stored = fc.oneof(immutable, mutable, tombstone);
const record = fc.oneof(stored, provider).map((init) => create(RecordSchema, init));

const valueAnswer = fc.record({
  record: stored,
  contacts: fc.array(contact, { maxLength: 8 }),
  providers: fc.array(keyless, { maxLength: 0 }),
  providersTotal: u32,
});
const providerAnswer = fc.record({
  contacts: fc.array(contact, { maxLength: 20 }),
  providers: fc.array(keyless, { maxLength: 32 }),
  providersTotal: u32,
});
const findValueResponse = fc
  .oneof(valueAnswer, providerAnswer)
  .map((init) => create(FindValueResponseSchema, init));

const stamp = { stampSalt: bytes(0, 32), stampNonce: u64 };
const storeRequest = fc
  .oneof(
    fc.record({ record: stored, ...stamp, ageSecs: u32, single: fc.boolean() }),
    fc.record({ record: stored, cas: fc.constant(true), sequenceExpected: u53, ...stamp, ageSecs: u32 }),
  )
  .map((init) => create(StoreRequestSchema, init));
const announceRequest = fc
  .record({ record: provider, ...stamp })
  .map((init) => create(AnnounceProviderRequestSchema, init));
const storeResponse = fc
  .record({ status: fc.constantFrom(1, 2, 3, 4, 5, 6, 7), sequence: u53 })
  .map((init) => create(StoreResponseSchema, init));
const fetchChunkRequest = fc
  .record({
    valueHash: key,
    offset: fc.integer({ min: 0, max: 65_535 }),
    length: fc.integer({ min: 1, max: 1120 }),
  })
  .map((init) => create(FetchChunkRequestSchema, init));
const fetchChunkResponse = fc
  .record({ offset: fc.integer({ min: 0, max: 64_000 }), data: bytes(0, 1120), more: fc.nat(300) })
  .map(({ offset, data, more }) =>
    create(FetchChunkResponseSchema, { offset, data, total: offset + data.length + more }),
  );
const error = fc
  .record({
    code: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8),
    retryAfterMs: u32,
    reason: fc.string({ unit: 'grapheme', maxLength: 12 }),
  })
  .filter(({ reason }) => new TextEncoder().encode(reason).length <= 128)
  .map((init) => create(ErrorSchema, init));

export const arbitraries = {
  ping,
  pong,
  findNodeRequest,
  findNodeResponse,
  findValueRequest,
  findValueResponse,
  record,
  storeRequest,
  announceRequest,
  storeResponse,
  fetchChunkRequest,
  fetchChunkResponse,
  error,
};
