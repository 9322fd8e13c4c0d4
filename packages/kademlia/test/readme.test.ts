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

it('the example of the README runs: a lookup through a seed sends its first request', () => {
  const source = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
  const lines = source.trim().split('\n');
  expect(lines.length).toBeLessThanOrEqual(15);
  const body = lines.filter((line) => !line.startsWith('import ')).join('\n');
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
  const scope = {
    createTransmit,
    createKademlia,
    createKademliaEvent,
    EventKind,
    identity,
    peers,
    store: createMemoryStore({ id: identity.id, rng }),
    rng,
    curves: nobleCurves,
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
