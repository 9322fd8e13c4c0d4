/** Identities crowded around a key, liars on some paths, sessions without a name. */
import { createIdentity, createSeededRng, createTransmit, HEADROOM, toHex } from '@molia/core';
import { createKademlia, createMemoryStore, Outcome, type Peers } from '@molia/kademlia';
import {
  createImmutable,
  decodeNegotiate,
  ErrorCode,
  encodeNegotiate,
  HEADER_BYTES,
  immutableKey,
  MessageType,
  Negotiation,
  writeHeader,
} from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { Cluster, cheapCurves } from './cluster.ts';

const DAY = 86_400;

describe('thirty identities crowded around a key', () => {
  it('do not make the honest holders miss the record, nor the readers the holders', () => {
    const cluster = new Cluster({ nodes: 128, seed: 81 });
    cluster.join();
    // Everybody has seen the network: the estimate is what tells how far to go.
    for (let i = 0; i < 128; i++) {
      for (let j = 0; j < 6; j++) {
        const target = new Uint8Array(32);
        cluster.rng.fill(target, 0, 32);
        cluster.perform(i, (kademlia, now) => kademlia.findNode(now, target));
      }
    }
    const content = new Uint8Array(64).fill(77);
    const key = immutableKey(content);
    const rng = createSeededRng(1);
    const seed = new Uint8Array(32);
    for (let crowd = 0; crowd < 30; ) {
      rng.fill(seed, 0, 32);
      const { id } = createIdentity(cheapCurves, seed);
      if (id[0] !== key[0] || ((id[1] as number) ^ (key[1] as number)) > 63) continue;
      const sybil = cluster.addNode(seed.slice());
      const friend = cluster.node(crowd * 3);
      sybil.kademlia.addContact(cluster.now, friend.identity.publicKey, friend.endpoint);
      cluster.perform(sybil.index, (kademlia, now) => kademlia.bootstrap(now));
      crowd++;
    }
    cluster.run(10_000);
    const crowded = cluster.closest(key, 30).filter((id) => {
      return cluster.nodes.findIndex((node) => toHex(node.identity.id) === toHex(id)) >= 128;
    });
    expect(crowded.length).toBe(30);
    cluster.tap = (_from, to, bytes) => !(bytes[1] === MessageType.STORE && to >= 128);
    const { settled } = cluster.perform(
      3,
      (kademlia, now) => kademlia.store(now, createImmutable(content, DAY)),
      true,
    );
    expect(settled?.a).toBeGreaterThanOrEqual(8);
    cluster.kill(3);
    for (const reader of [9, 40, 77, 101, 127]) {
      const { done } = cluster.perform(reader, (kademlia, now) => kademlia.findValue(now, key));
      expect(done.code).toBe(Outcome.OK);
    }
  });
});

describe('a lookup over disjoint paths', () => {
  it('finds the closest nodes, and each contact belongs to one path', () => {
    const cluster = new Cluster({ nodes: 96, seed: 82 });
    cluster.join();
    for (const paths of [2, 4, 8]) {
      const target = new Uint8Array(32);
      cluster.rng.fill(target, 0, 32);
      const asked = new Map<number, number>();
      cluster.tap = (from, to, bytes) => {
        if (from === 5 && bytes[1] === MessageType.FIND_NODE) asked.set(to, (asked.get(to) ?? 0) + 1);
        return true;
      };
      const { closest, done } = cluster.perform(5, (kademlia, now) =>
        kademlia.findNode(now, target, { paths }),
      );
      cluster.tap = undefined;
      expect(done.code).toBe(Outcome.OK);
      expect(Math.max(...asked.values())).toBe(1);
      const found = new Set(closest.map((id) => toHex(id)));
      const truth = cluster.closest(target, 10, 5).filter((id) => found.has(toHex(id)));
      expect(truth.length).toBeGreaterThanOrEqual(9);
    }
  });
});

describe('a session that began without a name', () => {
  const rng = createSeededRng(5);
  const own = createIdentity(cheapCurves, undefined, rng);
  const guest = createIdentity(cheapCurves, undefined, rng);
  let bound: Uint8Array | undefined;
  const peers: Peers = {
    open: () => 3,
    identity: (_peer, out, offset) => {
      if (bound !== undefined) out.set(bound, offset);
      return bound !== undefined;
    },
    endpoint: (_peer, out, offset) => {
      out.set([4, 10, 0, 0, 9], offset);
      out[offset + 18] = 5;
      return true;
    },
    bindIdentity: (_now, _peer, key, offset) => {
      const same = guest.publicKey.every((byte, i) => byte === key[offset + i]);
      if (same) bound = guest.publicKey.slice();
      return same;
    },
  };
  const kademlia = createKademlia({
    identity: own,
    peers,
    store: createMemoryStore({ id: own.id, rng }),
    rng,
    curves: cheapCurves,
    wallMsAtZero: 1_800_000_000_000,
  });
  const out = createTransmit();
  const ask = (type: number, body: Uint8Array) => {
    const bytes = new Uint8Array(HEADROOM + HEADER_BYTES + body.length);
    writeHeader(bytes, HEADROOM, type, 0, 0, 5, 0);
    bytes.set(body, HEADROOM + HEADER_BYTES);
    kademlia.handleDatagram(10, 3, bytes, HEADROOM, HEADER_BYTES + body.length);
    expect(kademlia.pollTransmit(10, out)).toBe(true);
    return out.bytes.slice(out.offset, out.offset + out.length);
  };
  const introduce = (publicKey: Uint8Array, client: boolean) => {
    const negotiation = new Negotiation();
    negotiation.publicKey = publicKey;
    negotiation.client = client;
    return ask(MessageType.NEGOTIATE, encodeNegotiate(negotiation));
  };

  it('is UNAUTHORIZED until NEGOTIATE binds a key that the session proves', () => {
    const refused = ask(MessageType.PING, new Uint8Array(0));
    expect([refused[1], refused[HEADER_BYTES + 1]]).toEqual([MessageType.ERROR, ErrorCode.UNAUTHORIZED]);
    const forged = introduce(own.publicKey, false);
    expect([forged[1], forged[HEADER_BYTES + 1]]).toEqual([MessageType.ERROR, ErrorCode.UNAUTHORIZED]);
    const welcome = introduce(guest.publicKey, false);
    expect(welcome[1]).toBe(MessageType.NEGOTIATE_RESPONSE);
    const negotiation = new Negotiation();
    decodeNegotiate(welcome, HEADER_BYTES, welcome.length - HEADER_BYTES, negotiation);
    expect(toHex(negotiation.publicKey)).toBe(toHex(own.publicKey));
    expect(ask(MessageType.PING, new Uint8Array(0))[1]).toBe(MessageType.PONG);
  });

  it('is asked back before it is listed', () => {
    expect(kademlia.contactCount).toBe(0);
    kademlia.handleTimeout(2_000);
    expect(kademlia.pollTransmit(2_000, out)).toBe(true);
    expect(out.bytes[out.offset + 1]).toBe(MessageType.PING);
    const pong = out.bytes.slice(out.offset, out.offset + HEADER_BYTES);
    pong[1] = MessageType.PONG;
    pong[2] = 1;
    const bytes = new Uint8Array(HEADROOM + HEADER_BYTES);
    bytes.set(pong, HEADROOM);
    kademlia.handleDatagram(2_020, 3, bytes, HEADROOM, HEADER_BYTES);
    expect(kademlia.contactCount).toBe(1);
  });

  it('leaves the table when it says that it is a client, and its roaming is followed', () => {
    introduce(guest.publicKey, true);
    expect(kademlia.contactCount).toBe(0);
    kademlia.handlePeerRoamed(2_040, 3);
    kademlia.handlePeerClosed(2_050, 3);
    expect(kademlia.stats().requests).toBe(0);
  });
});
