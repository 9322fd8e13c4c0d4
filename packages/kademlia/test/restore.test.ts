/** Contacts that are put into a table as though they had answered. */
import { createIdentity, createSeededRng, nobleCurves, nodeIdOf } from '@molia/core';
import { createKademlia, createMemoryStore, type Kademlia, type Peers } from '@molia/kademlia';
import { expect, it } from 'vitest';

const ENDPOINT = Uint8Array.from({ length: 19 }, (_, i) => (i === 0 ? 4 : i));
/** In networks as different as the keys. */
const endpointOf = (key: Uint8Array): Uint8Array => {
  const endpoint = ENDPOINT.slice();
  endpoint.set([32, ...key.subarray(0, 3)], 1);
  return endpoint;
};
const nobody: Peers = {
  open: () => -1,
  identity: () => false,
  endpoint: () => false,
  bindIdentity: () => false,
};

function engine(): { kademlia: Kademlia; own: Uint8Array } {
  const rng = createSeededRng(1);
  const identity = createIdentity(nobleCurves, new Uint8Array(32).fill(5));
  const store = createMemoryStore({ id: identity.id, rng });
  const kademlia = createKademlia({
    identity,
    peers: nobody,
    store,
    rng,
    curves: nobleCurves,
    wallMsAtZero: 0,
  });
  return { kademlia, own: identity.publicKey };
}

it('restores contacts within the limits of their buckets, with what was known of them', () => {
  const { kademlia } = engine();
  const rng = createSeededRng(2);
  const keys = Array.from({ length: 2_000 }, () => {
    const key = new Uint8Array(32);
    rng.fill(key, 0, 32);
    return key;
  });
  const entered = keys.filter((key, i) =>
    kademlia.restoreContact(5_000 + i, key, endpointOf(key), 40, 3, i % 2 === 0 ? nodeIdOf(key) : undefined),
  );
  expect(kademlia.contactCount).toBe(entered.length);
  const { buckets } = kademlia.stats();
  expect(buckets.slice(0, 5)).toEqual([128, 64, 40, 20, 20]);
  for (const contact of kademlia.contacts()) {
    expect(contact.id).toEqual(nodeIdOf(contact.publicKey));
    expect(contact.srttMs).toBe(40);
    expect(contact.lastSeenMs).toBeGreaterThanOrEqual(5_000);
  }
  // They said already who they are: nobody is asked.
  kademlia.handleTimeout(10_000);
  expect(kademlia.stats().requests).toBe(0);
});

it('restores an idea of the size of the network', () => {
  const { kademlia } = engine();
  for (let i = 0; i < 12; i++)
    kademlia.restoreSize(
      1_000,
      Array.from({ length: 20 }, (_, rank) => (rank + 1) / 5_001),
    );
  expect(kademlia.sizeEstimate().nodes).toBeCloseTo(5_000, 0);
});

it('refuses itself, and arguments of a wrong length', () => {
  const { kademlia, own } = engine();
  expect(kademlia.restoreContact(0, own, ENDPOINT, 0, 0)).toBe(false);
  const key = new Uint8Array(32).fill(9);
  expect(() => kademlia.restoreContact(0, key.subarray(1), ENDPOINT, 0, 0)).toThrow(RangeError);
  expect(() => kademlia.restoreContact(0, key, ENDPOINT.subarray(1), 0, 0)).toThrow(RangeError);
  expect(() => kademlia.restoreContact(0, key, ENDPOINT, 0, 0, key.subarray(1))).toThrow(RangeError);
});
