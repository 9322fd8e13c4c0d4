/** The published vectors of BEP 42 and 44, and bencode's rules. */
import { readFileSync } from 'node:fs';
import { createSeededRng, fromHex, parseEndpoint, toHex } from '@molia/core';
import { describe, expect, test } from 'vitest';
import {
  crc32c,
  decodeBencode,
  encodeBencode,
  immutableTarget,
  isSecureId,
  mutableTarget,
  SEQUENCE_MAX,
  signItem,
  verifyItem,
  writeSecureId,
} from '../src/index.ts';

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`vectors/${name}.json`, import.meta.url), 'utf8'));
const text = (value: string) => new TextEncoder().encode(value);

describe('BEP 42', () => {
  test('CRC-32C of the check string', () => {
    expect(crc32c(text('123456789'), 0, 9)).toBe(0xe3069283);
  });

  test.each(read('bep42').vectors as { ip: string; last: number; id: string }[])(
    'accepts and makes ids for $ip',
    ({ ip, last, id }) => {
      const endpoint = parseEndpoint(`${ip}:6881`);
      expect(isSecureId(fromHex(id), 0, endpoint, 0)).toBe(true);
      const made = new Uint8Array(20);
      writeSecureId(made, 0, endpoint, 0, createSeededRng(1), last);
      // 21 bits and the last byte are given, the rest is random.
      expect(toHex(made.subarray(0, 2))).toBe(id.slice(0, 4));
      expect((made[2] as number) >> 3).toBe(Number.parseInt(id.slice(4, 6), 16) >> 3);
      expect(made[19]).toBe(last);
      made[0] = (made[0] as number) ^ 1;
      expect(isSecureId(made, 0, endpoint, 0)).toBe(false);
    },
  );

  test('ids of IPv6 addresses are bound to their upper half', () => {
    const made = new Uint8Array(20);
    const rng = createSeededRng(2);
    writeSecureId(made, 0, parseEndpoint('[2001:db8:1:2::3]:1'), 0, rng);
    expect(isSecureId(made, 0, parseEndpoint('[2001:db8:1:2::9]:7'), 0)).toBe(true);
    expect(isSecureId(made, 0, parseEndpoint('[2001:db8:77:2::3]:1'), 0)).toBe(false);
  });

  test.each(['10.1.2.3', '172.31.0.1', '192.168.1.1', '169.254.9.9', '127.0.0.1'])('%s is exempt', (ip) => {
    expect(isSecureId(new Uint8Array(20), 0, parseEndpoint(`${ip}:1`), 0)).toBe(true);
  });
});

describe('BEP 44', () => {
  const vectors = read('bep44');
  const key = fromHex(vectors.key);
  const value = text(vectors.value);

  test.each(vectors.mutable as { salt: string; seq: number; target: string; signature: string }[])(
    'target and signature with salt "$salt"',
    (v) => {
      const salt = text(v.salt);
      expect(toHex(mutableTarget(key, salt))).toBe(v.target);
      const item = { key, salt, seq: BigInt(v.seq), signature: fromHex(v.signature), value };
      expect(verifyItem(item)).toBe(true);
      expect(verifyItem({ ...item, seq: 2n })).toBe(false);
      expect(verifyItem({ ...item, salt: text('other') })).toBe(false);
    },
  );

  test('target of an immutable value', () => {
    expect(toHex(immutableTarget(value))).toBe(vectors.immutableTarget);
  });

  test('signs what it verifies, up to the largest sequence number', () => {
    const item = signItem(new Uint8Array(32).fill(9), value, SEQUENCE_MAX, text('s'));
    expect(verifyItem(item)).toBe(true);
    expect(() => signItem(new Uint8Array(32), value, SEQUENCE_MAX + 1n)).toThrow(RangeError);
    expect(() => signItem(new Uint8Array(32), value, -1n)).toThrow(RangeError);
    expect(() => signItem(new Uint8Array(32), text('d1:b0:1:a0:e'), 1n)).toThrow(/canonical/);
    expect(() => signItem(new Uint8Array(32), value, 1n, new Uint8Array(65))).toThrow(/salt/);
  });
});

describe('bencode', () => {
  test.each([
    ['i0e', 0],
    ['i-7e', -7],
    ['i9223372036854775807e', 9223372036854775807n],
    ['li1ei2ee', [1, 2]],
  ])('%s is read and written the same', (encoded, value) => {
    expect(decodeBencode(text(encoded))).toEqual(value);
    expect(encodeBencode(value)).toEqual(text(encoded));
  });

  test('dictionaries are written in the order of their keys', () => {
    expect(encodeBencode({ b: 'x', a: [1, { z: new Uint8Array(0) }] })).toEqual(
      text('d1:ali1ed1:z0:ee1:b1:xe'),
    );
  });

  test.each([
    'i-0e',
    'i01e',
    'ie',
    'i1',
    '01:a',
    '2:a',
    'd1:b0:1:a0:e',
    'd1:a0:1:a0:e',
    'd1:ae',
    'di1e0:e',
    'l',
    '',
    'i1ei2e',
    '-1:a',
    `${'l'.repeat(40)}${'e'.repeat(40)}`,
    '99999999999:a',
    'x',
  ])('refuses %s', (encoded) => {
    expect(decodeBencode(text(encoded))).toBeUndefined();
  });

  test('what bencode cannot say is refused with a TypeError', () => {
    expect(() => encodeBencode(1.5)).toThrow(TypeError);
    expect(() => encodeBencode({ a: null as never })).toThrow(TypeError);
    expect(() => encodeBencode({ ключ: 1 })).toThrow(TypeError);
  });
});
