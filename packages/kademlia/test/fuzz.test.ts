/** Seeded fuzzing of a whole engine: `MOLIA_FUZZ_RUNS` inputs, 20,000 unless told. */
import { createSeededRng } from '@molia/core';
import { Outcome } from '@molia/kademlia';
import {
  createImmutable,
  createMutable,
  HEADER_BYTES,
  immutableKey,
  RecordView,
  readRecord,
  recordValue,
} from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { Cluster } from './cluster.ts';

const DAY = 86_400;

describe('fuzz', () => {
  it('never makes the engine throw: random and mutated messages, as requests and as answers', () => {
    const rng = createSeededRng(7);
    // No limit on a peer's work: it would keep most inputs from the decoders.
    const cluster = new Cluster({
      nodes: 12,
      seed: 151,
      tuning: { peerUnitsBurst: 2 ** 40, peerUnitsPerSecond: 2 ** 40 },
    });
    cluster.join();
    const { identity } = cluster.node(2);
    const corpus: Uint8Array[] = [];
    cluster.tap = (_from, _to, bytes) => {
      if (corpus.length < 400) corpus.push(bytes);
      return true;
    };
    const record = createMutable({
      identity,
      namespace: 'f',
      sequence: 1,
      value: new Uint8Array(2_000),
      ttlSecs: DAY,
    });
    cluster.perform(2, (kademlia, now) => kademlia.store(now, record), true);
    cluster.perform(5, (kademlia, now) => kademlia.findValue(now, new Uint8Array(32)));
    cluster.perform(6, (kademlia, now) => kademlia.findProviders(now, new Uint8Array(32), 4));
    cluster.tap = undefined;
    const inputs = Number(process.env['MOLIA_FUZZ_RUNS'] ?? 20_000);
    for (let i = 0; i < inputs; i++) {
      let bytes: Uint8Array;
      if (i % 4 === 0) {
        bytes = new Uint8Array(rng.u32() % 1_300);
        rng.fill(bytes, 0, bytes.length);
        if (bytes.length > 2) bytes.set([1, rng.u32() % 20, rng.u32() % 4]);
      } else {
        bytes = (corpus[rng.u32() % corpus.length] as Uint8Array).slice();
        for (let flips = rng.u32() % 6; flips >= 0; flips--)
          bytes[rng.u32() % bytes.length] = rng.u32() & 255;
        if (rng.u32() % 4 === 0) bytes = bytes.slice(0, rng.u32() % (bytes.length + 1));
      }
      cluster.inject(rng.u32() % 12, rng.u32() % 12, bytes);
      if (i % 50 === 0) cluster.run(1);
    }
    const target = new Uint8Array(32).fill(1);
    const { done } = cluster.perform(0, (kademlia, now) => kademlia.findNode(now, target));
    expect(done.code).toBe(Outcome.OK);
  });

  it('ends every operation and believes no false record while answers change on their way', () => {
    const cluster = new Cluster({ nodes: 24, seed: 152 });
    cluster.join();
    const { identity } = cluster.node(2);
    const rng = createSeededRng(8);
    const contents = Array.from({ length: 10 }, (_, i) => new Uint8Array(i % 2 === 0 ? 60 : 3_000).fill(i));
    cluster.tap = (_from, _to, bytes) => {
      // The body only: a header that names no request is dropped at once.
      if (bytes.length > HEADER_BYTES && rng.u32() % 4 === 0) {
        for (let flips = rng.u32() % 3; flips >= 0; flips--) {
          bytes[HEADER_BYTES + (rng.u32() % (bytes.length - HEADER_BYTES))] = rng.u32() & 255;
        }
      }
      return true;
    };
    const rounds = Math.max(1, Math.round(Number(process.env['MOLIA_FUZZ_RUNS'] ?? 20_000) / 4_000));
    const view = new RecordView();
    for (let round = 0; round < rounds; round++) {
      const content = contents[round % 10] as Uint8Array;
      const writer = rng.u32() % 24;
      cluster.perform(writer, (kademlia, now) => kademlia.store(now, createImmutable(content, DAY)), true);
      const record = createMutable({
        identity,
        namespace: 'm',
        sequence: round,
        value: content,
        ttlSecs: DAY,
      });
      cluster.perform(2, (kademlia, now) => kademlia.store(now, record), true);
      const reader = rng.u32() % 24;
      const key = immutableKey(content);
      const { values } = cluster.perform(reader, (kademlia, now) => kademlia.findValue(now, key));
      for (const event of values) {
        expect(readRecord(event.bytes, 0, event.length, view)).toBeGreaterThanOrEqual(0);
        expect(recordValue(event.bytes, view)).toEqual(content);
      }
      cluster.perform(reader, (kademlia, now) => kademlia.findProviders(now, key, 3));
    }
  });
});
