import { isIPv4, isIPv6, SocketAddress } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  compactEndpointBytes,
  ENDPOINT_BYTES,
  endpointAddress,
  endpointFromCompact,
  endpointPort,
  endpointToCompact,
  formatEndpoint,
  parseEndpoint,
  toHex,
  writeEndpoint,
} from '../src/index.ts';
import { check } from './property.ts';

const port = fc.nat(65535);
const byte = fc.constantFrom(0, 0, 0, 0, 1, 0x20, 0xab, 0xff);
const address6 = fc.uint8Array({ minLength: 16, maxLength: 16 });
const sparse6 = fc.array(byte, { minLength: 16, maxLength: 16 }).map((bytes) => Uint8Array.from(bytes));

/** Binary endpoints in their one form: IPv4-mapped addresses do not occur. */
const endpointArbitrary = fc
  .oneof(
    fc.tuple(fc.uint8Array({ minLength: 4, maxLength: 4 }), port).map(([a, p]) => build(4, a, p)),
    fc.tuple(fc.oneof(address6, sparse6), port).map(([a, p]) => build(6, a, p)),
  )
  .filter((endpoint) => !toHex(endpoint).startsWith('0600000000000000000000ffff'));

function build(family: number, address: Uint8Array, portNumber: number): Uint8Array {
  const endpoint = new Uint8Array(ENDPOINT_BYTES);
  endpoint[0] = family;
  endpoint.set(address, 1);
  new DataView(endpoint.buffer).setUint16(17, portNumber);
  return endpoint;
}

describe('parseEndpoint and formatEndpoint', () => {
  it('lay out family, address and big-endian port', () => {
    expect(toHex(parseEndpoint('1.2.3.4:258'))).toBe('04010203040000000000000000000000000102');
    expect(toHex(parseEndpoint('[2001:db8::1]:258'))).toBe('0620010db80000000000000000000000010102');
  });

  it('read back what they write', () => {
    check(
      fc.property(endpointArbitrary, (endpoint) => {
        expect(toHex(parseEndpoint(formatEndpoint(endpoint)))).toBe(toHex(endpoint));
      }),
      1000,
    );
  });

  it('write addresses that node:net accepts and spells the same', () => {
    check(
      fc.property(endpointArbitrary, (endpoint) => {
        const address = endpointAddress(endpoint);
        expect(endpoint[0] === 4 ? isIPv4(address) : isIPv6(address)).toBe(true);
        const { address: spelled } = new SocketAddress({
          address,
          family: endpoint[0] === 4 ? 'ipv4' : 'ipv6',
        });
        // The platform writes ::1.2.3.4 for the deprecated IPv4-compatible range; RFC 5952 leaves that open.
        if (!spelled.includes('.') || endpoint[0] === 4) expect(spelled).toBe(address);
      }),
      1000,
    );
  });

  it('spell IPv6 as RFC 5952 section 4 asks', () => {
    const spell = (address: string) => formatEndpoint(parseEndpoint(`[${address}]:1`)).slice(1, -3);
    expect(spell('2001:0DB8:0000:0000:0001:0000:0000:0001')).toBe('2001:db8::1:0:0:1');
    expect(spell('2001:db8:0:1:1:1:1:1')).toBe('2001:db8:0:1:1:1:1:1');
    expect(spell('0:0:0:0:0:0:0:0')).toBe('::');
    expect(spell('fe80::')).toBe('fe80::');
    expect(spell('64:ff9b::192.0.2.33')).toBe('64:ff9b::c000:221');
  });

  it('turn an IPv4-mapped address into IPv4', () => {
    expect(formatEndpoint(parseEndpoint('[::ffff:192.0.2.1]:7'))).toBe('192.0.2.1:7');
    expect(formatEndpoint(parseEndpoint('[::ffff:c000:201]:7'))).toBe('192.0.2.1:7');
  });

  it.each([
    '',
    '1.2.3.4',
    '1.2.3.4:',
    '1.2.3.4:65536',
    '1.2.3.4:-1',
    '1.2.3.4:1e3',
    '1.2.3:4',
    '1.2.3.4.5:6',
    '1.2.3.256:4',
    '01.2.3.4:5',
    '1.2.3.4 :5',
    '::1:5',
    '[::1]',
    '[::1]5',
    '[1.2.3.4]:5',
    '[:::]:5',
    '[1::2::3]:5',
    '[1:2:3:4:5:6:7]:5',
    '[1:2:3:4:5:6:7:8:9]:5',
    '[1:2:3:4:5:6:7::8]:5x',
    '[::1:2:3:4:5:6:7:8]:5',
    '[12345::]:5',
    '[g::]:5',
    '[fe80::1%eth0]:5',
    '[1.2.3.4::]:5',
    '[:1::]:5',
    '[1:]:5',
    'example.org:5',
  ])('refuse %j with a RangeError', (text) => {
    expect(() => parseEndpoint(text)).toThrow(RangeError);
  });

  it('never accept a text that node:net refuses', () => {
    const soup = fc.string({ unit: fc.constantFrom(...'0123456789abf:.:[]%'), maxLength: 24 });
    check(
      fc.property(soup, (text) => {
        const out = new Uint8Array(ENDPOINT_BYTES);
        const valid = isIPv4(text) || (isIPv6(text) && !text.includes('%'));
        if (valid) writeEndpoint(out, 0, text, 1);
        else expect(() => writeEndpoint(out, 0, text, 1)).toThrow(RangeError);
      }),
      5000,
    );
  });
});

describe('writeEndpoint', () => {
  it('writes at an offset, over whatever was there', () => {
    const out = new Uint8Array(ENDPOINT_BYTES + 2).fill(0xee);
    writeEndpoint(out, 1, '10.0.0.1', 65535);
    expect(toHex(out)).toBe('ee040a000001000000000000000000000000ffffee');
    expect(endpointPort(out, 1)).toBe(65535);
    expect(endpointAddress(out, 1)).toBe('10.0.0.1');
  });

  it('names what is wrong', () => {
    const out = new Uint8Array(ENDPOINT_BYTES);
    expect(() => writeEndpoint(out, 0, '10.0.0.1', 65536)).toThrow(/port .*65536/);
    expect(() => writeEndpoint(out, 0, 'localhost', 1)).toThrow(/"localhost" is no IP address/);
    expect(() => writeEndpoint(out, 1, '10.0.0.1', 1)).toThrow(/fit/);
    expect(() => formatEndpoint(out)).toThrow(/family is 4 or 6, not 0/);
  });
});

describe('compact endpoints', () => {
  it('have 6 or 18 bytes and read back to the same endpoint at any offset', () => {
    check(
      fc.property(endpointArbitrary, fc.nat(9), fc.nat(9), (endpoint, from, to) => {
        const source = new Uint8Array(40);
        source.set(endpoint, from);
        const compact = new Uint8Array(40);
        const length = endpointToCompact(compact, to, source, from);
        expect(length).toBe(endpoint[0] === 4 ? 6 : 18);
        expect(compactEndpointBytes(source, from)).toBe(length);
        const back = new Uint8Array(40).fill(0x77);
        expect(endpointFromCompact(back, from, compact, to, length)).toBe(true);
        expect(toHex(back.slice(from, from + ENDPOINT_BYTES))).toBe(toHex(endpoint));
      }),
      500,
    );
  });

  it('refuse any other length, and normalise mapped addresses', () => {
    const out = new Uint8Array(ENDPOINT_BYTES);
    for (const length of [0, 4, 5, 7, 16, 17, 19, -1]) {
      expect(endpointFromCompact(out, 0, new Uint8Array(20), 0, length)).toBe(false);
    }
    const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 192, 0, 2, 1, 0, 9);
    expect(endpointFromCompact(out, 0, mapped, 0, 18)).toBe(true);
    expect(formatEndpoint(out)).toBe('192.0.2.1:9');
  });
});
