/**
 * Endpoints in their three forms: text (`192.0.2.1:4000`, `[2001:db8::1]:4000`; RFC 5952 spelling), fixed binary
 * (`ENDPOINT_BYTES`: family, 16 address bytes, big-endian port) and compact (4 or 16 address bytes, then the
 * port). IPv4-mapped IPv6 addresses become IPv4 on the way in, so that one host has one name. No zones, no names.
 */
import { formatIpv6, parseIpv4, parseIpv6 } from './ip-text.ts';
import { ENDPOINT_BYTES } from './transport.ts';

/** Bytes of a compact IPv4 endpoint. */
export const COMPACT_IPV4_BYTES = 6;
/** Bytes of a compact IPv6 endpoint. */
export const COMPACT_IPV6_BYTES = 18;

const IPV4 = 4;
const IPV6 = 6;
const PORT_OFFSET = 17;

/** Parses `a.b.c.d:port` or `[ipv6]:port` (port 0 to 65535). Throws RangeError that quotes the text. */
export function parseEndpoint(text: string): Uint8Array {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new RangeError(
      `${JSON.stringify(text)} is no endpoint: expected 192.0.2.1:4000 or [2001:db8::1]:4000`,
    );
  }
  const out = new Uint8Array(ENDPOINT_BYTES);
  const bracketed = match[1] !== undefined;
  const address = match[1] ?? (match[2] as string);
  const parsed = bracketed ? parseIpv6(out, 1, address) : parseIpv4(out, 1, address);
  if (!parsed) {
    throw new RangeError(`${JSON.stringify(text)} holds no valid ${bracketed ? 'IPv6' : 'IPv4'} address`);
  }
  finish(out, 0, bracketed ? IPV6 : IPV4, port);
  return out;
}

/** The text of a binary endpoint. Throws RangeError when its family is neither 4 nor 6. */
export function formatEndpoint(bytes: Uint8Array, offset = 0): string {
  const port = endpointPort(bytes, offset);
  const family = bytes[offset];
  if (family === IPV4) return `${endpointAddress(bytes, offset)}:${port}`;
  return `[${endpointAddress(bytes, offset)}]:${port}`;
}

/** The address alone, as sockets take it. Throws RangeError when the family is neither 4 nor 6. */
export function endpointAddress(bytes: Uint8Array, offset = 0): string {
  const family = bytes[offset];
  if (family === IPV4) {
    return `${bytes[offset + 1]}.${bytes[offset + 2]}.${bytes[offset + 3]}.${bytes[offset + 4]}`;
  }
  if (family === IPV6) return formatIpv6(bytes, offset + 1);
  throw new RangeError(`an endpoint's family is 4 or 6, not ${family}`);
}

/** The port of a binary endpoint. */
export function endpointPort(bytes: Uint8Array, offset = 0): number {
  return ((bytes[offset + PORT_OFFSET] as number) << 8) | (bytes[offset + PORT_OFFSET + 1] as number);
}

/** Writes the binary form of a textual address without zone. Throws RangeError. */
export function writeEndpoint(out: Uint8Array, offset: number, address: string, port: number): void {
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`a port is an integer from 0 to 65535, not ${port}`);
  }
  if (offset + ENDPOINT_BYTES > out.length) throw new RangeError('the endpoint does not fit the buffer');
  out.fill(0, offset, offset + ENDPOINT_BYTES);
  const ipv6 = address.includes(':');
  const parsed = ipv6 ? parseIpv6(out, offset + 1, address) : parseIpv4(out, offset + 1, address);
  if (!parsed) throw new RangeError(`${JSON.stringify(address)} is no IP address`);
  finish(out, offset, ipv6 ? IPV6 : IPV4, port);
}

/** Length of the compact form: 6 for IPv4, 18 for IPv6. */
export function compactEndpointBytes(bytes: Uint8Array, offset: number): 6 | 18 {
  return bytes[offset] === IPV4 ? COMPACT_IPV4_BYTES : COMPACT_IPV6_BYTES;
}

/** Writes the compact form and returns its length, 6 or 18. */
export function endpointToCompact(
  out: Uint8Array,
  outOffset: number,
  endpoint: Uint8Array,
  endpointOffset: number,
): number {
  const length = compactEndpointBytes(endpoint, endpointOffset);
  const addressBytes = length - 2;
  for (let i = 0; i < addressBytes; i++) out[outOffset + i] = endpoint[endpointOffset + 1 + i] as number;
  out[outOffset + addressBytes] = endpoint[endpointOffset + PORT_OFFSET] as number;
  out[outOffset + addressBytes + 1] = endpoint[endpointOffset + PORT_OFFSET + 1] as number;
  return length;
}

/** Reads a compact form of 6 or 18 bytes into `ENDPOINT_BYTES` at `outOffset`; `false` for any other length. */
export function endpointFromCompact(
  out: Uint8Array,
  outOffset: number,
  compact: Uint8Array,
  compactOffset: number,
  length: number,
): boolean {
  if (length !== COMPACT_IPV4_BYTES && length !== COMPACT_IPV6_BYTES) return false;
  const addressBytes = length - 2;
  for (let i = 0; i < 16; i++) {
    out[outOffset + 1 + i] = i < addressBytes ? (compact[compactOffset + i] as number) : 0;
  }
  const portAt = compactOffset + addressBytes;
  const port = ((compact[portAt] as number) << 8) | (compact[portAt + 1] as number);
  finish(out, outOffset, addressBytes === 4 ? IPV4 : IPV6, port);
  return true;
}

/** Sets family and port around address bytes already in place, and turns ::ffff:a.b.c.d into a.b.c.d. */
function finish(out: Uint8Array, offset: number, family: number, port: number): void {
  out[offset] = family;
  out[offset + PORT_OFFSET] = port >>> 8;
  out[offset + PORT_OFFSET + 1] = port & 255;
  if (family !== IPV6) return;
  for (let i = 0; i < 12; i++) {
    if (out[offset + 1 + i] !== (i < 10 ? 0 : 255)) return;
  }
  out[offset] = IPV4;
  for (let i = 0; i < 16; i++) out[offset + 1 + i] = i < 4 ? (out[offset + 13 + i] as number) : 0;
}
