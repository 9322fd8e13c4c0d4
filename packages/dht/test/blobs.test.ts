import { createSeededRng } from '@molia/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BlobProgress, createTestnet, type MoliaNode, type Testnet } from '../src/index.ts';

const NODES = 20;
const MIB = 1024 * 1024;

function content(seed: number, bytes: number): Uint8Array {
  const out = new Uint8Array(bytes);
  createSeededRng(seed).fill(out, 0, bytes);
  return out;
}

async function collect(stream: ReadableStream<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(pieces);
    pieces.push(value);
  }
}

/** In pieces that fit no stripe. */
async function* chunks(bytes: Uint8Array, size = 100_003): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => {
      throw new Error('it should have failed');
    },
    (error: unknown) => error,
  );

describe('blobs in a network of 20', { timeout: 120_000 }, () => {
  let net: Testnet;
  beforeAll(async () => {
    net = await createTestnet(NODES);
  }, 120_000);
  afterAll(() => net.close());
  const at = (index: number) => net.nodes[index] as MoliaNode;
  const bytesHeld = () => net.nodes.map((node) => node.stats().store.bytes);
  const sum = (list: readonly number[]) => list.reduce((a, b) => a + b, 0);

  it('puts a stream, every shard once, and gets it and any range of it on another node', async () => {
    const bytes = content(1, 2 * MIB + 12_345);
    const before = sum(bytesHeld());
    const progress: BlobProgress[] = [];
    const result = await at(1).putBlob(chunks(bytes), { onProgress: (p) => progress.push(p) });
    expect(result).toMatchObject({ length: bytes.length, stripes: 4, shards: 56, holdersMin: 14 });
    expect(result.key).toMatch(/^[0-9a-f]{64}$/);
    expect(progress.map((p) => p.stripes)).toEqual([1, 2, 3, 4]);
    // 1.4 times the content, and a manifest on every node.
    expect(sum(bytesHeld()) - before).toBeLessThan(bytes.length * 1.5 + NODES * 10_000);
    expect((await collect(at(7).getBlob(result.key))).equals(bytes)).toBe(true);
    for (const [start, end] of [
      [0, 1],
      [654_719, 654_722],
      [65_000, 800_000],
      [bytes.length - 1, bytes.length],
      [5, 5],
    ] as const) {
      const part = await collect(at(9).getBlob(result.key, { range: { start, end } }));
      expect(part.equals(bytes.subarray(start, end)), `${start} to ${end}`).toBe(true);
    }
  });

  it('puts the same content again without moving the shards again', async () => {
    const bytes = content(2, MIB);
    const first = await at(3).putBlob(bytes);
    const sent = at(3).stats().transport;
    const held = sum(bytesHeld());
    const again = await at(3).putBlob(new Blob([bytes as never]));
    const bytesOut = at(3).stats().transport.bytesOut - sent.bytesOut;
    expect(again.key).toBe(first.key);
    // Nothing but copies of the manifest, which still spread.
    expect(sum(bytesHeld()) - held).toBeLessThan(NODES * 2000);
    expect(bytesOut).toBeLessThan(bytes.length / 4);
  });

  it('encrypts by choice; the first half of the key repairs, and does not read', async () => {
    const bytes = content(3, 300_000);
    for (const encrypt of ['convergent', 'random'] as const) {
      const { key } = await at(4).putBlob(bytes, { encrypt, coding: '6:3' });
      expect(key).toMatch(/^[0-9a-f]{128}$/);
      expect((await collect(at(5).getBlob(key))).equals(bytes)).toBe(true);
      const half = key.slice(0, 64);
      expect(await failure(collect(at(5).getBlob(half)))).toMatchObject({ code: 'UNSUPPORTED' });
      expect(await at(5).repairBlob(half)).toMatchObject({ sealed: true, missing: 0, rebuilt: 0, lost: 0 });
    }
  });

  it('holds blobs of nothing and of one byte', async () => {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(7)]) {
      const { key, stripes } = await at(6).putBlob(bytes);
      expect(stripes).toBe(bytes.length);
      expect((await collect(at(2).getBlob(key))).equals(bytes)).toBe(true);
      expect(await at(2).blobStatus(key)).toMatchObject({ length: bytes.length, missing: 0 });
    }
  });

  it('passes a failing source on, stops at a signal, and ends what a cancelled reader began', async () => {
    const broken = (async function* () {
      yield content(4, 700_000);
      throw new Error('the disk is gone');
    })();
    expect(await failure(at(8).putBlob(broken))).toMatchObject({ message: 'the disk is gone' });
    const abort = new AbortController();
    const endless = (async function* () {
      for (;;) yield new Uint8Array(700_000);
    })();
    const options = { signal: abort.signal, onProgress: () => abort.abort('enough') };
    expect(await failure(at(8).putBlob(endless, options))).toMatchObject({ code: 'ABORTED' });
    const hanging = (async function* () {
      yield content(4, 700_000);
      await new Promise(() => {});
    })();
    const soon = new AbortController();
    const stopped = at(8).putBlob(hanging, { signal: soon.signal, onProgress: () => soon.abort() });
    expect(await failure(stopped)).toMatchObject({ code: 'ABORTED' });
    const { key } = await at(8).putBlob(content(5, 2 * MIB));
    const reader = at(9).getBlob(key).getReader();
    expect((await reader.read()).value?.length).toBe(654_720);
    await reader.cancel('seen enough');
    expect(at(9).stats().operations.queued).toBe(0);
  });

  it('refuses misuse at once, and keys that are not those of blobs', async () => {
    expect(() => at(0).getBlob('abc')).toThrow(RangeError);
    expect(() => at(0).putBlob(5 as never)).toThrow(TypeError);
    expect(() => at(0).putBlob(new Uint8Array(1), { coding: '9:9' as never })).toThrow(/10:4, 6:3, 10:10/);
    expect(() => at(0).putBlob(new Uint8Array(1), { coding: { data: 200, parity: 60 } })).toThrow(RangeError);
    expect(() => at(0).putBlob(new Uint8Array(1), { encrypt: 'yes' as never })).toThrow(/convergent/);
    expect(() => at(0).getBlob('0'.repeat(64), { range: { start: 5, end: 4 } })).toThrow(RangeError);
    const { key } = await at(0).put('no blob');
    expect(await failure(collect(at(1).getBlob(key)))).toMatchObject({ code: 'UNSUPPORTED' });
    expect(await failure(collect(at(1).getBlob('0'.repeat(64))))).toMatchObject({ code: 'NOT_FOUND' });
    const small = await at(0).putBlob(Uint8Array.of(1, 2, 3));
    expect(await failure(collect(at(1).getBlob(small.key, { range: { start: 0, end: 4 } })))).toBeInstanceOf(
      RangeError,
    );
  });
});

it('survives the loss of 4 of 20 nodes, and is repaired to 14 shards a stripe', {
  timeout: 120_000,
}, async () => {
  const net = await createTestnet(NODES);
  try {
    const at = (index: number) => net.nodes[index] as MoliaNode;
    const bytes = content(6, 3 * MIB);
    const { key, stripes } = await at(0).putBlob(bytes);
    expect(stripes).toBe(5);
    expect(await at(1).blobStatus(key)).toMatchObject({
      checked: 70,
      missing: 0,
      presentMin: 14,
      readable: 5,
    });
    await Promise.all([4, 9, 13, 17].map((i) => at(i).close()));
    const hurt = await at(1).blobStatus(key);
    expect(hurt.missing).toBeGreaterThan(0);
    expect(hurt.presentMin).toBeGreaterThanOrEqual(10);
    expect(hurt.readable).toBe(5);
    expect((await collect(at(1).getBlob(key))).equals(bytes)).toBe(true);
    expect(await at(2).repairBlob(key)).toMatchObject({
      missing: hurt.missing,
      rebuilt: hurt.missing,
      lost: 0,
    });
    expect(await at(3).blobStatus(key)).toMatchObject({ checked: 70, missing: 0, presentMin: 14 });
    expect(await at(3).blobStatus(key, { samples: 10 })).toMatchObject({
      checked: 50,
      missing: 0,
      readable: 5,
    });
    expect((await collect(at(5).getBlob(key))).equals(bytes)).toBe(true);
  } finally {
    await net.close();
  }
});
