/**
 * BLAKE3 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn 2020): 256-bit digests, key derivation and keyed hashing, by
 * WebAssembly SIMD (`blake3-wasm.ts`), else by noble (`blake3-noble.ts`). Synchronous; one scratch area a thread.
 */
import type { Blake3Engine, Blake3State } from './blake3-engine.ts';
import { nobleBlake3 } from './blake3-noble.ts';
import { createWasmBlake3 } from './blake3-wasm.ts';

const DIGEST_BYTES = 32;
const KEY_BYTES = 32;

const engine: Blake3Engine = /* @__PURE__ */ createWasmBlake3() ?? nobleBlake3;

/** Which implementation runs. */
export const blake3Provider: 'wasm-simd' | 'noble' = engine.name;

function checkRange(name: string, bytes: Uint8Array, offset: number, length: number): void {
  const integers = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!integers || offset < 0 || length < 0 || length > bytes.length - offset) {
    throw new RangeError(
      `${name}: [${offset}, ${offset}+${length}) leaves an array of ${bytes.length} bytes`,
    );
  }
}

/** The 32-byte digest of `input`. */
export function blake3(input: Uint8Array): Uint8Array {
  const out = new Uint8Array(DIGEST_BYTES);
  engine.hash(out, 0, input, 0, input.length);
  return out;
}

/**
 * Writes the 32-byte digest of `length` bytes at `offset` to `out` at `outOffset`, which may overlap the input.
 * Throws `RangeError` for a range outside its array.
 */
export function blake3Into(
  out: Uint8Array,
  outOffset: number,
  input: Uint8Array,
  offset: number,
  length: number,
): void {
  checkRange('out', out, outOffset, DIGEST_BYTES);
  checkRange('input', input, offset, length);
  engine.hash(out, outOffset, input, offset, length);
}

/** A 32-byte key for one purpose (`context`, a constant of the program) from key material. */
export function blake3DeriveKey(context: string, material: Uint8Array): Uint8Array {
  const out = new Uint8Array(DIGEST_BYTES);
  engine.deriveKey(out, new TextEncoder().encode(context), material);
  return out;
}

/** The 32-byte keyed digest. Throws `RangeError` unless `key` has 32 bytes. */
export function blake3Keyed(key: Uint8Array, input: Uint8Array): Uint8Array {
  if (key.length !== KEY_BYTES) throw new RangeError(`key: ${KEY_BYTES} bytes, got ${key.length}`);
  const out = new Uint8Array(DIGEST_BYTES);
  engine.keyed(out, key, input);
  return out;
}

/** Incremental BLAKE3; each one holds its own state (2.8 KB), so that many may run in turns. */
export class Blake3Hasher {
  private readonly state: Blake3State = engine.start();

  /** Absorbs `length` bytes at `offset`. Throws `RangeError` for a range outside its array. */
  update(bytes: Uint8Array, offset: number, length: number): void {
    checkRange('bytes', bytes, offset, length);
    this.state.update(bytes, offset, length);
  }

  /** Writes the 32-byte digest of everything absorbed since the last `reset`; more may be absorbed after. */
  digestInto(out: Uint8Array, offset: number): void {
    checkRange('out', out, offset, DIGEST_BYTES);
    this.state.digest(out, offset);
  }

  /** Forgets everything absorbed. */
  reset(): void {
    this.state.reset();
  }
}
