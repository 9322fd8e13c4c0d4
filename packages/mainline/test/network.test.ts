/** A thousand nodes in virtual time: recall, holders of a put, secure ids, the switch from client to server, loss. */
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type EngineOptions,
  EventKind,
  immutableTarget,
  isSecureId,
  type MainlineEngine,
  type MainlineEvent,
  Outcome,
  signItem,
} from '../src/index.ts';
import { compareIdDistance } from '../src/node-id.ts';
import { text } from './lab.ts';
import { MainlineNetwork, type NetworkNode as Node } from './network-node.ts';

const SEED = 44;
const NODES = 1000;

const network = new MainlineNetwork(SEED, 'network.test.ts');
const { nodes, sim } = network;
const operate = (node: Node, start: (engine: MainlineEngine, now: number) => number): MainlineEvent[] =>
  network.operate(node, start);
const addNode = (row: number, options: Partial<EngineOptions> = {}): Node =>
  network.start(network.addHost(row), options);

const done = (events: readonly MainlineEvent[]): MainlineEvent => events.at(-1) as MainlineEvent;
const pick = (): Node => nodes[100 + (sim.rng.u32() % (NODES - 100))] as Node;

describe('a thousand nodes', () => {
  beforeAll(() => {
    for (let i = 0; i < NODES; i++) {
      addNode(i, i % 100 === 99 ? { mode: 'adaptive' } : {});
      sim.run(20);
    }
    // A first refresh: ids that changed in the first seconds have left the tables.
    sim.run(17 * 60_000);
  }, 180_000);

  test('all of them take ids that BEP 42 allows for their addresses', () => {
    const insecure = nodes.filter((n) => !isSecureId(n.engine.id, 0, n.host.endpoint, 0));
    expect(insecure.length).toBe(0);
  });

  test('lookups find the nearest nodes', () => {
    let found = 0;
    const lookups = 100;
    for (let i = 0; i < lookups; i++) {
      const target = new Uint8Array(20);
      sim.rng.fill(target, 0, 20);
      const truth = nodes
        .filter((n) => n.engine.serving)
        .sort((a, b) => compareIdDistance(target, 0, a.engine.id, 0, b.engine.id, 0))
        .slice(0, 20)
        .map((n) => n.engine.id.join());
      const event = done(operate(pick(), (e, now) => e.findNode(now, target)));
      found += event.nodes.filter((n) => truth.includes(n.id.join())).length;
    }
    expect(found / (lookups * 20)).toBeGreaterThan(0.995);
  });

  test('a put is stored by twenty nodes or more, read from anywhere, and replaced by a newer one', () => {
    const seed = new Uint8Array(32).fill(6);
    const first = done(operate(pick(), (e, now) => e.putMutable(now, signItem(seed, text('5:first'), 1n))));
    expect(first.outcome).toBe(Outcome.OK);
    expect(first.stored).toBeGreaterThanOrEqual(20);
    expect(nodes.filter((n) => n.engine.stored.mutable > 0).length).toBe(first.stored);
    const item = signItem(seed, text('6:second'), 2n);
    expect(done(operate(pick(), (e, now) => e.putMutable(now, item, 1n))).outcome).toBe(Outcome.OK);
    const read = operate(pick(), (e, now) => e.getMutable(now, item.key, new Uint8Array(0)));
    expect(read.filter((e) => e.kind === EventKind.VALUE).at(-1)?.item?.seq).toBe(2n);
    const stale = operate(pick(), (e, now) => e.putMutable(now, signItem(seed, text('5:stale'), 1n)));
    expect(done(stale).outcome).toBe(Outcome.NOT_MOST_RECENT);
    const cas = operate(pick(), (e, now) => e.putMutable(now, signItem(seed, text('5:third'), 3n), 1n));
    expect(done(cas).outcome).toBe(Outcome.CAS_FAILED);
    const twin = operate(pick(), (e, now) => e.putMutable(now, signItem(seed, text('4:twin'), 2n)));
    expect(done(twin).outcome).toBe(Outcome.CONCURRENT_WRITE);
  });

  test('a put soon after a lookup of its target needs no search, and one with stale tokens searches again', () => {
    const node = nodes[300] as Node;
    const seed = new Uint8Array(32).fill(7);
    const item = (seq: bigint) => signItem(seed, text(`1:${seq}`), seq);
    const packets = (start: (e: MainlineEngine, now: number) => number): number => {
      const before = node.engine.counters.get('sentQueries');
      expect(done(operate(node, start)).outcome).toBe(Outcome.OK);
      return node.engine.counters.get('sentQueries') - before;
    };
    const searched = packets((e, now) => e.putMutable(now, item(1n)));
    const direct = packets((e, now) => e.putMutable(now, item(2n)));
    // Its lookup and its writes before, the writes alone now.
    expect(direct).toBeLessThan(searched * 0.7);
    expect(direct).toBeGreaterThanOrEqual(20);
    expect(packets((e, now) => e.getMutable(now, item(1n).key, new Uint8Array(0)))).toBeGreaterThan(0);
    // Shortly before the tokens count as too old, after the nodes changed their secrets.
    sim.run(4 * 60_000 + 50_000);
    packets((e, now) => e.putMutable(now, item(3n)));
    const read = operate(pick(), (e, now) => e.getMutable(now, item(1n).key, new Uint8Array(0)));
    expect(read.filter((e) => e.kind === EventKind.VALUE).at(-1)?.item?.seq).toBe(3n);
    // Another node writes meanwhile: what we know is old, and the search says so.
    done(operate(nodes[301] as Node, (e, now) => e.putMutable(now, item(9n))));
    const stale = done(operate(node, (e, now) => e.putMutable(now, item(5n))));
    expect(stale.outcome).toBe(Outcome.NOT_MOST_RECENT);
  });

  test('a holder reads its own store first', () => {
    const value = text('7:nearest');
    const put = done(operate(pick(), (e, now) => e.putImmutable(now, value)));
    const holder = nodes.find((n) => n.host.endpoint.join() === put.nodes[0]?.endpoint.join()) as Node;
    const before = holder.engine.counters.get('sentQueries');
    const read = operate(holder, (e, now) => e.getImmutable(now, immutableTarget(value)));
    expect(read.map((e) => e.kind)).toEqual([EventKind.VALUE, EventKind.DONE]);
    expect(holder.engine.counters.get('sentQueries')).toBe(before);
    const seed = new Uint8Array(32).fill(9);
    const item = signItem(seed, text('3:own'), 1n);
    const mutable = done(operate(pick(), (e, now) => e.putMutable(now, item)));
    const other = nodes.find((n) => n.host.endpoint.join() === mutable.nodes[0]?.endpoint.join()) as Node;
    const found = operate(other, (e, now) => e.getMutable(now, item.key, new Uint8Array(0)));
    expect(found[0]?.item?.seq).toBe(1n);
    expect(found.filter((e) => e.kind === EventKind.VALUE).length).toBe(1);
    const newer = operate(other, (e, now) => e.getMutable(now, item.key, new Uint8Array(0), 1n));
    expect(newer.filter((e) => e.kind === EventKind.VALUE).length).toBe(0);
  });

  test('the size estimate is right within four of its standard deviations', () => {
    const node = pick();
    for (let i = 0; i < 12; i++) {
      const target = new Uint8Array(20);
      sim.rng.fill(target, 0, 20);
      operate(node, (e, now) => e.getImmutable(now, target));
    }
    const { nodes: estimate, deviation } = node.engine.size;
    expect(Math.abs(estimate / NODES - 1)).toBeLessThan(4 * deviation);
  });

  test('peers announced behind rotated tokens are found by others', () => {
    const hash = new Uint8Array(20).fill(77);
    for (let i = 0; i < 3; i++) {
      sim.run(4 * 60_000);
      const announced = done(operate(nodes[200 + i] as Node, (e, now) => e.announcePeer(now, hash, 6881)));
      expect(announced.stored).toBeGreaterThanOrEqual(8);
    }
    const peers = new Set<string>();
    for (const event of operate(pick(), (e, now) => e.getPeers(now, hash)))
      if (event.kind === EventKind.PEERS)
        for (let at = 0; at < event.peers.length; at += 19) peers.add(event.peers.slice(at, at + 19).join());
    expect(peers.size).toBe(3);
  });

  test('adaptive nodes serve after fifteen minutes, once strangers reach them', () => {
    const adaptive = nodes.filter((_, i) => i % 100 === 99);
    expect(adaptive.filter((n) => n.engine.serving).length).toBe(adaptive.length);
    const client = addNode(3, { mode: 'client' });
    sim.run(60_000);
    expect([client.engine.serving, client.engine.counters.get('queries')]).toEqual([false, 0]);
  }, 180_000);
});
