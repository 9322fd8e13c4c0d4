/** Death, loss, silence and their limits: what a lookup costs and promises when the network misbehaves. */
import { toHex } from '@molia/core';
import { EventKind, Outcome } from '@molia/kademlia';
import { createImmutable, createMutable, immutableKey, MessageType, mutableKey } from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

const DAY = 86_400;

function target(cluster: Cluster): Uint8Array {
  const bytes = new Uint8Array(32);
  cluster.rng.fill(bytes, 0, 32);
  return bytes;
}

describe('when a third of the nodes die', () => {
  const cluster = new Cluster({ nodes: 96, seed: 21, latency: (_a, _b, rng) => 5 + (rng.u32() % 30) });
  cluster.join();
  const keys: Uint8Array[] = [];
  for (let i = 0; i < 30; i++) {
    const content = Uint8Array.from({ length: i < 20 ? 100 : 4_000 }, (_, at) => (at + i * 11) & 0xff);
    keys.push(immutableKey(content));
    cluster.perform(i, (kademlia, now) => kademlia.store(now, createImmutable(content, DAY)), true);
  }
  for (let i = 0; i < 32; i++) cluster.kill(i * 3);
  const survivor = () => {
    let index = cluster.rng.u32() % 96;
    while (!cluster.node(index).alive) index = cluster.rng.u32() % 96;
    return index;
  };

  it('still reads every record, each within the budget', () => {
    for (const key of keys) {
      const { done } = cluster.perform(survivor(), (kademlia, now) => kademlia.findValue(now, key));
      expect(done.code).toBe(Outcome.OK);
      expect(done.c).toBeLessThan(2_000);
    }
  });

  const recall = () => {
    const wanted = target(cluster);
    const from = survivor();
    const { closest } = cluster.perform(from, (kademlia, now) => kademlia.findNode(now, wanted));
    const found = new Set(closest.map((id) => toHex(id)));
    return cluster.closest(wanted, 20, from).filter((id) => found.has(toHex(id))).length;
  };

  it('finds most of the closest living nodes at once, although everybody still names the dead', () => {
    for (let i = 0; i < 10; i++) expect(recall()).toBeGreaterThanOrEqual(14);
  });

  it('throws the dead out within the hour and then finds all of the closest', () => {
    cluster.run(3_600_000);
    const dead = new Set(cluster.nodes.filter((node) => !node.alive).map((node) => toHex(node.identity.id)));
    for (const node of cluster.nodes.filter((candidate) => candidate.alive)) {
      expect(node.kademlia.contacts().filter((contact) => dead.has(toHex(contact.id))).length).toBe(0);
    }
    for (let i = 0; i < 10; i++) expect(recall()).toBe(20);
  });

  it('takes newcomers in place of the dead', () => {
    const newcomer = cluster.addNode();
    const friend = cluster.node(survivor());
    newcomer.kademlia.addContact(cluster.now, friend.identity.publicKey, friend.endpoint);
    const { done } = cluster.perform(newcomer.index, (kademlia, now) => kademlia.bootstrap(now));
    expect(done.code).toBe(Outcome.OK);
    cluster.run(10_000);
    const knowing = cluster.nodes.filter((node) =>
      node.kademlia.contacts().some((contact) => toHex(contact.id) === toHex(newcomer.identity.id)),
    );
    expect(knowing.length).toBeGreaterThanOrEqual(20);
    const { done: read } = cluster.perform(newcomer.index, (kademlia, now) =>
      kademlia.findValue(now, keys[0] as Uint8Array),
    );
    expect(read.code).toBe(Outcome.OK);
  });
});

describe('when messages are lost', () => {
  it('puts and gets with one in ten messages lost', () => {
    const cluster = new Cluster({ nodes: 48, seed: 31, loss: 0.1 });
    cluster.join();
    const { identity } = cluster.node(1);
    for (let sequence = 1; sequence <= 5; sequence++) {
      const record = createMutable({
        identity,
        namespace: 'lossy',
        sequence,
        value: new Uint8Array(50),
        ttlSecs: DAY,
      });
      const { done } = cluster.perform(1, (kademlia, now) => kademlia.store(now, record), true);
      expect(done.code).toBe(Outcome.OK);
    }
    const key = mutableKey(identity.publicKey, new TextEncoder().encode('lossy'), new Uint8Array(0));
    const { done } = cluster.perform(30, (kademlia, now) => kademlia.findValue(now, key));
    expect(done.code).toBe(Outcome.OK);
    expect(done.sequence).toBe(5);
    const large = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 7) & 0xff);
    cluster.perform(2, (kademlia, now) => kademlia.store(now, createImmutable(large, DAY)), true);
    const read = cluster.perform(31, (kademlia, now) => kademlia.findValue(now, immutableKey(large)));
    expect(read.done.code).toBe(Outcome.OK);
    expect(read.values.at(-1)?.length).toBeGreaterThan(65_536);
  });
});

describe('a request that is not answered', () => {
  function pair() {
    const cluster = new Cluster({ nodes: 2, seed: 41, tuning: { maintenance: false } });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    a.kademlia.addContact(0, b.identity.publicKey, b.endpoint);
    const sent: number[] = [];
    cluster.tap = (_from, to, bytes) => {
      if (to === 1 && bytes[1] === MessageType.FIND_NODE) sent.push(cluster.now);
      return true;
    };
    return { cluster, sent };
  }

  it('is sent again once, and no more, in a lookup', () => {
    const { cluster, sent } = pair();
    cluster.kill(1);
    const { done } = cluster.perform(0, (kademlia, now) => kademlia.findNode(now, new Uint8Array(32)));
    expect(sent.length).toBe(2);
    expect(done.a).toBe(0);
    expect(done.code).toBe(Outcome.NO_PEERS);
  });

  it('is sent again to a stranger after 400 ms while none was measured, and dies after 800 ms, jittered by a tenth', () => {
    const { cluster, sent } = pair();
    cluster.kill(1);
    const { done } = cluster.perform(0, (kademlia, now) => kademlia.findNode(now, new Uint8Array(32)));
    expect((sent[1] as number) - (sent[0] as number)).toBe(400);
    expect(done.c).toBeGreaterThanOrEqual(800);
    expect(done.c).toBeLessThanOrEqual(881);
  });

  it('is sent again after 50 ms at the earliest once the peer was measured', () => {
    const { cluster, sent } = pair();
    for (let i = 0; i < 20; i++) {
      cluster.perform(0, (kademlia, now) => kademlia.findNode(now, new Uint8Array(32).fill(i)));
    }
    sent.length = 0;
    cluster.kill(1);
    cluster.perform(0, (kademlia, now) => kademlia.findNode(now, new Uint8Array(32)));
    const waited = (sent[1] as number) - (sent[0] as number);
    expect(waited).toBeGreaterThanOrEqual(50);
    expect(waited).toBeLessThanOrEqual(56);
  });

  it('is late at its RTO, and its answer still counts', () => {
    const cluster = new Cluster({
      nodes: 2,
      seed: 43,
      tuning: { maintenance: false },
      latency: () => (slow ? 30 : 5),
    });
    let slow = false;
    const [a, b] = [cluster.node(0), cluster.node(1)];
    a.kademlia.addContact(0, b.identity.publicKey, b.endpoint);
    for (let i = 0; i < 30; i++) {
      cluster.perform(0, (kademlia, now) => kademlia.findNode(now, new Uint8Array(32).fill(i)));
    }
    const before = a.kademlia.counters.snapshot();
    expect(before.requests_late).toBe(0);
    slow = true;
    const { done } = cluster.perform(0, (kademlia, now) => kademlia.findNode(now, new Uint8Array(32)));
    const after = a.kademlia.counters.snapshot();
    expect(after.requests_late).toBe(1);
    expect(after.requests_dead).toBe(0);
    expect(done.a).toBe(1);
  });

  it('ends with the budget when nobody answers in time', () => {
    const cluster = new Cluster({ nodes: 40, seed: 45 });
    cluster.join();
    for (let i = 1; i < 40; i++) cluster.kill(i);
    const { done } = cluster.perform(0, (kademlia, now) =>
      kademlia.findNode(now, new Uint8Array(32), { budgetMs: 40 }),
    );
    expect(done.code).toBe(Outcome.TIMEOUT);
    expect(done.c).toBe(40);
  });

  it('evicts nobody while it is us who are cut off', () => {
    const cluster = new Cluster({ nodes: 40, seed: 46 });
    cluster.join();
    const before = cluster.node(0).kademlia.contactCount;
    cluster.tap = () => false;
    for (let i = 0; i < 5; i++) {
      cluster.perform(0, (kademlia, now) => kademlia.findNode(now, target(cluster)));
    }
    cluster.run(3_600_000);
    expect(cluster.node(0).kademlia.contactCount).toBeGreaterThanOrEqual(before - 10);
    cluster.tap = undefined;
    const { done } = cluster.perform(0, (kademlia, now) => kademlia.findNode(now, target(cluster)));
    expect(done.a).toBe(20);
  });
});

describe('cancelling', () => {
  it('ends each kind of operation once and asks nobody further', () => {
    const cluster = new Cluster({ nodes: 32, seed: 51 });
    cluster.join();
    const node = cluster.node(4);
    const record = createImmutable(new Uint8Array(10), DAY);
    const key = new Uint8Array(32);
    const starts = [
      (now: number) => node.kademlia.findNode(now, key),
      (now: number) => node.kademlia.findValue(now, key),
      (now: number) => node.kademlia.findProviders(now, key, 5),
      (now: number) => node.kademlia.store(now, record),
      (now: number) => node.kademlia.bootstrap(now),
    ];
    for (const start of starts) {
      const op = start(cluster.now);
      cluster.drain(node);
      node.kademlia.cancel(cluster.now, op);
      node.kademlia.cancel(cluster.now, op);
      cluster.drain(node);
      const sent = cluster.sent;
      const done = node.events.filter((event) => event.op === op && event.kind === EventKind.DONE);
      expect(done.map((event) => event.code)).toEqual([Outcome.CANCELLED]);
      cluster.run(15);
      // Only answers to what was in flight: of the endgame, or of stores.
      expect(cluster.sent - sent).toBeLessThanOrEqual(24);
      cluster.run(3_000);
      expect(node.events.filter((event) => event.op === op && event.kind === EventKind.DONE).length).toBe(1);
    }
  });
});

describe('joining', () => {
  it('says NO_PEERS when there is nobody, and rejoins by itself when everybody returns', () => {
    const cluster = new Cluster({ nodes: 3, seed: 61 });
    const [a, b] = [cluster.node(0), cluster.node(1)];
    expect(cluster.perform(0, (kademlia, now) => kademlia.bootstrap(now)).done.code).toBe(Outcome.NO_PEERS);
    cluster.kill(1);
    a.kademlia.addContact(cluster.now, b.identity.publicKey, b.endpoint);
    cluster.run(20_000);
    expect(a.kademlia.contactCount).toBe(0);
    b.alive = true;
    cluster.run(90_000);
    expect(a.kademlia.contactCount).toBe(1);
  });

  it('never lists a client, whose own lookups work', () => {
    const cluster = new Cluster({ nodes: 40, seed: 62, clients: [7, 8, 9] });
    cluster.join();
    const clients = [7, 8, 9].map((index) => toHex(cluster.node(index).identity.id));
    for (const node of cluster.nodes) {
      const listed = node.kademlia.contacts().map((contact) => toHex(contact.id));
      expect(listed.filter((id) => clients.includes(id))).toEqual([]);
    }
    const wanted = target(cluster);
    const { closest } = cluster.perform(7, (kademlia, now) => kademlia.findNode(now, wanted));
    expect(closest.map((id) => toHex(id))).toEqual(cluster.closest(wanted, 20).map((id) => toHex(id)));
    const content = new Uint8Array(9_000).fill(5);
    const { settled } = cluster.perform(
      8,
      (kademlia, now) => kademlia.store(now, createImmutable(content, DAY)),
      true,
    );
    expect(settled?.a).toBeGreaterThanOrEqual(20);
    const read = cluster.perform(9, (kademlia, now) => kademlia.findValue(now, immutableKey(content)));
    expect(read.done.code).toBe(Outcome.OK);
  });

  it('pings with the round trip as the answer, and says UNREACHABLE', () => {
    const cluster = new Cluster({ nodes: 2, seed: 63, tuning: { maintenance: false } });
    const { identity, endpoint } = cluster.node(1);
    const ping = () =>
      cluster.perform(0, (kademlia, now) => kademlia.ping(now, identity.publicKey, endpoint)).done;
    expect(ping()).toMatchObject({ code: Outcome.OK, a: 20 });
    cluster.kill(1);
    expect(ping()).toMatchObject({ code: Outcome.UNREACHABLE });
  });
});
