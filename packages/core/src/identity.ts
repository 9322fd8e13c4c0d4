/**
 * A node's identity: an Ed25519 seed, the public key that is the node's name, the id that is its place in the XOR
 * space (BLAKE3 of the public key), and the same key carried to X25519 for the transport.
 */
import { sha512 } from '@noble/hashes/sha2.js';
import { blake3DeriveKey, blake3Into } from './blake3.ts';
import type { Curves } from './curves.ts';
import { ID_BYTES } from './ids.ts';
import type { Rng } from './rng.ts';
import { createSecureRng } from './rng-secure.ts';
import { wipe } from './secrets.ts';

/** Bytes of an Ed25519 seed. */
export const SEED_BYTES = 32;
/** Bytes of an Ed25519 signature. */
export const SIGNATURE_BYTES = 64;
/** The network whose pre-shared key is zero. */
export const PUBLIC_NETWORK = 'public';

const NETWORK_CONTEXT = 'molia 2026 network';

/** Holds the secret; everything but `seed`, `transportSecret` and `wipe` may be called from anywhere. */
export interface Identity {
  /** Ed25519 public key, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** BLAKE3-256 of `publicKey`. */
  readonly id: Uint8Array;
  /** X25519 public key that belongs to `publicKey`. */
  readonly transportPublicKey: Uint8Array;
  /** Signature of 64 bytes. Throws Error after `wipe`. */
  sign(message: Uint8Array): Uint8Array;
  /** Writes the signature to the first 64 bytes of `out`. Throws Error after `wipe`. */
  signInto(out: Uint8Array, message: Uint8Array): void;
  /** A copy of the X25519 secret; the caller wipes it. Throws Error after `wipe`. */
  transportSecret(): Uint8Array;
  /** A copy of the seed; the caller wipes it. Throws Error after `wipe`. */
  seed(): Uint8Array;
  /** Forgets the secrets. */
  wipe(): void;
}

/**
 * The identity of a 32-byte seed (copied), or of a fresh one from `rng` (default: the platform's secure generator).
 * Throws RangeError when the seed has another length.
 */
export function createIdentity(curves: Curves, seed?: Uint8Array, rng?: Rng): Identity {
  if (seed !== undefined && seed.length !== SEED_BYTES) {
    throw new RangeError(`an identity's seed has ${SEED_BYTES} bytes, not ${seed.length}`);
  }
  const secret = new Uint8Array(SEED_BYTES);
  if (seed === undefined) (rng ?? createSecureRng()).fill(secret, 0, SEED_BYTES);
  else secret.set(seed);

  const publicKey = new Uint8Array(32);
  curves.ed25519PublicKey(publicKey, secret);
  const transport = transportSecretOf(secret);
  const transportPublicKey = new Uint8Array(32);
  curves.x25519Base(transportPublicKey, transport);
  let wiped = false;

  function requireSecret(): void {
    if (wiped) throw new Error('this identity was wiped');
  }

  return {
    publicKey,
    id: nodeIdOf(publicKey),
    transportPublicKey,
    sign(message) {
      const signature = new Uint8Array(SIGNATURE_BYTES);
      this.signInto(signature, message);
      return signature;
    },
    signInto(out, message) {
      requireSecret();
      curves.ed25519Sign(out, message, secret, publicKey);
    },
    transportSecret() {
      requireSecret();
      return transport.slice();
    },
    seed() {
      requireSecret();
      return secret.slice();
    },
    wipe() {
      wiped = true;
      wipe(secret);
      wipe(transport);
    },
  };
}

/** The node id of an Ed25519 public key: BLAKE3-256. */
export function nodeIdOf(publicKey: Uint8Array): Uint8Array {
  const id = new Uint8Array(ID_BYTES);
  nodeIdInto(id, 0, publicKey, 0);
  return id;
}

/** `nodeIdOf` by offset, without allocation where BLAKE3 has none. */
export function nodeIdInto(
  out: Uint8Array,
  outOffset: number,
  publicKey: Uint8Array,
  publicKeyOffset: number,
): void {
  blake3Into(out, outOffset, publicKey, publicKeyOffset, 32);
}

/**
 * The WireGuard pre-shared key of a network: 32 zero bytes for `public`, else derived from the name or secret, so that
 * nodes of two networks never complete a handshake. Throws RangeError for an empty name.
 */
export function networkPsk(network: string): Uint8Array {
  if (network === '') throw new RangeError('a network needs a name or secret; the public one is "public"');
  if (network === PUBLIC_NETWORK) return new Uint8Array(32);
  return blake3DeriveKey(NETWORK_CONTEXT, new TextEncoder().encode(network));
}

/** RFC 8032 section 5.1.5 steps 1 and 2: the scalar of the Ed25519 key is the X25519 secret. */
function transportSecretOf(seed: Uint8Array): Uint8Array {
  const digest = sha512(seed);
  const scalar = digest.slice(0, 32);
  wipe(digest);
  scalar[0] = (scalar[0] as number) & 248;
  scalar[31] = ((scalar[31] as number) & 127) | 64;
  return scalar;
}
