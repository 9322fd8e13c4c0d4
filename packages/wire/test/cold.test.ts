import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { createIdentity, nobleCurves, TAKEN } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { NegotiateSchema } from '../src/gen/molia/v1/messages_pb.ts';
import { NodeRecordBodySchema, NodeRecordSchema } from '../src/gen/molia/v1/record_pb.ts';
import {
  createNodeRecord,
  decodeNegotiate,
  decodeNodeRecord,
  EndpointKind,
  encodeNegotiate,
  Feature,
  featureEnabled,
  featureSet,
  hasFeature,
  NatClass,
  Negotiation,
  NodeDescription,
  negotiateFeatures,
  negotiateVersion,
  WireDrop,
} from '../src/index.ts';

const identity = createIdentity(nobleCurves, new Uint8Array(32).fill(1));
const compact4 = Uint8Array.from([192, 0, 2, 1, 0x0f, 0xa0]);
const compact6 = new Uint8Array(18).fill(0x20);

const description = {
  transportKey: new Uint8Array(32).fill(9),
  sequence: 2 ** 50,
  endpoints: [{ kind: EndpointKind.UDP, endpoint: compact4, priority: 1 }],
  observed: [{ endpoint: compact6, observer: new Uint8Array(32).fill(4), seenUnix: 1_800_000_000 }],
  features: featureSet(Feature.CHUNK_PULL, Feature.EARLY_DATA),
  puzzle: { salt: new Uint8Array(16).fill(5), difficulty: 12, expiryUnix: 1_800_000_060 },
  natClass: NatClass.OPEN,
  relays: [{ nodeId: new Uint8Array(32).fill(6), endpoint: compact4, expiryUnix: 1_800_000_070 }],
};

describe('a node record', () => {
  const encoded = createNodeRecord(identity, description);

  it('comes back as it was said, whatever kind of array it arrived in', () => {
    for (const arrived of [encoded, Buffer.from(encoded)]) {
      const out = new NodeDescription();
      expect(decodeNodeRecord(arrived, nobleCurves, out)).toBe(TAKEN);
      arrived === encoded || arrived.fill(0);
      expect(JSON.stringify(out)).toBe(
        JSON.stringify(Object.assign(new NodeDescription(), description, { publicKey: identity.publicKey })),
      );
    }
  });

  it('is refused when one bit of it changed, and leaves what was known', () => {
    for (let position = 0; position < encoded.length; position += 3) {
      const forged = encoded.slice();
      forged[position] = (forged[position] as number) ^ 4;
      const out = new NodeDescription();
      expect(decodeNodeRecord(forged, nobleCurves, out)).toBeLessThan(0);
      expect(out).toEqual(new NodeDescription());
    }
  });

  it('is refused when it is empty, too large, or breaks a limit under a good signature', () => {
    const out = new NodeDescription();
    expect(decodeNodeRecord(new Uint8Array(0), nobleCurves, out)).toBe(WireDrop.MISSING);
    expect(decodeNodeRecord(new Uint8Array(513), nobleCurves, out)).toBe(WireDrop.TOO_LARGE);
    const record = fromBinary(NodeRecordSchema, encoded);
    const body = fromBinary(NodeRecordBodySchema, record.body);
    body.natClass = 6 as NatClass;
    record.body = toBinary(NodeRecordBodySchema, body);
    expect(decodeNodeRecord(toBinary(NodeRecordSchema, record), nobleCurves, out)).toBe(WireDrop.RANGE);
  });

  it('that would not be accepted is not made', () => {
    const endpoint = { kind: EndpointKind.UDP, endpoint: compact6, priority: 0 };
    const refused: Partial<NodeDescription>[] = [
      { endpoints: [{ ...endpoint, endpoint: new Uint8Array(7) }] },
      { endpoints: [{ ...endpoint, kind: 9 as EndpointKind }] },
      { endpoints: Array(17).fill(endpoint) },
      { endpoints: Array(16).fill(endpoint), relays: Array(4).fill(description.relays[0]) },
      { transportKey: new Uint8Array(31) },
      { sequence: 2 ** 53 },
      { versionMin: 2, versionMax: 1 },
      { puzzle: { ...description.puzzle, salt: new Uint8Array(15) } },
      { puzzle: { ...description.puzzle, difficulty: 257 } },
      { observed: [{ endpoint: compact4, observer: new Uint8Array(31), seenUnix: 0 }] },
      { relays: [{ nodeId: new Uint8Array(31), endpoint: compact4, expiryUnix: 0 }] },
    ];
    for (const given of refused) expect(() => createNodeRecord(identity, given)).toThrow(RangeError);
  });
});

describe('a negotiation', () => {
  const said = Object.assign(new Negotiation(), {
    features: featureSet(Feature.CHUNK_PULL, Feature.TRACE),
    publicKey: identity.publicKey,
    node: createNodeRecord(identity, description),
    client: true,
  });

  it('comes back as it was said, from inside a larger buffer that is reused', () => {
    const encoded = encodeNegotiate(said);
    const buffer = Buffer.alloc(encoded.length + 20, 0xee);
    buffer.set(encoded, 7);
    const heard = new Negotiation();
    expect(decodeNegotiate(buffer, 7, encoded.length, heard)).toBe(TAKEN);
    buffer.fill(0);
    expect(heard).toEqual(said);
    expect(decodeNodeRecord(heard.node as Uint8Array, nobleCurves, new NodeDescription())).toBe(TAKEN);
  });

  it('is refused without a key, without a version, with a small message size, or as no protobuf', () => {
    const decode = (change: (message: ReturnType<typeof parse>) => void) => {
      const message = parse();
      change(message);
      const bytes = toBinary(NegotiateSchema, message);
      return decodeNegotiate(bytes, 0, bytes.length, new Negotiation());
    };
    const parse = () => fromBinary(NegotiateSchema, encodeNegotiate(said));
    expect(decode(() => {})).toBe(TAKEN);
    expect(decode((message) => (message.publicKey = new Uint8Array(0)))).toBe(WireDrop.MISSING);
    expect(decode((message) => (message.publicKey = new Uint8Array(33)))).toBe(WireDrop.LENGTH);
    expect(decode((message) => (message.versionMin = 0))).toBe(WireDrop.RANGE);
    expect(decode((message) => (message.versionMin = 2))).toBe(WireDrop.RANGE);
    expect(decode((message) => (message.messageBytesMax = 1199))).toBe(WireDrop.RANGE);
    const tooMuch = (message: ReturnType<typeof parse>) => {
      if (message.node !== undefined) message.node.body = new Uint8Array(513);
    };
    expect(decode(tooMuch)).toBe(WireDrop.TOO_LARGE);
    const raw = (...bytes: number[]) =>
      decodeNegotiate(Uint8Array.from(bytes), 0, bytes.length, new Negotiation());
    // A number under the wire type of bytes, a node record twice, a length past the end.
    expect(raw(0x0a, 0)).toBe(WireDrop.MALFORMED);
    expect(raw(0x2a, 0, 0x2a, 0)).toBe(WireDrop.DUPLICATE);
    expect(raw(0x0a, 9)).toBe(WireDrop.TRUNCATED);
    expect(decodeNegotiate(new Uint8Array(1189), 0, 1189, new Negotiation())).toBe(WireDrop.TOO_LARGE);
    expect(() => encodeNegotiate(new Negotiation())).toThrow(RangeError);
  });

  it('drops feature bits that version 1 does not number', () => {
    const message = fromBinary(NegotiateSchema, encodeNegotiate(said));
    message.features = 2n ** 63n + 4n;
    const bytes = toBinary(NegotiateSchema, message);
    const heard = new Negotiation();
    expect(decodeNegotiate(bytes, 0, bytes.length, heard)).toBe(TAKEN);
    expect(heard.features).toBe(4);
  });
});

describe('features', () => {
  it('hold where both sides have them', () => {
    const ours = featureSet(Feature.CHUNK_PULL, Feature.EARLY_DATA, 31);
    const theirs = featureSet(Feature.EARLY_DATA, Feature.TRACE, 31);
    const common = negotiateFeatures(ours, theirs);
    expect(common).toBe(featureSet(Feature.EARLY_DATA, 31));
    expect(hasFeature(common, 31)).toBe(true);
    expect(hasFeature(common, Feature.TRACE)).toBe(false);
  });

  it('of a version are those of the highest common one', () => {
    expect(negotiateVersion(1, 2, 1, 1)).toBe(1);
    expect(negotiateVersion(1, 3, 2, 5)).toBe(3);
    expect(negotiateVersion(3, 4, 1, 2)).toBe(0);
  });

  it('reach the asked share of nodes, never lose one as the share grows, and differ by feature', () => {
    const ids = Array.from({ length: 2000 }, (_, i) =>
      Uint8Array.from({ length: 32 }, (_, j) => (j < 2 ? i >> (8 * j) : 3)),
    );
    const enabled = (bit: number, percent: number) => ids.filter((id) => featureEnabled(bit, id, percent));
    expect(enabled(2, 0)).toHaveLength(0);
    expect(enabled(2, 100)).toHaveLength(ids.length);
    const tenth = enabled(2, 10);
    expect(tenth.length).toBeGreaterThan(140);
    expect(tenth.length).toBeLessThan(260);
    const third = new Set(enabled(2, 33));
    expect(tenth.every((id) => third.has(id))).toBe(true);
    expect(enabled(3, 10)).not.toEqual(tenth);
  });
});
