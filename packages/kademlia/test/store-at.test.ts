/** `storeAt`: a record to one node alone. */
import { blake3, equalBytes } from '@molia/core';
import { type Kademlia, Outcome } from '@molia/kademlia';
import { createImmutable, MessageType } from '@molia/wire';
import { beforeEach, describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

const DAY = 86_400;

describe('a record stored at one node', () => {
  let cluster: Cluster;
  beforeEach(() => {
    cluster = new Cluster({ nodes: 30, seed: 302, clients: [29] });
    cluster.join();
  });
  const storeAt = (from: number, to: number, value: Uint8Array) => {
    const { identity, endpoint } = cluster.node(to);
    return cluster.perform(from, (kademlia: Kademlia, now: number) =>
      kademlia.storeAt(now, createImmutable(value, DAY), identity.publicKey, endpoint),
    );
  };
  const holders = () => cluster.nodes.filter((node) => node.store.stats().count > 0).length;

  it('is held there and nowhere else, small or pulled, and found by everybody', () => {
    for (const [i, bytes] of [100, 40_000].entries()) {
      const value = new Uint8Array(bytes).fill(i + 1);
      const { done } = storeAt(3, 7, value);
      expect([done.code, done.a, done.b]).toEqual([Outcome.OK, 1, 1]);
      expect(holders()).toBe(1);
      const { done: found } = cluster.perform(12, (kademlia: Kademlia, now: number) =>
        kademlia.findValue(now, blake3(value)),
      );
      expect(found.code).toBe(Outcome.OK);
    }
  });

  it('moves no value that is held there already', () => {
    const value = new Uint8Array(40_000).fill(3);
    storeAt(3, 7, value);
    cluster.types.clear();
    expect(storeAt(4, 7, value).done.code).toBe(Outcome.OK);
    expect(cluster.types.get(MessageType.STORE)).toBe(1);
    expect(cluster.types.get(MessageType.FETCH_CHUNK) ?? 0).toBe(0);
  });

  it('fails when the node is dead, only asks, or is ourselves', () => {
    const value = new Uint8Array(100).fill(4);
    cluster.kill(9);
    for (const to of [9, 29, 3]) {
      const { done } = storeAt(3, to, value);
      expect(done.code).not.toBe(Outcome.OK);
      expect(done.a).toBe(0);
    }
    expect(holders()).toBe(0);
  });

  it('is found by a wide read where K + 8 others are closer', () => {
    cluster = new Cluster({ nodes: 80, seed: 303 });
    cluster.join();
    const value = new Uint8Array(100).fill(5);
    const key = blake3(value);
    const holder = cluster.closest(key, 29)[28] as Uint8Array;
    const to = cluster.nodes.findIndex((node) => equalBytes(node.identity.id, 0, holder, 0, 32));
    expect(storeAt(to === 3 ? 4 : 3, to, value).done.code).toBe(Outcome.OK);
    const find = (wide: boolean) =>
      cluster.perform(to === 12 ? 13 : 12, (kademlia: Kademlia, now: number) =>
        kademlia.findValue(now, key, { wide }),
      ).done.code;
    expect([find(false), find(true)]).toEqual([Outcome.NOT_FOUND, Outcome.OK]);
  });
});
