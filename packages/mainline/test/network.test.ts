/** A thousand nodes in virtual time: recall, holders of a put, secure ids, the switch from client to server, loss. */
import { createSeededRng } from '@molia/core';
import { LatencyMatrix, PERFECT_LINK, type SimHost, type SimNode, Simulator } from '@molia/sim';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  createDatagram,
  createMainlineEvent,
  type EngineOptions,
  EventKind,
  isSecureId,
  MainlineEngine,
  type MainlineEvent,
  Outcome,
  signItem,
} from '../src/index.ts';
import { compareIdDistance } from '../src/node-id.ts';
import { text } from './lab.ts';

const SEED = 44;
const NODES = 1000;
const ROWS = 40;

class Node implements SimNode {
  readonly engine: MainlineEngine;
  readonly host: SimHost;
  readonly events: MainlineEvent[] = [];
  readonly #out = createDatagram();

  constructor(host: SimHost, seeds: readonly Uint8Array[], options: Partial<EngineOptions>) {
    this.host = host;
    this.engine = new MainlineEngine({ rng: host.rng, mode: 'server', ...options });
    this.engine.setBootstrap(seeds);
    this.wake();
  }

  receive(endpoint: Uint8Array, at: number, bytes: Uint8Array, offset: number, length: number): void {
    this.engine.handleDatagram(this.host.now(), endpoint, at, bytes, offset, length);
    this.drain();
  }

  wake(): void {
    this.engine.handleTimeout(this.host.now());
    this.drain();
  }

  drain(): void {
    while (this.engine.pollTransmit(this.#out)) {
      this.host.send(this.#out.endpoint, 0, this.#out.bytes, 0, this.#out.length);
    }
    for (let event = createMainlineEvent(); this.engine.pollEvent(event); event = createMainlineEvent())
      this.events.push(event);
    this.host.setTimer(() => this.wake(), this.engine.nextDelay(this.host.now()));
  }
}

const sim = new Simulator({
  seed: SEED,
  matrix: LatencyMatrix.plane(ROWS, 60, createSeededRng(SEED)),
  mtuBytes: 1500,
  replay: 'npx vitest run packages/mainline/test/network.test.ts',
});
const nodes: Node[] = [];

function addNode(row: number, options: Partial<EngineOptions> = {}): Node {
  const host = sim.addHost({ row: row % ROWS, link: PERFECT_LINK });
  const seeds = nodes.slice(0, 3).map((node) => node.host.endpoint.slice());
  const node = sim.start(host, (face) => new Node(face, seeds, options)) as Node;
  nodes.push(node);
  return node;
}

/** Runs an operation to its end; its events, DONE last. */
function operate(node: Node, start: (engine: MainlineEngine, now: number) => number): MainlineEvent[] {
  let op = 0;
  sim.call(0, () => {
    op = start(node.engine, node.host.now());
    node.drain();
  });
  for (let i = 0; i < 40; i++) {
    sim.run(500);
    const mine = node.events.filter((event) => event.op === op);
    if (mine.at(-1)?.kind === EventKind.DONE) return mine;
  }
  throw new Error(`seed ${SEED}: operation ${op} did not end`);
}

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
    const lookups = 30;
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
    expect(found / (lookups * 20)).toBeGreaterThan(0.9);
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
