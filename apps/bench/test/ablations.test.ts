import { createSeededRng } from '@molia/core';
import { createKademlia, createMemoryStore, DEFAULTS } from '@molia/kademlia';
import { expect, it } from 'vitest';
import { ABLATIONS } from '../src/sim/ablations.ts';
import { stubCrypto } from '../src/sim/stack.ts';

it('every ablation turns off what is on by default, and the engine takes it', () => {
  const crypto = stubCrypto();
  for (const [name, tuning] of Object.entries(ABLATIONS)) {
    expect({ ...DEFAULTS, ...tuning }, name).not.toEqual(DEFAULTS);
    const rng = createSeededRng(1);
    const identity = crypto.identity(new Uint8Array(32).fill(7));
    const peers = {
      open: () => -1,
      identity: () => false,
      endpoint: () => false,
      bindIdentity: () => false,
    };
    const store = createMemoryStore({ id: identity.id, rng, countMax: 16, bytesMax: 2 ** 20 });
    const options = { identity, peers, store, rng, curves: crypto.curves, wallMsAtZero: 0 };
    expect(() => createKademlia({ ...options, tuning }), name).not.toThrow();
  }
});
