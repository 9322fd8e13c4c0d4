/** Both BLAKE3 implementations: published vectors, each other at every length, splits, misuse, allocation. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { committedSource, compileKernel, generatedSource, kernels } from '../../../tools/build-wasm.mjs';
import { exceeding, measureAllocation } from '../../../tools/gate.ts';
import type { Blake3Engine } from '../src/blake3-engine.ts';
import { nobleBlake3 } from '../src/blake3-noble.ts';
import { createWasmBlake3 } from '../src/blake3-wasm.ts';
import {
  Blake3Hasher,
  blake3,
  blake3DeriveKey,
  blake3Into,
  blake3Keyed,
  blake3Provider,
  createSeededRng,
  toHex,
} from '../src/index.ts';

interface Vectors {
  key: string;
  context: string;
  cases: { inputLength: number; hash: string; keyedHash: string; deriveKey: string }[];
}
const vectors = JSON.parse(
  readFileSync(new URL('./vectors/blake3.json', import.meta.url), 'utf8'),
) as Vectors;
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

const wasm = createWasmBlake3() as Blake3Engine;
const rng = createSeededRng(3);

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  rng.fill(bytes, 0, length);
  return bytes;
}

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i % 251);
}

function hashOf(engine: Blake3Engine, input: Uint8Array, offset = 0, length = input.length): string {
  const out = new Uint8Array(32);
  engine.hash(out, 0, input, offset, length);
  return toHex(out);
}

test('WebAssembly SIMD runs on every supported Node', () => {
  expect(blake3Provider).toBe('wasm-simd');
});

describe.each([nobleBlake3, wasm])('$name', (engine) => {
  test.each(vectors.cases)('the test vectors hold for $inputLength bytes', (vector) => {
    const input = pattern(vector.inputLength);
    const out = new Uint8Array(32);
    expect(hashOf(engine, input)).toBe(vector.hash);
    engine.keyed(out, utf8(vectors.key), input);
    expect(toHex(out)).toBe(vector.keyedHash);
    engine.deriveKey(out, utf8(vectors.context), input);
    expect(toHex(out)).toBe(vector.deriveKey);
    const state = engine.start();
    state.update(input, 0, input.length);
    state.digest(out, 0);
    expect(toHex(out)).toBe(vector.hash);
  });

  test('a digest does not end an incremental hash, a reset does', () => {
    const input = pattern(9000);
    const state = engine.start();
    const out = new Uint8Array(33);
    for (let at = 0; at < 9000; at += 1000) {
      state.digest(out, 1);
      expect(toHex(out.slice(1))).toBe(hashOf(nobleBlake3, input, 0, at));
      state.update(input, at, 1000);
    }
    state.reset();
    state.digest(out, 1);
    expect(toHex(out.slice(1))).toBe(vectors.cases[0]?.hash);
  });
});

describe('wasm against noble', () => {
  test('every length to 2,200, at any offset of small and of large arrays', () => {
    const small = randomBytes(3000);
    const large = randomBytes(40_000);
    for (let length = 0; length <= 2200; length++) {
      const array = length % 2 === 0 ? small : large;
      const offset = rng.u32() % (array.length - length);
      expect(hashOf(wasm, array, offset, length), `${length}`).toBe(
        hashOf(nobleBlake3, array, offset, length),
      );
    }
  });

  test('every count of chunks to 70, and one byte less and more', () => {
    const input = randomBytes(72 * 1024);
    for (let chunks = 1; chunks <= 70; chunks++) {
      for (const length of [chunks * 1024 - 1, chunks * 1024, chunks * 1024 + 1]) {
        expect(hashOf(wasm, input, 7, length), `${length}`).toBe(hashOf(nobleBlake3, input, 7, length));
      }
    }
  });

  test('updates of any lengths give the digest of the whole', () => {
    const input = randomBytes(150_000);
    for (let round = 0; round < 60; round++) {
      const most = [1, 70, 1024, 1100, 4096, 5000, 20_000, 60_000][round % 8] as number;
      const total = most === 1 ? 1500 : rng.u32() % input.length;
      const state = wasm.start();
      for (let at = 0; at < total; ) {
        const length = Math.min(total - at, most % 1024 === 0 ? most : 1 + (rng.u32() % most));
        state.update(input, at, length);
        at += length;
      }
      const out = new Uint8Array(32);
      state.digest(out, 0);
      expect(toHex(out), `round ${round}`).toBe(hashOf(nobleBlake3, input, 0, total));
    }
  });

  test('two incremental hashes and one-shot ones in turns do not disturb each other', () => {
    const input = randomBytes(30_000);
    const hashers = [new Blake3Hasher(), new Blake3Hasher()];
    for (let at = 0; at < 30_000; at += 1500) {
      hashers[(at / 1500) % 2]?.update(input, at, 1500);
      blake3(input);
    }
    for (const [parity, hasher] of hashers.entries()) {
      const parts: number[] = [];
      for (let at = 1500 * parity; at < 30_000; at += 3000) parts.push(...input.slice(at, at + 1500));
      const out = new Uint8Array(32);
      hasher.digestInto(out, 0);
      expect(toHex(out)).toBe(hashOf(nobleBlake3, Uint8Array.from(parts)));
    }
  });

  test('the counter of chunks carries into its upper word', () => {
    // 2^32 chunks are out of reach: the count in the state is moved there, with as many (zero) subtrees before.
    const { state, kernel, memory, stageAt } = wasm as unknown as {
      state: Uint8Array;
      kernel: { start(keyed: number, flags: number): void; update(from: number, length: number): void };
      memory: Uint8Array;
      stageAt: number;
    };
    const after = (start: bigint, together: boolean): string => {
      kernel.start(0, 0);
      state.fill(0, 64);
      const view = new DataView(state.buffer, state.byteOffset);
      view.setBigUint64(32, start, true);
      view.setInt32(48, start.toString(2).replaceAll('0', '').length, true);
      memory.set(pattern(4096), stageAt);
      if (together) kernel.update(stageAt, 4096);
      else for (let i = 0; i < 4; i++) kernel.update(stageAt + 1024 * i, 1024);
      return `${view.getBigUint64(32, true)} ${toHex(state.slice(64, 64 + 32 * view.getInt32(48, true)))}`;
    };
    for (const start of [2n ** 32n - 4n, 2n ** 32n - 2n, 2n ** 32n, 2n ** 40n + 12n]) {
      expect(after(start, true)).toBe(after(start, false));
    }
    expect(after(2n ** 32n, true)).not.toBe(
      after(2n ** 33n, true).replace(`${2n ** 33n + 4n}`, `${2n ** 32n + 4n}`),
    );
  });
});

describe('the public functions', () => {
  test('offsets are honoured and neighbours left alone', () => {
    const input = randomBytes(300);
    const out = new Uint8Array(40).fill(0xee);
    blake3Into(out, 4, input, 100, 150);
    expect(toHex(out.slice(4, 36))).toBe(hashOf(nobleBlake3, input, 100, 150));
    expect(toHex(out.slice(0, 4)) + toHex(out.slice(36))).toBe('eeeeeeeeeeeeeeee');
    blake3Into(input, 0, input, 0, 300);
    expect(toHex(input.slice(0, 32))).not.toBe(toHex(out.slice(4, 36)));
  });

  test('keyed digests and derived keys are those of the vectors', () => {
    const vector = vectors.cases.find(({ inputLength }) => inputLength === 1025);
    expect(toHex(blake3Keyed(utf8(vectors.key), pattern(1025)))).toBe(vector?.keyedHash);
    expect(toHex(blake3DeriveKey(vectors.context, pattern(1025)))).toBe(vector?.deriveKey);
  });

  test('no key stays in the memory of the WebAssembly module', () => {
    const { memory } = wasm as unknown as { memory: Uint8Array };
    const key = randomBytes(32);
    const material = randomBytes(5000);
    const out = new Uint8Array(32);
    wasm.keyed(out, key, material);
    wasm.deriveKey(out, utf8('a context'), material);
    for (const secret of [key.subarray(0, 8), material.subarray(0, 8), material.subarray(4992), out]) {
      expect(Buffer.from(memory.buffer).includes(Buffer.from(secret))).toBe(false);
    }
  });

  test('misuse is a RangeError that names the argument', () => {
    const bytes = new Uint8Array(64);
    expect(() => blake3Into(bytes, 33, bytes, 0, 10)).toThrow(/^out: /);
    expect(() => blake3Into(bytes, 0, bytes, 60, 5)).toThrow(/^input: /);
    expect(() => blake3Into(bytes, 0, bytes, -1, 5)).toThrow(RangeError);
    expect(() => blake3Into(bytes, 0, bytes, 0, 0.5)).toThrow(RangeError);
    expect(() => blake3Keyed(bytes, bytes)).toThrow(/^key: 32 bytes, got 64/);
    expect(() => new Blake3Hasher().update(bytes, 1, 64)).toThrow(/^bytes: /);
    expect(() => new Blake3Hasher().digestInto(bytes, 40)).toThrow(/^out: /);
  });
});

test('the committed WebAssembly is what its sources compile to', async () => {
  for (const kernel of kernels.filter(({ name }) => name === 'blake3')) {
    expect(generatedSource(kernel, await compileKernel(kernel))).toBe(committedSource(kernel));
  }
});

test('hashing allocates nothing', async () => {
  expect(exceeding(await measureAllocation(new URL('./gates/blake3.gate.ts', import.meta.url)))).toEqual([]);
}, 120_000);
