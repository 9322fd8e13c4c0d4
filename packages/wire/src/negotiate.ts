/**
 * NEGOTIATE and its answer: versions, feature bits, message size, who the sender is. Once per session, so by
 * protobuf-es; what a stranger sent is answered with a verdict all the same.
 */
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { copyBytes, TAKEN, type Verdict } from '@molia/core';
import {
  BODY_BYTES_MAX,
  KEY_BYTES,
  MESSAGE_BYTES_MAX,
  NODE_RECORD_BYTES_MAX,
  PROTOCOL_VERSION,
} from './constants.ts';
import { WireDrop } from './drops.ts';
import { checkEncoding } from './encoding.ts';
import { type Negotiate, NegotiateSchema } from './gen/molia/v1/messages_pb.ts';
import { type NodeRecord, NodeRecordSchema } from './gen/molia/v1/record_pb.ts';

/** What one side says; the common subset holds (`negotiateVersion`, `negotiateFeatures`, the smaller size). */
export class Negotiation {
  versionMin: number = PROTOCOL_VERSION;
  versionMax: number = PROTOCOL_VERSION;
  /** u32 of `Feature` bits; bits that version 1 does not number are dropped. */
  features = 0;
  /** At least `MESSAGE_BYTES_MAX`. */
  messageBytesMax: number = MESSAGE_BYTES_MAX;
  /** Encoded node record, not yet verified (`decodeNodeRecord`); absent = not told. */
  node: Uint8Array | undefined = undefined;
  /** Ed25519 key of the sender, 32 bytes. */
  publicKey: Uint8Array = new Uint8Array(0);
  /** The sender only asks. */
  client = false;
}

/** The body of a NEGOTIATE. Throws RangeError when it would not pass `decodeNegotiate`. */
export function encodeNegotiate(from: Negotiation): Uint8Array {
  const message = create(NegotiateSchema, {
    versionMin: from.versionMin,
    versionMax: from.versionMax,
    features: BigInt(from.features),
    messageBytesMax: from.messageBytesMax,
    publicKey: from.publicKey,
    client: from.client,
    ...(from.node === undefined ? {} : { node: fromBinary(NodeRecordSchema, from.node) }),
  });
  if (checkMessage(message) < 0) throw new RangeError('the negotiation breaks a limit of docs/spec/wire.md');
  return toBinary(NegotiateSchema, message);
}

/** Reads the body of a NEGOTIATE or its answer; `out` is filled only on `TAKEN`, with bytes of its own. */
export function decodeNegotiate(
  bytes: Uint8Array,
  offset: number,
  length: number,
  out: Negotiation,
): Verdict {
  if (length > BODY_BYTES_MAX) return WireDrop.TOO_LARGE;
  const encoding = checkEncoding(NegotiateSchema, bytes, offset, length);
  if (encoding < 0) return encoding;
  const owned = new Uint8Array(length);
  copyBytes(owned, 0, bytes, offset, length);
  let message: Negotiate;
  try {
    message = fromBinary(NegotiateSchema, owned, { readUnknownFields: false });
  } catch {
    return WireDrop.MALFORMED;
  }
  const verdict = checkMessage(message);
  if (verdict < 0) return verdict;
  out.versionMin = message.versionMin;
  out.versionMax = message.versionMax;
  out.features = Number(BigInt.asUintN(32, message.features));
  out.messageBytesMax = message.messageBytesMax;
  out.node = message.node === undefined ? undefined : encodeNode(message.node);
  out.publicKey = message.publicKey;
  out.client = message.client;
  return TAKEN;
}

function checkMessage(message: Negotiate): Verdict {
  if (message.publicKey.length !== KEY_BYTES) {
    return message.publicKey.length === 0 ? WireDrop.MISSING : WireDrop.LENGTH;
  }
  if (message.versionMin === 0 || message.versionMin > message.versionMax) return WireDrop.RANGE;
  if (message.messageBytesMax < MESSAGE_BYTES_MAX) return WireDrop.RANGE;
  if (message.node !== undefined && encodeNode(message.node).length > NODE_RECORD_BYTES_MAX) {
    return WireDrop.TOO_LARGE;
  }
  return TAKEN;
}

function encodeNode(node: NodeRecord): Uint8Array {
  return toBinary(NodeRecordSchema, node);
}
