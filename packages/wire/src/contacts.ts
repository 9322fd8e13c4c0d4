/**
 * Contact lists by offset: `repeated Contact` of FIND_NODE_RESPONSE and FIND_VALUE_RESPONSE.
 * A contact is an Ed25519 key and a compact endpoint (6 bytes for IPv4, 18 for IPv6, network byte order).
 */
import { copyBytes, TAKEN, type Verdict } from '@molia/core';
import { COMPACT_IPV4_BYTES, COMPACT_IPV6_BYTES, CONTACTS_MAX, KEY_BYTES } from './constants.ts';
import { WireDrop } from './drops.ts';
import { BYTES, FIELD, ProtoReader } from './proto.ts';

const KEY_TAG = (1 << 3) | BYTES;
const ENDPOINT_TAG = (2 << 3) | BYTES;
/** Bytes of a contact before its endpoint's length: key tag, length, key, endpoint tag. */
const CONTACT_HEAD_BYTES = 2 + KEY_BYTES + 1;
/** Where the port stands in the 19-byte form of an endpoint: family, 16 address bytes, port. */
const PORT_OFFSET = 17;

/** Offsets of contacts in borrowed bytes. */
export class ContactList {
  count = 0;
  readonly keyOffsets = new Int32Array(CONTACTS_MAX);
  readonly endpointOffsets = new Int32Array(CONTACTS_MAX);
  /** 6 or 18. */
  readonly endpointLengths = new Uint8Array(CONTACTS_MAX);
}

/** Bytes of a contact as a list entry under a one-byte tag, by the family (4 or 6) of its endpoint. */
export function contactBytes(family: number): number {
  return 2 + CONTACT_HEAD_BYTES + 1 + (family === 4 ? COMPACT_IPV4_BYTES : COMPACT_IPV6_BYTES);
}

/** Writes a 19-byte endpoint in its compact form behind its length byte; returns the position behind it. */
export function writeCompactField(
  bytes: Uint8Array,
  position: number,
  endpoint: Uint8Array,
  endpointOffset: number,
): number {
  const addressLength = endpoint[endpointOffset] === 4 ? 4 : 16;
  bytes[position] = addressLength + 2;
  copyBytes(bytes, position + 1, endpoint, endpointOffset + 1, addressLength);
  const at = position + 1 + addressLength;
  bytes[at] = endpoint[endpointOffset + PORT_OFFSET] as number;
  bytes[at + 1] = endpoint[endpointOffset + PORT_OFFSET + 1] as number;
  return at + 2;
}

/** Writes one list entry under `tag`; returns the position behind it. The caller checked the room. */
export function writeContact(
  bytes: Uint8Array,
  position: number,
  tag: number,
  key: Uint8Array,
  keyOffset: number,
  endpoint: Uint8Array,
  endpointOffset: number,
): number {
  bytes[position] = tag;
  bytes[position + 1] = contactBytes(endpoint[endpointOffset] as number) - 2;
  bytes[position + 2] = KEY_TAG;
  bytes[position + 3] = KEY_BYTES;
  copyBytes(bytes, position + 4, key, keyOffset, KEY_BYTES);
  bytes[position + 4 + KEY_BYTES] = ENDPOINT_TAG;
  return writeCompactField(bytes, position + 5 + KEY_BYTES, endpoint, endpointOffset);
}

/** Whether this is the length of a compact endpoint. */
export function isCompactLength(length: number): boolean {
  return length === COMPACT_IPV4_BYTES || length === COMPACT_IPV6_BYTES;
}

const reader = new ProtoReader();

/** Appends the Contact in the given range to `out`. */
export function readContact(bytes: Uint8Array, offset: number, length: number, out: ContactList): Verdict {
  const index = out.count;
  if (index === CONTACTS_MAX) return WireDrop.TOO_MANY;
  const endpointLength = length - CONTACT_HEAD_BYTES - 1;
  // The layout that every writer produces; anything else takes the general way below.
  if (
    isCompactLength(endpointLength) &&
    bytes[offset] === KEY_TAG &&
    bytes[offset + 1] === KEY_BYTES &&
    bytes[offset + CONTACT_HEAD_BYTES - 1] === ENDPOINT_TAG &&
    bytes[offset + CONTACT_HEAD_BYTES] === endpointLength
  ) {
    out.keyOffsets[index] = offset + 2;
    out.endpointOffsets[index] = offset + CONTACT_HEAD_BYTES + 1;
    out.endpointLengths[index] = endpointLength;
    out.count = index + 1;
    return TAKEN;
  }
  return readContactFields(bytes, offset, length, out);
}

function readContactFields(bytes: Uint8Array, offset: number, length: number, out: ContactList): Verdict {
  let keyOffset = 0;
  let keyLength = 0;
  let endpointOffset = 0;
  let endpointLength = 0;
  reader.open(bytes, offset, length);
  let verdict = reader.next();
  for (; verdict === FIELD; verdict = reader.next()) {
    if (reader.tag === KEY_TAG) {
      keyOffset = reader.offset;
      keyLength = reader.length;
    } else if (reader.tag === ENDPOINT_TAG) {
      endpointOffset = reader.offset;
      endpointLength = reader.length;
    }
  }
  if (verdict < 0) return verdict;
  if (keyLength === 0 || endpointLength === 0) return WireDrop.MISSING;
  if (keyLength !== KEY_BYTES || !isCompactLength(endpointLength)) return WireDrop.LENGTH;
  out.keyOffsets[out.count] = keyOffset;
  out.endpointOffsets[out.count] = endpointOffset;
  out.endpointLengths[out.count] = endpointLength;
  out.count++;
  return TAKEN;
}
