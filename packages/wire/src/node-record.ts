/**
 * Node records: a node's signed description of itself, at most 512 bytes, ordered by sequence (docs/spec/records.md).
 * The signature covers `"molia/node/1" || BLAKE3(body)` with the body's bytes as received. Exchanged once per session,
 * so by protobuf-es; what a stranger sent is answered with a verdict all the same.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { blake3Into, type Curves, type Identity, TAKEN, type Verdict } from '@molia/core';
import {
  EndpointKind,
  INTEGER_MAX,
  KEY_BYTES,
  NatClass,
  NODE_RECORD_BYTES_MAX,
  NODE_RECORD_DOMAIN,
  NODE_RECORD_ENTRIES_MAX,
  PROTOCOL_VERSION,
  PUZZLE_SALT_BYTES,
  SIGNATURE_BYTES,
} from './constants.ts';
import { isCompactLength } from './contacts.ts';
import { WireDrop } from './drops.ts';
import { checkEncoding } from './encoding.ts';
import { type NodeRecordBody, NodeRecordBodySchema, NodeRecordSchema } from './gen/molia/v1/record_pb.ts';

const DOMAIN = new TextEncoder().encode(NODE_RECORD_DOMAIN);

export interface NodeEndpoint {
  kind: EndpointKind;
  /** Compact: 6 or 18 bytes. */
  endpoint: Uint8Array;
  /** Lower is tried first. */
  priority: number;
}

export interface ObservedEndpoint {
  /** Compact. */
  endpoint: Uint8Array;
  /** Node id of who saw it. */
  observer: Uint8Array;
  seenUnix: number;
}

export interface AdmissionPuzzle {
  /** 16 bytes. */
  salt: Uint8Array;
  difficulty: number;
  expiryUnix: number;
}

export interface RelayOffer {
  nodeId: Uint8Array;
  /** Compact. */
  endpoint: Uint8Array;
  expiryUnix: number;
}

/** What a node says about itself. */
export class NodeDescription {
  /** Ed25519; the node id is its BLAKE3. */
  publicKey: Uint8Array = new Uint8Array(0);
  /** X25519, only where it is not the birational image of `publicKey`. */
  transportKey: Uint8Array | undefined = undefined;
  /** 0 to 2^53 - 1; higher replaces. */
  sequence = 0;
  endpoints: NodeEndpoint[] = [];
  observed: ObservedEndpoint[] = [];
  /** u32 of `Feature` bits; bits that version 1 does not number are dropped. */
  features = 0;
  versionMin: number = PROTOCOL_VERSION;
  versionMax: number = PROTOCOL_VERSION;
  puzzle: AdmissionPuzzle | undefined = undefined;
  natClass: NatClass = NatClass.UNSPECIFIED;
  relays: RelayOffer[] = [];
}

/**
 * An encoded, signed node record of `identity` (whose key replaces `description.publicKey`). Throws RangeError when
 * it would not pass `decodeNodeRecord`: entries malformed, or over 512 bytes.
 */
export function createNodeRecord(identity: Identity, description: Partial<NodeDescription>): Uint8Array {
  const whole = Object.assign(new NodeDescription(), description, { publicKey: identity.publicKey });
  const content = toBody(whole);
  if (checkBody(content) < 0)
    throw new RangeError('the node description breaks a limit of docs/spec/records.md');
  const body = toBinary(NodeRecordBodySchema, content);
  const signature = new Uint8Array(SIGNATURE_BYTES);
  identity.signInto(signature, signedBytes(body));
  const encoded = toBinary(NodeRecordSchema, create(NodeRecordSchema, { body, signature }));
  if (encoded.length > NODE_RECORD_BYTES_MAX) {
    throw new RangeError(`a node record has at most ${NODE_RECORD_BYTES_MAX} bytes, not ${encoded.length}`);
  }
  return encoded;
}

/** Reads and verifies an encoded node record; `out` is filled only on `TAKEN`. */
export function decodeNodeRecord(encoded: Uint8Array, curves: Curves, out: NodeDescription): Verdict {
  if (encoded.length > NODE_RECORD_BYTES_MAX) return WireDrop.TOO_LARGE;
  // A copy of our own: the fields below are views into it.
  const owned = new Uint8Array(encoded);
  let encoding = checkEncoding(NodeRecordSchema, owned, 0, owned.length);
  if (encoding < 0) return encoding;
  let bodyBytes: Uint8Array;
  let signature: Uint8Array;
  let body: NodeRecordBody;
  try {
    ({ body: bodyBytes, signature } = fromBinary(NodeRecordSchema, owned, { readUnknownFields: false }));
    encoding = checkEncoding(NodeRecordBodySchema, bodyBytes, 0, bodyBytes.length);
    if (encoding < 0) return encoding;
    body = fromBinary(NodeRecordBodySchema, bodyBytes, { readUnknownFields: false });
  } catch {
    return WireDrop.MALFORMED;
  }
  const verdict = checkBody(body);
  if (verdict < 0) return verdict;
  if (signature.length !== SIGNATURE_BYTES) return WireDrop.LENGTH;
  if (!curves.ed25519Verify(signature, signedBytes(bodyBytes), body.publicKey)) return WireDrop.SIGNATURE;
  fromBody(body, out);
  return TAKEN;
}

function signedBytes(body: Uint8Array): Uint8Array {
  const message = new Uint8Array(DOMAIN.length + KEY_BYTES);
  message.set(DOMAIN);
  blake3Into(message, DOMAIN.length, body, 0, body.length);
  return message;
}

function checkBody(body: NodeRecordBody): Verdict {
  if (body.publicKey.length !== KEY_BYTES) {
    return body.publicKey.length === 0 ? WireDrop.MISSING : WireDrop.LENGTH;
  }
  if (body.transportKey.length !== 0 && body.transportKey.length !== KEY_BYTES) return WireDrop.LENGTH;
  if (tooLarge(body.sequence) || body.versionMin > body.versionMax) return WireDrop.RANGE;
  if (
    body.endpoints.length > NODE_RECORD_ENTRIES_MAX ||
    body.observed.length > NODE_RECORD_ENTRIES_MAX ||
    body.relays.length > NODE_RECORD_ENTRIES_MAX
  ) {
    return WireDrop.TOO_MANY;
  }
  const verdict = checkEntries(body);
  if (verdict < 0) return verdict;
  return body.natClass < 0 || body.natClass > NatClass.BLOCKED ? WireDrop.RANGE : TAKEN;
}

function checkEntries(body: NodeRecordBody): Verdict {
  for (const { kind, endpoint } of body.endpoints) {
    if (!isCompactLength(endpoint.length)) return WireDrop.LENGTH;
    if (kind < EndpointKind.UDP || kind > EndpointKind.RELAY) return WireDrop.RANGE;
  }
  for (const { endpoint, observer, seenUnix } of body.observed) {
    if (!isCompactLength(endpoint.length) || observer.length !== KEY_BYTES) return WireDrop.LENGTH;
    if (tooLarge(seenUnix)) return WireDrop.RANGE;
  }
  for (const { nodeId, endpoint, expiryUnix } of body.relays) {
    if (!isCompactLength(endpoint.length) || nodeId.length !== KEY_BYTES) return WireDrop.LENGTH;
    if (tooLarge(expiryUnix)) return WireDrop.RANGE;
  }
  if (body.puzzle === undefined) return TAKEN;
  if (body.puzzle.salt.length !== PUZZLE_SALT_BYTES) return WireDrop.LENGTH;
  return body.puzzle.difficulty > 256 || tooLarge(body.puzzle.expiryUnix) ? WireDrop.RANGE : TAKEN;
}

function tooLarge(value: bigint): boolean {
  return value > BigInt(INTEGER_MAX);
}

function toBody(from: NodeDescription): NodeRecordBody {
  return create(NodeRecordBodySchema, {
    publicKey: from.publicKey,
    ...(from.transportKey === undefined ? {} : { transportKey: from.transportKey }),
    sequence: BigInt(from.sequence),
    endpoints: from.endpoints,
    observed: from.observed.map((entry) => ({ ...entry, seenUnix: BigInt(entry.seenUnix) })),
    features: BigInt(from.features),
    versionMin: from.versionMin,
    versionMax: from.versionMax,
    ...(from.puzzle === undefined
      ? {}
      : { puzzle: { ...from.puzzle, expiryUnix: BigInt(from.puzzle.expiryUnix) } }),
    natClass: from.natClass,
    relays: from.relays.map((entry) => ({ ...entry, expiryUnix: BigInt(entry.expiryUnix) })),
  });
}

function fromBody(body: NodeRecordBody, out: NodeDescription): void {
  out.publicKey = body.publicKey;
  out.transportKey = body.transportKey.length === 0 ? undefined : body.transportKey;
  out.sequence = Number(body.sequence);
  out.endpoints = body.endpoints.map(({ kind, endpoint, priority }) => ({
    // `checkEntries` bounded the kind.
    kind: kind as EndpointKind,
    endpoint: endpoint,
    priority,
  }));
  out.observed = body.observed.map(({ endpoint, observer, seenUnix }) => ({
    endpoint: endpoint,
    observer: observer,
    seenUnix: Number(seenUnix),
  }));
  out.features = Number(BigInt.asUintN(32, body.features));
  out.versionMin = body.versionMin;
  out.versionMax = body.versionMax;
  out.puzzle =
    body.puzzle === undefined
      ? undefined
      : {
          salt: body.puzzle.salt,
          difficulty: body.puzzle.difficulty,
          expiryUnix: Number(body.puzzle.expiryUnix),
        };
  // `checkBody` bounded the class.
  out.natClass = body.natClass as NatClass;
  out.relays = body.relays.map(({ nodeId, endpoint, expiryUnix }) => ({
    nodeId: nodeId,
    endpoint: endpoint,
    expiryUnix: Number(expiryUnix),
  }));
}
