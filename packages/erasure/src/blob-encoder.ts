/**
 * Content into shards, pages and a root (docs/spec/blobs.md), a stripe at a time: memory does not grow with the
 * content but for 32 bytes (64 sealed) a page, one page for some 80 MiB. No input or output inside: the host hands in
 * chunks and stores the blocks that come out, before it hands in more.
 */
import { assert, Blake3Hasher, blake3Into, intInRange, type Rng } from '@molia/core';
import { HASH_BYTES, SHARD_BYTES_DEFAULT, SHARD_BYTES_MAX, SHARD_TRAILER_BYTES } from './constants.ts';
import { padded } from './kernel.ts';
import type { GaloisPort } from './kernel-native.ts';
import {
  contentBytesMax,
  type Layout,
  shardLength,
  stripeBytes,
  stripesPerPage,
  writePage,
  writeRoot,
} from './manifest.ts';
import { type Coding, checkCoding, createReedSolomon, type ReedSolomon } from './reed-solomon.ts';
import { contentDigest, convergentKeys, type KeyMaker, randomKeys, sealShard, wrapKeys } from './sealing.ts';

/** What a block is. */
export const BlockKind = { SHARD: 1, PAGE: 2, ROOT: 3 } as const;

/** One value to store, from `pollBlock`: a slot that the host keeps and passes every time. */
export interface Block {
  kind: number;
  /** Of a shard: its stripe. Of a page: its number. */
  number: number;
  /** Of a shard: which of its stripe, data first. */
  index: number;
  /** Borrowed until the next call of the encoder. */
  bytes: Uint8Array;
  /** Bytes from 0 on. */
  length: number;
  /** BLAKE3 of them: the key of the record. */
  readonly hash: Uint8Array;
}

export function createBlock(): Block {
  return { kind: 0, number: 0, index: 0, bytes: NOTHING, length: 0, hash: new Uint8Array(HASH_BYTES) };
}

/** How content is sealed: not at all, by keys from the content itself, or by random ones. */
export type Sealing = 'none' | 'convergent' | 'random';

/** Options of {@link BlobEncoder}. */
export interface BlobEncoderOptions {
  readonly coding: Coding;
  /** Bytes of content in a shard of a full stripe, 1 to 65 535. Default 65 472. */
  readonly shardBytes?: number;
  /** Default `'none'`. */
  readonly sealing?: Sealing;
  /** Needed for `'random'`. */
  readonly rng?: Rng;
  /** Machine code to compute with. */
  readonly galois?: GaloisPort | undefined;
}

const NOTHING = /* @__PURE__ */ new Uint8Array(0);

export class BlobEncoder {
  readonly layout: Layout;
  private readonly rs: ReedSolomon;
  private readonly shards: Uint8Array[];
  private readonly keys: KeyMaker | undefined;
  private readonly content = new Blake3Hasher();
  private readonly scratch: Uint8Array;
  /** Bytes taken so far. */
  private taken = 0;
  /** Content in the stripe at work. */
  private filled = 0;
  private stripe = 0;
  /** Next shard of the stripe to hand out, -1 = the stripe still fills. */
  private handing = -1;
  private shardBytesNow = 0;
  /** Of the page at work. */
  private readonly shardHashes: Uint8Array;
  private readonly stripeKeys: Uint8Array;
  private pageStripes = 0;
  /** Of all pages so far. BOUNDED: by `contentBytesMax`. */
  private readonly pageHashes: Uint8Array[] = [];
  private readonly pageKeys: Uint8Array[] = [];
  private ending = false;
  private finished: Uint8Array | undefined;

  /** Memory: a stripe and a page. Throws RangeError for a coding or a size that cannot be, TypeError without a needed rng. */
  constructor(options: BlobEncoderOptions) {
    const { data, parity } = checkCoding(options.coding);
    const shardBytes = intInRange(
      'shardBytes',
      options.shardBytes ?? SHARD_BYTES_DEFAULT,
      1,
      SHARD_BYTES_MAX,
    );
    const sealing = options.sealing ?? 'none';
    this.layout = { data, parity, shardBytes, sealed: sealing !== 'none' };
    this.keys = keyMaker(sealing, options.rng);
    const room = shardBytes + SHARD_TRAILER_BYTES;
    this.rs = createReedSolomon({
      data,
      parity,
      arenaBytes: (data + parity) * padded(room),
      galois: options.galois,
    });
    this.shards = Array.from({ length: data + parity }, () => this.rs.allocate(room));
    this.scratch = new Uint8Array(HASH_BYTES);
    this.shardHashes = new Uint8Array(stripesPerPage(this.layout) * (data + parity) * HASH_BYTES);
    this.stripeKeys = new Uint8Array(stripesPerPage(this.layout) * HASH_BYTES);
  }

  /** Bytes of content taken so far. */
  get length(): number {
    return this.taken;
  }

  /**
   * Takes bytes of the content, copied, and returns how many: fewer than `length` when a stripe is full. Its blocks are then
   * to be polled, all of them, before more is taken. Throws RangeError for a range outside the array and beyond the
   * longest content (some 80 GB and more), TypeError after `handleEnd`.
   */
  handleChunk(bytes: Uint8Array, offset: number, length: number): number {
    if (this.ending) throw new TypeError('the content has ended');
    intInRange('offset', offset, 0, bytes.length);
    intInRange('length', length, 0, bytes.length - offset);
    if (this.handing >= 0) return 0;
    const { shardBytes } = this.layout;
    const take = Math.min(length, stripeBytes(this.layout) - this.filled);
    if (this.taken + take > contentBytesMax(this.layout)) {
      throw new RangeError(`content: a blob of this layout holds ${contentBytesMax(this.layout)} bytes`);
    }
    for (let done = 0; done < take; ) {
      const within = this.filled % shardBytes;
      const part = Math.min(take - done, shardBytes - within);
      const shard = this.shards[Math.floor(this.filled / shardBytes)] as Uint8Array;
      shard.set(bytes.subarray(offset + done, offset + done + part), within);
      done += part;
      this.filled += part;
    }
    this.content.update(bytes, offset, take);
    this.taken += take;
    if (this.filled === stripeBytes(this.layout)) this.closeStripe();
    return take;
  }

  /** No more content: what is left becomes the last stripe, then the last page and the root come out. */
  handleEnd(): void {
    if (this.ending) return;
    this.ending = true;
    if (this.handing < 0 && this.filled > 0) this.closeStripe();
  }

  /** The next block to store; false when none is ready. Shards come first, a page after its stripes, the root last. */
  pollBlock(out: Block): boolean {
    if (this.handing >= 0) {
      this.handShard(out);
      return true;
    }
    const full = this.pageStripes === stripesPerPage(this.layout);
    if (full || (this.ending && this.pageStripes > 0)) {
      this.handPage(out);
      return true;
    }
    if (!this.ending || this.finished !== undefined) return false;
    this.handRoot(out);
    return true;
  }

  /**
   * What finds the blob again, once the root was polled: the root's key, and when sealed the key that reads it, 32 bytes each.
   * Throws TypeError before.
   */
  get reference(): Uint8Array {
    if (this.finished === undefined) throw new TypeError('the root was not polled yet');
    return this.finished;
  }

  private closeStripe(): void {
    const { layout, shards, filled } = this;
    const bytes = shardLength(layout, filled);
    this.shardBytesNow = bytes;
    if (filled < stripeBytes(layout)) this.relay(bytes);
    if (this.keys !== undefined) {
      const key = this.keys.stripeKey(contentDigest(shards, bytes, filled), this.stripe);
      this.stripeKeys.set(key, this.pageStripes * HASH_BYTES);
      for (let i = 0; i < layout.data; i++) sealShard(key, i, (shards[i] as Uint8Array).subarray(0, bytes));
    }
    this.rs.encode(shards, 0, bytes);
    for (let i = 0; i < shards.length; i++) (shards[i] as Uint8Array)[bytes] = i;
    this.handing = 0;
  }

  /** Spreads a short last stripe evenly: `bytes` in each data shard, zeros after the end. */
  private relay(bytes: number): void {
    const { shards, filled } = this;
    const { data, shardBytes } = this.layout;
    // From the end down: content only moves to where content was that has been moved already.
    for (let i = data - 1; i >= 0; i--) {
      const shard = shards[i] as Uint8Array;
      const start = Math.min(filled, i * bytes);
      const end = Math.min(filled, start + bytes);
      for (let to = end; to > start; ) {
        const source = Math.floor((to - 1) / shardBytes);
        const from = Math.max(start, source * shardBytes);
        const within = from - source * shardBytes;
        const piece = (shards[source] as Uint8Array).subarray(within, within + to - from);
        shard.set(piece, from - start);
        to = from;
      }
      shard.fill(0, end - start, bytes);
    }
  }

  private handShard(out: Block): void {
    const index = this.handing;
    out.kind = BlockKind.SHARD;
    out.number = this.stripe;
    out.index = index;
    out.bytes = this.shards[index] as Uint8Array;
    out.length = this.shardBytesNow + SHARD_TRAILER_BYTES;
    blake3Into(out.hash, 0, out.bytes, 0, out.length);
    this.shardHashes.set(out.hash, (this.pageStripes * this.shards.length + index) * HASH_BYTES);
    this.handing++;
    if (this.handing < this.shards.length) return;
    this.handing = -1;
    this.filled = 0;
    this.stripe++;
    this.pageStripes++;
  }

  private handPage(out: Block): void {
    const { layout, pageStripes, keys } = this;
    const number = this.pageHashes.length;
    let wrapped: Uint8Array = NOTHING;
    if (keys !== undefined) {
      const stripeKeys = this.stripeKeys.subarray(0, pageStripes * HASH_BYTES);
      const pageKey = keys.pageKey(stripeKeys, number);
      this.pageKeys.push(pageKey);
      wrapped = wrapKeys(pageKey, stripeKeys);
    }
    out.bytes = writePage(layout, number, pageStripes, this.shardHashes, wrapped);
    this.describe(out, BlockKind.PAGE, number);
    this.pageHashes.push(out.hash.slice());
    this.pageStripes = 0;
  }

  private handRoot(out: Block): void {
    const { layout, keys } = this;
    const digest = this.scratch;
    this.content.digestInto(digest, 0);
    const hashes = joined(this.pageHashes);
    let readKey: Uint8Array = NOTHING;
    let pageKeys: Uint8Array = NOTHING;
    let digestOut: Uint8Array = digest;
    if (keys !== undefined) {
      readKey = keys.readKey(digest, layout);
      const wrapped = wrapKeys(readKey, joined([digest, ...this.pageKeys]));
      digestOut = wrapped.subarray(0, HASH_BYTES);
      pageKeys = wrapped.subarray(HASH_BYTES);
    }
    out.bytes = writeRoot(layout, this.taken, digestOut, hashes, pageKeys);
    this.describe(out, BlockKind.ROOT, 0);
    this.finished = joined([out.hash, readKey]);
  }

  private describe(out: Block, kind: number, number: number): void {
    out.kind = kind;
    out.number = number;
    out.index = 0;
    out.length = out.bytes.length;
    assert(out.length > 0, 'a page and a root are never empty');
    blake3Into(out.hash, 0, out.bytes, 0, out.length);
  }
}

function keyMaker(sealing: Sealing, rng: Rng | undefined): KeyMaker | undefined {
  if (sealing === 'none') return undefined;
  if (sealing === 'convergent') return convergentKeys;
  if (sealing !== 'random') {
    throw new RangeError(`sealing: 'none', 'convergent' or 'random', not ${JSON.stringify(sealing)}`);
  }
  if (rng === undefined) throw new TypeError("sealing: 'random' needs an rng");
  const secret = new Uint8Array(HASH_BYTES);
  rng.fill(secret, 0, HASH_BYTES);
  return randomKeys(secret);
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
