/** Values of BEP 44: targets, the signed buffer, signing and verifying. */
import { type Curves, nobleCurves } from '@molia/core';
import { sha1 } from '@noble/hashes/legacy.js';
import { bencodeEnd } from './bencode.ts';
import { PUBLIC_KEY_BYTES, SALT_BYTES_MAX, SIGNATURE_BYTES, STORED_VALUE_BYTES_MAX } from './constants.ts';

/** Largest sequence number: 2^63 - 1. */
export const SEQUENCE_MAX = 0x7fffffffffffffffn;

/** A signed mutable item. `value` is bencoded (`encodeBencode`). */
export interface MutableItem {
  /** Ed25519 public key, 32 bytes. */
  readonly key: Uint8Array;
  /** Up to 64 bytes; empty = none. */
  readonly salt: Uint8Array;
  /** 0 to 2^63 - 1. */
  readonly seq: bigint;
  /** 64 bytes over the signed buffer. */
  readonly signature: Uint8Array;
  /** Bencoded, canonical. */
  readonly value: Uint8Array;
}

const NO_SALT = new Uint8Array(0);

/** SHA-1 of the bencoded value. */
export function immutableTarget(value: Uint8Array): Uint8Array {
  return sha1(value);
}

/** SHA-1 of key and salt. */
export function mutableTarget(key: Uint8Array, salt: Uint8Array = NO_SALT): Uint8Array {
  const input = new Uint8Array(key.length + salt.length);
  input.set(key);
  input.set(salt, key.length);
  return sha1(input);
}

/** What is signed: `4:salt…` (when there is one) `3:seqi…e1:v` and the bencoded value. */
export function signedBuffer(value: Uint8Array, seq: bigint, salt: Uint8Array = NO_SALT): Uint8Array {
  const text = new TextEncoder();
  const head = salt.length > 0 ? text.encode(`4:salt${salt.length}:`) : NO_SALT;
  const middle = text.encode(`3:seqi${seq}e1:v`);
  const out = new Uint8Array(head.length + salt.length + middle.length + value.length);
  out.set(head);
  out.set(salt, head.length);
  out.set(middle, head.length + salt.length);
  out.set(value, out.length - value.length);
  return out;
}

/** Signs a bencoded value with a 32-byte Ed25519 seed. Throws RangeError for a bad length or sequence number, or a value that is not canonical. */
export function signItem(
  seed: Uint8Array,
  value: Uint8Array,
  seq: bigint,
  salt: Uint8Array = NO_SALT,
  curves: Curves = nobleCurves,
): MutableItem {
  if (seed.length !== 32) throw new RangeError(`an Ed25519 seed has 32 bytes, not ${seed.length}`);
  const key = new Uint8Array(PUBLIC_KEY_BYTES);
  curves.ed25519PublicKey(key, seed);
  requireItemForm({ key, salt, seq, value });
  const signature = new Uint8Array(SIGNATURE_BYTES);
  curves.ed25519Sign(signature, signedBuffer(value, seq, salt), seed, key);
  return { key, salt, seq, signature, value };
}

/** Whether the signature is right. Never throws. */
export function verifyItem(item: MutableItem, curves: Curves = nobleCurves): boolean {
  if (item.signature.length !== SIGNATURE_BYTES || item.key.length !== PUBLIC_KEY_BYTES) return false;
  return curves.ed25519Verify(item.signature, signedBuffer(item.value, item.seq, item.salt), item.key);
}

/** Throws RangeError that names what is wrong with a value that a caller wants to put. */
export function requireValueForm(value: Uint8Array): void {
  if (value.length > STORED_VALUE_BYTES_MAX)
    throw new RangeError(`a value has at most 1000 bytes bencoded, not ${value.length}`);
  if (bencodeEnd(value, 0, value.length, true) !== value.length)
    throw new RangeError('the value is not canonical bencode: pass what encodeBencode returns');
}

/** The same for a mutable item, signature aside. */
export function requireItemForm(item: Omit<MutableItem, 'signature'>): void {
  if (item.salt.length > SALT_BYTES_MAX)
    throw new RangeError(`a salt has at most ${SALT_BYTES_MAX} bytes, not ${item.salt.length}`);
  if (typeof item.seq !== 'bigint' || item.seq < 0n || item.seq > SEQUENCE_MAX)
    throw new RangeError(`a sequence number is a bigint from 0 to 2^63 - 1, not ${item.seq}`);
  requireValueForm(item.value);
}
