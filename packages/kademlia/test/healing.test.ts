/** A network that was split for so long that no table names the other half any more becomes one again. */
import { compareDistance, createSeededRng, ENDPOINT_BYTES, equalBytes } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { LOST_MAX, LOST_PER_BUCKET_MAX } from '../src/constants.ts';
import { ContactFlag, Contacts } from '../src/contacts.ts';
import { Lost } from '../src/lost.ts';
import { Cluster } from './cluster.ts';

const K = 20;

/** Share of each node's 20 closest that its table names. */
function recall(cluster: Cluster): number {
  let named = 0;
  let wanted = 0;
  for (const node of cluster.nodes) {
    const { id } = node.identity;
    const truth = cluster.nodes
      .filter((other) => other !== node)
      .map((other) => other.identity.id)
      .sort((a, b) => compareDistance(id, 0, a, 0, b, 0))
      .slice(0, K);
    const known = node.kademlia.contacts().map((contact) => contact.id);
    named += truth.filter((other) => known.some((mine) => equalBytes(mine, 0, other, 0, 32))).length;
    wanted += truth.length;
  }
  return named / wanted;
}

function split(nodes: number, seed: number, side: (index: number) => boolean): Cluster {
  const cluster = new Cluster({ nodes, seed });
  cluster.join(20);
  cluster.run(60_000);
  expect(recall(cluster)).toBeGreaterThan(0.98);
  cluster.tap = (from, to) => side(from) === side(to);
  cluster.run(3_600_000);
  return cluster;
}

describe('after an hour in two parts', () => {
  it.each([
    { share: 'half of the nodes', seed: 1, part: 2 },
    { share: 'a tenth of the nodes', seed: 2, part: 10 },
  ])('$share and the rest know each other again within a minute', ({ seed, part }) => {
    const cluster = split(40, seed, (index) => index % part === 0);
    const apart = recall(cluster);
    expect(apart).toBeLessThan(0.9);
    cluster.tap = undefined;
    cluster.run(60_000);
    expect(recall(cluster), `seed ${seed}`).toBeGreaterThanOrEqual(0.99);
  });
});

describe('the memory of lost contacts', () => {
  function row(contacts: Contacts, n: number): number {
    const key = new Uint8Array(32).fill(n & 255);
    key[1] = n >>> 8;
    return contacts.intern(key, 0, new Uint8Array(ENDPOINT_BYTES), 0);
  }

  it('is bounded, by bucket and in all, and holds each row once', () => {
    const contacts = new Contacts(4_096, 1);
    const lost = new Lost(contacts, createSeededRng(3));
    for (let n = 0; n < 500; n++) lost.add(n * 100_000, row(contacts, n), n % 8, 1_000);
    expect(lost.count).toBe(LOST_MAX);
    let held = 0;
    for (let n = 0; n < 500; n++) held += contacts.references(row(contacts, n));
    expect(held).toBe(LOST_MAX);
    const same = new Lost(contacts, createSeededRng(4));
    for (let n = 500; n < 600; n++) same.add(0, row(contacts, n), 3, 1_000);
    expect(same.count).toBe(LOST_PER_BUCKET_MAX);
  });

  it('forgets those of a mass silence last', () => {
    const contacts = new Contacts(4_096, 1);
    const lost = new Lost(contacts, createSeededRng(5));
    const together: number[] = [];
    for (let n = 0; n < 40; n++) {
      together.push(row(contacts, n));
      lost.add(n * 1_000, together[n] as number, n % 8, 40 - n);
    }
    for (let n = 40; n < 2_000; n++) lost.add(1e6 * n, row(contacts, n), n % 8, 400);
    const kept = together.filter((of) => ((contacts.flags[of] as number) & ContactFlag.LOST) !== 0);
    expect(kept.length).toBe(40);
  });

  it('lets go of a row that returned', () => {
    const contacts = new Contacts(64, 1);
    const lost = new Lost(contacts, createSeededRng(6));
    const back = row(contacts, 1);
    lost.add(0, back, 0, 10);
    lost.add(0, row(contacts, 2), 0, 10);
    lost.remove(back);
    lost.remove(back);
    expect(lost.count).toBe(1);
    expect(contacts.references(back)).toBe(0);
    expect(lost.any()).toBe(row(contacts, 2));
  });
});
