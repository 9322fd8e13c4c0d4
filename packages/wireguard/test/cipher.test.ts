/** The providers against each other and against OpenSSL: all lengths, offsets, forgeries, misuse. */
import { createCipheriv, createHash, createHmac } from 'node:crypto';
import { createSeededRng } from '@molia/core';
import { describe, expect, test } from 'vitest';
import { exceeding, measureAllocation } from '../../../tools/gate.ts';
import { nobleCipher } from '../src/cipher-noble.ts';
import { createWasmCipher, defaultCipher } from '../src/cipher-wasm.ts';
import type { Cipher } from '../src/crypto.ts';

const wasm = createWasmCipher() as Cipher;
const rng = createSeededRng(8439);

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  rng.fill(bytes, 0, length);
  return bytes;
}

/** Lengths of the associated data, in turn. */
const AAD_LENGTHS = [0, 32, 1, 16, 17, 0, 15, 255, 1024];

function lengthsTo(most: number): number[] {
  return Array.from({ length: most + 1 }, (_, i) => i);
}

test('the default provider is the WebAssembly one, and only one of it', () => {
  expect(defaultCipher().name).toBe('wasm-simd');
  expect(defaultCipher()).toBe(defaultCipher());
});

describe('AEAD', () => {
  test('wasm and noble seal and open alike at every length to 2048, at any offset of any array', () => {
    for (const length of lengthsTo(2048)) {
      const key = randomBytes(64);
      const keyOffset = length % 33;
      const aadLength = AAD_LENGTHS[length % AAD_LENGTHS.length] as number;
      const aad = randomBytes(aadLength + 9);
      const offset = rng.u32() % 300;
      // Small arrays are staged whole, large ones by window: some of each, the range at the end or not.
      const size = offset + length + 16 + (length % 3 === 0 ? 0 : length % 3 === 1 ? 77 : 20_000);
      const low = rng.u32();
      const high = length % 2 === 0 ? 0 : rng.u32();
      const bytes = randomBytes(size);
      const reference = bytes.slice();
      const plain = bytes.slice();
      wasm.seal(key, keyOffset, low, high, aad, 9, aadLength, bytes, offset, length);
      nobleCipher.seal(key, keyOffset, low, high, aad, 9, aadLength, reference, offset, length);
      expect(Buffer.compare(bytes, reference), `seal ${length}`).toBe(0);
      plain.set(bytes.subarray(offset + length, offset + length + 16), offset + length);
      expect(wasm.open(key, keyOffset, low, high, aad, 9, aadLength, bytes, offset, length)).toBe(true);
      expect(Buffer.compare(bytes, plain), `open ${length}`).toBe(0);
    }
  });

  test('OpenSSL agrees, up to the largest datagram', () => {
    for (const length of [0, 1, 63, 64, 65, 191, 192, 193, 447, 448, 449, 1200, 16_384, 65_519, 65_535]) {
      const key = randomBytes(32);
      const aad = randomBytes(32);
      const bytes = randomBytes(length + 16);
      const nonce = Buffer.alloc(12);
      nonce.writeUInt32LE(7, 4);
      nonce.writeUInt32LE(9, 8);
      const openssl = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: 16 });
      openssl.setAAD(aad, { plaintextLength: length });
      const sealed = Buffer.concat([
        openssl.update(bytes.subarray(0, length)),
        openssl.final(),
        openssl.getAuthTag(),
      ]);
      wasm.seal(key, 0, 7, 9, aad, 0, 32, bytes, 0, length);
      expect(Buffer.compare(bytes, sealed), `length ${length}`).toBe(0);
    }
  });

  test.each([nobleCipher, wasm])('$name refuses a forgery and leaves every byte as it was', (cipher) => {
    for (const length of [0, 1, 16, 64, 191, 192, 200, 448, 1200]) {
      const key = randomBytes(32);
      const aad = randomBytes(32);
      const bytes = randomBytes(length + 40);
      cipher.seal(key, 0, 1, 0, aad, 0, 32, bytes, 10, length);
      const intact = bytes.slice();
      const refused = (): void => {
        const before = bytes.slice();
        expect(cipher.open(key, 0, 1, 0, aad, 0, 32, bytes, 10, length)).toBe(false);
        expect(bytes).toEqual(before);
      };
      // Every bit of the tag; a bit in the first and last ciphertext byte; key, aad, nonce, a cut aad.
      for (let bit = 0; bit < 128; bit++) {
        bytes[10 + length + (bit >> 3)] = (intact[10 + length + (bit >> 3)] as number) ^ (1 << (bit & 7));
        refused();
        bytes.set(intact);
      }
      for (const at of length === 0 ? [] : [10, 10 + length - 1]) {
        bytes[at] = (intact[at] as number) ^ 0x80;
        refused();
        bytes.set(intact);
      }
      for (const secret of [key, aad]) {
        secret[31] = (secret[31] as number) ^ 1;
        refused();
        secret[31] = (secret[31] as number) ^ 1;
      }
      expect(cipher.open(key, 0, 2, 0, aad, 0, 32, bytes, 10, length)).toBe(false);
      expect(cipher.open(key, 0, 1, 1, aad, 0, 32, bytes, 10, length)).toBe(false);
      expect(cipher.open(key, 0, 1, 0, aad, 0, 31, bytes, 10, length)).toBe(false);
      expect(bytes).toEqual(intact);
      expect(cipher.open(key, 0, 1, 0, aad, 0, 32, bytes, 10, length)).toBe(true);
    }
  });

  test('XChaCha20-Poly1305: wasm and noble seal alike, open each other, refuse alike', () => {
    for (const length of [0, 1, 16, 31, 64, 192, 500]) {
      const key = randomBytes(40);
      const nonce = randomBytes(30);
      const aad = randomBytes(16);
      const bytes = randomBytes(length + 20);
      const plain = bytes.slice();
      const reference = bytes.slice();
      wasm.xseal(key, 8, nonce, 6, aad, 0, 16, bytes, 2, length);
      nobleCipher.xseal(key, 8, nonce, 6, aad, 0, 16, reference, 2, length);
      expect(bytes).toEqual(reference);
      bytes[2 + length] = (bytes[2 + length] as number) ^ 1;
      const forged = bytes.slice();
      for (const cipher of [nobleCipher, wasm]) {
        expect(cipher.xopen(key, 8, nonce, 6, aad, 0, 16, bytes, 2, length)).toBe(false);
        expect(bytes).toEqual(forged);
      }
      expect(wasm.xopen(key, 8, nonce, 6, aad, 0, 16, reference, 2, length)).toBe(true);
      expect(reference.subarray(0, 2 + length)).toEqual(plain.subarray(0, 2 + length));
    }
  });

  test('two providers do not disturb each other, nor does a call the next one', () => {
    const other = createWasmCipher() as Cipher;
    const key = randomBytes(32);
    const a = randomBytes(80);
    const b = a.slice();
    wasm.seal(key, 0, 1, 0, key, 0, 32, a, 0, 64);
    other.hash(new Uint8Array(32), 0, key, 0, 32, key, 0, 0);
    wasm.hmac(new Uint8Array(32), 0, key, 0, 20, a, 0, 64, a, 0, 1);
    other.seal(key, 0, 1, 0, key, 0, 32, b, 0, 64);
    expect(a).toEqual(b);
  });
});

describe('BLAKE2s', () => {
  test('wasm, noble and OpenSSL agree on the hash of every length to 1024, split anywhere', () => {
    const out = new Uint8Array(40);
    for (const length of lengthsTo(1024)) {
      const input = randomBytes(length + 3);
      const split = length === 0 ? 0 : rng.u32() % length;
      const expected = createHash('blake2s256').update(input.subarray(3)).digest();
      for (const cipher of [nobleCipher, wasm]) {
        out.fill(0);
        cipher.hash(out, 5, input, 3, split, input, 3 + split, length - split);
        expect(Buffer.compare(out.subarray(5, 37), expected), `${cipher.name} ${length}`).toBe(0);
        expect(out[4] === 0 && out[37] === 0).toBe(true);
      }
    }
  });

  test('keyed: wasm and noble agree for both key and both tag lengths', () => {
    for (const length of [0, 1, 32, 63, 64, 65, 116, 128, 148, 1000, 9000, 65_535]) {
      const input = randomBytes(length + 5);
      const key = randomBytes(40);
      for (const keyLength of [16, 32]) {
        for (const outLength of [16, 32]) {
          const a = new Uint8Array(40);
          const b = new Uint8Array(40);
          wasm.mac(a, 3, outLength, key, 4, keyLength, input, 5, length);
          nobleCipher.mac(b, 3, outLength, key, 4, keyLength, input, 5, length);
          expect(a).toEqual(b);
        }
      }
    }
  });

  test('HMAC: wasm, noble and OpenSSL agree for every key length to 64', () => {
    for (const keyLength of lengthsTo(64)) {
      for (const length of [0, 1, 33, 64, 65, 200]) {
        const key = randomBytes(keyLength + 2);
        const input = randomBytes(length);
        const split = length >> 1;
        const expected = createHmac('blake2s256', key.subarray(2)).update(input).digest();
        for (const cipher of [nobleCipher, wasm]) {
          const out = new Uint8Array(32);
          cipher.hmac(out, 0, key, 2, keyLength, input, 0, split, input, split, length - split);
          expect(Buffer.compare(out, expected), `${cipher.name} ${keyLength} ${length}`).toBe(0);
        }
      }
    }
  });

  test.each([nobleCipher, wasm])('$name: the output may overwrite an input', (cipher) => {
    const bytes = randomBytes(32);
    const expected = createHash('blake2s256').update(bytes).update(bytes).digest();
    cipher.hash(bytes, 0, bytes, 0, 32, bytes, 0, 32);
    expect(Buffer.compare(bytes, expected)).toBe(0);
  });
});

test('no key, plaintext or digest stays in the memory of the WebAssembly module', () => {
  const cipher = createWasmCipher() as Cipher;
  const { memory } = cipher as unknown as { memory: Uint8Array };
  const key = randomBytes(32);
  const plain = randomBytes(200);
  const digest = new Uint8Array(32);
  const found = (secret: Uint8Array): boolean => Buffer.from(memory.buffer).includes(Buffer.from(secret));
  const clean = (bytes: Uint8Array): void => {
    for (const secret of [key.subarray(0, 8), plain.subarray(0, 8), plain.subarray(192), digest]) {
      expect(found(secret)).toBe(false);
    }
    // What a staged array holds around the range is the caller's ciphertext by now, as is the range.
    expect(found(bytes.subarray(0, 8))).toBe(true);
  };
  for (const size of [216, 20_000]) {
    const bytes = new Uint8Array(size);
    bytes.set(plain);
    cipher.hmac(digest, 0, key, 0, 32, plain, 0, 200, plain, 0, 20);
    cipher.mac(digest, 0, 32, key, 0, 32, plain, 0, 200);
    cipher.hash(digest, 0, plain, 0, 200, key, 0, 32);
    cipher.seal(key, 0, 1, 0, key, 0, 0, bytes, 0, 200);
    clean(bytes);
    expect(cipher.open(key, 0, 1, 0, key, 0, 0, bytes, 0, 200)).toBe(true);
    for (const secret of [key.subarray(0, 8), plain.subarray(8, 16), plain.subarray(192)]) {
      expect(found(secret)).toBe(false);
    }
  }
});

describe('misuse', () => {
  test.each([nobleCipher, wasm])('$name throws a RangeError that names the argument', (cipher) => {
    const key = new Uint8Array(32);
    const bytes = new Uint8Array(80);
    const large = new Uint8Array(70_000);
    const seal = (keyOffset: number, aadLength: number, offset: number, length: number) => () =>
      cipher.seal(key, keyOffset, 0, 0, large, 0, aadLength, bytes, offset, length);
    expect(seal(1, 0, 0, 64)).toThrow(/^key: /);
    expect(seal(0, 0, 0, 65)).toThrow(/^bytes and tag: /);
    expect(seal(0, 0, -1, 64)).toThrow(RangeError);
    expect(seal(0, 0, 0, -1)).toThrow(/^bytes: /);
    expect(seal(0, 0, 0.5, 10)).toThrow(RangeError);
    expect(seal(0, 0, 0, Number.NaN)).toThrow(RangeError);
    expect(seal(0, 1025, 0, 64)).toThrow(/^aad: at most 1024/);
    expect(() => cipher.open(key, 0, 0, 0, key, 0, 0, large, 0, 65_536)).toThrow(/at most 65535/);
    expect(() => cipher.xseal(key, 0, key, 9, key, 0, 0, bytes, 0, 64)).toThrow(/^nonce: /);
    expect(() => cipher.hash(bytes, 49, key, 0, 32, key, 0, 0)).toThrow(/^out: /);
    expect(() => cipher.hash(bytes, 0, large, 0, 65_535, key, 0, 1)).toThrow(/^a and b: at most/);
    expect(() => cipher.mac(bytes, 0, 20, key, 0, 32, bytes, 0, 8)).toThrow(/^outLength: /);
    expect(() => cipher.mac(bytes, 0, 16, key, 0, 31, bytes, 0, 8)).toThrow(/^keyLength: /);
    expect(() => cipher.hmac(bytes, 0, large, 0, 65, key, 0, 32, key, 0, 0)).toThrow(/^key: at most 64/);
    expect(bytes.every((byte) => byte === 0)).toBe(true);
  });
});

test('the WebAssembly provider allocates nothing', async () => {
  expect(exceeding(await measureAllocation(new URL('./gates/cipher.gate.ts', import.meta.url)))).toEqual([]);
}, 120_000);
