import { createIdentity, createSeededRng } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { createStubIdentity, StubCipher, stubCurves } from '../src/index.ts';

function random(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length);
  createSeededRng(seed).fill(bytes, 0, length);
  return bytes;
}

const key = random(32, 1);
const aad = random(32, 2);

describe('the stub cipher', () => {
  it('opens what it sealed, and refuses another key, counter, associated data or one changed bit', () => {
    const cipher = new StubCipher();
    for (const length of [0, 1, 31, 64, 700]) {
      const bytes = new Uint8Array(length + 16);
      bytes.set(random(length, length + 3));
      cipher.seal(key, 0, 5, 0, aad, 0, 32, bytes, 0, length);
      const open = (k: Uint8Array, low: number, high: number, a: Uint8Array, b: Uint8Array): boolean =>
        cipher.open(k, 0, low, high, a, 0, 32, b, 0, length);
      expect(open(key, 5, 0, aad, bytes)).toBe(true);
      expect(open(aad, 5, 0, aad, bytes)).toBe(false);
      expect(open(key, 6, 0, aad, bytes)).toBe(false);
      expect(open(key, 5, 1, aad, bytes)).toBe(false);
      expect(open(key, 5, 0, key, bytes)).toBe(false);
      for (let bit = 0; bit < bytes.length * 8; bit += 7) {
        const changed = bytes.slice();
        changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
        expect(open(key, 5, 0, aad, changed)).toBe(false);
      }
    }
    expect(cipher.counts.seals).toBe(5);
    expect(cipher.counts.opens).toBeGreaterThan(100);
  });

  it('hashes differently by content, split and key', () => {
    const cipher = new StubCipher();
    const digests = new Set<string>();
    const data = random(64, 7);
    for (let split = 0; split <= 64; split++) {
      const out = new Uint8Array(32);
      cipher.hash(out, 0, data, 0, split, data, split, 64 - split);
      digests.add(out.toString());
      cipher.mac(out, 0, 32, data, split >> 1, 32, data, 0, split);
      digests.add(out.toString());
      cipher.hmac(out, 0, key, 0, 32, data, 0, split, data, split, 64 - split);
      digests.add(out.toString());
    }
    expect(digests.size).toBe(195);
  });
});

describe('the stub curves', () => {
  it('agree on a secret from both sides, and carry an identity key to the transport', () => {
    const [a, b] = [createStubIdentity(random(32, 11)), createStubIdentity(random(32, 12))];
    const [ours, theirs, mapped] = [new Uint8Array(32), new Uint8Array(32), new Uint8Array(32)];
    expect(stubCurves.ed25519ToX25519(mapped, b.publicKey)).toBe(true);
    expect(mapped).toEqual(b.transportPublicKey);
    expect(stubCurves.x25519(ours, a.transportSecret(), mapped)).toBe(true);
    expect(stubCurves.x25519(theirs, b.transportSecret(), a.transportPublicKey)).toBe(true);
    expect(ours).toEqual(theirs);
  });

  it('verify a signature and refuse a forged one', () => {
    const identity = createStubIdentity(random(32, 13));
    const message = random(90, 14);
    const signature = identity.sign(message);
    expect(stubCurves.ed25519Verify(signature, message, identity.publicKey)).toBe(true);
    expect(stubCurves.ed25519Verify(signature, message, key)).toBe(false);
    message[3] = (message[3] as number) ^ 1;
    expect(stubCurves.ed25519Verify(signature, message, identity.publicKey)).toBe(false);
  });

  it('are usable where core makes identities', () => {
    expect(createIdentity(stubCurves, random(32, 15)).publicKey).toHaveLength(32);
  });
});
