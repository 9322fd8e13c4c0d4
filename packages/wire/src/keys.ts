/** Where records live: the keys of docs/spec/records.md, and the bytes that signatures cover. */
import { blake3, blake3Into, copyBytes } from '@molia/core';
import { KEY_BYTES, NAMESPACE_BYTES_MAX, RECORD_DOMAIN, SALT_BYTES_MAX } from './constants.ts';

const DOMAIN = new TextEncoder().encode(RECORD_DOMAIN);
const TWO_32 = 2 ** 32;

/** Bytes of the layout that a record's signature covers: 14 + 1 + 32 + 8 + 4 + 8 + 2 + 32. */
export const SIGNED_BYTES = DOMAIN.length + 1 + KEY_BYTES + 8 + 4 + 8 + 2 + KEY_BYTES;

const NOTHING = new Uint8Array(0);
/** Longest preimage of a mutable key. */
const preimage = new Uint8Array(KEY_BYTES + 1 + NAMESPACE_BYTES_MAX + SALT_BYTES_MAX);

/** Text as UTF-8; bytes as they are. */
export function utf8OrBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? new TextEncoder().encode(value) : value;
}

/** The key of an immutable value: its BLAKE3. */
export function immutableKey(value: Uint8Array): Uint8Array {
  return blake3(value);
}

/**
 * The key of a mutable record: BLAKE3(owner || u8 length of namespace || namespace || salt). Text counts as UTF-8.
 * Throws RangeError when a part is too long.
 */
export function mutableKey(
  owner: Uint8Array,
  namespace: string | Uint8Array,
  salt: string | Uint8Array = NOTHING,
): Uint8Array {
  const name = utf8OrBytes(namespace);
  const saltBytes = utf8OrBytes(salt);
  requireLength('owner', owner.length, KEY_BYTES, KEY_BYTES);
  requireLength('namespace', name.length, 0, NAMESPACE_BYTES_MAX);
  requireLength('salt', saltBytes.length, 0, SALT_BYTES_MAX);
  const key = new Uint8Array(KEY_BYTES);
  mutableKeyInto(key, 0, owner, 0, name, 0, name.length, saltBytes, 0, saltBytes.length);
  return key;
}

/** `mutableKey` by offset; lengths within their limits are the caller's duty. */
export function mutableKeyInto(
  out: Uint8Array,
  outOffset: number,
  owner: Uint8Array,
  ownerOffset: number,
  namespace: Uint8Array,
  namespaceOffset: number,
  namespaceLength: number,
  salt: Uint8Array,
  saltOffset: number,
  saltLength: number,
): void {
  copyBytes(preimage, 0, owner, ownerOffset, KEY_BYTES);
  preimage[KEY_BYTES] = namespaceLength;
  copyBytes(preimage, KEY_BYTES + 1, namespace, namespaceOffset, namespaceLength);
  const saltAt = KEY_BYTES + 1 + namespaceLength;
  copyBytes(preimage, saltAt, salt, saltOffset, saltLength);
  blake3Into(out, outOffset, preimage, 0, saltAt + saltLength);
}

/**
 * Writes what a record's signature covers, `SIGNED_BYTES` long, numbers big endian:
 * `"molia/record/1" || u8 type || key || u64 sequence || u32 ttl || u64 not_before || u16 flags || BLAKE3(value)`.
 */
export function signedBytesInto(
  out: Uint8Array,
  outOffset: number,
  type: number,
  key: Uint8Array,
  keyOffset: number,
  sequence: number,
  ttlSecs: number,
  notBeforeUnix: number,
  flags: number,
  valueHash: Uint8Array,
  valueHashOffset: number,
): number {
  let at = outOffset;
  copyBytes(out, at, DOMAIN, 0, DOMAIN.length);
  at += DOMAIN.length;
  out[at++] = type;
  copyBytes(out, at, key, keyOffset, KEY_BYTES);
  at = putU64(out, at + KEY_BYTES, sequence);
  at = putU32(out, at, ttlSecs);
  at = putU64(out, at, notBeforeUnix);
  out[at++] = flags >>> 8;
  out[at++] = flags;
  copyBytes(out, at, valueHash, valueHashOffset, KEY_BYTES);
  return SIGNED_BYTES;
}

function putU64(out: Uint8Array, position: number, value: number): number {
  return putU32(out, putU32(out, position, Math.floor(value / TWO_32)), value % TWO_32);
}

function putU32(out: Uint8Array, position: number, value: number): number {
  out[position] = value >>> 24;
  out[position + 1] = value >>> 16;
  out[position + 2] = value >>> 8;
  out[position + 3] = value;
  return position + 4;
}

/** Throws RangeError unless `min <= length <= max`. */
export function requireLength(name: string, length: number, min: number, max: number): void {
  if (length >= min && length <= max) return;
  const expected = min === max ? `${min} bytes` : `${min} to ${max} bytes`;
  throw new RangeError(`${name} must have ${expected}, not ${length}`);
}
