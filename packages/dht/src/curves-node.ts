/**
 * The curve port in Node: by sodium-native where it is installed and works, else by node:crypto (OpenSSL), else by
 * noble. A provider that does not answer the vectors of RFC 8032 and RFC 7748 is passed over, and `reason` says so.
 * Verification is equally strict for all: the checks on bytes are core's, the equation is cofactorless in each.
 */
import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto';
import { createRequire } from 'node:module';
import {
  type Curves,
  ed25519InputsStrict,
  ed25519PointStrict,
  equalBytes,
  equalConstantTime,
  fromHex,
  isZero,
  nobleCurves,
  wipe,
} from '@molia/core';

/** A provider by name. */
export type CurveProvider = 'sodium-native' | 'node:crypto' | 'noble';

/** The chosen provider, and why faster ones were passed over ('' when the first choice works). */
export interface NodeCurves extends Curves {
  readonly name: CurveProvider;
  readonly reason: string;
}

/** What is used of sodium-native: results go into the first argument; a refusal throws. */
interface Sodium {
  crypto_sign_seed_keypair(publicKey: Uint8Array, secretKey: Uint8Array, seed: Uint8Array): void;
  crypto_sign_detached(signature: Uint8Array, message: Uint8Array, secretKey: Uint8Array): void;
  crypto_sign_verify_detached(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean;
  crypto_sign_ed25519_pk_to_curve25519(out: Uint8Array, publicKey: Uint8Array): void;
  crypto_scalarmult(out: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): void;
  crypto_scalarmult_base(out: Uint8Array, secret: Uint8Array): void;
}

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;

/** Throws `RangeError`: these lengths are the caller's business, not input from the network. */
function check(name: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new RangeError(`${name}: ${length} bytes, got ${bytes.length}`);
}

class SodiumCurves implements NodeCurves {
  readonly name = 'sodium-native';
  readonly reason: string;
  private readonly sodium: Sodium;
  /** Seed || public key, zero between calls. */
  private readonly secretKey = new Uint8Array(64);
  private readonly derived = new Uint8Array(KEY_BYTES);
  private checkedSeed: Uint8Array | undefined;
  private readonly checkedPublicKey = new Uint8Array(KEY_BYTES);

  constructor(sodium: Sodium, reason: string) {
    this.sodium = sodium;
    this.reason = reason;
  }

  ed25519PublicKey(out: Uint8Array, seed: Uint8Array): void {
    check('out', out, KEY_BYTES);
    check('seed', seed, KEY_BYTES);
    this.sodium.crypto_sign_seed_keypair(out, this.secretKey, seed);
    wipe(this.secretKey);
  }

  ed25519Sign(out: Uint8Array, message: Uint8Array, seed: Uint8Array, publicKey: Uint8Array): void {
    check('out', out, SIGNATURE_BYTES);
    check('seed', seed, KEY_BYTES);
    check('publicKey', publicKey, KEY_BYTES);
    // Two signatures of one message under two public keys give the secret away, so the pair is proven first,
    // once for as long as the caller signs with the same arrays.
    if (this.checkedSeed !== seed || !equalBytes(this.checkedPublicKey, 0, publicKey, 0, KEY_BYTES)) {
      this.ed25519PublicKey(this.derived, seed);
      if (!equalBytes(this.derived, 0, publicKey, 0, KEY_BYTES)) {
        throw new RangeError('publicKey: not the public key of this seed');
      }
      this.checkedSeed = seed;
      this.checkedPublicKey.set(publicKey);
    }
    this.secretKey.set(seed);
    this.secretKey.set(publicKey, KEY_BYTES);
    this.sodium.crypto_sign_detached(out, message, this.secretKey);
    wipe(this.secretKey);
  }

  ed25519Verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
    if (!ed25519InputsStrict(signature, publicKey)) return false;
    return this.sodium.crypto_sign_verify_detached(signature, message, publicKey);
  }

  x25519(out: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): boolean {
    check('out', out, KEY_BYTES);
    check('secret', secret, KEY_BYTES);
    if (publicKey.length !== KEY_BYTES) return false;
    try {
      this.sodium.crypto_scalarmult(out, secret, publicKey);
      return true;
    } catch {
      return false; // the result is zero
    }
  }

  x25519Base(out: Uint8Array, secret: Uint8Array): void {
    check('out', out, KEY_BYTES);
    check('secret', secret, KEY_BYTES);
    this.sodium.crypto_scalarmult_base(out, secret);
  }

  ed25519ToX25519(out: Uint8Array, publicKey: Uint8Array): boolean {
    check('out', out, KEY_BYTES);
    if (publicKey.length !== KEY_BYTES || !ed25519PointStrict(publicKey, 0)) return false;
    try {
      this.sodium.crypto_sign_ed25519_pk_to_curve25519(out, publicKey);
      return true;
    } catch {
      return false; // no point, or outside the prime-order subgroup
    }
  }
}

/** DER in front of raw keys (RFC 8410): PKCS #8 for secrets, SubjectPublicKeyInfo for public keys. */
const ED25519_SECRET = fromHex('302e020100300506032b657004220420');
const ED25519_PUBLIC = fromHex('302a300506032b6570032100');
const X25519_SECRET = fromHex('302e020100300506032b656e04220420');
const X25519_PUBLIC = fromHex('302a300506032b656e032100');

function importSecret(prefix: Uint8Array, raw: Uint8Array): KeyObject {
  const key = Buffer.concat([prefix, raw]);
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  } finally {
    wipe(key);
  }
}

function importPublic(prefix: Uint8Array, raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([prefix, raw]), format: 'der', type: 'spki' });
}

/** Imported secrets by the array they came from: as long as it lives and holds the same bytes. */
class SecretCache {
  private readonly prefix: Uint8Array;
  private readonly entries = new WeakMap<Uint8Array, { raw: Uint8Array; key: KeyObject }>();

  constructor(prefix: Uint8Array) {
    this.prefix = prefix;
  }

  get(raw: Uint8Array): KeyObject {
    const known = this.entries.get(raw);
    if (known !== undefined && equalConstantTime(known.raw, 0, raw, 0, KEY_BYTES)) return known.key;
    if (known !== undefined) wipe(known.raw);
    const key = importSecret(this.prefix, raw);
    this.entries.set(raw, { raw: raw.slice(), key });
    return key;
  }
}

class OpensslCurves implements NodeCurves {
  readonly name = 'node:crypto';
  readonly reason: string;
  private readonly seeds = new SecretCache(ED25519_SECRET);
  private readonly secrets = new SecretCache(X25519_SECRET);
  private readonly base = importPublic(X25519_PUBLIC, Uint8Array.of(9, ...new Uint8Array(31)));

  constructor(reason: string) {
    this.reason = reason;
  }

  ed25519PublicKey(out: Uint8Array, seed: Uint8Array): void {
    check('out', out, KEY_BYTES);
    check('seed', seed, KEY_BYTES);
    const der = createPublicKey(importSecret(ED25519_SECRET, seed)).export({ format: 'der', type: 'spki' });
    out.set(der.subarray(ED25519_PUBLIC.length));
  }

  ed25519Sign(out: Uint8Array, message: Uint8Array, seed: Uint8Array): void {
    check('out', out, SIGNATURE_BYTES);
    check('seed', seed, KEY_BYTES);
    out.set(nodeSign(null, message, this.seeds.get(seed)));
  }

  ed25519Verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
    if (!ed25519InputsStrict(signature, publicKey)) return false;
    try {
      return nodeVerify(null, message, importPublic(ED25519_PUBLIC, publicKey), signature);
    } catch {
      return false; // OpenSSL may refuse a key at its import
    }
  }

  x25519(out: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): boolean {
    check('out', out, KEY_BYTES);
    check('secret', secret, KEY_BYTES);
    if (publicKey.length !== KEY_BYTES) return false;
    try {
      const privateKey = this.secrets.get(secret);
      const shared = diffieHellman({ privateKey, publicKey: importPublic(X25519_PUBLIC, publicKey) });
      const good = !isZero(shared, 0, KEY_BYTES);
      if (good) out.set(shared);
      wipe(shared);
      return good;
    } catch {
      return false; // OpenSSL refuses a zero result
    }
  }

  x25519Base(out: Uint8Array, secret: Uint8Array): void {
    check('out', out, KEY_BYTES);
    check('secret', secret, KEY_BYTES);
    out.set(diffieHellman({ privateKey: this.secrets.get(secret), publicKey: this.base }));
  }

  /** By noble: node:crypto has no such map. */
  ed25519ToX25519(out: Uint8Array, publicKey: Uint8Array): boolean {
    check('out', out, KEY_BYTES);
    return nobleCurves.ed25519ToX25519(out, publicKey);
  }
}

/** RFC 8032 section 7.1 test 2 and RFC 7748 section 6.1: what a provider must answer before it is trusted. */
const SEED = fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb');
const PUBLIC_KEY = fromHex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
const SIGNATURE = fromHex(
  '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
    '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
);
const ALICE = fromHex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a');
const BOB = fromHex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
const SHARED = fromHex('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');

function answersVectors(curves: Curves): boolean {
  const key = new Uint8Array(KEY_BYTES);
  const signature = new Uint8Array(SIGNATURE_BYTES);
  const message = Uint8Array.of(0x72);
  curves.ed25519PublicKey(key, SEED);
  if (!equalBytes(key, 0, PUBLIC_KEY, 0, KEY_BYTES)) return false;
  curves.ed25519Sign(signature, message, SEED, PUBLIC_KEY);
  if (!equalBytes(signature, 0, SIGNATURE, 0, SIGNATURE_BYTES)) return false;
  if (!curves.ed25519Verify(SIGNATURE, message, PUBLIC_KEY)) return false;
  if (curves.ed25519Verify(SIGNATURE, Uint8Array.of(0x73), PUBLIC_KEY)) return false;
  return curves.x25519(key, ALICE, BOB) && equalBytes(key, 0, SHARED, 0, KEY_BYTES);
}

const candidates: { name: CurveProvider; create: (reason: string) => NodeCurves }[] = [
  {
    name: 'sodium-native',
    create: (reason) => new SodiumCurves(createRequire(import.meta.url)('sodium-native') as Sodium, reason),
  },
  { name: 'node:crypto', create: (reason) => new OpensslCurves(reason) },
  { name: 'noble', create: (reason) => ({ ...nobleCurves, name: 'noble', reason }) },
];

/**
 * The fastest provider that works here. `only` restricts the choice, for tests and measurements, and throws an Error
 * that says why when that one does not work; without it noble remains, so nothing is thrown.
 */
export function createNodeCurves(only?: CurveProvider): NodeCurves {
  const reasons: string[] = [];
  for (const { name, create } of candidates) {
    if (only !== undefined && only !== name) continue;
    try {
      const curves = create(reasons.join('; '));
      if (answersVectors(curves)) return curves;
      reasons.push(`${name}: wrong answers to RFC 8032 or RFC 7748`);
    } catch (error) {
      reasons.push(`${name}: ${String(error instanceof Error ? error.message : error).split('\n')[0]}`);
    }
  }
  throw new Error(`no curve provider works: ${reasons.join('; ')}`);
}
