/** What a BLAKE3 implementation offers to `blake3.ts`, which checked all ranges and lengths. */
export interface Blake3Engine {
  readonly name: 'wasm-simd' | 'noble';
  /** The 32-byte digest of a range. */
  hash(out: Uint8Array, outOffset: number, input: Uint8Array, offset: number, length: number): void;
  /** The 32-byte keyed digest; `key` has 32 bytes. */
  keyed(out: Uint8Array, key: Uint8Array, input: Uint8Array): void;
  /** The 32-byte key derived from `material` for `context` (UTF-8). */
  deriveKey(out: Uint8Array, context: Uint8Array, material: Uint8Array): void;
  /** A new incremental hash. */
  start(): Blake3State;
}

/** One incremental hash. */
export interface Blake3State {
  update(bytes: Uint8Array, offset: number, length: number): void;
  /** Does not end it: more may be absorbed after. */
  digest(out: Uint8Array, offset: number): void;
  reset(): void;
}
