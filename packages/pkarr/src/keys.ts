/** Ed25519 keys as pkarr writes them. */
import {
  type Curves,
  createSecureRng,
  ed25519PointStrict,
  equalBytes,
  fromHex,
  isZero,
  nobleCurves,
  toHex,
  wipe,
} from '@molia/core';
import { ed25519 } from '@noble/curves/ed25519.js';
import { KEY_BYTES, KEY_DIGITS, SIGNATURE_BYTES } from './constants.ts';
import { failure } from './errors.ts';
import { keyFromText, keyToText } from './z-base-32.ts';

/** A public key. Immutable: its bytes are a copy of its own, and `bytes` must not be written to. */
export class PublicKey {
  /** 32 bytes. */
  readonly bytes: Uint8Array;
  #text: string | undefined;

  private constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Throws INVALID_KEY unless there are 32 bytes that a strict verifier accepts. */
  static fromBytes(bytes: Uint8Array): PublicKey {
    const key = PublicKey.tryFromBytes(bytes);
    if (key !== undefined) return key;
    throw failure(
      'INVALID_KEY',
      `these ${bytes.length} bytes are no public key: expected 32 that encode a point of Ed25519`,
    );
  }

  /** The same; `undefined` where it would throw. */
  static tryFromBytes(bytes: Uint8Array): PublicKey | undefined {
    return bytes.length === KEY_BYTES && isPoint(bytes) ? new PublicKey(bytes.slice()) : undefined;
  }

  /**
   * The key in a text: 52 digits of z-base-32, alone or with `pk:` before them, or as the last label of the host of a URI or
   * of a domain name. Throws INVALID_KEY.
   */
  static parse(text: string): PublicKey {
    const key = PublicKey.tryParse(text);
    if (key !== undefined) return key;
    const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
    throw failure(
      'INVALID_KEY',
      `${JSON.stringify(shown)} holds no public key`,
      'a key has 52 digits of z-base-32',
    );
  }

  /** The same; `undefined` when there is none. */
  static tryParse(text: string): PublicKey | undefined {
    const bytes = keyFromText(text.length === KEY_DIGITS ? text : hostKeyOf(text));
    return bytes && PublicKey.tryFromBytes(bytes);
  }

  equals(other: PublicKey): boolean {
    return equalBytes(this.bytes, 0, other.bytes, 0, KEY_BYTES);
  }

  verify(message: Uint8Array, signature: Uint8Array, curves: Curves = nobleCurves): boolean {
    return curves.ed25519Verify(signature, message, this.bytes);
  }

  /** 52 digits of z-base-32. */
  toString(): string {
    this.#text ??= keyToText(this.bytes);
    return this.#text;
  }

  toJSON(): string {
    return this.toString();
  }

  /** `pk:` and the digits. */
  toUri(): string {
    return `pk:${this}`;
  }
}

/** On the curve, canonical and of no small order. */
function isPoint(key: Uint8Array): boolean {
  if (!ed25519PointStrict(key, 0)) return false;
  try {
    ed25519.Point.fromBytes(key);
    return true;
  } catch {
    return false;
  }
}

/** Strips what may stand around a key in a URI or a name; the result need not be a key. */
function hostKeyOf(text: string): string {
  let rest = text.slice(0, 2048);
  const authority = rest.indexOf('//');
  if (authority >= 0) rest = rest.slice(authority + 2);
  else rest = rest.replace(/^[a-z][a-z0-9+.-]*:(?=[^0-9]|[0-9a-z]{52})/i, '');
  rest = rest.replace(/[/?#].*$/s, '');
  rest = rest.slice(rest.lastIndexOf('@') + 1);
  rest = rest.replace(/:\d*$/, '').replace(/\.$/, '');
  return rest.slice(rest.lastIndexOf('.') + 1);
}

/** A secret key with its public one. The secret never appears in `toString`, `toJSON` or a log. */
export class Keypair {
  readonly publicKey: PublicKey;
  readonly #seed: Uint8Array;
  readonly #curves: Curves;
  #wiped = false;

  private constructor(seed: Uint8Array, curves: Curves) {
    this.#seed = seed;
    this.#curves = curves;
    const key = new Uint8Array(KEY_BYTES);
    curves.ed25519PublicKey(key, seed);
    this.publicKey = PublicKey.fromBytes(key);
  }

  static random(curves: Curves = nobleCurves): Keypair {
    const seed = new Uint8Array(KEY_BYTES);
    createSecureRng().fill(seed, 0, KEY_BYTES);
    return new Keypair(seed, curves);
  }

  /** From the 32 bytes of `secretKey` (an RFC 8032 seed), which are copied. Throws RangeError; all zeros are taken for a mistake. */
  static fromSecretKey(seed: Uint8Array, curves: Curves = nobleCurves): Keypair {
    if (seed.length !== KEY_BYTES) throw new RangeError(`a secret key has 32 bytes, not ${seed.length}`);
    if (isZero(seed, 0, KEY_BYTES)) throw new RangeError('a secret key of nothing but zeros is no secret');
    return new Keypair(seed.slice(), curves);
  }

  /** From what a secret key file holds: 64 hex digits, white space around them ignored. Throws RangeError that does not quote it. */
  static fromSecretKeyText(text: string, curves: Curves = nobleCurves): Keypair {
    const digits = text.trim();
    if (!/^[0-9a-fA-F]{64}$/.test(digits)) throw new RangeError('a secret key file holds 64 hex digits');
    const seed = fromHex(digits);
    const keypair = Keypair.fromSecretKey(seed, curves);
    wipe(seed);
    return keypair;
  }

  /** A copy of the secret: whoever asks for it keeps it safe and wipes it. */
  secretKey(): Uint8Array {
    this.#requireSecret();
    return this.#seed.slice();
  }

  /** The text of a secret key file. */
  secretKeyText(): string {
    this.#requireSecret();
    return `${toHex(this.#seed)}\n`;
  }

  sign(message: Uint8Array): Uint8Array {
    this.#requireSecret();
    const signature = new Uint8Array(SIGNATURE_BYTES);
    this.#curves.ed25519Sign(signature, message, this.#seed, this.publicKey.bytes);
    return signature;
  }

  /** Overwrites the secret. The pair can neither sign nor tell it any more: both throw TypeError. */
  wipe(): void {
    this.#wiped = true;
    wipe(this.#seed);
  }

  #requireSecret(): void {
    if (this.#wiped) throw new TypeError('the secret of this key pair was wiped');
  }

  toString(): string {
    return `Keypair(${this.publicKey})`;
  }

  toJSON(): string {
    return this.toString();
  }
}
