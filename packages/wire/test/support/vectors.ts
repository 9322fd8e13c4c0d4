/**
 * The committed vectors, built from fixed keys. Each file is plain JSON for implementations in other languages: bytes
 * are lower-case hex, 64-bit numbers are decimal strings.
 */
import { create, fromBinary } from '@bufbuild/protobuf';
import { blake3, createIdentity, nobleCurves, nodeIdOf, parseEndpoint, toHex } from '@molia/core';
import { RecordSchema } from '../../src/gen/molia/v1/record_pb.ts';
import * as wire from '../../src/index.ts';
import { BODY_ROOM, codecs, type Plain, plainRecordView } from './codecs.ts';
import { field } from './wire-forms.ts';

const LICENCE = 'MIT-0';
const utf8 = (text: string) => new TextEncoder().encode(text);
const seedOf = (fill: number) => new Uint8Array(32).fill(fill);
const alice = createIdentity(nobleCurves, seedOf(1));
const bob = createIdentity(nobleCurves, seedOf(2));
const content = blake3(utf8('content'));
const compact = Uint8Array.of(192, 0, 2, 1, 0x0f, 0xa0);

/** `JSON.stringify` with 64-bit numbers as decimal strings. */
export function toJson(value: unknown): string {
  return `${JSON.stringify(value, (_, entry) => (typeof entry === 'bigint' ? entry.toString() : entry), 2)}\n`;
}

function view(encoded: Uint8Array): wire.RecordView {
  const out = new wire.RecordView();
  const verdict = wire.readRecord(encoded, 0, encoded.length, out);
  if (verdict < 0) throw new Error(`vector record is refused: ${verdict}`);
  return out;
}

const nine = new Uint8Array(32).fill(9);
const compact6 = Uint8Array.of(0x20, 0x01, 0x0d, 0xb8, ...new Array(11).fill(0), 1, 0x0f, 0xa1);
const contacts = [
  { publicKey: alice.publicKey, endpoint: compact },
  { publicKey: bob.publicKey, endpoint: compact6 },
];
const value = utf8('hello, world');
const mutable = { identity: alice, namespace: 'profile', ttlSecs: 86_400 };
const immutableRecord = wire.createImmutable(value, 3600);
const mutableRecord = wire.createMutable({
  ...mutable,
  salt: 'picture',
  sequence: 2 ** 53 - 1,
  value,
  notBeforeUnix: 2 ** 40,
});
const providerRecord = wire.createProvider({
  identity: bob,
  key: content,
  endpoints: [parseEndpoint('192.0.2.1:4000'), parseEndpoint('[2001:db8::1]:4000')],
  metadata: utf8('meta'),
  sequence: 3,
  ttlSecs: 3600,
});
const asMessage = (encoded: Uint8Array) => fromBinary(RecordSchema, encoded);
const keyless = Object.assign(asMessage(providerRecord), { key: new Uint8Array(0) });

/** What the message vectors hold, by codec name, as protobuf-es inits. */
const SAMPLES: { readonly [name: string]: readonly Plain[] } = {
  PING: [{}, { payload: utf8('are you there?') }],
  PONG: [{ payload: utf8('are you there?') }, { observed: compact }, { payload: nine, observed: compact6 }],
  FIND_NODE: [{ target: nine }, { target: content, limit: 20 }],
  FIND_NODE_RESPONSE: [{}, { contacts }],
  FIND_VALUE: [
    { key: content },
    { key: content, want: 1, skip: 300 },
    { key: content, sequenceMin: 2n ** 53n - 1n },
  ],
  FIND_VALUE_RESPONSE: [
    {},
    { record: asMessage(mutableRecord), contacts },
    { record: asMessage(wire.detachRecord(immutableRecord)) },
    { contacts, providers: [keyless], providersTotal: 300 },
  ],
  STORE: [
    { record: asMessage(immutableRecord) },
    { record: asMessage(mutableRecord), cas: true },
    { record: asMessage(mutableRecord), ageSecs: 43_200 },
    { record: asMessage(immutableRecord), single: true },
    {
      record: asMessage(wire.detachRecord(mutableRecord)),
      cas: true,
      sequenceExpected: 2n ** 32n,
      stampSalt: utf8('salt'),
      stampNonce: 2n ** 64n - 1n,
      ageSecs: 2 ** 32 - 1,
    },
  ],
  ANNOUNCE_PROVIDER: [
    { record: asMessage(providerRecord) },
    { record: asMessage(providerRecord), stampSalt: utf8('salt'), stampNonce: 5n },
  ],
  STORE_RESPONSE: [{ status: 1 }, { status: 3, sequence: 2n ** 40n }],
  FETCH_CHUNK: [
    { valueHash: content, length: 1120 },
    { valueHash: content, offset: 2240, length: 7 },
  ],
  FETCH_CHUNK_RESPONSE: [{}, { offset: 2240, data: value, total: 4000 }],
  ERROR: [{}, { code: 3, retryAfterMs: 1500, reason: 'später' }],
};
const RESPONSES: ReadonlySet<number> = new Set([2, 4, 6, 8, 10, 12, 14, 255]);

/** Messages of every type, header and body, with the fields they hold. */
function messages(): unknown {
  const vectors: unknown[] = [];
  for (const codec of codecs) {
    for (const init of SAMPLES[codec.name] ?? []) {
      const message = create(codec.schema, init);
      const bytes = new Uint8Array(BODY_ROOM);
      const length = codec.write(bytes, wire.HEADER_BYTES, message);
      const flags = RESPONSES.has(codec.type) ? wire.HeaderFlag.RESPONSE : 0;
      wire.writeHeader(bytes, 0, codec.type, flags, wire.Qos.CONTROL, 0xa1b2_c3d4, 7);
      vectors.push({
        name: codec.name,
        type: codec.type,
        fields: codec.expected(message),
        message: toHex(bytes.slice(0, wire.HEADER_BYTES + length)),
      });
    }
  }
  vectors.push(negotiation());
  return {
    about: 'Messages of Molia v1: header (correlation a1b2c3d4, stream 7) and body.',
    licence: LICENCE,
    vectors,
  };
}

function negotiation(): Plain {
  const said = Object.assign(new wire.Negotiation(), {
    features: wire.featureSet(wire.Feature.CHUNK_PULL, wire.Feature.EARLY_DATA),
    publicKey: alice.publicKey,
    node: nodeRecord(),
    client: true,
  });
  const body = wire.encodeNegotiate(said);
  const bytes = new Uint8Array(wire.HEADER_BYTES + body.length);
  wire.writeHeader(bytes, 0, wire.MessageType.NEGOTIATE, 0, wire.Qos.CONTROL, 0xa1b2_c3d4, 7);
  bytes.set(body, wire.HEADER_BYTES);
  const { versionMin, versionMax, features, messageBytesMax, client } = said;
  return {
    name: 'NEGOTIATE',
    type: wire.MessageType.NEGOTIATE,
    fields: {
      versionMin,
      versionMax,
      features,
      messageBytesMax,
      client,
      publicKey: toHex(alice.publicKey),
      node: toHex(nodeRecord()),
    },
    message: toHex(bytes),
  };
}

function nodeRecord(): Uint8Array {
  return wire.createNodeRecord(alice, {
    sequence: 1_800_000_000,
    endpoints: [{ kind: wire.EndpointKind.UDP, endpoint: compact, priority: 1 }],
    observed: [{ endpoint: compact, observer: nodeIdOf(bob.publicKey), seenUnix: 1_800_000_001 }],
    features: wire.featureSet(wire.Feature.CHUNK_PULL, wire.Feature.EARLY_DATA),
    puzzle: { salt: new Uint8Array(16).fill(5), difficulty: 12, expiryUnix: 1_800_000_060 },
    natClass: wire.NatClass.OPEN,
  });
}

/** Signed records with the bytes that the signature covers, whole and detached. */
function records(): unknown {
  const made: readonly [string, Uint8Array][] = [
    ['immutable', immutableRecord],
    ['immutable, empty', wire.createImmutable(new Uint8Array(0), 3600)],
    ['mutable', wire.createMutable({ ...mutable, sequence: 1, value })],
    ['mutable with salt, large numbers', mutableRecord],
    ['tombstone', wire.createMutable({ ...mutable, sequence: 2, tombstone: true })],
    ['provider', providerRecord],
  ];
  return {
    about:
      'Records. Owners have the Ed25519 seeds 01…01 (alice) and 02…02 (bob). "signed" is what the signature covers.',
    licence: LICENCE,
    owners: { alice: toHex(alice.publicKey), bob: toHex(bob.publicKey) },
    vectors: made.map(([name, encoded]) => ({
      name,
      fields: plainRecordView(view(encoded), encoded),
      signed: signedBytes(encoded),
      encoded: toHex(encoded),
      detached: toHex(wire.detachRecord(encoded)),
    })),
  };
}

function signedBytes(encoded: Uint8Array): string | null {
  const read = view(encoded);
  if (read.signatureOffset < 0) return null;
  const { type, key, value, sequence, ttlSecs, notBeforeUnix, flags } = fromBinary(RecordSchema, encoded);
  const out = new Uint8Array(wire.SIGNED_BYTES);
  wire.signedBytesInto(
    out,
    0,
    type,
    key,
    0,
    Number(sequence),
    ttlSecs,
    Number(notBeforeUnix),
    flags,
    blake3(value),
    0,
  );
  return toHex(out);
}

function keys(): unknown {
  const cases: readonly [string, string][] = [
    ['', ''],
    ['profile', ''],
    ['profile', 'picture'],
    ['profilep', 'icture'],
    ['ünïcödé', '\u0000'],
    ['n'.repeat(255), 's'.repeat(64)],
  ];
  return {
    about:
      'Keys: BLAKE3(value); BLAKE3(owner || u8 length of namespace || namespace || salt), texts as UTF-8.',
    licence: LICENCE,
    immutable: ['', 'hello, world'].map((text) => ({
      value: toHex(utf8(text)),
      key: toHex(wire.immutableKey(utf8(text))),
    })),
    mutable: cases.map(([namespace, salt]) => ({
      owner: toHex(alice.publicKey),
      namespace: toHex(utf8(namespace)),
      salt: toHex(utf8(salt)),
      key: toHex(wire.mutableKey(alice.publicKey, namespace, salt)),
    })),
    nodeRecord: { owner: toHex(alice.publicKey), encoded: toHex(nodeRecord()) },
    canary: [0, 1, 2, 3].map((bit) => ({
      bit,
      nodeId: toHex(alice.id),
      enabledFrom: Array.from({ length: 101 }, (_, percent) => percent).find((percent) =>
        wire.featureEnabled(bit, alice.id, percent),
      ),
    })),
  };
}

/** Bodies that every implementation must refuse. */
function refusals(): unknown {
  const fill = (length: number) => new Uint8Array(length).fill(0x61);
  const key = fill(32);
  const cases: readonly [string, string, readonly number[]][] = [
    ['PING', 'payload of 33 bytes', field(1, fill(33))],
    ['PING', 'varint of eleven bytes', [0x10, ...new Array(10).fill(0x80), 1]],
    ['PING', 'field number 0', [0x00, 0x01]],
    ['PING', 'group that never ends', [0x23]],
    ['PING', 'groups nested five deep', [0x23, 0x23, 0x23, 0x23, 0x23, 0x24, 0x24, 0x24, 0x24, 0x24]],
    ['FIND_NODE', 'no target', []],
    ['FIND_NODE', 'target of 31 bytes', field(1, fill(31))],
    ['FIND_NODE', '21 contacts wanted', [...field(1, key), ...field(2, 21n)]],
    ['FIND_VALUE', 'sequence of 2^53', [...field(1, key), ...field(3, 2n ** 53n)]],
    ['STORE', 'no record', []],
    ['STORE_RESPONSE', 'unknown status', field(1, 8n)],
    ['FETCH_CHUNK', 'chunk of 1121 bytes', [...field(1, key), ...field(3, 1121n)]],
    ['FETCH_CHUNK_RESPONSE', 'data past the total', [...field(2, fill(9)), ...field(3, 8n)]],
    ['ERROR', 'reason that is not UTF-8', field(3, Uint8Array.of(0xc0, 0x80))],
    [
      'Record',
      'value and hash',
      [...field(1, key), ...field(2, 1n), ...field(3, fill(3)), ...field(10, key)],
    ],
    ['Record', 'immutable with an owner', [...field(1, key), ...field(2, 1n), ...field(7, key)]],
    ['Record', 'mutable without signature', [...field(1, key), ...field(2, 2n), ...field(7, key)]],
  ];
  return {
    about: 'Bodies (without header) that a reader refuses, and the name of the reason.',
    licence: LICENCE,
    vectors: cases.map(([name, why, parts]) => {
      const bytes = Uint8Array.from(parts);
      const codec = codecs.find((entry) => entry.name === name);
      const verdict = codec?.read(bytes, 0, bytes.length) ?? 0;
      const reason = wire.wireDropNames[wire.wireDropIndex(verdict)];
      if (reason === undefined) throw new Error(`${name} with ${why} was taken`);
      return { name, why, body: toHex(bytes), reason };
    }),
  };
}

/** Every vector file by name. */
export function buildVectors(): { readonly [file: string]: unknown } {
  return {
    'messages.json': messages(),
    'records.json': records(),
    'keys.json': keys(),
    'refusals.json': refusals(),
  };
}
