import { readFileSync } from 'node:fs';
import { createIdentity, createSeededRng, createTransmit, ENDPOINT_BYTES, nobleCurves } from '@molia/core';
import {
  createKademlia,
  createKademliaEvent,
  createMemoryStore,
  DEFAULTS,
  EventKind,
  type Peers,
} from '@molia/kademlia';
import { expect, it } from 'vitest';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

it('the sketch of a host in the README runs: a lookup through a seed sends its first request', () => {
  const body = /```ts fragment\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const rng = createSeededRng(1);
  const identity = createIdentity(nobleCurves, undefined, rng);
  const seed = createIdentity(nobleCurves, undefined, rng);
  const endpoint = new Uint8Array(ENDPOINT_BYTES);
  endpoint.set([4, 127, 0, 0, 1]);
  endpoint[18] = 1;
  const sent: number[] = [];
  const done: number[] = [];
  const peers: Peers = {
    open: () => 7,
    identity: () => false,
    endpoint: () => false,
    bindIdentity: () => false,
  };
  const store = createMemoryStore({ id: identity.id, rng });
  const scope = {
    kademlia: createKademlia({ identity, peers, store, rng, curves: nobleCurves, wallMsAtZero: 0 }),
    EventKind,
    now: 0,
    out: createTransmit(),
    event: createKademliaEvent(),
    seedKey: seed.publicKey,
    seedEndpoint: endpoint,
    target: new Uint8Array(32),
    send: (to: number) => sent.push(to),
    done: (found: number) => done.push(found),
  };
  new Function(...Object.keys(scope), body)(...Object.values(scope));
  expect(sent).toEqual([7]);
  expect(done).toEqual([]);
});

it('the limits table of the README says what DEFAULTS say', () => {
  for (const [name, value] of Object.entries(DEFAULTS)) {
    expect(readme, name).toContain(`| \`${name}\` | ${value} |`);
  }
});
