/**
 * Networks of endpoints: who holds one address usually can have all of its /24 (IPv4) or /48 (IPv6), so contacts of one
 * network count as those of one owner (docs/spec/routing.md).
 */
import { ENDPOINT_BYTES, equalBytes } from '@molia/core';

/** Address bytes that name a network. */
const V4_BYTES = 3;
const V6_BYTES = 6;

/**
 * Bytes of the endpoint at `offset`, family first, that name its network; 0 when it is of none: loopback, private, shared and link-local
 * addresses (RFC 1918, 3927, 4193, 6598) are not given out by networks, and a laboratory is made of them.
 */
export function networkBytes(endpoints: Uint8Array, offset: number): number {
  const a = endpoints[offset + 1] as number;
  const b = endpoints[offset + 2] as number;
  if (endpoints[offset] === 6) {
    const isLocal =
      (a & 0xfe) === 0xfc || (a === 0xfe && (b & 0xc0) === 0x80) || isLoopbackV6(endpoints, offset);
    return isLocal ? 0 : 1 + V6_BYTES;
  }
  const isLocal =
    a === 127 ||
    a === 10 ||
    (a === 172 && (b & 0xf0) === 16) ||
    (a === 192 && b === 168) ||
    (a === 169 && b === 254) ||
    (a === 100 && (b & 0xc0) === 64);
  return isLocal ? 0 : 1 + V4_BYTES;
}

/** How many of the first `count` rows are of the network that the first `bytes` of the endpoint at `offset` name. */
export function neighboursAmong(
  endpoints: Uint8Array,
  offset: number,
  bytes: number,
  rows: Int32Array,
  count: number,
): number {
  let found = 0;
  for (let i = 0; i < count; i++) {
    if (equalBytes(endpoints, (rows[i] as number) * ENDPOINT_BYTES, endpoints, offset, bytes)) found++;
  }
  return found;
}

/** ::1. */
function isLoopbackV6(endpoints: Uint8Array, offset: number): boolean {
  for (let i = 1; i < 16; i++) if (endpoints[offset + i] !== 0) return false;
  return endpoints[offset + 16] === 1;
}
