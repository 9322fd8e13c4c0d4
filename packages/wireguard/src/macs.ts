/**
 * mac1, mac2 and cookies (WireGuard sections 5.4.4 and 5.4.7): who may cost us a Diffie-Hellman, and proof of address
 * under load. A cookie is a MAC of the source address under a secret that lives 120 s; it comes sealed, bound to the mac1 it answers.
 */
import { copyBytes, equalConstantTime, isZero, type Millis, type Rng } from '@molia/core';
import {
  COOKIE_BYTES,
  COOKIE_SECRET_MS,
  LABEL_COOKIE,
  LABEL_MAC1,
  MAC_BYTES,
  MACS_BYTES,
  MESSAGE_COOKIE,
  PATH_BYTES_MAX,
} from './constants.ts';
import { type Cipher, HASH_BYTES, KEY_BYTES, TAG_BYTES, XNONCE_BYTES } from './crypto.ts';

const NONCE_OFFSET = 8;
const SEALED_OFFSET = NONCE_OFFSET + XNONCE_BYTES;

/** ASCII bytes of a label. */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

const MAC1_LABEL = ascii(LABEL_MAC1);
const COOKIE_LABEL = ascii(LABEL_COOKIE);

/** The MACs of one static key, as receiver and as sender. */
export class Macs {
  /** Address bytes of the sender in hand: the engine fills them before `verifyMac2` and `writeReply`. */
  readonly source = new Uint8Array(PATH_BYTES_MAX);
  sourceLength = 0;
  readonly #cipher: Cipher;
  readonly #rng: Rng;
  readonly #mac1Key = new Uint8Array(HASH_BYTES);
  readonly #cookieKey = new Uint8Array(HASH_BYTES);
  readonly #peerKey = new Uint8Array(HASH_BYTES);
  readonly #secret = new Uint8Array(KEY_BYTES);
  readonly #cookie = new Uint8Array(MAC_BYTES);
  readonly #mac = new Uint8Array(MAC_BYTES);
  readonly #sealed = new Uint8Array(MAC_BYTES + TAG_BYTES);
  #secretAt: Millis = -COOKIE_SECRET_MS;

  constructor(cipher: Cipher, rng: Rng, publicKey: Uint8Array) {
    this.#cipher = cipher;
    this.#rng = rng;
    this.mac1Key(this.#mac1Key, 0, publicKey, 0);
    cipher.hash(this.#cookieKey, 0, COOKIE_LABEL, 0, COOKIE_LABEL.length, publicKey, 0, KEY_BYTES);
  }

  /** The 32-byte key of mac1 on messages to `publicKey`. */
  mac1Key(out: Uint8Array, outOffset: number, publicKey: Uint8Array, offset: number): void {
    this.#cipher.hash(out, outOffset, MAC1_LABEL, 0, MAC1_LABEL.length, publicKey, offset, KEY_BYTES);
  }

  /** Whether a handshake message of `length` bytes to us carries the right mac1. */
  verifyMac1(bytes: Uint8Array, offset: number, length: number): boolean {
    const covered = length - MACS_BYTES;
    this.#cipher.mac(this.#mac, 0, MAC_BYTES, this.#mac1Key, 0, HASH_BYTES, bytes, offset, covered);
    return equalConstantTime(this.#mac, 0, bytes, offset + covered, MAC_BYTES);
  }

  /** Whether it proves, by mac2, that its sender receives at the address in `source`. */
  verifyMac2(now: Millis, bytes: Uint8Array, offset: number, length: number): boolean {
    const covered = length - MAC_BYTES;
    // Our own messages without a cookie carry zeros: nothing to prove, nothing to compute.
    if (isZero(bytes, offset + covered, MAC_BYTES)) return false;
    if (now - this.#secretAt >= COOKIE_SECRET_MS) return false;
    this.#makeCookie();
    this.#cipher.mac(this.#mac, 0, MAC_BYTES, this.#cookie, 0, MAC_BYTES, bytes, offset, covered);
    return equalConstantTime(this.#mac, 0, bytes, offset + covered, MAC_BYTES);
  }

  /** Writes a cookie reply (64 bytes) to the handshake message at `offset`, for the address in `source`. */
  writeReply(
    now: Millis,
    out: Uint8Array,
    outOffset: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if (now - this.#secretAt >= COOKIE_SECRET_MS) {
      this.#rng.fill(this.#secret, 0, KEY_BYTES);
      this.#secretAt = now;
    }
    this.#makeCookie();
    for (let i = 0; i < COOKIE_BYTES; i++) out[outOffset + i] = 0;
    out[outOffset] = MESSAGE_COOKIE;
    // The sender's index lies at 4 in both handshake messages.
    copyBytes(out, outOffset + 4, bytes, offset + 4, 4);
    this.#rng.fill(out, outOffset + NONCE_OFFSET, XNONCE_BYTES);
    copyBytes(out, outOffset + SEALED_OFFSET, this.#cookie, 0, MAC_BYTES);
    this.#cipher.xseal(
      this.#cookieKey,
      0,
      out,
      outOffset + NONCE_OFFSET,
      bytes,
      offset + length - MACS_BYTES,
      MAC_BYTES,
      out,
      outOffset + SEALED_OFFSET,
      MAC_BYTES,
    );
  }

  /** Opens a cookie reply of the peer `publicKey` to our message with `mac1`; the cookie goes to `out`. */
  openReply(
    bytes: Uint8Array,
    offset: number,
    publicKey: Uint8Array,
    publicKeyOffset: number,
    mac1: Uint8Array,
    mac1Offset: number,
    out: Uint8Array,
    outOffset: number,
  ): boolean {
    this.#cipher.hash(
      this.#peerKey,
      0,
      COOKIE_LABEL,
      0,
      COOKIE_LABEL.length,
      publicKey,
      publicKeyOffset,
      KEY_BYTES,
    );
    copyBytes(this.#sealed, 0, bytes, offset + SEALED_OFFSET, MAC_BYTES + TAG_BYTES);
    const opened = this.#cipher.xopen(
      this.#peerKey,
      0,
      bytes,
      offset + NONCE_OFFSET,
      mac1,
      mac1Offset,
      MAC_BYTES,
      this.#sealed,
      0,
      MAC_BYTES,
    );
    if (opened) copyBytes(out, outOffset, this.#sealed, 0, MAC_BYTES);
    return opened;
  }

  /** Ends a handshake message of `length` bytes: mac1 under `mac1Key`, mac2 under `cookie` or zeros without one. */
  writeMacs(
    out: Uint8Array,
    offset: number,
    length: number,
    mac1Key: Uint8Array,
    mac1KeyOffset: number,
    cookie: Uint8Array,
    cookieOffset: number,
    hasCookie: boolean,
  ): void {
    const mac1 = length - MACS_BYTES;
    const mac2 = length - MAC_BYTES;
    this.#cipher.mac(this.#mac, 0, MAC_BYTES, mac1Key, mac1KeyOffset, HASH_BYTES, out, offset, mac1);
    copyBytes(out, offset + mac1, this.#mac, 0, MAC_BYTES);
    if (hasCookie) {
      this.#cipher.mac(this.#mac, 0, MAC_BYTES, cookie, cookieOffset, MAC_BYTES, out, offset, mac2);
      copyBytes(out, offset + mac2, this.#mac, 0, MAC_BYTES);
    } else {
      for (let i = 0; i < MAC_BYTES; i++) out[offset + mac2 + i] = 0;
    }
  }

  wipe(): void {
    this.#secret.fill(0);
    this.#cookie.fill(0);
  }

  #makeCookie(): void {
    this.#cipher.mac(
      this.#cookie,
      0,
      MAC_BYTES,
      this.#secret,
      0,
      KEY_BYTES,
      this.source,
      0,
      this.sourceLength,
    );
  }
}
