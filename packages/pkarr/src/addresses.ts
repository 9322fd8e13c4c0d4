/** IP addresses between text and bytes. */
import { ENDPOINT_BYTES, endpointAddress, writeEndpoint } from '@molia/core';

/** 4 bytes (`family` 4) or 16 of an address. Throws RangeError that quotes the text. */
export function addressBytes(text: string, family: 4 | 6): Uint8Array {
  const scratch = new Uint8Array(ENDPOINT_BYTES);
  const wrong = (): RangeError => new RangeError(`${JSON.stringify(text)} is no IPv${family} address`);
  if (text.includes(':') !== (family === 6)) throw wrong();
  try {
    writeEndpoint(scratch, 0, text, 0);
  } catch {
    throw wrong();
  }
  if (family === 4) return scratch.slice(1, 5);
  if (scratch[0] === 6) return scratch.slice(1, 17);
  // An IPv4-mapped address was unwrapped on the way.
  const mapped = new Uint8Array(16);
  mapped.set([0xff, 0xff], 10);
  mapped.set(scratch.subarray(1, 5), 12);
  return mapped;
}

/** The text of 4 or 16 bytes at an offset; IPv6 as RFC 5952 spells it. */
export function addressText(bytes: Uint8Array, offset: number, family: 4 | 6): string {
  const scratch = new Uint8Array(ENDPOINT_BYTES);
  scratch[0] = family;
  scratch.set(bytes.subarray(offset, offset + (family === 4 ? 4 : 16)), 1);
  return endpointAddress(scratch, 0);
}
