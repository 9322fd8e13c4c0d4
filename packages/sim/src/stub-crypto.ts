/**
 * Cryptography that costs next to nothing and hides nothing, for large simulations: tags, hashes and signatures are
 * checksums, keys agree because they add up. Wrong keys, altered bytes and forged signatures are still refused, so a
 * protocol above takes the same steps as with the real thing; every call is counted, so that its cost can be charged.
 *
 * The shapes are those of core's `Curves` and `Identity`, and of the cipher port of the session storey. Never for a network.
 */
import { type Curves, copyBytes, type Identity, nodeIdOf } from '@molia/core';

const KEY_BYTES = 32;
const TAG_BYTES = 16;
const SIGNATURE_BYTES = 64;
const BASE = 0x55;

/** Calls so far. */
export interface CipherCounts {
  seals: number;
  opens: number;
  hashes: number;
}

/** Four lanes of a checksum; one instance serves one thread, calls never nest. */
const lanes = new Int32Array(4);

function begin(domain: number): void {
  lanes[0] = 0x6a09e667 ^ domain;
  lanes[1] = 0xbb67ae85 | 0;
  lanes[2] = 0x3c6ef372;
  lanes[3] = 0xa54ff53a | 0;
}

function word(value: number): void {
  const a = Math.imul((lanes[0] as number) ^ value, 0x85ebca6b);
  const b = lanes[1] as number;
  lanes[1] = (lanes[2] as number) + a;
  lanes[2] = (lanes[3] as number) ^ (a >>> 15);
  lanes[3] = Math.imul(b, 0x27d4eb2f) ^ (b >>> 13);
  lanes[0] = a ^ (a >>> 13) ^ b;
}

/** Two words a turn, the lanes in registers: most of a simulation's checksums are made here. */
function range(bytes: Uint8Array, offset: number, length: number): void {
  word(length);
  let a = lanes[0] as number;
  let b = lanes[1] as number;
  const end = offset + length;
  let at = offset;
  for (; at + 8 <= end; at += 8) {
    a ^=
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
    b ^=
      (bytes[at + 4] as number) |
      ((bytes[at + 5] as number) << 8) |
      ((bytes[at + 6] as number) << 16) |
      ((bytes[at + 7] as number) << 24);
    a = Math.imul(a ^ (b >>> 15), 0x85ebca6b);
    b = Math.imul(b ^ (a >>> 13), 0x27d4eb2f);
  }
  lanes[0] = a;
  lanes[1] = b;
  for (; at < end; at++) word(bytes[at] as number);
}

function finish(out: Uint8Array, offset: number, length: number): void {
  for (let at = 0; at < length; at += 4) {
    word(at);
    const value = lanes[0] as number;
    for (let i = 0; i < 4 && at + i < length; i++) out[offset + at + i] = value >>> (8 * i);
  }
}

const scratch = new Uint8Array(SIGNATURE_BYTES);

/** A cipher in which every method counts and nothing is secret. Same arguments as the session storey's port. */
export class StubCipher {
  readonly name = 'stub';
  readonly counts: CipherCounts = { seals: 0, opens: 0, hashes: 0 };

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
  ): void {
    this.counts.seals++;
    begin(1);
    word(counterLow);
    word(counterHigh);
    sum(key, keyOffset, aad, aadOffset, aadLength, bytes, offset, length);
    finish(bytes, offset + length, TAG_BYTES);
  }

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
  ): boolean {
    this.counts.opens++;
    begin(1);
    word(counterLow);
    word(counterHigh);
    sum(key, keyOffset, aad, aadOffset, aadLength, bytes, offset, length);
    return tagHolds(bytes, offset + length);
  }

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
  ): void {
    this.counts.seals++;
    begin(2);
    range(nonce, nonceOffset, 24);
    sum(key, keyOffset, aad, aadOffset, aadLength, bytes, offset, length);
    finish(bytes, offset + length, TAG_BYTES);
  }

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
  ): boolean {
    this.counts.opens++;
    begin(2);
    range(nonce, nonceOffset, 24);
    sum(key, keyOffset, aad, aadOffset, aadLength, bytes, offset, length);
    return tagHolds(bytes, offset + length);
  }

  hash(
    out: Uint8Array,
    outOffset: number,
    a: Uint8Array,
    aOffset: number,
    aLength: number,
    b: Uint8Array,
    bOffset: number,
    bLength: number,
  ): void {
    this.counts.hashes++;
    begin(3);
    range(a, aOffset, aLength);
    range(b, bOffset, bLength);
    finish(out, outOffset, 32);
  }

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
  ): void {
    this.counts.hashes++;
    begin(4);
    range(key, keyOffset, keyLength);
    range(input, offset, length);
    finish(out, outOffset, outLength);
  }

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
  ): void {
    this.counts.hashes++;
    begin(5);
    range(key, keyOffset, keyLength);
    range(a, aOffset, aLength);
    range(b, bOffset, bLength);
    finish(out, outOffset, 32);
  }
}

function sum(
  key: Uint8Array,
  keyOffset: number,
  aad: Uint8Array,
  aadOffset: number,
  aadLength: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  range(key, keyOffset, KEY_BYTES);
  range(aad, aadOffset, aadLength);
  range(bytes, offset, length);
}

function tagHolds(bytes: Uint8Array, offset: number): boolean {
  finish(scratch, 0, TAG_BYTES);
  for (let i = 0; i < TAG_BYTES; i++) if (scratch[i] !== bytes[offset + i]) return false;
  return true;
}

function signature(out: Uint8Array, message: Uint8Array, publicKey: Uint8Array): void {
  begin(6);
  range(publicKey, 0, KEY_BYTES);
  range(message, 0, message.length);
  finish(out, 0, SIGNATURE_BYTES);
}

/** Curves in which a secret is as good as its public key. They fit `createStubIdentity`, and only that. */
export const stubCurves: Curves = Object.freeze({
  name: 'stub',
  ed25519PublicKey(out: Uint8Array, seed: Uint8Array) {
    copyBytes(out, 0, seed, 0, KEY_BYTES);
  },
  ed25519Sign(out: Uint8Array, message: Uint8Array, _seed: Uint8Array, publicKey: Uint8Array) {
    signature(out, message, publicKey);
  },
  ed25519Verify(given: Uint8Array, message: Uint8Array, publicKey: Uint8Array) {
    if (given.length !== SIGNATURE_BYTES || publicKey.length !== KEY_BYTES) return false;
    signature(scratch, message, publicKey);
    for (let i = 0; i < SIGNATURE_BYTES; i++) if (scratch[i] !== given[i]) return false;
    return true;
  },
  x25519(out: Uint8Array, secret: Uint8Array, publicKey: Uint8Array) {
    let any = 0;
    for (let i = 0; i < KEY_BYTES; i++) {
      const agreed = ((secret[i] as number) + ((publicKey[i] as number) ^ BASE)) & 0xff;
      out[i] = agreed;
      any |= agreed;
    }
    return any !== 0;
  },
  x25519Base(out: Uint8Array, secret: Uint8Array) {
    for (let i = 0; i < KEY_BYTES; i++) out[i] = (secret[i] as number) ^ BASE;
  },
  ed25519ToX25519(out: Uint8Array, publicKey: Uint8Array) {
    for (let i = 0; i < KEY_BYTES; i++) out[i] = (publicKey[i] as number) ^ BASE;
    return true;
  },
});

/** An identity under `stubCurves` with any 32 bytes as its public key; the id is BLAKE3 of it, as everywhere. */
export function createStubIdentity(publicKey: Uint8Array): Identity {
  const key = publicKey.slice();
  const transportPublicKey = new Uint8Array(KEY_BYTES);
  stubCurves.x25519Base(transportPublicKey, key);
  return {
    publicKey: key,
    id: nodeIdOf(key),
    transportPublicKey,
    sign(message) {
      const out = new Uint8Array(SIGNATURE_BYTES);
      signature(out, message, key);
      return out;
    },
    signInto(out, message) {
      signature(out, message, key);
    },
    transportSecret: () => key.slice(),
    seed: () => key.slice(),
    wipe() {},
  };
}
