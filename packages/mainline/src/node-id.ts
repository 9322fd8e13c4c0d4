/** Node ids: BEP 42 (bound to the address), and distances between ids of 160 bits. */
import { ENDPOINT_BYTES, type Rng } from '@molia/core';
import { NODE_ID_BYTES } from './constants.ts';

const crcTable = new Uint32Array(256);
for (let i = 0; i < 256; i++) {
  let c = i;
  for (let bit = 0; bit < 8; bit++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1;
  crcTable[i] = c;
}

/** CRC-32C (Castagnoli). */
export function crc32c(bytes: Uint8Array, offset: number, length: number): number {
  let c = 0xffffffff;
  for (let i = offset; i < offset + length; i++) {
    c = (c >>> 8) ^ (crcTable[(c ^ (bytes[i] as number)) & 255] as number);
  }
  return (c ^ 0xffffffff) >>> 0;
}

const MASK4 = new Uint8Array([0x03, 0x0f, 0x3f, 0xff]);
const MASK6 = new Uint8Array([0x01, 0x03, 0x07, 0x0f, 0x1f, 0x3f, 0x7f, 0xff]);
const masked = new Uint8Array(8);

/** The checksum of BEP 42 over an endpoint's address and the id's last byte. */
function addressCrc(endpoint: Uint8Array, at: number, last: number): number {
  const mask = endpoint[at] === 4 ? MASK4 : MASK6;
  for (let i = 0; i < mask.length; i++) {
    masked[i] = (endpoint[at + 1 + i] as number) & (mask[i] as number);
  }
  masked[0] = (masked[0] as number) | ((last & 7) << 5);
  return crc32c(masked, 0, mask.length);
}

/** Writes an id that BEP 42 allows for the address of a 19-byte endpoint; `last` (0 to 255) is its last byte. */
export function writeSecureId(
  out: Uint8Array,
  outAt: number,
  endpoint: Uint8Array,
  at: number,
  rng: Rng,
  last = rng.u32() & 255,
): void {
  const crc = addressCrc(endpoint, at, last);
  rng.fill(out, outAt, NODE_ID_BYTES);
  out[outAt] = crc >>> 24;
  out[outAt + 1] = crc >>> 16;
  out[outAt + 2] = ((crc >>> 8) & 0xf8) | ((out[outAt + 2] as number) & 7);
  out[outAt + NODE_ID_BYTES - 1] = last;
}

/** Addresses that no rule of BEP 42 applies to: private, link-local and loopback ones. */
export function isExemptAddress(endpoint: Uint8Array, at: number): boolean {
  const a = endpoint[at + 1] as number;
  const b = endpoint[at + 2] as number;
  if (endpoint[at] === 4) {
    return (
      a === 10 ||
      a === 127 ||
      (a === 172 && (b & 0xf0) === 16) ||
      (a === 192 && b === 168) ||
      (a === 169 && b === 254)
    );
  }
  if ((a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0x80)) return true;
  for (let i = 1; i < 16; i++) if (endpoint[at + i] !== 0) return false;
  return endpoint[at + 16] === 1;
}

/** Bytes of an endpoint that tell nodes apart: without the port, of which a public address has one node; at home ports are nodes. */
export function addressBytes(endpoint: Uint8Array, at: number): number {
  return isExemptAddress(endpoint, at) ? ENDPOINT_BYTES : ENDPOINT_BYTES - 2;
}

/** FNV-1a over those bytes: rules out most addresses that are not equal before their bytes are compared. */
export function addressKey(endpoint: Uint8Array, at: number, length: number): number {
  let key = 0x811c9dc5;
  for (let i = at; i < at + length; i++) key = Math.imul(key ^ (endpoint[i] as number), 0x01000193);
  return key | 0;
}

/** Whether an id may belong to an endpoint's address (BEP 42). Exempt addresses may have any. */
export function isSecureId(id: Uint8Array, idAt: number, endpoint: Uint8Array, at: number): boolean {
  if (isExemptAddress(endpoint, at)) return true;
  const crc = addressCrc(endpoint, at, id[idAt + NODE_ID_BYTES - 1] as number);
  return (
    id[idAt] === crc >>> 24 &&
    id[idAt + 1] === ((crc >>> 16) & 255) &&
    ((id[idAt + 2] as number) & 0xf8) === ((crc >>> 8) & 0xf8)
  );
}

/** Negative when `a` is nearer to the target than `b`, 0 when they are equal. */
export function compareIdDistance(
  target: Uint8Array,
  targetAt: number,
  a: Uint8Array,
  aAt: number,
  b: Uint8Array,
  bAt: number,
): number {
  for (let i = 0; i < NODE_ID_BYTES; i++) {
    const t = target[targetAt + i] as number;
    const difference = ((a[aAt + i] as number) ^ t) - ((b[bAt + i] as number) ^ t);
    if (difference !== 0) return difference;
  }
  return 0;
}

/** Leading bits that two ids share, 0 to 160. */
export function sharedIdBits(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): number {
  for (let i = 0; i < NODE_ID_BYTES; i++) {
    const x = (a[aAt + i] as number) ^ (b[bAt + i] as number);
    if (x !== 0) return i * 8 + Math.clz32(x) - 24;
  }
  return NODE_ID_BYTES * 8;
}

/** The distance as a share of the id space, 0 to 1; its first 48 bits. */
export function idDistance(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number): number {
  let distance = 0;
  for (let i = 0; i < 6; i++) distance = distance * 256 + ((a[aAt + i] as number) ^ (b[bAt + i] as number));
  return distance / 2 ** 48;
}
