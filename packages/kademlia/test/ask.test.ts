/** `ask`: one FIND_NODE to one given node, its answer as told. */
import { toHex } from '@molia/core';
import { type Kademlia, Outcome } from '@molia/kademlia';
import { MessageType } from '@molia/wire';
import { beforeEach, describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

const TARGET = new Uint8Array(32).fill(0x5a);

describe('one node asked', () => {
  let cluster: Cluster;
  beforeEach(() => {
    cluster = new Cluster({ nodes: 30, seed: 301, clients: [29] });
    cluster.join();
  });

  const ask = (from: number, to: number) => {
    const { identity, endpoint } = cluster.node(to);
    return cluster.perform(from, (kademlia: Kademlia, now: number) =>
      kademlia.ask(now, identity.publicKey, endpoint, TARGET),
    );
  };

  it('names the contacts of its table that are closest, the dead ones too, by one request', () => {
    for (let i = 10; i < 20; i++) cluster.kill(i);
    cluster.types.clear();
    const { done, closest } = ask(3, 7);
    expect(done.code).toBe(Outcome.OK);
    expect(cluster.types).toEqual(
      new Map([
        [MessageType.FIND_NODE, 1],
        [MessageType.FIND_NODE_RESPONSE, 1],
      ]),
    );
    const known = cluster.node(7).kademlia.contacts();
    const own = toHex(cluster.node(3).identity.id);
    const nearest = cluster
      .closest(TARGET, 30)
      .concat(cluster.nodes.filter((node) => !node.alive).map((node) => node.identity.id))
      .filter((id) => known.some((contact) => toHex(contact.id) === toHex(id)))
      .map((id) => toHex(id))
      .filter((id) => id !== own);
    expect(done.a).toBe(closest.length);
    expect(closest.length).toBeGreaterThanOrEqual(19);
    for (const id of closest) expect(nearest).toContain(toHex(id));
    const dead = new Set(cluster.nodes.filter((node) => !node.alive).map((node) => toHex(node.identity.id)));
    expect(closest.some((id) => dead.has(toHex(id)))).toBe(true);
    const words = closest.map((id) => (((id[0] as number) << 8) | (id[1] as number)) ^ 0x5a5a);
    expect(words).toEqual([...words].sort((a, b) => a - b));
  });

  it('is asked once more when the request is lost, then it counts as unreachable', () => {
    let lost = 0;
    cluster.tap = (from, to, bytes) =>
      !(from === 3 && to === 7 && bytes[1] === MessageType.FIND_NODE && lost++ === 0);
    expect(ask(3, 7).done.code).toBe(Outcome.OK);
    expect(lost).toBe(2);
    cluster.kill(7);
    const { done, closest } = ask(3, 7);
    expect([done.code, done.a, closest.length]).toEqual([Outcome.UNREACHABLE, 0, 0]);
  });

  it('that only asks, or that is ourselves, is unreachable', () => {
    expect(ask(3, 29).done.code).toBe(Outcome.UNREACHABLE);
    expect(ask(3, 3).done.code).toBe(Outcome.UNREACHABLE);
  });

  it('is thrown out of the table when its answer is garbage', () => {
    const { id } = cluster.node(7).identity;
    const inTable = () =>
      cluster
        .node(3)
        .kademlia.contacts()
        .some((contact) => toHex(contact.id) === toHex(id));
    expect(inTable()).toBe(true);
    cluster.tap = (_from, _to, bytes) => {
      if (bytes[1] === MessageType.FIND_NODE_RESPONSE) bytes.fill(0xff, 12);
      return true;
    };
    expect(ask(3, 7).done.code).toBe(Outcome.UNREACHABLE);
    expect(inTable()).toBe(false);
  });

  it('ends when it is cancelled, and lets every contact go', () => {
    const { kademlia } = cluster.node(3);
    const { identity, endpoint } = cluster.node(7);
    const known = kademlia.stats().known;
    const op = kademlia.ask(cluster.now, identity.publicKey, endpoint, TARGET);
    kademlia.cancel(cluster.now, op);
    cluster.drain(cluster.node(3));
    cluster.run(2_000);
    expect(cluster.result(cluster.node(3), op).done.code).toBe(Outcome.CANCELLED);
    expect(kademlia.stats()).toMatchObject({ known, operations: 0, requests: 0 });
  });
});
