import { createHash } from 'node:crypto';
import { ed25519 } from '@noble/curves/ed25519.js';
import { describe, expect, it } from 'vitest';
import {
  createIdentity,
  createSeededRng,
  ed25519InputsStrict,
  ed25519PointStrict,
  fromHex,
  nobleCurves,
  toHex,
} from '../src/index.ts';

// RFC 8032 section 7.1, tests 1 to 3.
const RFC_8032 = [
  {
    seed: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    publicKey: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155' +
      '5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
      '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    seed: 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    publicKey: 'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    message: 'af82',
    signature:
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac' +
      '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  },
];

// RFC 7748 section 6.1.
const RFC_7748 = {
  aliceSecret: '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a',
  alicePublic: '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a',
  bobSecret: '5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb',
  bobPublic: 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f',
  shared: '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
};

const { Point } = ed25519;

/** A generator of the eight points whose order divides the cofactor. */
const ORDER_8 = Point.fromBytes(fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'));

function smallOrderPoints(): Uint8Array[] {
  const points: Uint8Array[] = [];
  let point = Point.ZERO;
  for (let i = 0; i < 8; i++) {
    points.push(point.toBytes());
    point = point.add(ORDER_8);
  }
  return points;
}

const identity = (seed: number) => createIdentity(nobleCurves, undefined, createSeededRng(seed));

describe('nobleCurves: Ed25519', () => {
  it('agrees with the vectors of RFC 8032', () => {
    for (const vector of RFC_8032) {
      const publicKey = new Uint8Array(32);
      const signature = new Uint8Array(64);
      nobleCurves.ed25519PublicKey(publicKey, fromHex(vector.seed));
      nobleCurves.ed25519Sign(signature, fromHex(vector.message), fromHex(vector.seed), publicKey);
      expect(toHex(publicKey)).toBe(vector.publicKey);
      expect(toHex(signature)).toBe(vector.signature);
      expect(nobleCurves.ed25519Verify(signature, fromHex(vector.message), publicKey)).toBe(true);
    }
  });

  it('refuses a signature with any byte changed, and any other message or key', () => {
    const alice = identity(1);
    const message = fromHex('00112233');
    const signature = alice.sign(message);
    for (let i = 0; i < 64; i += 3) {
      const forged = signature.slice();
      forged[i] = (forged[i] as number) ^ 1;
      expect(nobleCurves.ed25519Verify(forged, message, alice.publicKey)).toBe(false);
    }
    expect(nobleCurves.ed25519Verify(signature, fromHex('00112234'), alice.publicKey)).toBe(false);
    expect(nobleCurves.ed25519Verify(signature, message, identity(2).publicKey)).toBe(false);
    expect(nobleCurves.ed25519Verify(signature.slice(1), message, alice.publicKey)).toBe(false);
    expect(nobleCurves.ed25519Verify(signature, message, alice.publicKey.slice(1))).toBe(false);
  });

  it('refuses S + L, which would make every signature malleable', () => {
    const alice = identity(3);
    const signature = alice.sign(fromHex('aa'));
    const order = fromHex('edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010');
    let carry = 0;
    for (let i = 0; i < 32; i++) {
      const sum = (signature[32 + i] as number) + (order[i] as number) + carry;
      signature[32 + i] = sum & 255;
      carry = sum >>> 8;
    }
    expect(ed25519InputsStrict(signature, alice.publicKey)).toBe(false);
    expect(nobleCurves.ed25519Verify(signature, fromHex('aa'), alice.publicKey)).toBe(false);
    signature.set(order, 32);
    expect(ed25519InputsStrict(signature, alice.publicKey)).toBe(false);
  });

  it('refuses every key and every R of small order, with either sign bit', () => {
    const alice = identity(4);
    const signature = alice.sign(fromHex('aa'));
    const seen = new Set<string>();
    for (const point of smallOrderPoints()) {
      seen.add(toHex(point));
      for (const sign of [0, 0x80]) {
        const encoded = point.slice();
        encoded[31] = ((encoded[31] as number) & 0x7f) | sign;
        expect(ed25519PointStrict(encoded, 0)).toBe(false);
        expect(nobleCurves.ed25519Verify(signature, fromHex('aa'), encoded)).toBe(false);
        const forged = signature.slice();
        forged.set(encoded);
        expect(ed25519InputsStrict(forged, alice.publicKey)).toBe(false);
      }
    }
    expect(seen.size).toBe(8);
  });

  it('refuses the signatures that small order would make valid for any message', () => {
    const message = fromHex('bb');
    // The neutral element as key: R = S B satisfies the equation whatever the message is.
    const neutral = Point.ZERO.toBytes();
    const signature = new Uint8Array(64);
    signature.set(Point.BASE.multiply(5n).toBytes());
    signature[32] = 5;
    expect(nobleCurves.ed25519Verify(signature, message, neutral)).toBe(false);
    // The neutral element as R, that is nonce 0: S = k a shows the secret scalar.
    const { scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(new Uint8Array(32).fill(8));
    const bare = new Uint8Array(64);
    bare.set(neutral);
    bare.set(Point.Fn.toBytes(Point.Fn.create(challenge(neutral, pointBytes, message) * scalar)), 32);
    expect(ed25519.verify(bare, message, pointBytes)).toBe(true);
    expect(nobleCurves.ed25519Verify(bare, message, pointBytes)).toBe(false);
  });

  it('refuses every y that is not below 2^255 - 19', () => {
    for (let low = 0; low < 256; low++) {
      const y = new Uint8Array(32).fill(0xff);
      y[0] = low;
      y[31] = 0x7f;
      // 0xec is p - 1, of order 2.
      expect(ed25519PointStrict(y, 0)).toBe(low < 0xec);
    }
    expect(ed25519PointStrict(identity(5).publicKey, 0)).toBe(true);
  });

  it('uses the cofactorless equation: a key with a torsion part does not inherit signatures', () => {
    // A' = A + T. The cofactored equation accepts for A' whatever S = r + k a satisfies; the cofactorless one
    // accepts it only when 8 divides k.
    const seed = new Uint8Array(32).fill(6);
    const { scalar, point } = ed25519.utils.getExtendedPublicKey(seed);
    const mixed = point.add(ORDER_8).toBytes();
    const { Fn } = Point;
    let cofactored = 0;
    let accepted = 0;
    for (let nonce = 1n; nonce <= 8n; nonce++) {
      const r = Point.BASE.multiply(nonce + 1000n).toBytes();
      const message = Uint8Array.of(Number(nonce));
      const k = challenge(r, mixed, message);
      const s = Fn.create(nonce + 1000n + k * scalar);
      const signature = new Uint8Array(64);
      signature.set(r);
      signature.set(Fn.toBytes(s), 32);
      if (ed25519.verify(signature, message, mixed)) cofactored++;
      if (nobleCurves.ed25519Verify(signature, message, mixed)) accepted++;
      expect(nobleCurves.ed25519Verify(signature, message, mixed)).toBe(k % 8n === 0n);
    }
    expect(cofactored).toBe(8);
    expect(accepted).toBeLessThan(8);
  });

  it('refuses a key that is no point', () => {
    const noPoint = new Uint8Array(32);
    noPoint[0] = 2;
    expect(ed25519PointStrict(noPoint, 0)).toBe(true);
    expect(nobleCurves.ed25519Verify(identity(7).sign(fromHex('aa')), fromHex('aa'), noPoint)).toBe(false);
    expect(nobleCurves.ed25519ToX25519(new Uint8Array(32), noPoint)).toBe(false);
  });
});

describe('nobleCurves: X25519', () => {
  it('agrees with the vectors of RFC 7748', () => {
    const out = new Uint8Array(32);
    nobleCurves.x25519Base(out, fromHex(RFC_7748.aliceSecret));
    expect(toHex(out)).toBe(RFC_7748.alicePublic);
    nobleCurves.x25519Base(out, fromHex(RFC_7748.bobSecret));
    expect(toHex(out)).toBe(RFC_7748.bobPublic);
    expect(nobleCurves.x25519(out, fromHex(RFC_7748.aliceSecret), fromHex(RFC_7748.bobPublic))).toBe(true);
    expect(toHex(out)).toBe(RFC_7748.shared);
    expect(nobleCurves.x25519(out, fromHex(RFC_7748.bobSecret), fromHex(RFC_7748.alicePublic))).toBe(true);
    expect(toHex(out)).toBe(RFC_7748.shared);
  });

  it('answers false for a public key whose shared secret is zero', () => {
    const out = new Uint8Array(32);
    const one = new Uint8Array(32);
    one[0] = 1;
    expect(nobleCurves.x25519(out, fromHex(RFC_7748.aliceSecret), new Uint8Array(32))).toBe(false);
    expect(nobleCurves.x25519(out, fromHex(RFC_7748.aliceSecret), one)).toBe(false);
  });

  it('maps an Ed25519 key to the X25519 key of the same secret, and refuses points outside the subgroup', () => {
    const out = new Uint8Array(32);
    for (let seed = 10; seed < 14; seed++) {
      const { publicKey, transportPublicKey } = identity(seed);
      expect(nobleCurves.ed25519ToX25519(out, publicKey)).toBe(true);
      expect(toHex(out)).toBe(toHex(transportPublicKey));
    }
    const mixed = Point.fromBytes(identity(14).publicKey).add(ORDER_8).toBytes();
    expect(nobleCurves.ed25519ToX25519(out, mixed)).toBe(false);
    for (const point of smallOrderPoints()) expect(nobleCurves.ed25519ToX25519(out, point)).toBe(false);
    expect(nobleCurves.ed25519ToX25519(out, new Uint8Array(31))).toBe(false);
  });
});

/** k of the verification equation: SHA-512(R || A || M) mod L. */
function challenge(r: Uint8Array, publicKey: Uint8Array, message: Uint8Array): bigint {
  const digest = createHash('sha512').update(r).update(publicKey).update(message).digest();
  return Point.Fn.create(BigInt(`0x${toHex(digest.reverse())}`));
}
