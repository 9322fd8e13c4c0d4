import { toHex } from '@molia/core';
import { expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

it('finds at least 99 % of the 20 closest among 1,000 nodes, in a bounded number of messages', () => {
  const cluster = new Cluster({
    nodes: 1_000,
    seed: 2_001,
    latency: (a, b, rng) => 10 + ((a * 31 + b * 17) % 60) + (rng.u32() % 5),
  });
  cluster.join();
  let found = 0;
  let slowest = 0;
  let asked = 0;
  const lookups = 50;
  for (let i = 0; i < lookups; i++) {
    const target = new Uint8Array(32);
    cluster.rng.fill(target, 0, 32);
    const from = cluster.rng.u32() % 1_000;
    const { closest, done } = cluster.perform(from, (kademlia, now) => kademlia.findNode(now, target));
    const mine = new Set(closest.map((id) => toHex(id)));
    found += cluster.closest(target, 20, from).filter((id) => mine.has(toHex(id))).length;
    slowest = Math.max(slowest, done.c);
    asked += done.b;
  }
  expect(found / (lookups * 20)).toBeGreaterThanOrEqual(0.99);
  expect(asked / lookups).toBeLessThan(32);
  expect(slowest).toBeLessThan(2_000);
  const estimates = cluster.nodes.map((node) => node.kademlia.sizeEstimate().nodes).sort((a, b) => a - b);
  expect(estimates[500]).toBeGreaterThan(300);
  expect(estimates[500]).toBeLessThan(2_000);
}, 120_000);
