/**
 * Encryption of blobs (docs/spec/blobs.md). Each stripe has a key of its own; a page wraps the keys of its stripes, the
 * root those of its pages, and whoever holds the root's key reads all. Integrity is the hashes': every byte of cipher
 * text is under the blob's key, so ChaCha20 (RFC 8439) needs no tags. No key meets two texts: it is drawn from the
 * text (convergent) or from a fresh random key and a number.
 */
import { Blake3Hasher, blake3DeriveKey } from '@molia/core';
import { chacha20 } from '@noble/ciphers/chacha.js';
import { HASH_BYTES } from './constants.ts';
import type { Layout } from './manifest.ts';

const NONCE_BYTES = 12;

/** Adds the key stream of shard `index` to `bytes`, in place: seals and opens. */
export function sealShard(key: Uint8Array, index: number, bytes: Uint8Array): void {
  const nonce = new Uint8Array(NONCE_BYTES);
  nonce[0] = index;
  chacha20(key, nonce, bytes, bytes);
}

/** Wraps or opens a list of keys, which is all that its own key is used for; a copy. */
export function wrapKeys(key: Uint8Array, keys: Uint8Array): Uint8Array {
  return chacha20(key, new Uint8Array(NONCE_BYTES), keys);
}

/** Makes the keys of a blob while it is written. */
export interface KeyMaker {
  /** From the digest of the stripe's content and its number. */
  stripeKey(digest: Uint8Array, stripe: number): Uint8Array;
  /** From the keys of its stripes, as they are, and its number. */
  pageKey(stripeKeys: Uint8Array, page: number): Uint8Array;
  /** From the digest of all content. */
  readKey(digest: Uint8Array, layout: Layout): Uint8Array;
}

/** The same content under the same layout gets the same keys: it is stored once, and whoever has it can tell that it is. */
export const convergentKeys: KeyMaker = {
  stripeKey: (digest) => blake3DeriveKey('molia 2026 blob convergent stripe', digest),
  pageKey: (stripeKeys) => blake3DeriveKey('molia 2026 blob convergent page', stripeKeys),
  readKey: (digest, { data, parity, shardBytes }) => {
    const material = new Uint8Array(HASH_BYTES + 6);
    material.set(digest);
    const view = new DataView(material.buffer);
    view.setUint8(HASH_BYTES, data);
    view.setUint8(HASH_BYTES + 1, parity);
    view.setUint32(HASH_BYTES + 2, shardBytes);
    return blake3DeriveKey('molia 2026 blob convergent', material);
  },
};

/** Keys from `secret`, 32 fresh random bytes for each blob: nobody else can tell what it is. */
export function randomKeys(secret: Uint8Array): KeyMaker {
  const numbered = (context: string, number: number): Uint8Array => {
    const material = new Uint8Array(HASH_BYTES + 4);
    material.set(secret);
    new DataView(material.buffer).setUint32(HASH_BYTES, number);
    return blake3DeriveKey(context, material);
  };
  return {
    stripeKey: (_digest, stripe) => numbered('molia 2026 blob random stripe', stripe),
    pageKey: (_stripeKeys, page) => numbered('molia 2026 blob random page', page),
    readKey: () => secret.slice(),
  };
}

/** The digest of `length` bytes that lie in `shards`, `stride` in each. */
export function contentDigest(shards: readonly Uint8Array[], stride: number, length: number): Uint8Array {
  const hasher = new Blake3Hasher();
  for (let at = 0, i = 0; at < length; at += stride, i++) {
    hasher.update(shards[i] as Uint8Array, 0, Math.min(stride, length - at));
  }
  const digest = new Uint8Array(HASH_BYTES);
  hasher.digestInto(digest, 0);
  return digest;
}
