/** What becomes of a blob when its holders are slow, lie, or are left in the middle of a put. */
import {
  createIdentity,
  createSecureRng,
  createSeededRng,
  networkPsk,
  PUBLIC_NETWORK,
  type Transport,
  type TransportHost,
  toHex,
} from '@molia/core';
import { createMemoryStore, type RecordStore, type StoredRecord } from '@molia/kademlia';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createProcessClock } from '../src/clock.ts';
import {
  createNodeCurves,
  createTestnet,
  createUdpTransport,
  type MoliaNode,
  type Testnet,
} from '../src/index.ts';
import { literalContact, parseSeed } from '../src/seeds.ts';
import { Shard } from '../src/shard.ts';

const WAIT_MS = 120_000;
const CODING = '6:3';
let net: Testnet;
beforeEach(async () => {
  net = await createTestnet(9);
}, WAIT_MS);
afterEach(() => net.close());
const at = (index: number) => net.nodes[index] as MoliaNode;

function content(seed: number, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  createSeededRng(seed).fill(out, 0, bytes);
  return out;
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of stream as unknown as AsyncIterable<Uint8Array>) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** A transport whose datagrams leave late once `slow.on`. */
function slowTransport(slow: { on: boolean; ms: number }): Transport {
  const udp = createUdpTransport({ listen: ['127.0.0.1:0'] });
  let closed = false;
  return {
    apiVersion: 1,
    scheme: 'udp',
    datagramBytesMax: udp.datagramBytesMax,
    open: (host: TransportHost) => udp.open(host),
    send(path, endpoint, endpointOffset, bytes, offset, length) {
      if (!slow.on) return udp.send(path, endpoint, endpointOffset, bytes, offset, length);
      const copy = bytes.slice(offset, offset + length);
      const to = endpoint.slice(endpointOffset, endpointOffset + 19);
      setTimeout(() => {
        if (!closed) udp.send(path, to, 0, copy, 0, length);
      }, slow.ms);
    },
    stats: () => udp.stats(),
    close() {
      closed = true;
      return udp.close();
    },
  };
}

it('is read whole while holders of its shards answer late', {
  timeout: WAIT_MS,
}, async () => {
  const slow = { on: false, ms: 400 };
  const late = await Promise.all(
    Array.from({ length: 3 }, () => net.addNode({ transport: slowTransport(slow) })),
  );
  const bytes = content(21, 300_000);
  const { key } = await at(0).putBlob(bytes, { coding: CODING });
  const held = late.reduce((sum, node) => sum + node.stats().store.bytes, 0);
  expect(held).toBeGreaterThan(0);
  slow.on = true;
  expect((await collect(at(1).getBlob(key))).equals(bytes)).toBe(true);
});

it('goes on with a put that was broken off: only what is missing is sent', { timeout: WAIT_MS }, async () => {
  const bytes = content(22, 1_600_000);
  const whole = at(2).stats().transport.bytesOut;
  const abort = new AbortController();
  const half = at(2).putBlob(bytes, {
    coding: CODING,
    signal: abort.signal,
    onProgress: ({ stripes }) => {
      if (stripes === 3) abort.abort();
    },
  });
  await expect(half).rejects.toMatchObject({ code: 'ABORTED' });
  const first = at(2).stats().transport.bytesOut - whole;
  const before = at(2).stats().transport.bytesOut;
  const { key, stripes } = await at(2).putBlob(bytes, { coding: CODING });
  const second = at(2).stats().transport.bytesOut - before;
  expect(stripes).toBe(5);
  // Three of five stripes lay there already; the whole is 1.5 times the content.
  expect(first).toBeGreaterThan(bytes.length * 0.8);
  expect(second).toBeLessThan(bytes.length * 1.1);
  expect((await collect(at(3).getBlob(key))).equals(bytes)).toBe(true);
});

it('tells a wrong shard and who sent it, and makes it again elsewhere', { timeout: WAIT_MS }, async () => {
  const lying = { on: false };
  const liar = await openLiar(lying);
  try {
    const bytes = content(23, 2_000_000);
    const { key, shards } = await at(0).putBlob(bytes, { coding: CODING });
    expect(shards).toBe(54);
    expect(liar.store.stats().count).toBeGreaterThan(0);
    lying.on = true;
    const repaired = await at(1).repairBlob(key);
    expect(repaired.wrong.length).toBeGreaterThan(0);
    expect(new Set(repaired.wrong.map(({ holder }) => holder))).toEqual(new Set([liar.publicKey]));
    expect(repaired.rebuilt).toBe(repaired.missing);
    expect(repaired.missing).toBeGreaterThan(0);
    expect((await collect(at(4).getBlob(key))).equals(bytes)).toBe(true);
    await liar.close();
    expect(await at(5).blobStatus(key)).toMatchObject({ missing: 0, wrong: [] });
  } finally {
    await liar.close();
  }
});

/** A node that takes shards and, once told to, sends other bytes in their place. */
async function openLiar(lying: { on: boolean }) {
  const rng = createSecureRng();
  const curves = createNodeCurves();
  const identity = createIdentity(curves, undefined, rng);
  const store = createMemoryStore({ id: identity.id, rng, countMax: 1000, bytesMax: 2 ** 26 });
  const wrong = (out: StoredRecord) => {
    if (!lying.on || out.valueLength < 1000) return;
    out.bytes = out.bytes.slice();
    out.bytes.fill(0x5a, out.valueOffset, out.valueOffset + out.valueLength);
  };
  const lie = new Proxy(store, {
    get(target, name) {
      const member = Reflect.get(target, name, target) as unknown;
      if (typeof member !== 'function') return member;
      if (name !== 'getByHash') return member.bind(target);
      return (hash: Uint8Array, offset: number, out: StoredRecord) => {
        const found = target.getByHash(hash, offset, out);
        if (found) wrong(out);
        return found;
      };
    },
  }) as RecordStore;
  let joined = () => {};
  const ready = new Promise<void>((resolve) => {
    joined = resolve;
  });
  const shard = new Shard({
    identity,
    presharedKey: networkPsk(PUBLIC_NETWORK),
    curves,
    rng,
    clock: createProcessClock(),
    transport: createUdpTransport({ listen: ['127.0.0.1:0'] }),
    store: lie,
    client: false,
    peersMax: 64,
    onEvent: ({ op, kind }) => {
      if (kind === 4 && op === bootstrap) joined();
    },
    onFail: () => {},
  });
  await shard.open();
  for (const seed of net.seeds) {
    const contact = literalContact(parseSeed(seed));
    if (contact !== undefined) shard.kademlia.addContact(shard.now(), contact.publicKey, contact.endpoint);
  }
  const bootstrap = shard.kademlia.bootstrap(shard.now());
  shard.pump();
  await ready;
  const publicKey = toHex(identity.publicKey);
  while (!net.nodes.every((node) => node.peers().some((peer) => peer.publicKey === publicKey))) {
    await Promise.all(net.nodes.map((node) => node.lookup(toHex(identity.id))));
  }
  return { store, publicKey, close: () => shard.close() };
}
