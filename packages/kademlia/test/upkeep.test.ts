/** What the engine does by itself over hours: republishing, refreshing, staying quiet otherwise. */
import { TAKEN } from '@molia/core';
import { Outcome } from '@molia/kademlia';
import {
  createImmutable,
  createProvider,
  HEADER_BYTES,
  Header,
  immutableKey,
  MessageType,
  readHeader,
  readStoreRequest,
  StoreRequestView,
} from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

const HOUR = 3_600;

function holders(cluster: Cluster, key: Uint8Array): number {
  return cluster.nodes.filter((node) => {
    if (!node.alive) return false;
    return node.kademlia.book.find(cluster.now, key, 0, node.scratch) >= 0;
  }).length;
}

describe('a record with a life of one hour', () => {
  it('is refreshed by its publisher for as long as that lives, onto new nodes too', () => {
    const cluster = new Cluster({ nodes: 40, seed: 71 });
    cluster.join();
    const content = new Uint8Array(300).fill(1);
    const key = immutableKey(content);
    cluster.perform(0, (kademlia, now) => kademlia.store(now, createImmutable(content, HOUR)), true);
    expect(holders(cluster, key)).toBeGreaterThanOrEqual(20);
    for (let i = 1; i < 40; i += 3) cluster.kill(i);
    const weakened = holders(cluster, key);
    expect(weakened).toBeLessThan(20);
    cluster.run(2_000_000);
    expect(holders(cluster, key)).toBeGreaterThan(weakened);
    cluster.run(10 * HOUR * 1_000);
    expect(holders(cluster, key)).toBeGreaterThanOrEqual(20);
    const { done } = cluster.perform(5, (kademlia, now) => kademlia.findValue(now, key));
    expect(done.code).toBe(Outcome.OK);
  });

  it('is carried on by stewards when the publisher has gone, values that must be pulled included', () => {
    const cluster = new Cluster({ nodes: 40, seed: 72 });
    cluster.join();
    for (const size of [200, 5_000]) {
      const content = new Uint8Array(size).fill(2);
      const key = immutableKey(content);
      cluster.perform(0, (kademlia, now) => kademlia.store(now, createImmutable(content, HOUR)), true);
      cluster.kill(0);
      for (let i = 1; i < 40; i += 4) cluster.kill(i);
      const weakened = holders(cluster, key);
      cluster.run(0.7 * HOUR * 1_000);
      expect(holders(cluster, key)).toBeGreaterThanOrEqual(weakened);
      expect(holders(cluster, key)).toBeGreaterThanOrEqual(20);
      for (const node of cluster.nodes) node.alive = true;
      cluster.run(1_000);
    }
  });

  it('ends with its life however often stewards pass it on, for each says how old its copy is', () => {
    const cluster = new Cluster({ nodes: 30, seed: 76 });
    cluster.join();
    const content = new Uint8Array(300).fill(7);
    const key = immutableKey(content);
    const stated = cluster.now;
    cluster.perform(0, (kademlia, now) => kademlia.store(now, createImmutable(content, HOUR)), true);
    cluster.kill(0);
    const [view, header] = [new StoreRequestView(), new Header()];
    const ages: number[] = [];
    cluster.tap = (_from, _to, bytes) => {
      if (bytes[1] !== MessageType.STORE) return true;
      readHeader(bytes, 0, bytes.length, header);
      expect(header.stream).toBe(0);
      expect(readStoreRequest(bytes, HEADER_BYTES, bytes.length - HEADER_BYTES, view)).toBe(TAKEN);
      expect(Math.abs(view.ageSecs - (cluster.now - stated) / 1_000)).toBeLessThan(30);
      ages.push(view.ageSecs);
      return true;
    };
    cluster.run(0.9 * HOUR * 1_000);
    expect(ages.length).toBeGreaterThan(20);
    expect(Math.min(...ages)).toBeGreaterThan(0.4 * HOUR);
    expect(holders(cluster, key)).toBeGreaterThanOrEqual(20);
    cluster.run(0.11 * HOUR * 1_000);
    expect(holders(cluster, key)).toBe(0);
  });

  it('is gone after its life when nobody republishes it', () => {
    const cluster = new Cluster({ nodes: 24, seed: 73 });
    cluster.join();
    const content = new Uint8Array(30).fill(3);
    const key = immutableKey(content);
    const { settled } = cluster.perform(
      23,
      (kademlia, now) => kademlia.store(now, createImmutable(content, 60), { own: false }),
      true,
    );
    expect(settled?.a).toBeGreaterThanOrEqual(20);
    const early = cluster.perform(9, (kademlia, now) => kademlia.findValue(now, key));
    expect(early.done.code).toBe(Outcome.OK);
    cluster.tap = (_from, _to, bytes) => bytes[1] !== MessageType.STORE;
    cluster.run(200_000);
    expect(holders(cluster, key)).toBe(0);
    const { done } = cluster.perform(9, (kademlia, now) => kademlia.findValue(now, key));
    expect(done.code).toBe(Outcome.NOT_FOUND);
  });

  it('lets a provider be found for as long as it lives, and no longer than its TTL after', () => {
    const cluster = new Cluster({ nodes: 30, seed: 74 });
    cluster.join();
    const { identity, endpoint } = cluster.node(4);
    const key = new Uint8Array(32).fill(8);
    const record = createProvider({ identity, key, endpoints: [endpoint], sequence: 1, ttlSecs: HOUR });
    cluster.perform(4, (kademlia, now) => kademlia.announce(now, record), true);
    const found = () =>
      cluster.perform(20, (kademlia, now) => kademlia.findProviders(now, key, 5)).providers.length;
    cluster.run(5 * HOUR * 1_000);
    expect(found()).toBe(1);
    cluster.kill(4);
    cluster.run(1.2 * HOUR * 1_000);
    expect(found()).toBe(0);
  });
});

describe('a node that joins while the network is forming', () => {
  for (const client of [true, false]) {
    it(`meets who comes after it, though it asks for nothing (${client ? 'a client' : 'a server'})`, () => {
      const cluster = new Cluster({ nodes: 2, seed: 81, clients: client ? [2] : [] });
      cluster.join();
      const join = (index: number) => {
        const node = cluster.node(index);
        for (const other of [cluster.node(0), cluster.node(1)]) {
          node.kademlia.addContact(cluster.now, other.identity.publicKey, other.endpoint);
        }
        node.kademlia.bootstrap(cluster.now);
        cluster.drain(node);
        cluster.run(20);
      };
      cluster.addNode();
      join(2);
      cluster.run(500);
      const { kademlia } = cluster.node(2);
      expect(kademlia.contactCount).toBe(2);
      for (let i = 3; i < 40; i++) {
        cluster.addNode();
        join(i);
      }
      cluster.run(3_000);
      expect(kademlia.contactCount).toBeGreaterThanOrEqual(20);
    });
  }

  it('looks around ever more seldom where there is nobody else', () => {
    const cluster = new Cluster({ nodes: 3, seed: 82 });
    cluster.join();
    const lookups = () => cluster.node(2).kademlia.counters.get('lookups');
    const early = lookups();
    cluster.run(60_000);
    const minute = lookups() - early;
    expect(minute).toBeGreaterThan(0);
    expect(minute).toBeLessThanOrEqual(8);
    cluster.run(29 * 60_000);
    expect(lookups() - early - minute).toBeLessThanOrEqual(8);
  });
});

describe('an idle network', () => {
  it('costs each node less than one message a second', () => {
    const cluster = new Cluster({ nodes: 40, seed: 75 });
    cluster.join();
    cluster.run(60_000);
    const before = cluster.sent;
    cluster.run(2 * HOUR * 1_000);
    const perNodeSecond = (cluster.sent - before) / 40 / (2 * HOUR);
    expect(perNodeSecond).toBeLessThan(1);
    expect(perNodeSecond).toBeGreaterThan(0);
  });
});
