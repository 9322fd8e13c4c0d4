/** Published vectors against every provider, and against the inner functions of the WebAssembly kernel. */
import { readFileSync } from 'node:fs';
import { fromHex, toHex } from '@molia/core';
import { poly1305 } from '@noble/ciphers/_poly1305.js';
import { beforeAll, describe, expect, test } from 'vitest';
import { committedSource, compileKernel, generatedSource, kernels } from '../../../tools/build-wasm.mjs';
import { nobleCipher } from '../src/cipher-noble.ts';
import { createWasmCipher } from '../src/cipher-wasm.ts';
import type { Cipher } from '../src/crypto.ts';

interface Aead {
  name: string;
  key: string;
  nonce: string;
  aad: string;
  plain: string;
  sealed: string;
}
interface Vectors {
  aead: Aead[];
  xaead: Aead[];
  chacha20: { name: string; key: string; nonce: string; counter: number; block: string }[];
  poly1305: { name: string; key: string; message: string; tag: string }[];
  blake2s: { key: string; input: string; digest: string }[];
}
const vectors = JSON.parse(
  readFileSync(new URL('./vectors/cipher.json', import.meta.url), 'utf8'),
) as Vectors;

const wasm = createWasmCipher() as Cipher;

test('WebAssembly SIMD runs on every supported Node', () => {
  expect(wasm?.name).toBe('wasm-simd');
});

describe.each([nobleCipher, wasm])('$name', (cipher) => {
  test.each(vectors.aead)('seals and opens $name', ({ key, nonce, aad, plain, sealed }) => {
    const length = plain.length / 2;
    const bytes = new Uint8Array(length + 16);
    bytes.set(fromHex(plain));
    const view = new DataView(fromHex(nonce).buffer);
    expect(view.getUint32(0)).toBe(0);
    const low = view.getUint32(4, true);
    const high = view.getUint32(8, true);
    const head = fromHex(aad);
    cipher.seal(fromHex(key), 0, low, high, head, 0, head.length, bytes, 0, length);
    expect(toHex(bytes)).toBe(sealed);
    expect(cipher.open(fromHex(key), 0, low, high, head, 0, head.length, bytes, 0, length)).toBe(true);
    expect(toHex(bytes.slice(0, length))).toBe(plain);
  });

  test.each(vectors.xaead)('seals and opens $name', ({ key, nonce, aad, plain, sealed }) => {
    const length = plain.length / 2;
    const bytes = new Uint8Array(length + 16);
    bytes.set(fromHex(plain));
    const head = fromHex(aad);
    cipher.xseal(fromHex(key), 0, fromHex(nonce), 0, head, 0, head.length, bytes, 0, length);
    expect(toHex(bytes)).toBe(sealed);
    expect(cipher.xopen(fromHex(key), 0, fromHex(nonce), 0, head, 0, head.length, bytes, 0, length)).toBe(
      true,
    );
    expect(toHex(bytes.slice(0, length))).toBe(plain);
  });

  test('answers the known answers of BLAKE2s, keyed and not', () => {
    for (const { key, input, digest } of vectors.blake2s) {
      const out = new Uint8Array(32);
      const bytes = fromHex(input);
      if (key === '') {
        const half = bytes.length >> 1;
        cipher.hash(out, 0, bytes, 0, half, bytes, half, bytes.length - half);
      } else {
        cipher.mac(out, 0, 32, fromHex(key), 0, 32, bytes, 0, bytes.length);
      }
      expect(toHex(out)).toBe(digest);
    }
  });
});

describe('inside the kernel', () => {
  let memory: Uint8Array;
  let probe: {
    keyAt(): number;
    nonceAt(): number;
    outAt(): number;
    dataAt(): number;
    chacha20(counter: number): void;
    poly1305(count: number): void;
  };

  beforeAll(async () => {
    const binary = await compileKernel({ entry: 'packages/wireguard/wasm/probe.ts', pages: 3 });
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(binary as BufferSource));
    probe = exports as unknown as typeof probe;
    memory = new Uint8Array((exports['memory'] as WebAssembly.Memory).buffer);
  });

  test.each(vectors.chacha20)('ChaCha20 makes block $counter of $name in every lane', (vector) => {
    memory.set(fromHex(vector.key), probe.keyAt());
    memory.set(fromHex(vector.nonce), probe.nonceAt());
    for (let lane = 0; lane < 4; lane++) {
      memory.fill(0, probe.dataAt(), probe.dataAt() + 256);
      probe.chacha20(vector.counter - lane);
      const at = probe.dataAt() + 64 * lane;
      expect(toHex(memory.slice(at, at + 64))).toBe(vector.block);
    }
  });

  function tagOf(key: Uint8Array, message: Uint8Array): string {
    memory.set(key, probe.keyAt());
    memory.set(message, probe.dataAt());
    probe.poly1305(message.length / 16);
    return toHex(memory.slice(probe.outAt(), probe.outAt() + 16));
  }

  test.each(vectors.poly1305)('Poly1305: $name', ({ key, message, tag }) => {
    expect(tagOf(fromHex(key), fromHex(message))).toBe(tag);
  });

  test('Poly1305 agrees with noble where every word is extreme', () => {
    const extremes = [0x00, 0x01, 0x03, 0x04, 0x7f, 0x80, 0xfb, 0xfc, 0xfe, 0xff];
    for (const r of extremes) {
      for (const s of [0x00, 0xff]) {
        const key = new Uint8Array(32).fill(r, 0, 16).fill(s, 16);
        for (const m of extremes) {
          for (const blocks of [1, 2, 3, 7, 64]) {
            const message = new Uint8Array(blocks * 16).fill(m);
            expect(tagOf(key, message)).toBe(toHex(poly1305(message, key)));
          }
        }
      }
    }
  });
});

test('the committed WebAssembly is what its sources compile to', async () => {
  for (const kernel of kernels.filter(({ name }) => name === 'cipher')) {
    expect(generatedSource(kernel, await compileKernel(kernel))).toBe(committedSource(kernel));
  }
});
