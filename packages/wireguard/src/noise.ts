/**
 * Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s (Noise revision 34; WireGuard section 5.4) with prologue and payloads as
 * parameters, by offset. Two messages: initiation `e, es, s, ss, payload` and response `e, ee, se, psk, payload`. With a
 * pre-shared key for its payload, the initiation is `e, es, s, ss, psk, payload` (modifiers `psk1+psk2`, section 9.4).
 * Refuses all-zero Diffie-Hellman results; a message that does not open changes no state of ours.
 */
import { type Curves, copyBytes } from '@molia/core';
import { type Cipher, HASH_BYTES, KEY_BYTES, TAG_BYTES } from './crypto.ts';

/** One handshake: chaining key, hash, and the ephemeral (our secret as initiator, their public key as responder). */
export const NOISE_STATE_BYTES = 96;
/** Bytes of an initiation before its payload: ephemeral, sealed static key. */
const NOISE_INITIATION_BYTES = 32 + 48;
/** Bytes of a response before its payload. */
const NOISE_RESPONSE_BYTES = 32;

const HASH = 32;
const EPHEMERAL = 64;
const EMPTY = new Uint8Array(0);
const ONE = new Uint8Array([1]);
const TWO = new Uint8Array([2]);
const THREE = new Uint8Array([3]);

/** The handshake of one static key. Holds scratch memory, so it serves one thread; `wipe` ends it. */
export class Noise {
  /** Our X25519 public key. */
  readonly publicKey = new Uint8Array(KEY_BYTES);
  /** Static key of the initiator whose initiation was read last. */
  readonly remoteStatic = new Uint8Array(KEY_BYTES);
  /** State of the message read last; copy it to keep it. */
  readonly state = new Uint8Array(NOISE_STATE_BYTES);
  readonly #cipher: Cipher;
  readonly #curves: Curves;
  readonly #secret: Uint8Array;
  readonly #initialChain = new Uint8Array(HASH_BYTES);
  readonly #initialHash = new Uint8Array(HASH_BYTES);
  readonly #key = new Uint8Array(KEY_BYTES);
  readonly #shared = new Uint8Array(KEY_BYTES);
  readonly #point = new Uint8Array(KEY_BYTES);
  readonly #scalar = new Uint8Array(KEY_BYTES);
  readonly #first = new Uint8Array(HASH_BYTES);
  readonly #digest = new Uint8Array(HASH_BYTES);
  readonly #tau = new Uint8Array(HASH_BYTES);

  /** `secret`: 32-byte X25519 secret, copied. `name`: the Noise protocol name, longer than 32 bytes. */
  constructor(cipher: Cipher, curves: Curves, secret: Uint8Array, name: Uint8Array, prologue: Uint8Array) {
    this.#cipher = cipher;
    this.#curves = curves;
    this.#secret = secret.slice();
    curves.x25519Base(this.publicKey, this.#secret);
    cipher.hash(this.#initialChain, 0, name, 0, name.length, EMPTY, 0, 0);
    cipher.hash(this.#initialHash, 0, this.#initialChain, 0, HASH_BYTES, prologue, 0, prologue.length);
  }

  /** Static-static Diffie-Hellman with `remote` (32 bytes) into `out`; `false` when it is all zero. */
  staticShared(out: Uint8Array, remote: Uint8Array): boolean {
    return this.#curves.x25519(out, this.#secret, remote);
  }

  /**
   * Writes an initiation at `out[offset]`; the payload's plaintext already lies at `offset + 80` and its tag goes
   * behind it. `shared` is the static-static result; `psk` seals the payload too, `undefined` = as WireGuard. The new
   * state goes to `state`. `false`: `remote` is a bad key.
   */
  writeInitiation(
    state: Uint8Array,
    stateOffset: number,
    ephemeral: Uint8Array,
    remote: Uint8Array,
    remoteOffset: number,
    shared: Uint8Array,
    sharedOffset: number,
    psk: Uint8Array | undefined,
    out: Uint8Array,
    offset: number,
    payloadLength: number,
  ): boolean {
    this.#begin(state, stateOffset, remote, remoteOffset);
    copyBytes(state, stateOffset + EPHEMERAL, ephemeral, 0, KEY_BYTES);
    this.#curves.x25519Base(this.#point, ephemeral);
    copyBytes(out, offset, this.#point, 0, KEY_BYTES);
    this.#mixEphemeral(state, stateOffset, out, offset);
    copyBytes(this.#point, 0, remote, remoteOffset, KEY_BYTES);
    if (!this.#curves.x25519(this.#shared, ephemeral, this.#point)) return false;
    this.#mixKey(state, stateOffset, this.#shared, 0);
    copyBytes(out, offset + 32, this.publicKey, 0, KEY_BYTES);
    this.#seal(state, stateOffset, out, offset + 32, KEY_BYTES);
    this.#mixKey(state, stateOffset, shared, sharedOffset);
    if (psk !== undefined) this.#mixPsk(state, stateOffset, psk);
    this.#seal(state, stateOffset, out, offset + NOISE_INITIATION_BYTES, payloadLength);
    return true;
  }

  /** First half of reading an initiation: opens the static key into `remoteStatic`. One Diffie-Hellman. */
  readInitiationStatic(bytes: Uint8Array, offset: number): boolean {
    const state = this.state;
    this.#begin(state, 0, this.publicKey, 0);
    copyBytes(state, EPHEMERAL, bytes, offset, KEY_BYTES);
    this.#mixEphemeral(state, 0, bytes, offset);
    copyBytes(this.#point, 0, bytes, offset, KEY_BYTES);
    if (!this.#curves.x25519(this.#shared, this.#secret, this.#point)) return false;
    this.#mixKey(state, 0, this.#shared, 0);
    if (!this.#open(state, 0, bytes, offset + 32, KEY_BYTES)) return false;
    copyBytes(this.remoteStatic, 0, bytes, offset + 32, KEY_BYTES);
    return true;
  }

  /** Second half: opens the payload in place, given the static-static result for `remoteStatic` and the writer's `psk`. */
  readInitiationPayload(
    shared: Uint8Array,
    sharedOffset: number,
    psk: Uint8Array | undefined,
    bytes: Uint8Array,
    offset: number,
    payloadLength: number,
  ): boolean {
    this.#mixKey(this.state, 0, shared, sharedOffset);
    if (psk !== undefined) this.#mixPsk(this.state, 0, psk);
    return this.#open(this.state, 0, bytes, offset + NOISE_INITIATION_BYTES, payloadLength);
  }

  /**
   * Writes a response at `out[offset]` for the initiation whose state is `state`; the payload's plaintext already
   * lies at `offset + 32`. `state` then holds the end of the handshake, ready for `split`. `false`: a bad key.
   */
  writeResponse(
    state: Uint8Array,
    stateOffset: number,
    ephemeral: Uint8Array,
    remote: Uint8Array,
    remoteOffset: number,
    psk: Uint8Array,
    out: Uint8Array,
    offset: number,
    payloadLength: number,
  ): boolean {
    this.#curves.x25519Base(this.#point, ephemeral);
    copyBytes(out, offset, this.#point, 0, KEY_BYTES);
    this.#mixEphemeral(state, stateOffset, out, offset);
    copyBytes(this.#point, 0, state, stateOffset + EPHEMERAL, KEY_BYTES);
    if (!this.#curves.x25519(this.#shared, ephemeral, this.#point)) return false;
    this.#mixChain(state, stateOffset, this.#shared, 0, KEY_BYTES);
    copyBytes(this.#point, 0, remote, remoteOffset, KEY_BYTES);
    if (!this.#curves.x25519(this.#shared, ephemeral, this.#point)) return false;
    this.#mixChain(state, stateOffset, this.#shared, 0, KEY_BYTES);
    this.#mixPsk(state, stateOffset, psk);
    this.#seal(state, stateOffset, out, offset + NOISE_RESPONSE_BYTES, payloadLength);
    return true;
  }

  /** Opens the payload of a response in place. `initiated` stays as it is; on success `this.state` can be split. */
  readResponse(
    initiated: Uint8Array,
    initiatedOffset: number,
    psk: Uint8Array,
    bytes: Uint8Array,
    offset: number,
    payloadLength: number,
  ): boolean {
    const state = this.state;
    copyBytes(state, 0, initiated, initiatedOffset, NOISE_STATE_BYTES);
    this.#mixEphemeral(state, 0, bytes, offset);
    copyBytes(this.#point, 0, bytes, offset, KEY_BYTES);
    copyBytes(this.#scalar, 0, state, EPHEMERAL, KEY_BYTES);
    const agreed = this.#curves.x25519(this.#shared, this.#scalar, this.#point);
    this.#scalar.fill(0);
    if (!agreed) return false;
    this.#mixChain(state, 0, this.#shared, 0, KEY_BYTES);
    if (!this.#curves.x25519(this.#shared, this.#secret, this.#point)) return false;
    this.#mixChain(state, 0, this.#shared, 0, KEY_BYTES);
    this.#mixPsk(state, 0, psk);
    return this.#open(state, 0, bytes, offset + NOISE_RESPONSE_BYTES, payloadLength);
  }

  /** The transport keys: what the initiator seals with and what the responder seals with. Wipes the state. */
  split(
    state: Uint8Array,
    stateOffset: number,
    initiatorKey: Uint8Array,
    initiatorOffset: number,
    responderKey: Uint8Array,
    responderOffset: number,
  ): void {
    const first = this.#extract(state, stateOffset, EMPTY, 0, 0);
    this.#cipher.hmac(this.#digest, 0, first, 0, HASH_BYTES, ONE, 0, 1, EMPTY, 0, 0);
    copyBytes(initiatorKey, initiatorOffset, this.#digest, 0, KEY_BYTES);
    this.#cipher.hmac(this.#key, 0, first, 0, HASH_BYTES, this.#digest, 0, HASH_BYTES, TWO, 0, 1);
    copyBytes(responderKey, responderOffset, this.#key, 0, KEY_BYTES);
    for (let i = 0; i < NOISE_STATE_BYTES; i++) state[stateOffset + i] = 0;
    this.wipeScratch();
  }

  /** Forgets the secrets of the last message. */
  wipeScratch(): void {
    this.state.fill(0);
    this.#key.fill(0);
    this.#shared.fill(0);
    this.#scalar.fill(0);
    this.#first.fill(0);
    this.#digest.fill(0);
    this.#tau.fill(0);
  }

  /** Forgets our static secret too: nothing works afterwards. */
  wipe(): void {
    this.wipeScratch();
    this.#secret.fill(0);
  }

  #begin(state: Uint8Array, stateOffset: number, responder: Uint8Array, responderOffset: number): void {
    copyBytes(state, stateOffset, this.#initialChain, 0, HASH_BYTES);
    copyBytes(state, stateOffset + HASH, this.#initialHash, 0, HASH_BYTES);
    this.#mixHash(state, stateOffset, responder, responderOffset, KEY_BYTES);
  }

  #mixHash(state: Uint8Array, stateOffset: number, bytes: Uint8Array, offset: number, length: number): void {
    this.#cipher.hash(this.#digest, 0, state, stateOffset + HASH, HASH_BYTES, bytes, offset, length);
    copyBytes(state, stateOffset + HASH, this.#digest, 0, HASH_BYTES);
  }

  /** With a pre-shared key in the pattern, an ephemeral also goes into the chaining key (Noise section 9.2). */
  #mixEphemeral(state: Uint8Array, stateOffset: number, bytes: Uint8Array, offset: number): void {
    this.#mixHash(state, stateOffset, bytes, offset, KEY_BYTES);
    this.#mixChain(state, stateOffset, bytes, offset, KEY_BYTES);
  }

  #extract(
    state: Uint8Array,
    stateOffset: number,
    input: Uint8Array,
    offset: number,
    length: number,
  ): Uint8Array {
    this.#cipher.hmac(this.#first, 0, state, stateOffset, HASH_BYTES, input, offset, length, EMPTY, 0, 0);
    return this.#first;
  }

  /** KDF1: the next chaining key. */
  #mixChain(state: Uint8Array, stateOffset: number, input: Uint8Array, offset: number, length: number): void {
    const first = this.#extract(state, stateOffset, input, offset, length);
    this.#cipher.hmac(this.#digest, 0, first, 0, HASH_BYTES, ONE, 0, 1, EMPTY, 0, 0);
    copyBytes(state, stateOffset, this.#digest, 0, HASH_BYTES);
  }

  /** KDF2: the next chaining key and the key of the next seal. */
  #mixKey(state: Uint8Array, stateOffset: number, input: Uint8Array, offset: number): void {
    this.#mixChain(state, stateOffset, input, offset, KEY_BYTES);
    this.#cipher.hmac(this.#key, 0, this.#first, 0, HASH_BYTES, this.#digest, 0, HASH_BYTES, TWO, 0, 1);
  }

  /** KDF3: chaining key, what goes into the hash, and the key. */
  #mixPsk(state: Uint8Array, stateOffset: number, psk: Uint8Array): void {
    this.#mixChain(state, stateOffset, psk, 0, KEY_BYTES);
    this.#cipher.hmac(this.#tau, 0, this.#first, 0, HASH_BYTES, this.#digest, 0, HASH_BYTES, TWO, 0, 1);
    this.#cipher.hmac(this.#key, 0, this.#first, 0, HASH_BYTES, this.#tau, 0, HASH_BYTES, THREE, 0, 1);
    this.#mixHash(state, stateOffset, this.#tau, 0, HASH_BYTES);
  }

  /** Every handshake key seals once, so the counter is 0; the hash so far is authenticated with it. */
  #seal(state: Uint8Array, stateOffset: number, bytes: Uint8Array, offset: number, length: number): void {
    this.#cipher.seal(this.#key, 0, 0, 0, state, stateOffset + HASH, HASH_BYTES, bytes, offset, length);
    this.#mixHash(state, stateOffset, bytes, offset, length + TAG_BYTES);
  }

  #open(state: Uint8Array, stateOffset: number, bytes: Uint8Array, offset: number, length: number): boolean {
    // The hash takes the ciphertext, which opening in place destroys: digest first, keep it aside.
    const digest = this.#digest;
    this.#cipher.hash(digest, 0, state, stateOffset + HASH, HASH_BYTES, bytes, offset, length + TAG_BYTES);
    const opened = this.#cipher.open(
      this.#key,
      0,
      0,
      0,
      state,
      stateOffset + HASH,
      HASH_BYTES,
      bytes,
      offset,
      length,
    );
    if (opened) copyBytes(state, stateOffset + HASH, digest, 0, HASH_BYTES);
    return opened;
  }
}
