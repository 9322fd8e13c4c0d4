import { describe, expect, it } from 'vitest';
import {
  blake3,
  createIdentity,
  createSeededRng,
  ID_BYTES,
  networkPsk,
  nobleCurves,
  nodeIdInto,
  nodeIdOf,
  toHex,
} from '../src/index.ts';

const SEED = Uint8Array.from({ length: 32 }, (_, i) => i);

describe('createIdentity', () => {
  it('derives key, id and transport key from the seed alone', () => {
    const one = createIdentity(nobleCurves, SEED);
    const two = createIdentity(nobleCurves, SEED.slice());
    expect(toHex(one.publicKey)).toBe('03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8');
    expect(toHex(one.id)).toBe(toHex(blake3(one.publicKey)));
    expect(toHex(two.id)).toBe(toHex(one.id));
    expect(toHex(two.transportPublicKey)).toBe(toHex(one.transportPublicKey));
    const mapped = new Uint8Array(32);
    nobleCurves.ed25519ToX25519(mapped, one.publicKey);
    expect(toHex(mapped)).toBe(toHex(one.transportPublicKey));
  });

  it('has a transport secret that yields the transport key', () => {
    const identity = createIdentity(nobleCurves, SEED);
    const publicKey = new Uint8Array(32);
    nobleCurves.x25519Base(publicKey, identity.transportSecret());
    expect(toHex(publicKey)).toBe(toHex(identity.transportPublicKey));
    expect((identity.transportSecret()[0] as number) & 7).toBe(0);
    expect((identity.transportSecret()[31] as number) & 0xc0).toBe(0x40);
  });

  it('signs so that others can verify, into a buffer too', () => {
    const identity = createIdentity(nobleCurves, undefined, createSeededRng(9));
    const message = Uint8Array.of(1, 2, 3);
    const into = new Uint8Array(64);
    identity.signInto(into, message);
    expect(toHex(into)).toBe(toHex(identity.sign(message)));
    expect(nobleCurves.ed25519Verify(into, message, identity.publicKey)).toBe(true);
  });

  it('draws a fresh seed when none is given', () => {
    const one = createIdentity(nobleCurves);
    expect(toHex(one.seed())).not.toBe(toHex(createIdentity(nobleCurves).seed()));
    const seeded = createIdentity(nobleCurves, undefined, createSeededRng(1));
    expect(toHex(createIdentity(nobleCurves, seeded.seed()).id)).toBe(toHex(seeded.id));
  });

  it('keeps its own copy of the seed and gives out copies', () => {
    const given = SEED.slice();
    const identity = createIdentity(nobleCurves, given);
    given.fill(0);
    identity.seed().fill(0);
    identity.transportSecret().fill(0);
    expect(toHex(identity.seed())).toBe(toHex(SEED));
    expect(identity.transportSecret().some((byte) => byte !== 0)).toBe(true);
  });

  it('refuses to act after wipe', () => {
    const identity = createIdentity(nobleCurves, SEED);
    identity.wipe();
    expect(() => identity.sign(SEED)).toThrow(/wiped/);
    expect(() => identity.seed()).toThrow(/wiped/);
    expect(() => identity.transportSecret()).toThrow(/wiped/);
  });

  it('refuses a seed of another length', () => {
    expect(() => createIdentity(nobleCurves, new Uint8Array(31))).toThrow(/32 bytes, not 31/);
  });
});

describe('nodeIdInto', () => {
  it('writes the id where it is told and nowhere else', () => {
    const { publicKey } = createIdentity(nobleCurves, SEED);
    const keys = new Uint8Array(40);
    keys.set(publicKey, 5);
    const out = new Uint8Array(ID_BYTES + 4).fill(7);
    nodeIdInto(out, 2, keys, 5);
    expect(toHex(out)).toBe(`0707${toHex(nodeIdOf(publicKey))}0707`);
  });
});

describe('networkPsk', () => {
  it('is zero for the public network and a key of its own for every other', () => {
    expect(networkPsk('public')).toEqual(new Uint8Array(32));
    const keys = ['Public', 'public ', 'a', 'b'].map((name) => toHex(networkPsk(name)));
    expect(new Set(keys).size).toBe(4);
    expect(keys.every((key) => key.length === 64 && /[1-9a-f]/.test(key))).toBe(true);
    expect(toHex(networkPsk('a'))).toBe(keys[2]);
    expect(() => networkPsk('')).toThrow(RangeError);
  });
});
