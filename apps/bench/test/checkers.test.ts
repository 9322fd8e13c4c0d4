import { createSeededRng, toHex } from '@molia/core';
import { EventKind, StoredRecord } from '@molia/kademlia';
import { createStubIdentity, LatencyMatrix } from '@molia/sim';
import { createMutable, mutableKey } from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { Invariants, mergers } from '../src/sim/checkers.ts';
import { Cluster } from '../src/sim/cluster.ts';

const matrix = LatencyMatrix.plane(20, 40, createSeededRng(1));
const identity = createStubIdentity(new Uint8Array(32).fill(9));
const key = mutableKey(identity.publicKey, new TextEncoder().encode('sim'), new Uint8Array(0));

function record(sequence: number, value: number): Uint8Array {
  return createMutable({
    identity,
    namespace: 'sim',
    sequence,
    value: new Uint8Array([value]),
    ttlSecs: 600,
  });
}

function network(nodes = 6): { cluster: Cluster; invariants: Invariants } {
  const cluster = new Cluster({ nodes, seed: 4, matrix, settleMs: 5_000 });
  const invariants = new Invariants(cluster);
  cluster.populate();
  return { cluster, invariants };
}

describe('invariants that are watched', () => {
  it('hold where nothing is planted', () => {
    const { cluster, invariants } = network();
    cluster.store(0, record(1, 1), key);
    cluster.simulator.run(5_000);
    cluster.get(3, key);
    cluster.simulator.run(5_000);
    invariants.finish();
    expect(cluster.violations).toEqual([]);
  });

  it('notice a holder that goes back to a lower sequence, and one that takes the smaller hash', () => {
    const { cluster, invariants } = network();
    cluster.store(0, record(2, 1), key);
    cluster.simulator.run(5_000);
    invariants.finish();
    const { store } = cluster.node(1);
    const held = new StoredRecord();
    expect(store.get(key, 0, held)).toBe(true);
    const planted = Object.assign(new StoredRecord(), held, {
      bytes: held.bytes.slice(),
      key: held.key.slice(),
      owner: held.owner.slice(),
      hash: new Uint8Array(held.hash.length),
      sequence: 1,
    });
    store.put(planted);
    invariants.finish();
    expect(cluster.violations.join()).toContain('holder 1 went back from sequence 2 to 1');
    planted.sequence = 2;
    planted.hash = new Uint8Array(planted.hash.length).fill(255);
    store.put(planted);
    invariants.finish();
    planted.hash = new Uint8Array(planted.hash.length);
    store.put(planted);
    invariants.finish();
    expect(cluster.violations.join()).toContain('holder 1 took the smaller hash under sequence 2');
  });

  it('notice a read that goes back, takes the smaller hash, gets less than it asked for or what has expired', () => {
    const { cluster } = network();
    cluster.store(0, record(1, 1), key, false);
    cluster.simulator.run(5_000);
    // It comes late and holds nothing.
    const reader = cluster.join();
    const attempt = cluster.get(reader, key);
    const node = cluster.node(reader);
    const show = (sequence: number, value: number, of = attempt): void => {
      const bytes = record(sequence, value);
      const event = {
        kind: EventKind.VALUE,
        op: 77,
        code: 0,
        a: 0,
        b: 0,
        c: 0,
        sequence,
        bytes,
        offset: 0,
        length: bytes.length,
      };
      for (const observe of cluster.observers) observe(node, event, of);
    };
    show(3, 1);
    show(2, 1);
    expect(cluster.violations.join()).toContain('went back from 3 to 2');
    for (const value of [1, 2, 3, 4, 5]) show(4, value);
    for (const value of [5, 4, 3, 2, 1]) show(4, value);
    expect(cluster.violations.join()).toContain('took the smaller hash under sequence 4');
    show(5, 1, { ...attempt, sequenceMin: 9 });
    expect(cluster.violations.join()).toContain('asked for sequence 9 and got 5');
    cluster.violations.length = 0;
    // Nobody refreshes it, and its 600 s are over.
    for (const host of cluster.alive) if (host !== reader) cluster.leave(host);
    cluster.simulator.run(700_000);
    show(5, 1);
    expect(cluster.violations.join()).toContain('was given a record that had expired');
  });

  it('notice a table that names a node which never answered', () => {
    const { cluster, invariants } = network();
    const before = cluster.table(2);
    // Forget that anybody was heard: what the tables hold is now a violation.
    const fresh = new Invariants(cluster);
    fresh.checkTable(2);
    expect(before.length).toBeGreaterThan(0);
    expect(cluster.violations[0]).toMatch(/host 2 would pass on host \d+, which never answered it/);
    expect(invariants).toBeDefined();
  });

  it('notice a bucket, and open requests, beyond the limits', () => {
    const { cluster } = network(30);
    const strict = new Invariants(cluster, { k: 1, proximity: false, contactsMax: 1 });
    strict.trustTables();
    strict.checkTable(2);
    expect(cluster.violations.join()).toMatch(/bucket \d+ of host 2 holds \d+ of at most 1/);
    expect(cluster.violations.join()).toMatch(/host 2 remembers \d+ contacts/);
  });

  it('notice a lookup that asks more at once than α allows', () => {
    const { cluster } = network();
    const attempt = cluster.find(3, new Uint8Array(32));
    const node = cluster.node(3);
    const empty = { code: 0, b: 0, c: 0, sequence: 0, bytes: key, offset: 0, length: 0 };
    const ask = (asked: number): void => {
      for (const observe of cluster.observers)
        observe(node, { kind: EventKind.PROGRESS, op: 77, a: asked, ...empty }, attempt);
    };
    ask(4);
    ask(30);
    expect(cluster.violations.join()).toContain('nodes at once');
  });

  it('notice two networks that know each other', () => {
    const { cluster } = network();
    expect(mergers(cluster, [0, 1, 2], [])).toEqual([]);
    expect(mergers(cluster, [0, 1, 2], [3, 4, 5])[0]).toMatch(/host \d knows host \d/);
    expect(toHex(key)).toHaveLength(64);
  });
});
