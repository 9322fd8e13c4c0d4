/**
 * Vertical Sybils: nodes of one operator whose ids, allowed by BEP 42, lie nearer to a target than every honest one; they take what
 * is put there and keep nothing. Who writes and reads reaches the honest nodes beyond them all the same.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { EventKind, isSecureId, Outcome, signItem, writeSecureId } from '../src/index.ts';
import { mutableTarget } from '../src/items.ts';
import { CandidateState, Lookup } from '../src/lookup.ts';
import { compareIdDistance, idDistance } from '../src/node-id.ts';
import { text } from './lab.ts';
import { MainlineNetwork, type NetworkNode } from './network-node.ts';

const SEED = 45;
const HONEST = 250;
const SYBILS = 24;
/** Half of where the twentieth honest node is expected. */
const NEAR = 10 / HONEST;
const key = new Uint8Array(32).fill(5);
const item = signItem(key, text('6:wanted'), 1n);
const target = mutableTarget(item.key);

const network = new MainlineNetwork(SEED, 'sybil.test.ts');
const { nodes, sim } = network;
const sybils: NetworkNode[] = [];

/** The nearest id to the target that an address may have, or `undefined` when none is near enough. */
function idNearTarget(endpoint: Uint8Array): Uint8Array | undefined {
  for (let last = 0; last < 8; last++) {
    const id = new Uint8Array(20);
    writeSecureId(id, 0, endpoint, 0, sim.rng, last);
    // What BEP 42 leaves free is the target's own.
    id.set(target.subarray(3, 19), 3);
    id[2] = ((id[2] as number) & 0xf8) | ((target[2] as number) & 7);
    if (idDistance(id, 0, target, 0) < NEAR && isSecureId(id, 0, endpoint, 0)) return id;
  }
  return undefined;
}

describe('twenty-four Sybils around a target, nearer than the twenty honest nodes', () => {
  beforeAll(() => {
    for (let i = 0; i < HONEST; i++) {
      network.start(network.addHost(i));
      sim.run(20);
    }
    sim.run(60_000);
    for (let i = 0; sybils.length < SYBILS; i++) {
      const host = network.addHost(i, true);
      const id = idNearTarget(sim.network.boundEndpoint(host));
      if (id === undefined) continue;
      sybils.push(network.start(host, { id, filter: (method) => method !== 'put' }));
      sim.run(20);
    }
    sim.run(17 * 60_000);
  }, 180_000);

  test('they keep their ids, and are most of the nearest twenty', () => {
    const nearest = [...nodes].sort((a, b) => compareIdDistance(target, 0, a.engine.id, 0, b.engine.id, 0));
    expect(nearest.slice(0, 20).filter((node) => sybils.includes(node)).length).toBeGreaterThanOrEqual(12);
  });

  test('a put reaches as many honest nodes as without them, and reads find it', () => {
    const put = network.operate(nodes[7] as NetworkNode, (e, now) => e.putMutable(now, item)).at(-1);
    expect(put?.outcome).toBe(Outcome.OK);
    const holders = nodes.filter((node) => node.engine.stored.mutable > 0);
    expect(holders.filter((node) => sybils.includes(node)).length).toBe(0);
    expect(holders.length).toBeGreaterThanOrEqual(16);
    for (const at of [3, 50, 120, 200]) {
      const read = network.operate(nodes[at] as NetworkNode, (e, now) =>
        e.getMutable(now, item.key, new Uint8Array(0)),
      );
      expect(read.find((e) => e.kind === EventKind.VALUE)?.item?.seq).toBe(1n);
    }
  });
});

describe('a lookup', () => {
  /** Answering candidates: `near` of one /6 in front, then others of ever new ones. */
  function filled(completeTo: number, subnetsMin: number): Lookup {
    const lookup = new Lookup();
    lookup.start(new Uint8Array(20), 0, 20, completeTo, subnetsMin);
    for (let i = 0; i < 100; i++) {
      const id = new Uint8Array(20);
      const endpoint = new Uint8Array(19);
      endpoint.set([4, i < 40 ? 8 : 12 + 4 * (i % 40), 1, 1, i], 0);
      endpoint[18] = 1;
      writeSecureId(id, 0, endpoint, 0, sim.rng);
      // Ordered by the first byte below; the check for BEP 42 is the engine's.
      id[0] = i;
      const c = lookup.add(id, 0, endpoint, 0);
      lookup.states[c] = CandidateState.ANSWERED;
      lookup.secure[c] = 1;
      lookup.setToken(c, new Uint8Array(4), 0, 4);
    }
    return lookup;
  }

  test('settles twenty nodes where nothing is known of the network', () => {
    expect(filled(0, 0).holders(true).length).toBe(20);
  });

  test('goes on to the expected distance of the twentieth node', () => {
    expect(filled(50 / 256, 0).holders(true).length).toBe(50);
  });

  test('goes on until its nodes lie in as many subnets as usual, within its bound', () => {
    const subnets = (lookup: Lookup): number =>
      new Set(lookup.holders(true).map((c) => lookup.subnets[c])).size;
    expect(subnets(filled(20 / 256, 1))).toBe(1);
    expect(subnets(filled(20 / 256, 12))).toBe(12);
    expect(filled(20 / 256, 64).holders(true).length).toBe(64);
  });
});
