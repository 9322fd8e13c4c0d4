import { toHex } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

describe('a lookup among 64 nodes', () => {
  const cluster = new Cluster({ nodes: 64, seed: 7 });
  cluster.join();

  it('finds exactly the 20 closest living nodes from anywhere', () => {
    for (let i = 0; i < 40; i++) {
      const target = new Uint8Array(32);
      cluster.rng.fill(target, 0, 32);
      const from = cluster.rng.u32() % 64;
      const { done, closest } = cluster.perform(from, (kademlia, now) => kademlia.findNode(now, target));
      expect(done.code).toBe(0);
      expect(closest.map((id) => toHex(id))).toEqual(
        cluster.closest(target, 20, from).map((id) => toHex(id)),
      );
    }
  });
});
