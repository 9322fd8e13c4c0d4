/** sodium-native, node:crypto and noble through our wrapper: the same answers, above all to hostile input. */
import { createHash } from 'node:crypto';
import { createIdentity, createSeededRng, fromHex, nobleCurves, toHex } from '@molia/core';
import { describe, expect, test } from 'vitest';
import { type CurveProvider, createNodeCurves, type NodeCurves } from '../src/curves-node.ts';

function provider(name: CurveProvider): NodeCurves | undefined {
  try {
    return createNodeCurves(name);
  } catch (error) {
    console.warn(`not tested here: ${String(error)}`);
    return undefined;
  }
}
// sodium-native is an optional dependency: where its binary is missing, the other two are still compared.
const providers = (['noble', 'node:crypto', 'sodium-native'] as const)
  .map(provider)
  .filter((curves) => curves !== undefined);
const rng = createSeededRng(25519);

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  rng.fill(bytes, 0, length);
  return bytes;
}

/** The one verdict of all providers; fails when they differ. */
function verdict(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  const verdicts = providers.map((curves) => curves.ed25519Verify(signature, message, publicKey));
  const inputs = `${toHex(signature)} ${toHex(message)} ${toHex(publicKey)}`;
  expect(new Set(verdicts).size, `${providers.map(({ name }) => name)}: ${verdicts} for ${inputs}`).toBe(1);
  return verdicts[0] as boolean;
}

// Edwards arithmetic of our own, affine and slow: the forgeries must not come from a library under test.
const P = 2n ** 255n - 19n;
const L = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (a: bigint, m = P): bigint => ((a % m) + m) % m;
function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = mod(b * b))
    if (e & 1n) result = mod(result * b);
  return result;
}
const inverse = (a: bigint): bigint => power(a, P - 2n);
const D = mod(-121665n * inverse(121666n));
type Point = readonly [x: bigint, y: bigint];
const NEUTRAL: Point = [0n, 1n];
function add([x1, y1]: Point, [x2, y2]: Point): Point {
  const k = mod(D * x1 * x2 * y1 * y2);
  return [mod((x1 * y2 + x2 * y1) * inverse(1n + k)), mod((y1 * y2 + x1 * x2) * inverse(1n - k))];
}
function multiply(point: Point, scalar: bigint): Point {
  let result = NEUTRAL;
  for (let p = point, s = scalar; s > 0n; s >>= 1n, p = add(p, p)) if (s & 1n) result = add(result, p);
  return result;
}
function little(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}
const number = (bytes: Uint8Array): bigint => BigInt(`0x${toHex(bytes.slice().reverse())}`);
const encode = ([x, y]: Point): Uint8Array => little(y | ((x & 1n) << 255n));
function decode(bytes: Uint8Array): Point {
  const y = number(bytes) & (2n ** 255n - 1n);
  const u = mod(y * y - 1n);
  const v = mod(D * y * y + 1n);
  let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n));
  if (mod(v * x * x) !== u) x = mod(x * power(2n, (P - 1n) / 4n));
  return [(x & 1n) === number(bytes) >> 255n ? x : mod(-x), y];
}
const BASE = decode(little(mod(4n * inverse(5n))));
/** A point of order 8. */
const TORSION = decode(fromHex('c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'));

const sha512 = (...parts: Uint8Array[]): bigint => {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return number(hash.digest());
};
const challenge = (r: Uint8Array, a: Uint8Array, m: Uint8Array): bigint => mod(sha512(r, a, m), L);
/** The signature with commitment encoding `r` (of `nonce` B plus anything) for secret scalar `a`. */
function signature(
  r: Uint8Array,
  nonce: bigint,
  a: bigint,
  key: Uint8Array,
  message: Uint8Array,
): Uint8Array {
  const bytes = new Uint8Array(64);
  bytes.set(r);
  bytes.set(little(mod(nonce + challenge(r, key, message) * a, L)), 32);
  return bytes;
}

/** All encodings of the eight points of small order: canonical, with y + p, with the other sign of x = 0. */
function smallOrderEncodings(): Uint8Array[] {
  const encodings: Uint8Array[] = [];
  for (let i = 0n; i < 8n; i++) {
    const [, y] = multiply(TORSION, i);
    for (const value of y + P < 2n ** 255n ? [y, y + P] : [y]) {
      for (const sign of [0n, 1n]) encodings.push(little(value | (sign << 255n)));
    }
  }
  return encodings;
}

test('the fastest provider comes first, and says why when it is another', () => {
  const chosen = createNodeCurves();
  expect(chosen.name).toBe(providers.at(-1)?.name);
  expect(chosen.reason === '').toBe(chosen.name === 'sodium-native');
  expect(createNodeCurves('noble').name).toBe('noble');
  expect(providers.length).toBeGreaterThanOrEqual(2);
});

describe('Ed25519', () => {
  test('all derive the same keys, make the same signatures and accept each other', () => {
    for (let i = 0; i < 24; i++) {
      const seed = randomBytes(32);
      const message = randomBytes([0, 1, 32, 111, 112, 127, 128, 1200][i % 8] as number);
      const keys = providers.map((curves) => {
        const out = new Uint8Array(32);
        curves.ed25519PublicKey(out, seed);
        return out;
      });
      expect(new Set(keys.map(toHex)).size).toBe(1);
      const publicKey = keys[0] as Uint8Array;
      const signatures = providers.map((curves) => {
        const out = new Uint8Array(64);
        curves.ed25519Sign(out, message, seed, publicKey);
        curves.ed25519Sign(out, message, seed, publicKey);
        return out;
      });
      expect(new Set(signatures.map(toHex)).size).toBe(1);
      const good = signatures[0] as Uint8Array;
      expect(verdict(good, message, publicKey)).toBe(true);
      for (const bytes of [good, message, publicKey]) {
        if (bytes.length === 0) continue;
        const at = rng.u32() % bytes.length;
        bytes[at] = (bytes[at] as number) ^ (1 << (rng.u32() % 8));
        expect(verdict(good, message, publicKey)).toBe(false);
      }
    }
  });

  test('our arithmetic makes signatures that all accept, so that the forgeries below are what they claim', () => {
    const a = 123456789n;
    const key = encode(multiply(BASE, a));
    for (let nonce = 1n; nonce < 5n; nonce++) {
      const message = Uint8Array.of(Number(nonce));
      const r = encode(multiply(BASE, nonce + 77n));
      expect(verdict(signature(r, nonce + 77n, a, key, message), message, key)).toBe(true);
    }
  });

  test('every encoding of a point of small order is refused as key, as R, as both, whatever S fits', () => {
    const encodings = smallOrderEncodings();
    expect(new Set(encodings.map(toHex)).size).toBeGreaterThanOrEqual(14);
    const a = 987654321n;
    const honest = encode(multiply(BASE, a));
    for (const low of encodings) {
      for (let i = 0; i < 4; i++) {
        const message = Uint8Array.of(i);
        // As key, secret 0: S B = R + k A holds whenever k kills A.
        const r = encode(multiply(BASE, BigInt(i) + 9n));
        expect(verdict(signature(r, BigInt(i) + 9n, 0n, low, message), message, low)).toBe(false);
        // As R, nonce 0.
        expect(verdict(signature(low, 0n, a, honest, message), message, honest)).toBe(false);
        for (const other of encodings) {
          expect(verdict(signature(other, 0n, 0n, low, message), message, low)).toBe(false);
        }
      }
    }
  });

  test('S + L, S = L and S with its top bits set are refused', () => {
    const a = 31337n;
    const key = encode(multiply(BASE, a));
    const message = Uint8Array.of(1);
    const good = signature(encode(multiply(BASE, 5n)), 5n, a, key, message);
    expect(verdict(good, message, key)).toBe(true);
    const s = number(good.subarray(32));
    const others = [s + L, s + 2n * L, s + 8n * L, L, L - 1n, 0n, 2n ** 253n, 2n ** 256n - 1n];
    for (const other of [...others, s | (1n << 253n), s | (1n << 254n), s | (1n << 255n)]) {
      const forged = good.slice();
      forged.set(little(other), 32);
      expect(verdict(forged, message, key)).toBe(false);
    }
  });

  test('coordinates that are not below the prime are refused as key and as R', () => {
    const a = 5n;
    const key = encode(multiply(BASE, a));
    const message = Uint8Array.of(3);
    for (let extra = 0n; extra < 19n; extra++) {
      for (const sign of [0n, 1n]) {
        const bytes = little((P + extra) | (sign << 255n));
        expect(verdict(signature(bytes, 7n, a, key, message), message, key)).toBe(false);
        expect(verdict(signature(encode(multiply(BASE, 7n)), 7n, a, bytes, message), message, bytes)).toBe(
          false,
        );
      }
    }
  });

  test('keys and commitments with a torsion part: all use the cofactorless equation', () => {
    const a = 424242n;
    const accepted = { key: 0, commitment: 0, both: 0 };
    for (let i = 0n; i < 48n; i++) {
      const nonce = 1000n + i;
      const message = Uint8Array.of(Number(i));
      const plain = multiply(BASE, a);
      const mixed = encode(add(plain, multiply(TORSION, 1n + (i % 7n))));
      const r = multiply(BASE, nonce);
      const mixedR = encode(add(r, multiply(TORSION, 1n + (i % 7n))));
      const forKey = signature(encode(r), nonce, a, mixed, message);
      if (verdict(forKey, message, mixed)) {
        accepted.key++;
        expect((challenge(encode(r), mixed, message) * (1n + (i % 7n))) % 8n).toBe(0n);
      }
      if (verdict(signature(mixedR, nonce, a, encode(plain), message), message, encode(plain)))
        accepted.commitment++;
      if (verdict(signature(mixedR, nonce, a, mixed, message), message, mixed)) accepted.both++;
    }
    // About one in eight torsion parts is killed by its challenge; a torsion part of R alone never is.
    expect(accepted.key).toBeGreaterThan(0);
    expect(accepted.key).toBeLessThan(24);
    expect(accepted.both).toBeLessThan(24);
    expect(accepted.commitment).toBe(0);
  });

  test('random bytes and wrong lengths are refused without a throw', () => {
    for (let i = 0; i < 200; i++) {
      expect(verdict(randomBytes(64), randomBytes(i), randomBytes(32))).toBe(false);
    }
    for (const length of [0, 31, 33, 63, 64, 65]) {
      if (length !== 64) expect(verdict(randomBytes(length), randomBytes(8), randomBytes(32))).toBe(false);
      expect(verdict(randomBytes(64), randomBytes(8), randomBytes(length))).toBe(false);
    }
  });

  test('sodium-native does not sign under a public key of another seed', () => {
    for (const curves of providers.filter(({ name }) => name === 'sodium-native')) {
      const out = new Uint8Array(64);
      const seed = randomBytes(32);
      const publicKey = new Uint8Array(32);
      curves.ed25519PublicKey(publicKey, seed);
      curves.ed25519Sign(out, seed, seed, publicKey);
      const other = publicKey.slice();
      other[0] = (other[0] as number) ^ 1;
      expect(() => curves.ed25519Sign(out, seed, seed, other)).toThrow(RangeError);
    }
  });
});

describe('X25519', () => {
  /** The shared secret in hex, or 'refused', the same for all. */
  function shared(secret: Uint8Array, publicKey: Uint8Array): string {
    const results = providers.map((curves) => {
      const out = new Uint8Array(32);
      return curves.x25519(out, secret, publicKey) ? toHex(out) : 'refused';
    });
    expect(new Set(results).size, `${results} for ${toHex(publicKey)}`).toBe(1);
    return results[0] as string;
  }

  test('all agree on random secrets and points, on base points, and again after a secret was changed in place', () => {
    const secret = randomBytes(32);
    for (let i = 0; i < 24; i++) {
      if (i % 3 === 0) rng.fill(secret, 0, 32);
      expect(shared(secret, randomBytes(32))).toMatch(/^[0-9a-f]{64}$/);
      const bases = providers.map((curves) => {
        const out = new Uint8Array(32);
        curves.x25519Base(out, secret);
        return toHex(out);
      });
      expect(new Set(bases).size).toBe(1);
      expect(bases[0]).toBe(shared(secret, little(9n)));
    }
  });

  test('points of small order are refused, in every encoding', () => {
    const order8 = [
      325606250916557431795983626356110631294008115727848805560023387167927233504n,
      39382357235489614581723060781553021112529911719440698176882885853963445705823n,
    ];
    const low = [0n, 1n, P - 1n, P, P + 1n, ...order8];
    for (const u of low) {
      for (const top of [0n, 1n << 255n]) expect(shared(randomBytes(32), little(u | top))).toBe('refused');
    }
  });

  test('u is taken modulo the prime and without its top bit', () => {
    const secret = randomBytes(32);
    for (let extra = 2n; extra < 19n; extra++) {
      const reduced = shared(secret, little(extra));
      expect(shared(secret, little(P + extra))).toBe(reduced);
      expect(shared(secret, little(extra | (1n << 255n)))).toBe(reduced);
    }
    expect(shared(secret, randomBytes(31))).toBe('refused');
  });

  test('misuse is a RangeError', () => {
    for (const curves of providers.filter(({ name }) => name !== 'noble')) {
      const out = new Uint8Array(32);
      expect(() => curves.x25519(out, new Uint8Array(31), out)).toThrow(/^secret: 32 bytes, got 31/);
      expect(() => curves.x25519Base(new Uint8Array(33), out)).toThrow(/^out: /);
      expect(() => curves.ed25519Sign(new Uint8Array(63), out, out, out)).toThrow(/^out: /);
      expect(() => curves.ed25519PublicKey(out, new Uint8Array(0))).toThrow(/^seed: /);
    }
  });
});

describe('Ed25519 to X25519', () => {
  function mapped(publicKey: Uint8Array): string {
    const results = providers.map((curves) => {
      const out = new Uint8Array(32);
      return curves.ed25519ToX25519(out, publicKey) ? toHex(out) : 'refused';
    });
    expect(new Set(results).size, `${results} for ${toHex(publicKey)}`).toBe(1);
    return results[0] as string;
  }

  test('all map a key to the X25519 key of the same secret', () => {
    for (let i = 0; i < 8; i++) {
      const identity = createIdentity(nobleCurves, randomBytes(32));
      expect(mapped(identity.publicKey)).toBe(toHex(identity.transportPublicKey));
    }
  });

  test('all refuse small order, a torsion part, a coordinate past the prime, and what is no point', () => {
    for (const low of smallOrderEncodings()) expect(mapped(low)).toBe('refused');
    const plain = multiply(BASE, 99n);
    expect(mapped(encode(plain))).not.toBe('refused');
    for (let i = 1n; i < 8n; i++) expect(mapped(encode(add(plain, multiply(TORSION, i))))).toBe('refused');
    for (let extra = 0n; extra < 19n; extra++) expect(mapped(little(P + extra))).toBe('refused');
    expect(mapped(randomBytes(31))).toBe('refused');
    const outcomes = new Set<boolean>();
    for (let i = 0; i < 40; i++) outcomes.add(mapped(randomBytes(32)) === 'refused');
    expect(outcomes.has(true)).toBe(true);
  });
});
