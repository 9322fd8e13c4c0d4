/**
 * The symmetric-crypto port of WireGuard: ChaCha20-Poly1305 (RFC 8439), XChaCha20-Poly1305
 * (draft-irtf-cfrg-xchacha-03) and BLAKE2s (RFC 7693), by offset and in place.
 * Providers: `cipher-noble.ts` (reference, runs everywhere) and `cipher-wasm.ts` (WebAssembly SIMD).
 */

/**
 * Symmetric primitives of WireGuard; all in place, no allocation, constant time in secrets.
 * Ranges that leave their array are a bug of the caller: `RangeError`. A provider is synchronous and holds
 * one scratch area, so it serves one thread.
 */
export interface Cipher {
  /** Name for logs and `stats`. */
  readonly name: string;

  /**
   * Seals `bytes[offset, offset + length)` in place and writes the 16-byte tag behind it.
   * Nonce = 4 zero bytes || LE64 counter, given as two u32 halves. `aad` may be empty (`aadLength` 0).
   */
  seal(
    key: Uint8Array,
    keyOffset: number,
    counterLow: number,
    counterHigh: number,
    aad: Uint8Array,
    aadOffset: number,
    aadLength: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;

  /**
   * Opens `length` bytes of ciphertext followed by their tag, in place; `length` excludes the tag.
   * `false` (and `bytes` unchanged) when the tag is wrong: it is checked before any plaintext is written.
   */
  open(
    key: Uint8Array,
    keyOffset: number,
    counterLow: number,
    counterHigh: number,
    aad: Uint8Array,
    aadOffset: number,
    aadLength: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean;

  /** XChaCha20-Poly1305 with a 24-byte nonce, for cookies; otherwise as `seal`. */
  xseal(
    key: Uint8Array,
    keyOffset: number,
    nonce: Uint8Array,
    nonceOffset: number,
    aad: Uint8Array,
    aadOffset: number,
    aadLength: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;

  /** XChaCha20-Poly1305 with a 24-byte nonce, for cookies; otherwise as `open`. */
  xopen(
    key: Uint8Array,
    keyOffset: number,
    nonce: Uint8Array,
    nonceOffset: number,
    aad: Uint8Array,
    aadOffset: number,
    aadLength: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean;

  /** BLAKE2s: the 32-byte digest of the concatenation of two ranges (the second may have length 0). */
  hash(
    out: Uint8Array,
    outOffset: number,
    a: Uint8Array,
    aOffset: number,
    aLength: number,
    b: Uint8Array,
    bOffset: number,
    bLength: number,
  ): void;

  /** Keyed BLAKE2s with `outLength` 16 or 32 and a key of 16 or 32 bytes. */
  mac(
    out: Uint8Array,
    outOffset: number,
    outLength: number,
    key: Uint8Array,
    keyOffset: number,
    keyLength: number,
    input: Uint8Array,
    offset: number,
    length: number,
  ): void;

  /** HMAC-BLAKE2s (RFC 2104, 64-byte block, 32 bytes out) of two concatenated ranges; key up to 64 bytes. */
  hmac(
    out: Uint8Array,
    outOffset: number,
    key: Uint8Array,
    keyOffset: number,
    keyLength: number,
    a: Uint8Array,
    aOffset: number,
    aLength: number,
    b: Uint8Array,
    bOffset: number,
    bLength: number,
  ): void;
}

// Specification.

/** Bytes of a Poly1305 tag (RFC 8439 section 2.5). */
export const TAG_BYTES = 16;
/** Bytes of a ChaCha20 key (RFC 8439 section 2.3). */
export const KEY_BYTES = 32;
/** Bytes of an XChaCha20 nonce (draft-irtf-cfrg-xchacha-03 section 2). */
export const XNONCE_BYTES = 24;
/** Bytes of a BLAKE2s digest (RFC 7693 section 2.1). */
export const HASH_BYTES = 32;

// Ours.

/** Longest HMAC key: one BLAKE2s block, so that no key is hashed first (RFC 2104 section 2). */
const HMAC_KEY_BYTES_MAX = 64;
/** Longest message sealed: no UDP datagram holds more. */
const MESSAGE_BYTES_MAX = 65_535;
/** Longest associated data: WireGuard needs 32 bytes. */
const AAD_BYTES_MAX = 1_024;
/** Longest input of a hash or MAC: no UDP datagram holds more. */
const HASH_INPUT_BYTES_MAX = 65_535;

/** Throws `RangeError` unless `[offset, offset + length)` lies in `bytes`; `name` is the argument at fault. */
function checkRange(name: string, bytes: Uint8Array, offset: number, length: number): void {
  // `| 0` leaves a 31-bit integer alone and changes everything else that could come here.
  if ((offset | 0) !== offset || (length | 0) !== length || (offset | length) < 0) {
    throw new RangeError(
      `${name}: offset and length must be non-negative integers, got ${offset}, ${length}`,
    );
  }
  if (length > bytes.length - offset) {
    throw new RangeError(
      `${name}: [${offset}, ${offset}+${length}) leaves an array of ${bytes.length} bytes`,
    );
  }
}

function checkMost(name: string, length: number, most: number): void {
  if (length > most) throw new RangeError(`${name}: at most ${most} bytes, got ${length}`);
}

/** The arguments of `seal` and `open`, and of `xseal` and `xopen` with their nonce. Throws `RangeError`. */
export function checkAead(
  key: Uint8Array,
  keyOffset: number,
  aad: Uint8Array,
  aadOffset: number,
  aadLength: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  nonce?: Uint8Array,
  nonceOffset = 0,
): void {
  checkRange('key', key, keyOffset, KEY_BYTES);
  checkRange('aad', aad, aadOffset, aadLength);
  checkMost('aad', aadLength, AAD_BYTES_MAX);
  if (length < 0) throw new RangeError(`bytes: length must not be negative, got ${length}`);
  checkRange('bytes and tag', bytes, offset, length + TAG_BYTES);
  checkMost('bytes', length, MESSAGE_BYTES_MAX);
  if (nonce !== undefined) checkRange('nonce', nonce, nonceOffset, XNONCE_BYTES);
}

/** The arguments of `hash`. Throws `RangeError`. */
export function checkHash(
  out: Uint8Array,
  outOffset: number,
  a: Uint8Array,
  aOffset: number,
  aLength: number,
  b: Uint8Array,
  bOffset: number,
  bLength: number,
): void {
  checkRange('out', out, outOffset, HASH_BYTES);
  checkRange('a', a, aOffset, aLength);
  checkRange('b', b, bOffset, bLength);
  checkMost('a and b', aLength + bLength, HASH_INPUT_BYTES_MAX);
}

/** The arguments of `mac`. Throws `RangeError`. */
export function checkMac(
  out: Uint8Array,
  outOffset: number,
  outLength: number,
  key: Uint8Array,
  keyOffset: number,
  keyLength: number,
  input: Uint8Array,
  offset: number,
  length: number,
): void {
  if (outLength !== 16 && outLength !== 32) throw new RangeError(`outLength: 16 or 32, got ${outLength}`);
  if (keyLength !== 16 && keyLength !== 32) throw new RangeError(`keyLength: 16 or 32, got ${keyLength}`);
  checkRange('out', out, outOffset, outLength);
  checkRange('key', key, keyOffset, keyLength);
  checkRange('input', input, offset, length);
  checkMost('input', length, HASH_INPUT_BYTES_MAX);
}

/** The arguments of `hmac`. Throws `RangeError`. */
export function checkHmac(
  out: Uint8Array,
  outOffset: number,
  key: Uint8Array,
  keyOffset: number,
  keyLength: number,
  a: Uint8Array,
  aOffset: number,
  aLength: number,
  b: Uint8Array,
  bOffset: number,
  bLength: number,
): void {
  checkHash(out, outOffset, a, aOffset, aLength, b, bOffset, bLength);
  checkRange('key', key, keyOffset, keyLength);
  checkMost('key', keyLength, HMAC_KEY_BYTES_MAX);
}
