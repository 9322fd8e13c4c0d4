import { blake3, createSeededRng, randomBelow, TAKEN, toHex } from '@molia/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BLOCK_BYTES_MAX,
  BlobDecoder,
  BlobDrop,
  BlobEncoder,
  BlockKind,
  CODINGS,
  createBlock,
  Page,
  Root,
  readPage,
  readRoot,
  type Sealing,
} from '../src/index.ts';
import { begin, fetchShards, load, open, randomBytes, shardsOf, store } from './support/blobs.ts';
import vectors from './vectors/blob.json' with { type: 'json' };

const SEED = 0x6d6f6c69;
const rng = createSeededRng(SEED);
const SEALINGS: Sealing[] = ['none', 'convergent', 'random'];
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** Small stripes, so that a few kilobytes are many of them. */
const small = (sealing: Sealing, shardBytes = 16) => ({ coding: CODINGS['6:3'], shardBytes, sealing, rng });

it('makes the blocks of the committed vectors', () => {
  for (const { coding, shardBytes, sealing, content, reference, blocks } of vectors.cases) {
    const bytes = Uint8Array.from({ length: content.bytes }, (_, i) => (i * content.step) % 251);
    const stored = store(bytes, { coding, shardBytes, sealing: sealing as Sealing });
    expect(toHex(stored.reference.subarray(0, 32)) + toHex(stored.reference.subarray(32))).toBe(reference);
    expect(stored.order.map(({ key }) => key)).toEqual(blocks.map(({ key }) => key));
    for (const { key, hex } of blocks) {
      if (hex !== undefined)
        expect(Buffer.from(stored.records.get(key) as Uint8Array).toString('hex')).toBe(hex);
    }
  }
});

describe.each(SEALINGS)('sealing %s', (sealing) => {
  it('gives content of every length back, whatever the chunks', () => {
    for (let length = 0; length <= 3 * 96 + 1; length++) {
      const content = randomBytes(length, length);
      const stored = store(content, small(sealing), 1 + (length % 23));
      const decoder = open(stored);
      expect(decoder.length).toBe(length);
      expect(same(load(stored, decoder, 0, length), content)).toBe(true);
      expect(toHex(decoder.contentHash)).toBe(toHex(blake3(content)));
    }
  });

  it('gives ranges back over many pages', () => {
    const content = randomBytes(7, 120_000);
    const stored = store(content, { coding: { data: 2, parity: 1 }, shardBytes: 16, sealing, rng });
    const decoder = open(stored);
    expect(decoder.pages).toBeGreaterThan(6);
    fc.assert(
      fc.property(fc.nat(content.length), fc.nat(content.length), (a, b) => {
        const [start, end] = [Math.min(a, b), Math.min(Math.max(a, b), Math.min(a, b) + 2000)];
        expect(same(load(stored, decoder, start, end), content.subarray(start, end))).toBe(true);
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('reads without any parity of the stripes, for every combination of losses', () => {
    const content = randomBytes(3, 150);
    const whole = store(content, small(sealing));
    for (let mask = 0; mask < 2 ** 9; mask++) {
      const stored = { ...whole, records: new Map(whole.records) };
      for (const keys of shardsOf(whole)) {
        for (const [i, key] of keys.entries()) if ((mask >> i) & 1) stored.records.delete(key);
      }
      const lost = mask.toString(2).replaceAll('0', '').length;
      const decoder = open(stored);
      if (lost <= 3) expect(same(load(stored, decoder, 0, 150), content)).toBe(true);
      else if ((mask & 63) !== 0) expect(() => load(stored, decoder, 0, 150)).toThrow(/too few shards/);
    }
  });

  it('rebuilds lost shards as they were, with or without the key', () => {
    const whole = store(randomBytes(4, 200), small(sealing));
    const decoder = open(whole, whole.reference.slice(0, 32));
    const block = createBlock();
    for (const [stripe, keys] of shardsOf(whole).entries()) {
      begin(whole, decoder, stripe);
      expect(() => decoder.rebuild(0, block)).toThrow(/too few shards/);
      fetchShards(whole, decoder, [0, 2, 4, 5, 6, 8]);
      expect(decoder.held).toBe(6);
      for (const index of [1, 3, 7, 0]) {
        expect(decoder.rebuild(index, block)).toBe(TAKEN);
        expect(toHex(block.hash)).toBe(keys[index]);
        expect(
          same(block.bytes.subarray(0, block.length), whole.records.get(keys[index] as string) as Uint8Array),
        ).toBe(true);
      }
      expect(decoder.stripeHash).toEqual(
        blake3(Uint8Array.from(keys.flatMap((key) => [...Buffer.from(key, 'hex')]))),
      );
    }
    if (sealing !== 'none') {
      expect(decoder.readable).toBe(false);
      expect(() => decoder.read(new Uint8Array(1000), 0)).toThrow(/sealed/);
    }
  });
});

it('a read of a range fetches the data shards that hold it and nothing else', () => {
  const stored = store(randomBytes(1, 500), small('none'));
  const decoder = open(stored);
  begin(stored, decoder, 1, 20, 40);
  const needed = [0, 1, 2, 3, 4, 5].filter((i) => decoder.needs(i));
  expect(needed).toEqual([1, 2]);
  fetchShards(stored, decoder, needed);
  expect(decoder.isReady).toBe(true);
});

it('tells a wrong shard by its index, replaces it, and never lets it touch the content', () => {
  const content = randomBytes(5, 96);
  const stored = store(content, small('none'));
  const decoder = open(stored);
  begin(stored, decoder, 0);
  const keys = shardsOf(stored)[0] as string[];
  const bytes = (i: number) => stored.records.get(keys[i] as string) as Uint8Array;
  for (let bit = 0; bit < 8 * 17; bit++) {
    const wrong = bytes(0).slice();
    wrong[bit >> 3] = (wrong[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(decoder.handleShard(0, wrong, 0, wrong.length)).toBe(BlobDrop.HASH);
  }
  expect(decoder.handleShard(0, bytes(1), 0, 17)).toBe(BlobDrop.HASH);
  expect(decoder.handleShard(0, bytes(0), 0, 16)).toBe(BlobDrop.HASH);
  expect(decoder.held).toBe(0);
  fetchShards(stored, decoder, [1, 2, 3, 4, 5]);
  expect(decoder.isReady).toBe(false);
  expect(decoder.handleShard(1, bytes(1), 0, 17)).toBe(BlobDrop.UNWANTED);
  fetchShards(stored, decoder, [8]);
  const out = new Uint8Array(96);
  expect(decoder.read(out, 0)).toBe(96);
  expect(same(out, content)).toBe(true);
});

describe('deduplication', () => {
  it('the same content gives the same blob, plain or convergent, and another one under random keys', () => {
    const content = randomBytes(6, 1000);
    for (const sealing of SEALINGS) {
      const [a, b] = [store(content, small(sealing)), store(content, small(sealing), 7)];
      expect(same(a.reference, b.reference)).toBe(sealing !== 'random');
    }
  });
  it('a change in one stripe leaves the shards of the others as they are', () => {
    const content = randomBytes(8, 960);
    const changed = content.slice();
    changed[500] = (changed[500] as number) ^ 1;
    for (const sealing of ['none', 'convergent'] as const) {
      const [a, b] = [shardsOf(store(content, small(sealing))), shardsOf(store(changed, small(sealing)))];
      for (const [stripe, keys] of a.entries()) {
        if (stripe === 5) expect(b[stripe]).not.toEqual(keys);
        else expect(b[stripe]).toEqual(keys);
      }
    }
  });
  it('equal shards of one stripe are still different records', () => {
    const stored = store(new Uint8Array(96), small('none'));
    expect(new Set(shardsOf(stored)[0]).size).toBe(9);
  });
  it('another coding of one content has other keys throughout', () => {
    const content = randomBytes(9, 300);
    const a = store(content, { ...small('convergent'), coding: { data: 6, parity: 3 } });
    const b = store(content, { ...small('convergent'), coding: { data: 6, parity: 4 } });
    expect(same(a.reference.subarray(32), b.reference.subarray(32))).toBe(false);
  });
});

it('sealed blocks hold no byte of the content in clear', () => {
  const content = new Uint8Array(6 * 1024).fill(0x41);
  for (const sealing of ['convergent', 'random'] as const) {
    const stored = store(content, small(sealing, 1024));
    for (const bytes of stored.records.values()) {
      expect(Buffer.from(bytes).includes(Buffer.from('AAAA'))).toBe(false);
      expect(Buffer.from(bytes).includes(Buffer.from(blake3(content)))).toBe(false);
    }
  }
});

it('holds full-sized stripes, each block within what a record holds', () => {
  const content = randomBytes(10, 1_500_000);
  const stored = store(content, { coding: CODINGS['10:4'], sealing: 'convergent' }, 65_536);
  expect(Math.max(...[...stored.records.values()].map((bytes) => bytes.length))).toBeLessThanOrEqual(
    BLOCK_BYTES_MAX,
  );
  expect(shardsOf(stored).length).toBe(3);
  for (const keys of shardsOf(stored))
    for (const i of [0, 3, 9, 12]) stored.records.delete(keys[i] as string);
  expect(same(load(stored, open(stored), 0, content.length), content)).toBe(true);
});

it('what lay in memory before does not show in a short last stripe', () => {
  for (let tail = 1; tail < 96; tail++) {
    const content = randomBytes(tail, 96 + tail).fill(0xff, 0, 96);
    const [long, short] = [
      shardsOf(store(content, small('none'))),
      shardsOf(store(content.slice(96), small('none'))),
    ];
    expect(long[1]).toEqual(short[0]);
  }
});

it('one engine in constant memory: many stripes reuse the same shards', () => {
  const encoder = new BlobEncoder(small('none'));
  const block = createBlock();
  const buffers = new Set<Uint8Array>();
  const piece = new Uint8Array(96);
  for (let stripe = 0; stripe < 100; stripe++) {
    piece[0] = stripe;
    expect(encoder.handleChunk(piece, 0, 96)).toBe(96);
    expect(encoder.handleChunk(piece, 0, 96)).toBe(0);
    while (encoder.pollBlock(block)) if (block.kind === BlockKind.SHARD) buffers.add(block.bytes);
  }
  expect(buffers.size).toBe(9);
});

describe('misuse', () => {
  it.each([
    [
      'a reference that is none',
      () => new BlobDecoder(new Uint8Array(33)),
      /^reference: 32 or 64 bytes, not 33/,
    ],
    [
      'shards too large for a record',
      () => new BlobEncoder({ coding: CODINGS['6:3'], shardBytes: 65_536 }),
      /^shardBytes must be/,
    ],
    [
      'an unknown sealing',
      () => new BlobEncoder({ coding: CODINGS['6:3'], sealing: 'x' as Sealing }),
      /^sealing: /,
    ],
    [
      'a range outside',
      () => new BlobEncoder(small('none')).handleChunk(new Uint8Array(4), 2, 3),
      /^length must be/,
    ],
  ])('%s', (_, call, message) => {
    expect(call).toThrow(RangeError);
    expect(call).toThrow(message);
  });
  it('calls out of turn', () => {
    expect(() => new BlobEncoder({ coding: CODINGS['6:3'], sealing: 'random' })).toThrow(/needs an rng/);
    const encoder = new BlobEncoder(small('none'));
    expect(() => encoder.reference).toThrow(TypeError);
    encoder.handleEnd();
    expect(() => encoder.handleChunk(new Uint8Array(1), 0, 1)).toThrow(/has ended/);
    const stored = store(randomBytes(1, 200), small('none'));
    const decoder = open(stored);
    expect(() => decoder.begin(0)).toThrow(/page 0 is not held/);
    expect(() => decoder.shardHash(0)).toThrow(/no stripe/);
    expect(() => decoder.pageHash(1)).toThrow(RangeError);
    begin(stored, decoder, 0);
    expect(() => decoder.begin(3)).toThrow(RangeError);
    expect(() => decoder.begin(0, 5, 4)).toThrow(RangeError);
    expect(() => decoder.read(new Uint8Array(96), 0)).toThrow(/too few shards/);
  });
});

describe('the manifest reader', () => {
  const stored = store(randomBytes(2, 6000), {
    coding: { data: 2, parity: 1 },
    shardBytes: 4,
    sealing: 'convergent',
  });
  const block = (kind: number) =>
    stored.records.get(stored.order.find((b) => b.kind === kind)?.key as string) as Uint8Array;

  it('refuses a version and flags it does not know, and every field that contradicts the rest', () => {
    const bytes = block(BlockKind.ROOT);
    const root = new Root();
    expect(readRoot(bytes, root)).toBe(TAKEN);
    const altered = (at: number, value: number) => bytes.map((byte, i) => (i === at ? value : byte));
    expect(readRoot(altered(4, 2), root)).toBe(BlobDrop.VERSION);
    expect(readRoot(altered(5, 3), root)).toBe(BlobDrop.VERSION);
    for (const [at, value] of [
      [0, 0],
      [5, 0],
      [6, 0],
      [7, 0],
      [6, 255],
      [11, 0],
      [15, 9],
      [16, 1],
      [21, 1],
      [27, 1],
    ] as const) {
      expect(readRoot(altered(at, value), root)).toBe(BlobDrop.FORM);
    }
    expect(readRoot(bytes.slice(0, -1), root)).toBe(BlobDrop.FORM);
    expect(root.length).toBe(6000);
    const page = new Page();
    const first = block(BlockKind.PAGE);
    expect(readPage(first, root, 0, page)).toBe(TAKEN);
    expect(readPage(first, root, 1, page)).toBe(BlobDrop.FORM);
    expect(
      readPage(
        first.map((b, i) => (i === 20 ? b ^ 1 : b)),
        root,
        0,
        page,
      ),
    ).toBe(BlobDrop.FORM);
  });

  it('never throws on anything, and keeps what it had of what it refuses', () => {
    const source = createSeededRng(SEED);
    const whole = new Root();
    expect(readRoot(block(BlockKind.ROOT), whole)).toBe(TAKEN);
    const first = block(BlockKind.PAGE);
    let taken = 0;
    for (let run = 0; run < 20_000; run++) {
      const mutate = (from: Uint8Array): Uint8Array => {
        const bytes = from.slice(
          0,
          randomBelow(source, 4) === 0 ? randomBelow(source, from.length + 1) : undefined,
        );
        const changes = bytes.length === 0 ? 0 : randomBelow(source, 4);
        for (let i = 0; i < changes; i++) {
          bytes[randomBelow(source, Math.min(bytes.length, 100))] = randomBelow(source, 256);
        }
        return bytes;
      };
      const root = new Root();
      const bytes = mutate(block(BlockKind.ROOT));
      const verdict = readRoot(bytes, root);
      if (verdict === TAKEN) {
        taken++;
        expect(root.pages * 64 + 64).toBeLessThanOrEqual(BLOCK_BYTES_MAX);
        expect(root.pageHashes.length).toBe(root.pages * 32);
      } else expect([root.length, root.data, root.pageHashes.length]).toEqual([0, 0, 0]);
      const page = new Page();
      const pageVerdict = readPage(mutate(first), verdict === TAKEN ? root : whole, 0, page);
      if (pageVerdict !== TAKEN) expect(page.number).toBe(-1);
    }
    expect(taken).toBeGreaterThan(1000);
    for (let run = 0; run < 5_000; run++) {
      const bytes = randomBytes(run, randomBelow(source, 300));
      expect(readRoot(bytes, new Root())).toBeLessThan(0);
      expect(readPage(bytes, whole, 0, new Page())).toBeLessThan(0);
    }
  });

  it('a decoder takes nothing whose hash is not the one asked for', () => {
    const decoder = new BlobDecoder(stored.reference);
    const bytes = block(BlockKind.ROOT).slice();
    bytes[40] = (bytes[40] as number) ^ 1;
    expect(decoder.handleRoot(bytes)).toBe(BlobDrop.HASH);
    expect(decoder.handleRoot(block(BlockKind.ROOT))).toBe(TAKEN);
    expect(decoder.handlePage(1, block(BlockKind.PAGE))).toBe(BlobDrop.HASH);
  });
});
