import { createIdentity, nobleCurves } from '@molia/core';
import { Outcome } from '@molia/kademlia';
import { createImmutable, immutableKey } from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { VirtualNet, type VirtualNode, virtualNode } from './support/virtual-net.ts';

const DELAY_MS = 40;
const A = '10.0.0.1:1';
const B = '10.0.0.2:2';
const C = '10.0.0.3:3';

/** Runs until the node's operation is done; what happened. */
function done(net: VirtualNet, node: VirtualNode, op: number, untilMs = 60_000) {
  const found = () => node.done.find((event) => event.op === op);
  net.run(net.now + untilMs, () => found() !== undefined);
  const event = found();
  if (event === undefined) throw new Error(`operation ${op} did not end`);
  return event;
}

describe('first contact, counted in datagrams on virtual time', () => {
  it('has the answer to a FIND_NODE of an unknown peer after exactly one round trip', async () => {
    const net = new VirtualNet(DELAY_MS);
    const a = await virtualNode(net, A, 1);
    const b = await virtualNode(net, B, 2);
    a.shard.kademlia.addContact(0, b.identity.publicKey, b.endpoint);
    const op = a.shard.kademlia.findNode(0, new Uint8Array(32).fill(7));
    a.shard.pump();
    const event = done(net, a, op);
    expect(event).toMatchObject({ code: Outcome.OK, a: 1, at: 2 * DELAY_MS });
    expect(net.log.slice(0, 2).map(({ at, from, to }) => [at, from, to])).toEqual([
      [0, A, B],
      [DELAY_MS, B, A],
    ]);
    // Before the answer was there, nothing else was sent: one datagram each way.
    expect(net.log.filter(({ at }) => at < 2 * DELAY_MS).length).toBe(2);
    expect(a.shard.wireguard.counters.get('early_answers_received')).toBe(1);
  });

  it('asks an unknown peer heard of in an answer in one more round trip', async () => {
    const net = new VirtualNet(DELAY_MS);
    const a = await virtualNode(net, A, 1);
    const b = await virtualNode(net, B, 2);
    const c = await virtualNode(net, C, 3);
    b.shard.kademlia.addContact(0, c.identity.publicKey, c.endpoint);
    const warm = b.shard.kademlia.findNode(0, c.identity.id);
    b.shard.pump();
    done(net, b, warm);
    const startedAt = net.now;
    a.shard.kademlia.addContact(startedAt, b.identity.publicKey, b.endpoint);
    const op = a.shard.kademlia.findNode(startedAt, c.identity.id);
    a.shard.pump();
    const event = done(net, a, op);
    expect(event.at - startedAt).toBe(4 * DELAY_MS);
    expect(event.a).toBe(2);
    const toC = net.log.filter(
      ({ at, from, to }) => at >= startedAt && from === A && to === C && at < event.at,
    );
    expect(toC.length).toBe(1);
  });

  it('never answers more than three times what came from an unproven address', async () => {
    const net = new VirtualNet(DELAY_MS);
    const b = await virtualNode(net, B, 2);
    for (let seed = 10; seed < 34; seed++) {
      const other = createIdentity(nobleCurves, new Uint8Array(32).fill(seed));
      const peer = await virtualNode(net, `10.0.1.${seed}:9`, seed);
      b.shard.kademlia.addContact(net.now, other.publicKey, peer.endpoint);
    }
    const warm = b.shard.kademlia.findNode(net.now, b.identity.id);
    b.shard.pump();
    done(net, b, warm);
    const a = await virtualNode(net, A, 1);
    const startedAt = net.now;
    a.shard.kademlia.addContact(startedAt, b.identity.publicKey, b.endpoint);
    const op = a.shard.kademlia.findNode(startedAt, new Uint8Array(32).fill(7));
    a.shard.pump();
    net.run(startedAt + DELAY_MS);
    const first = net.log.filter(({ at, from }) => at === startedAt && from === A);
    const answer = net.log.filter(({ at, to }) => at === startedAt + DELAY_MS && to === A);
    expect(first.length).toBe(1);
    expect(answer.length).toBe(1);
    const sent = first[0]?.bytes.length as number;
    const back = answer[0]?.bytes.length as number;
    expect(back).toBeLessThanOrEqual(sent * 3);
    // Twenty contacts of 40 bytes came in it all the same: the asker had padded its question.
    expect(back).toBeGreaterThan(20 * 38);
    expect(done(net, a, op).code).toBe(Outcome.OK);
  });

  it('survives the loss of any one of the first datagrams', async () => {
    for (let lost = 0; lost < 4; lost++) {
      const net = new VirtualNet(DELAY_MS);
      let count = 0;
      net.lose = () => count++ === lost;
      const a = await virtualNode(net, A, 1);
      const b = await virtualNode(net, B, 2);
      a.shard.kademlia.addContact(0, b.identity.publicKey, b.endpoint);
      const op = a.shard.kademlia.findNode(0, new Uint8Array(32).fill(7));
      a.shard.pump();
      const event = done(net, a, op);
      expect([lost, event.code, event.a]).toEqual([lost, Outcome.OK, 1]);
      expect(event.at).toBeLessThanOrEqual(1500);
    }
  });

  it('of two networks completes no handshake: no answer can be read', async () => {
    const net = new VirtualNet(DELAY_MS);
    const a = await virtualNode(net, A, 1, { presharedKey: new Uint8Array(32).fill(9) });
    const b = await virtualNode(net, B, 2);
    a.shard.kademlia.addContact(0, b.identity.publicKey, b.endpoint);
    const op = a.shard.kademlia.findNode(0, new Uint8Array(32).fill(7));
    a.shard.pump();
    expect(done(net, a, op).code).toBe(Outcome.NO_PEERS);
    expect(a.values).toEqual([]);
    expect(b.shard.kademlia.contactCount).toBe(0);
    expect(a.shard.counters.get('messagesReceived')).toBe(0);
    expect(a.shard.wireguard.counters.get('sessions_made')).toBe(0);
  });
});

describe('the stack on virtual time', () => {
  it('shows no plaintext on the wire', async () => {
    const net = new VirtualNet(DELAY_MS);
    const a = await virtualNode(net, A, 1);
    const b = await virtualNode(net, B, 2);
    a.shard.kademlia.addContact(0, b.identity.publicKey, b.endpoint);
    const value = new TextEncoder().encode('a secret that nobody between us may read');
    const key = immutableKey(value);
    const store = a.shard.kademlia.store(0, createImmutable(value, 3600));
    a.shard.pump();
    expect(done(net, a, store)).toMatchObject({ code: Outcome.OK, a: 2 });
    const find = b.shard.kademlia.findValue(net.now, key);
    b.shard.pump();
    done(net, b, find);
    const wire = Buffer.concat(net.log.map(({ bytes }) => bytes));
    expect(wire.length).toBeGreaterThan(500);
    for (const plain of [
      value,
      key,
      a.identity.publicKey,
      b.identity.publicKey,
      a.identity.id,
      b.identity.id,
    ]) {
      expect(wire.includes(Buffer.from(plain.subarray(0, 12)))).toBe(false);
    }
  });

  it('wakes by one timer only, and not before it must', async () => {
    const net = new VirtualNet(DELAY_MS);
    const a = await virtualNode(net, A, 1);
    const b = await virtualNode(net, B, 2);
    a.shard.kademlia.addContact(0, b.identity.publicKey, b.endpoint);
    const op = a.shard.kademlia.findNode(0, new Uint8Array(32).fill(7));
    a.shard.pump();
    done(net, a, op);
    net.run(60_000);
    const fired = a.shard.counters.get('timersFired');
    expect(fired).toBeGreaterThan(0);
    expect(fired).toBeLessThan(30);
  });
});
