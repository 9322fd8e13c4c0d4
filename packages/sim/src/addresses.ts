/**
 * Addresses as 32-bit numbers, and the 19-byte endpoints that nodes see: public IPv4 by host, private IPv4 behind NAT
 * boxes, outsides of boxes, and IPv6 by host, each host in a /56 of its own (2001:db8::/32, RFC 3849).
 */
import { NONE } from '@molia/core';
import { BLOCK_ADDRESS, HOST_ADDRESS, HOSTS_MAX, NAT_ADDRESS, V6_ADDRESS } from './constants.ts';

const PORT_OFFSET = 17;
/** Neighbouring numbers become far addresses by this odd factor (Knuth's multiplicative hashing), modulo a power of two. */
const STREW = 0x9e3779b1;
const STREWN_V4 = 0x0fffffff;
const STREWN_V6 = 0x00ffffff;
const GATHER = inverse(STREW);

/** Modulo 2^32, hence modulo every smaller power of two (Newton: every step doubles the bits that are right). */
function inverse(odd: number): number {
  let x = odd;
  for (let bits = 3; bits < 32; bits *= 2) x = Math.imul(x, 2 - Math.imul(odd, x));
  return x;
}

/** The first address of hosts whose addresses follow each other, of public hosts, of boxes; which of them a number belongs to. */
export function addressBase(address: number): number {
  if (address >= NAT_ADDRESS) return NAT_ADDRESS;
  if (address >= HOST_ADDRESS) return HOST_ADDRESS;
  return address >= BLOCK_ADDRESS ? BLOCK_ADDRESS : NONE;
}

/** Whether the number stands for a host's IPv6 address. */
export function isV6(address: number): boolean {
  return address >= V6_ADDRESS && address < V6_ADDRESS + HOSTS_MAX;
}

/** Writes the 19 bytes of an endpoint. */
export function writeEndpointAt(out: Uint8Array, offset: number, address: number, port: number): void {
  for (let i = 1; i < PORT_OFFSET; i++) out[offset + i] = 0;
  if (isV6(address)) {
    const strewn = Math.imul(address - V6_ADDRESS, STREW) & STREWN_V6;
    out[offset] = 6;
    out[offset + 1] = 0x20;
    out[offset + 2] = 0x01;
    out[offset + 3] = 0x0d;
    out[offset + 4] = 0xb8;
    out[offset + 5] = strewn >>> 16;
    out[offset + 6] = strewn >>> 8;
    out[offset + 7] = strewn;
    out[offset + 16] = 1;
  } else {
    const base = addressBase(address);
    const seen = base < HOST_ADDRESS ? address : base + (Math.imul(address - base, STREW) & STREWN_V4);
    out[offset] = 4;
    out[offset + 1] = seen >>> 24;
    out[offset + 2] = seen >>> 16;
    out[offset + 3] = seen >>> 8;
    out[offset + 4] = seen;
  }
  out[offset + PORT_OFFSET] = port >>> 8;
  out[offset + PORT_OFFSET + 1] = port;
}

/** The number of an endpoint's address, `NONE` when no host can have it. */
export function addressAt(endpoint: Uint8Array, offset: number): number {
  if (endpoint[offset] === 6) return v6AddressAt(endpoint, offset);
  if (endpoint[offset] !== 4) return NONE;
  const seen = wordAt(endpoint, offset + 1);
  if (isV6(seen)) return NONE;
  const base = addressBase(seen);
  if (base < HOST_ADDRESS) return seen;
  const index = Math.imul(seen - base, GATHER) & STREWN_V4;
  return seen - base > STREWN_V4 || index >= HOSTS_MAX ? NONE : base + index;
}

export function portAt(endpoint: Uint8Array, offset: number): number {
  return ((endpoint[offset + PORT_OFFSET] as number) << 8) | (endpoint[offset + PORT_OFFSET + 1] as number);
}

function v6AddressAt(endpoint: Uint8Array, offset: number): number {
  const strewn = wordAt(endpoint, offset + 5) >>> 8;
  const host = Math.imul(strewn, GATHER) & STREWN_V6;
  if (wordAt(endpoint, offset + 1) !== 0x20010db8 || endpoint[offset + 8] !== 0 || host >= HOSTS_MAX)
    return NONE;
  if (wordAt(endpoint, offset + 9) !== 0 || wordAt(endpoint, offset + 13) !== 1) return NONE;
  return V6_ADDRESS + host;
}

function wordAt(bytes: Uint8Array, at: number): number {
  return (
    (((bytes[at] as number) << 24) |
      ((bytes[at + 1] as number) << 16) |
      ((bytes[at + 2] as number) << 8) |
      (bytes[at + 3] as number)) >>>
    0
  );
}
