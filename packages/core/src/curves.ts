/**
 * The curve port: Ed25519 (RFC 8032) and X25519 (RFC 7748) by whatever provider is fastest where we run.
 * All providers agree with `nobleCurves` (a test of the provider proves it); signatures are verified strictly:
 * canonical encodings, no small-order public key, cofactorless equation.
 */
export interface Curves {
  /** Name for logs and `stats`. */
  readonly name: string;
  /** Public key (32 bytes into `out`) of a 32-byte seed. */
  ed25519PublicKey(out: Uint8Array, seed: Uint8Array): void;
  /** Signature (64 bytes into `out`). */
  ed25519Sign(out: Uint8Array, message: Uint8Array, seed: Uint8Array, publicKey: Uint8Array): void;
  /** Never throws: a malformed key or signature is `false`. */
  ed25519Verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  /** Shared secret (32 bytes into `out`); `false` when it is all zero. `out` may not alias an input. */
  x25519(out: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): boolean;
  /** Public key (32 bytes into `out`) of a 32-byte X25519 secret. */
  x25519Base(out: Uint8Array, secret: Uint8Array): void;
  /** The X25519 public key of an Ed25519 public key (birational map); `false` when it is not a valid point. */
  ed25519ToX25519(out: Uint8Array, publicKey: Uint8Array): boolean;
}
