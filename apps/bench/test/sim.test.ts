import { createSeededRng, nobleCurves, toHex } from '@molia/core';
import { createUdpTransport } from '@molia/dht';
import { AmplificationWatch, LatencyMatrix, transportCases, watchNonces } from '@molia/sim';
import { describe, expect, it } from 'vitest';
import { Cluster } from '../src/sim/cluster.ts';
import { type Crypto, realCrypto, type StackNode, stubCrypto } from '../src/sim/stack.ts';
import { run } from './scenario-run.ts';

const matrix = LatencyMatrix.plane(40, 60, createSeededRng(1));

function history(crypto: Crypto): { digest: string; delivered: number; found: number } {
  const cluster = new Cluster({ nodes: 10, seed: 5, matrix, crypto, settleMs: 3_000 });
  cluster.populate();
  const put = cluster.put(1);
  cluster.simulator.run(3_000);
  const get = cluster.get(8, put.target);
  cluster.simulator.run(3_000);
  expect(cluster.violations).toEqual([]);
  return {
    digest: cluster.simulator.digest(),
    delivered: cluster.simulator.network.datagramsDelivered,
    found: get.firstMs,
  };
}

describe('a network of full stacks', () => {
  it('takes the same steps at the same instants with real cryptography and with the stub', () => {
    const real = history(realCrypto(nobleCurves));
    const stub = history(stubCrypto(nobleCurves));
    expect(real.delivered).toBeGreaterThan(500);
    expect(real.found).toBeLessThan(2_000);
    expect(stub).toEqual(real);
  });

  it('has the same history from the same seed, and another from another', () => {
    const first = run('steady', { nodes: 30, lookups: 20 });
    expect(run('steady', { nodes: 30, lookups: 20 }).digest).toBe(first.digest);
    expect(run('steady', { nodes: 30, lookups: 20, seed: 2 }).digest).not.toBe(first.digest);
  });

  it('keeps two networks apart, though the nodes of one are told to join through the other', () => {
    const cluster = new Cluster({ nodes: 8, seed: 3, matrix });
    cluster.populate();
    const key = new Uint8Array(32).fill(7);
    const others: StackNode[] = [];
    for (let i = 0; i < 8; i++) {
      const node = cluster.node(cluster.join({ presharedKey: key }));
      // The second and later ones also hear of one of their own.
      const friend = others[0];
      if (friend !== undefined)
        node.kademlia.addContact(node.now(), friend.identity.publicKey, friend.endpoint);
      others.push(node);
      cluster.simulator.run(500);
    }
    cluster.simulator.run(20_000);
    const strangers = new Set(others.map((node) => toHex(node.identity.id)));
    const inTable = (node: StackNode): string[] =>
      node.kademlia
        .contacts()
        .filter((contact) => contact.bucket >= 0)
        .map((contact) => toHex(contact.id));
    for (const node of cluster.alive.map((host) => cluster.node(host))) {
      const isStranger = strangers.has(toHex(node.identity.id));
      const known = inTable(node);
      expect(known.length).toBeGreaterThan(3);
      expect(known.filter((id) => strangers.has(id) !== isStranger)).toEqual([]);
    }
  });
});

describe('invariants', () => {
  it('hold in a lossy network that reorders: no nonce twice, little for an unproven address', () => {
    const found: string[] = [];
    const report = (line: string): void => {
      found.push(line);
    };
    const crypto = stubCrypto();
    const watched: Crypto = {
      ...crypto,
      cipher: watchNonces(crypto.cipher, report),
    };
    const cluster = new Cluster({ nodes: 30, seed: 9, matrix, crypto: watched });
    Object.assign(cluster.simulator.network.faults, {
      loss: 0.1,
      reordering: 0.2,
      reorderMs: 100,
    });
    cluster.simulator.tap = new AmplificationWatch(3, () => cluster.simulator.nowMs, report);
    cluster.populate();
    const put = cluster.put(cluster.someone());
    cluster.simulator.run(10_000);
    const get = cluster.get(cluster.asker(put.target), put.target);
    cluster.simulator.run(10_000);
    expect(get.ok).toBe(true);
    expect(crypto.cipher.counts.seals).toBeGreaterThan(1_000);
    expect(found).toEqual([]);
    expect(cluster.violations).toEqual([]);
  });
});

describe('the UDP transport', () => {
  it.each(transportCases)('complies: $name', async ({ run: comply }) => {
    await comply({
      create: () => createUdpTransport({ listen: ['127.0.0.1:0'] }),
      settle: () => new Promise((resolve) => setTimeout(resolve, 40)),
    });
  });
});
