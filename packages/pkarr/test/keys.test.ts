/** Keys as text, and secrets that stay secret. */
import { inspect } from 'node:util';
import { createSeededRng, toHex } from '@molia/core';
import { describe, expect, test } from 'vitest';
import { Keypair, PublicKey } from '../src/index.ts';

const KEY = 'o4dksfbqk85ogzdb5osziw6befigbuxmuxkuxq8434q89uj56uyy';

describe('public keys', () => {
  test.each([
    KEY,
    `pk:${KEY}`,
    `https://${KEY}`,
    `https://user@sub.domain.${KEY}:8080/path?x#y`,
    `pubky://${KEY}/pub/file`,
    `mailto:me@${KEY}`,
    `_text.${KEY}.`,
    `${KEY}:443`,
    `${KEY}?q`,
  ])('%s holds one', (text) => {
    const key = PublicKey.parse(text);
    expect([`${key}`, key.toUri(), JSON.stringify(key)]).toEqual([KEY, `pk:${KEY}`, `"${KEY}"`]);
    expect(PublicKey.fromBytes(key.bytes).equals(key)).toBe(true);
  });

  test.each([
    '',
    'pk:',
    KEY.slice(1),
    `${KEY}y`,
    KEY.toUpperCase(),
    KEY.replace('o', 'l'),
    `${KEY.slice(0, -1)}b`, // spare bits
    'y'.repeat(52), // a point of small order
    `${KEY}.example`,
    `https://example.com/${KEY}`,
    '€'.repeat(52),
    ':'.repeat(100_000),
  ])('%# holds none', (text) => {
    expect(PublicKey.tryParse(text)).toBeUndefined();
    expect(() => PublicKey.parse(text)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }));
  });

  test('about half of all byte strings are none; those that are go through text', () => {
    const rng = createSeededRng(7);
    const bytes = new Uint8Array(32);
    let taken = 0;
    for (let i = 0; i < 200; i++) {
      rng.fill(bytes, 0, 32);
      try {
        const key = PublicKey.fromBytes(bytes);
        expect(toHex(PublicKey.parse(`${key}`).bytes)).toBe(toHex(bytes));
        taken++;
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_KEY' });
      }
    }
    expect(taken).toBeGreaterThan(50);
    expect(taken).toBeLessThan(150);
  });
});

describe('key pairs', () => {
  test('sign what their public key verifies', () => {
    const pair = Keypair.random();
    const message = new TextEncoder().encode('hello');
    expect(pair.publicKey.verify(message, pair.sign(message))).toBe(true);
    expect(Keypair.random().publicKey.verify(message, pair.sign(message))).toBe(false);
    const again = Keypair.fromSecretKeyText(pair.secretKeyText());
    expect(again.publicKey.equals(pair.publicKey)).toBe(true);
    expect(toHex(Keypair.fromSecretKey(pair.secretKey()).secretKey())).toBe(pair.secretKeyText().trim());
  });

  test('never show their secret', () => {
    const pair = Keypair.random();
    const secret = pair.secretKeyText().trim();
    for (const text of [`${pair}`, JSON.stringify(pair), inspect(pair, { depth: 9, showHidden: true })])
      expect(text).not.toContain(secret.slice(0, 8));
    pair.wipe();
    for (const use of [
      () => pair.sign(new Uint8Array(1)),
      () => pair.secretKey(),
      () => pair.secretKeyText(),
    ])
      expect(use).toThrow(/wiped/);
  });

  test('wrong secrets are refused and not quoted', () => {
    expect(() => Keypair.fromSecretKey(new Uint8Array(31))).toThrow(/32 bytes/);
    expect(() => Keypair.fromSecretKey(new Uint8Array(32))).toThrow(/zeros/);
    expect(() => Keypair.fromSecretKeyText('abc123')).toThrow(/^(?!.*abc123).*64 hex digits/);
  });
});
