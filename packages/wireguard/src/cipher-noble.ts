/**
 * The reference `Cipher`, on @noble/ciphers and @noble/hashes: audited, runs everywhere, allocates and is
 * 10 to 30 times slower than `cipher-wasm.ts`. Every other provider is tested against it.
 */
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { blake2s } from '@noble/hashes/blake2.js';
import { hmac } from '@noble/hashes/hmac.js';
import {
  type Cipher,
  checkHmacKeyLength,
  checkMacLengths,
  checkRange,
  HASH_BYTES,
  KEY_BYTES,
  TAG_BYTES,
  XNONCE_BYTES,
} from './crypto.ts';

type Aead = typeof chacha20poly1305 | typeof xchacha20poly1305;

function slice(name: string, bytes: Uint8Array, offset: number, length: number): Uint8Array {
  checkRange(name, bytes, offset, length);
  return bytes.slice(offset, offset + length);
}

function counterNonce(low: number, high: number): Uint8Array {
  const nonce = new Uint8Array(12);
  const view = new DataView(nonce.buffer);
  view.setUint32(4, low >>> 0, true);
  view.setUint32(8, high >>> 0, true);
  return nonce;
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
  checkRange('bytes', bytes, offset, length + TAG_BYTES);
  const plain = slice('bytes', bytes, offset, length);
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
  checkRange('bytes', bytes, offset, length);
  const sealed = slice('bytes', bytes, offset, length + TAG_BYTES);
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
    const nonce = counterNonce(counterLow, counterHigh);
    const keyBytes = slice('key', key, keyOffset, KEY_BYTES);
    const aadBytes = slice('aad', aad, aadOffset, aadLength);
    sealWith(chacha20poly1305, keyBytes, nonce, aadBytes, bytes, offset, length);
  },

  open(key, keyOffset, counterLow, counterHigh, aad, aadOffset, aadLength, bytes, offset, length) {
    const nonce = counterNonce(counterLow, counterHigh);
    const keyBytes = slice('key', key, keyOffset, KEY_BYTES);
    const aadBytes = slice('aad', aad, aadOffset, aadLength);
    return openWith(chacha20poly1305, keyBytes, nonce, aadBytes, bytes, offset, length);
  },

  xseal(key, keyOffset, nonce, nonceOffset, aad, aadOffset, aadLength, bytes, offset, length) {
    const nonceBytes = slice('nonce', nonce, nonceOffset, XNONCE_BYTES);
    const keyBytes = slice('key', key, keyOffset, KEY_BYTES);
    const aadBytes = slice('aad', aad, aadOffset, aadLength);
    sealWith(xchacha20poly1305, keyBytes, nonceBytes, aadBytes, bytes, offset, length);
  },

  xopen(key, keyOffset, nonce, nonceOffset, aad, aadOffset, aadLength, bytes, offset, length) {
    const nonceBytes = slice('nonce', nonce, nonceOffset, XNONCE_BYTES);
    const keyBytes = slice('key', key, keyOffset, KEY_BYTES);
    const aadBytes = slice('aad', aad, aadOffset, aadLength);
    return openWith(xchacha20poly1305, keyBytes, nonceBytes, aadBytes, bytes, offset, length);
  },

  hash(out, outOffset, a, aOffset, aLength, b, bOffset, bLength) {
    checkRange('out', out, outOffset, HASH_BYTES);
    const first = slice('a', a, aOffset, aLength);
    const second = slice('b', b, bOffset, bLength);
    out.set(blake2s.create().update(first).update(second).digest(), outOffset);
  },

  mac(out, outOffset, outLength, key, keyOffset, keyLength, input, offset, length) {
    checkMacLengths(outLength, keyLength);
    checkRange('out', out, outOffset, outLength);
    const keyBytes = slice('key', key, keyOffset, keyLength);
    const inputBytes = slice('input', input, offset, length);
    out.set(blake2s(inputBytes, { key: keyBytes, dkLen: outLength }), outOffset);
    keyBytes.fill(0);
  },

  hmac(out, outOffset, key, keyOffset, keyLength, a, aOffset, aLength, b, bOffset, bLength) {
    checkRange('out', out, outOffset, HASH_BYTES);
    checkHmacKeyLength(keyLength);
    const keyBytes = slice('key', key, keyOffset, keyLength);
    const first = slice('a', a, aOffset, aLength);
    const second = slice('b', b, bOffset, bLength);
    out.set(hmac.create(blake2s, keyBytes).update(first).update(second).digest(), outOffset);
    keyBytes.fill(0);
  },
};
