/**
 * Addresses as 32-bit numbers, and the 19-byte endpoints that nodes see: public IPv4 by host, private IPv4 behind NAT
 * boxes, outsides of boxes, and IPv6 by host, each host in a /64 of its own (2001:db8::/32, RFC 3849).
 */
import { NONE } from '@molia/core';
import { HOSTS_MAX, V6_ADDRESS } from './constants.ts';

const PORT_OFFSET = 17;

/** Whether the number stands for a host's IPv6 address. */
export function isV6(address: number): boolean {
  return address >= V6_ADDRESS && address < V6_ADDRESS + HOSTS_MAX;
}

/** Writes the 19 bytes of an endpoint. */
export function writeEndpointAt(out: Uint8Array, offset: number, address: number, port: number): void {
  for (let i = 1; i < PORT_OFFSET; i++) out[offset + i] = 0;
  if (isV6(address)) {
    const host = address - V6_ADDRESS;
    out[offset] = 6;
    out[offset + 1] = 0x20;
    out[offset + 2] = 0x01;
    out[offset + 3] = 0x0d;
    out[offset + 4] = 0xb8;
    out[offset + 6] = host >>> 16;
    out[offset + 7] = host >>> 8;
    out[offset + 8] = host;
    out[offset + 16] = 1;
  } else {
    out[offset] = 4;
    out[offset + 1] = address >>> 24;
    out[offset + 2] = address >>> 16;
    out[offset + 3] = address >>> 8;
    out[offset + 4] = address;
  }
  out[offset + PORT_OFFSET] = port >>> 8;
  out[offset + PORT_OFFSET + 1] = port;
}

/** The number of an endpoint's address, `NONE` when no host can have it. */
export function addressAt(endpoint: Uint8Array, offset: number): number {
  if (endpoint[offset] === 6) return v6AddressAt(endpoint, offset);
  if (endpoint[offset] !== 4) return NONE;
  const address = wordAt(endpoint, offset + 1);
  return isV6(address) ? NONE : address;
}

export function portAt(endpoint: Uint8Array, offset: number): number {
  return ((endpoint[offset + PORT_OFFSET] as number) << 8) | (endpoint[offset + PORT_OFFSET + 1] as number);
}

function v6AddressAt(endpoint: Uint8Array, offset: number): number {
  const host = wordAt(endpoint, offset + 5);
  if (wordAt(endpoint, offset + 1) !== 0x20010db8 || host >= HOSTS_MAX) return NONE;
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
