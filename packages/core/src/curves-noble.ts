/**
 * The curve port by @noble/curves: audited, portable, slow. The reference for every other provider, and what browsers
 * run. noble verifies with the cofactored equation; the port asks for the cofactorless one, so it is spelled out here.
 */
import { ed25519, x25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import type { Curves } from './curves.ts';
import { ed25519InputsStrict, ed25519PointStrict } from './curves-strict.ts';
import { equalBytes } from './ids.ts';

/** `Curves` by noble. `ed25519ToX25519` also refuses points outside the prime-order subgroup, as libsodium does. */
export const nobleCurves: Curves = {
  name: 'noble',

  ed25519PublicKey(out, seed) {
    out.set(ed25519.getPublicKey(seed));
  },

  ed25519Sign(out, message, seed) {
    out.set(ed25519.sign(message, seed));
  },

  ed25519Verify(signature, message, publicKey) {
    if (!ed25519InputsStrict(signature, publicKey)) return false;
    try {
      const a = ed25519.Point.fromBytes(publicKey);
      const s = littleEndian(signature.subarray(32));
      const digest = sha512
        .create()
        .update(signature.subarray(0, 32))
        .update(publicKey)
        .update(message)
        .digest();
      const k = ed25519.Point.Fn.create(littleEndian(digest));
      const sB = s === 0n ? ed25519.Point.ZERO : ed25519.Point.BASE.multiplyUnsafe(s);
      const r = sB.subtract(a.multiplyUnsafe(k)).toBytes();
      return equalBytes(r, 0, signature, 0, 32);
    } catch {
      return false;
    }
  },

  x25519(out, secret, publicKey) {
    try {
      out.set(x25519.getSharedSecret(secret, publicKey));
      return true;
    } catch {
      return false;
    }
  },

  x25519Base(out, secret) {
    out.set(x25519.getPublicKey(secret));
  },

  ed25519ToX25519(out, publicKey) {
    if (publicKey.length !== 32 || !ed25519PointStrict(publicKey, 0)) return false;
    try {
      if (!ed25519.Point.fromBytes(publicKey).isTorsionFree()) return false;
      out.set(ed25519.utils.toMontgomery(publicKey));
      return true;
    } catch {
      return false;
    }
  },
};

function littleEndian(bytes: Uint8Array): bigint {
  let hex = '0x';
  for (let i = bytes.length - 1; i >= 0; i--) hex += (bytes[i] as number).toString(16).padStart(2, '0');
  return BigInt(hex);
}
