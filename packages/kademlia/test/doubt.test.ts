/** A read whose holders disagree, or lie, asks farther afield. */
import { toHex } from '@molia/core';
import { AcceptRequest, Outcome, RecordVerdict } from '@molia/kademlia';
import { createMutable, HEADER_BYTES, MessageType, mutableKey } from '@molia/wire';
import { beforeEach, describe, expect, it } from 'vitest';
import { Cluster, type Node } from './cluster.ts';

const DAY = 86_400;
const READER = 5;

describe('a read of a mutable record', () => {
  let cluster: Cluster;
  let key: Uint8Array;
  let ranked: Node[];
  beforeEach(() => {
    cluster = new Cluster({ nodes: 160, seed: 401 });
    cluster.join();
    key = mutableKey(cluster.node(0).identity.publicKey, new TextEncoder().encode('news'), new Uint8Array(0));
    for (let i = 0; i < 6; i++) {
      const target = new Uint8Array(32);
      cluster.rng.fill(target, 0, 32);
      cluster.perform(READER, (kademlia, now) => kademlia.findNode(now, target));
    }
    const byId = new Map(cluster.nodes.map((node) => [toHex(node.identity.id), node]));
    ranked = cluster.closest(key, 160, READER).map((id) => byId.get(toHex(id)) as Node);
  });

  const record = (sequence: number) =>
    createMutable({
      identity: cluster.node(0).identity,
      namespace: 'news',
      sequence,
      value: new TextEncoder().encode(`edition ${sequence}`),
      ttlSecs: DAY,
    });
  const hold = (node: Node, sequence: number) => {
    const encoded = record(sequence);
    const verdict = node.kademlia.book.accept(cluster.now, encoded, 0, encoded.length, new AcceptRequest());
    expect(verdict).toBe(RecordVerdict.STORED);
  };
  const read = () => cluster.perform(READER, (kademlia, now) => kademlia.findValue(now, key));

  it('asks no more nodes than it must while all holders agree', () => {
    for (const node of ranked.slice(0, 20)) hold(node, 1);
    hold(ranked[39] as Node, 3);
    const { done } = read();
    expect([done.code, done.sequence]).toEqual([Outcome.OK, 1]);
    expect(done.b).toBeLessThan(40);
  });

  for (const fresh of [0, 7, 19]) {
    it(`goes on over four paths when holders disagree (rank ${fresh} holds a newer one)`, () => {
      for (const [rank, node] of ranked.slice(0, 20).entries()) hold(node, rank === fresh ? 2 : 1);
      hold(ranked[30] as Node, 3);
      const { done } = read();
      expect([done.code, done.sequence]).toEqual([Outcome.OK, 3]);
      expect(done.b).toBeGreaterThanOrEqual(38);
    });
  }

  it('does so too when several holders show records that do not verify', () => {
    for (const node of ranked.slice(0, 20)) hold(node, 1);
    hold(ranked[30] as Node, 3);
    const liars = new Set(ranked.slice(2, 5).map((node) => node.index));
    cluster.tap = (from, _to, bytes) => {
      if (bytes[1] !== MessageType.FIND_VALUE_RESPONSE || !liars.has(from)) return true;
      // The value's last letters are in the first hundred bytes; the signature covers them.
      const at = Buffer.from(bytes).indexOf('edition', HEADER_BYTES);
      if (at > 0) bytes[at] = 0x45;
      return true;
    };
    const { done } = read();
    expect([done.code, done.sequence]).toEqual([Outcome.OK, 3]);
    const { kademlia } = cluster.node(READER);
    expect(kademlia.counters.get('bad_answers')).toBe(3);
  });
});
