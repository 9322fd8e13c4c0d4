/**
 * The reference `Cipher`, on @noble/ciphers and @noble/hashes: audited, runs everywhere, allocates and is
 * 8 to 16 times slower than `cipher-wasm.ts`. Every other provider is tested against it.
 */
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { blake2s } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';
import {
  type Cipher,
  checkAead,
  checkHash,
  checkHmac,
  checkMac,
  KEY_BYTES,
  TAG_BYTES,
  XNONCE_BYTES,
} from './crypto.ts';

type Aead = typeof chacha20poly1305 | typeof xchacha20poly1305;

function counterNonce(low: number, high: number): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(4, low >>> 0, true);
  view.setUint32(8, high >>> 0, true);
  return nonce;
}

function part(bytes: Uint8Array, offset: number, length: number): Uint8Array {
  return bytes.slice(offset, offset + length);
}

function sealWith(
  aead: Aead,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
): void {
  const plain = part(bytes, offset, length);
  bytes.set(aead(key, nonce, aad).encrypt(plain), offset);
  plain.fill(0);
  key.fill(0);
}

function openWith(
  aead: Aead,
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  bytes: Uint8Array,
  offset: number,
  length: number,
): boolean {
  const sealed = part(bytes, offset, length + TAG_BYTES);
  try {
    const plain = aead(key, nonce, aad).decrypt(sealed);
    bytes.set(plain, offset);
    plain.fill(0);
    return true;
  } catch {
    return false;
  } finally {
    key.fill(0);
  }
}

/** The reference provider. Allocates at every call. */
export const nobleCipher: Cipher = {
  name: 'noble',

  seal(key, keyOffset, counterLow, counterHigh, aad, aadOffset, aadLength, bytes, offset, length) {
    checkAead(key, keyOffset, aad, aadOffset, aadLength, bytes, offset, length);
    const nonce = counterNonce(counterLow, counterHigh);
    const keyBytes = part(key, keyOffset, KEY_BYTES);
    sealWith(chacha20poly1305, keyBytes, nonce, part(aad, aadOffset, aadLength), bytes, offset, length);
  },

  open(key, keyOffset, counterLow, counterHigh, aad, aadOffset, aadLength, bytes, offset, length) {
    checkAead(key, keyOffset, aad, aadOffset, aadLength, bytes, offset, length);
    const nonce = counterNonce(counterLow, counterHigh);
    const keyBytes = part(key, keyOffset, KEY_BYTES);
    return openWith(
      chacha20poly1305,
      keyBytes,
      nonce,
      part(aad, aadOffset, aadLength),
      bytes,
      offset,
      length,
    );
  },

  xseal(key, keyOffset, nonce, nonceOffset, aad, aadOffset, aadLength, bytes, offset, length) {
    checkAead(key, keyOffset, aad, aadOffset, aadLength, bytes, offset, length, nonce, nonceOffset);
    const nonceBytes = part(nonce, nonceOffset, XNONCE_BYTES);
    const keyBytes = part(key, keyOffset, KEY_BYTES);
    sealWith(xchacha20poly1305, keyBytes, nonceBytes, part(aad, aadOffset, aadLength), bytes, offset, length);
  },

  xopen(key, keyOffset, nonce, nonceOffset, aad, aadOffset, aadLength, bytes, offset, length) {
    checkAead(key, keyOffset, aad, aadOffset, aadLength, bytes, offset, length, nonce, nonceOffset);
    const nonceBytes = part(nonce, nonceOffset, XNONCE_BYTES);
    const keyBytes = part(key, keyOffset, KEY_BYTES);
    const aadBytes = part(aad, aadOffset, aadLength);
    return openWith(xchacha20poly1305, keyBytes, nonceBytes, aadBytes, bytes, offset, length);
  },

  hash(out, outOffset, a, aOffset, aLength, b, bOffset, bLength) {
    checkHash(out, outOffset, a, aOffset, aLength, b, bOffset, bLength);
    const state = blake2s
      .create()
      .update(part(a, aOffset, aLength))
      .update(part(b, bOffset, bLength));
    out.set(state.digest(), outOffset);
  },

  mac(out, outOffset, outLength, key, keyOffset, keyLength, input, offset, length) {
    checkMac(out, outOffset, outLength, key, keyOffset, keyLength, input, offset, length);
    const keyBytes = part(key, keyOffset, keyLength);
    out.set(blake2s(part(input, offset, length), { key: keyBytes, dkLen: outLength }), outOffset);
    keyBytes.fill(0);
  },

  hmac(out, outOffset, key, keyOffset, keyLength, a, aOffset, aLength, b, bOffset, bLength) {
    checkHmac(out, outOffset, key, keyOffset, keyLength, a, aOffset, aLength, b, bOffset, bLength);
    const keyBytes = part(key, keyOffset, keyLength);
    const state = hmac.create(blake2s, keyBytes).update(part(a, aOffset, aLength));
    out.set(state.update(part(b, bOffset, bLength)).digest(), outOffset);
    keyBytes.fill(0);
  },
};
