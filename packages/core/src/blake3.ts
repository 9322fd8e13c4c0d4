/** BLAKE3 (O'Connor, Aumasson, Neves, Wilcox-O'Hearn 2020): 256-bit digests, key derivation and keyed hashing. */
import { blake3 as nobleBlake3 } from '@noble/hashes/blake3.js';

/** Which implementation runs. */
export const blake3Provider: 'wasm-simd' | 'noble' = 'noble';

/** The 32-byte digest of `input`. */
export function blake3(input: Uint8Array): Uint8Array {
  return nobleBlake3(input);
}

/** Writes the 32-byte digest of `length` bytes at `offset` to `out` at `outOffset`. */
export function blake3Into(
  out: Uint8Array,
  outOffset: number,
  input: Uint8Array,
  offset: number,
  length: number,
): void {
  out.set(nobleBlake3(input.subarray(offset, offset + length)), outOffset);
}

/** A 32-byte key for one purpose (`context`, a constant of the program) from key material. */
export function blake3DeriveKey(context: string, material: Uint8Array): Uint8Array {
  return nobleBlake3(material, { context: new TextEncoder().encode(context) });
}

/** The 32-byte keyed digest (`key`: 32 bytes). */
export function blake3Keyed(key: Uint8Array, input: Uint8Array): Uint8Array {
  return nobleBlake3(input, { key });
}

/** Incremental BLAKE3. */
export class Blake3Hasher {
  private state = nobleBlake3.create({});

  /** Absorbs `length` bytes at `offset`. */
  update(bytes: Uint8Array, offset: number, length: number): void {
    this.state.update(bytes.subarray(offset, offset + length));
  }

  /** Writes the 32-byte digest of everything absorbed since the last `reset`; more may be absorbed after. */
  digestInto(out: Uint8Array, offset: number): void {
    out.set(this.state.clone().digest(), offset);
  }

  reset(): void {
    this.state = nobleBlake3.create({});
  }
}
