/**
 * A blob's root, pages and shards back into content, or into shards that were lost (docs/spec/blobs.md): a stripe at a
 * time, in memory that does not grow with the content. No input or output inside: the host asks which blocks are needed,
 * fetches them however it likes and hands them in; each is checked against its hash, so that a wrong one is known,
 * and known by its index, before it touches anything.
 */
import { assert, blake3Into, equalBytes, intInRange, TAKEN, type Verdict } from '@molia/core';
import { type Block, BlockKind } from './blob-encoder.ts';
import { HASH_BYTES, SHARD_TRAILER_BYTES } from './constants.ts';
import { padded } from './kernel.ts';
import type { GaloisPort } from './kernel-native.ts';
import {
  BlobDrop,
  hashAt,
  Page,
  Root,
  readPage,
  readRoot,
  shardLength,
  stripeBytes,
  stripeLength,
  stripesPerPage,
} from './manifest.ts';
import { createReedSolomon, type ReedSolomon } from './reed-solomon.ts';
import { sealShard, wrapKeys } from './sealing.ts';

const NOTHING = /* @__PURE__ */ new Uint8Array(0);

export class BlobDecoder {
  /** The root's key: what to fetch first. */
  readonly rootHash: Uint8Array;
  private readonly galois: GaloisPort | undefined;
  private readonly readKey: Uint8Array | undefined;
  private readonly root = new Root();
  private readonly page = new Page();
  private stripeKeys: Uint8Array = NOTHING;
  private pageKeys: Uint8Array = NOTHING;
  private digest: Uint8Array = NOTHING;
  private rs: ReedSolomon | undefined;
  private shards: Uint8Array[] = [];
  private scratch: Uint8Array = NOTHING;
  private readonly hash = new Uint8Array(HASH_BYTES);
  /** The stripe at work, and what of it is asked for, in bytes of its content. */
  private stripe = -1;
  private from = 0;
  private to = 0;
  private bytes = 0;
  private present: Uint8Array = NOTHING;
  private wanted: Uint8Array = NOTHING;
  private count = 0;

  /**
   * `reference`: what the encoder gave, 32 or 64 bytes; the first 32 suffice to check and to repair a sealed blob.
   * `galois`: machine code to compute with.
   * Throws RangeError for another length.
   */
  constructor(reference: Uint8Array, galois?: GaloisPort) {
    if (reference.length !== HASH_BYTES && reference.length !== 2 * HASH_BYTES) {
      throw new RangeError(`reference: ${HASH_BYTES} or ${2 * HASH_BYTES} bytes, not ${reference.length}`);
    }
    this.galois = galois;
    this.rootHash = reference.slice(0, HASH_BYTES);
    this.readKey = reference.length > HASH_BYTES ? reference.slice(HASH_BYTES) : undefined;
  }

  /** The root's bytes. `TAKEN` or a `BlobDrop`. */
  handleRoot(bytes: Uint8Array): Verdict {
    if (!this.matches(bytes, 0, bytes.length, this.rootHash, 0)) return BlobDrop.HASH;
    const { root } = this;
    const verdict = readRoot(bytes, root);
    if (verdict < 0) return verdict;
    const { data, parity, shardBytes } = root;
    const room = shardBytes + SHARD_TRAILER_BYTES;
    const rs = createReedSolomon({
      data,
      parity,
      arenaBytes: (data + parity) * padded(room),
      galois: this.galois,
    });
    this.rs = rs;
    this.shards = Array.from({ length: data + parity }, () => rs.allocate(room));
    this.scratch = new Uint8Array(shardBytes);
    this.present = new Uint8Array(data + parity);
    this.wanted = new Uint8Array(data + parity);
    this.digest = root.digest;
    if (root.sealed && this.readKey !== undefined) {
      const wrapped = new Uint8Array(HASH_BYTES + root.pageKeys.length);
      wrapped.set(root.digest);
      wrapped.set(root.pageKeys, HASH_BYTES);
      const keys = wrapKeys(this.readKey, wrapped);
      this.digest = keys.subarray(0, HASH_BYTES);
      this.pageKeys = keys.subarray(HASH_BYTES);
    }
    return TAKEN;
  }

  /** Of the blob, once its root was taken. */
  get length(): number {
    return this.root.length;
  }
  get data(): number {
    return this.root.data;
  }
  get parity(): number {
    return this.root.parity;
  }
  get stripes(): number {
    return this.root.stripes;
  }
  get pages(): number {
    return this.root.pages;
  }
  get sealed(): boolean {
    return this.root.sealed;
  }
  /** Whether the content can be read: a sealed blob needs the second half of its reference. */
  get readable(): boolean {
    return !this.root.sealed || this.readKey !== undefined;
  }
  /** BLAKE3 of the content, as its maker says; cipher text where that cannot be read. */
  get contentHash(): Uint8Array {
    return this.digest.slice();
  }
  /** Content bytes of a full stripe. */
  get stripeBytes(): number {
    return stripeBytes(this.root);
  }

  /** The page that lists a stripe, counted from 0. */
  pageOf(stripe: number): number {
    return Math.floor(stripe / stripesPerPage(this.root));
  }

  /** Whether that page is the one held: one is at a time. */
  hasPage(page: number): boolean {
    return this.page.number === page;
  }

  /** Key of a page. Throws RangeError when there is no such page. */
  pageHash(page: number): Uint8Array {
    intInRange('page', page, 0, this.root.pages - 1);
    return this.root.pageHashes.slice(page * HASH_BYTES, (page + 1) * HASH_BYTES);
  }

  /** A page's bytes; it takes the place of the page before. `TAKEN` or a `BlobDrop`. */
  handlePage(page: number, bytes: Uint8Array): Verdict {
    intInRange('page', page, 0, this.root.pages - 1);
    if (!this.matches(bytes, 0, bytes.length, this.root.pageHashes, page * HASH_BYTES)) return BlobDrop.HASH;
    const verdict = readPage(bytes, this.root, page, this.page);
    if (verdict < 0) return verdict;
    this.stripe = -1;
    if (this.pageKeys.length > 0) {
      const key = this.pageKeys.slice(page * HASH_BYTES, (page + 1) * HASH_BYTES);
      this.stripeKeys = wrapKeys(key, this.page.stripeKeys);
    }
    return TAKEN;
  }

  /**
   * Starts on a stripe, whose page is held, for its content from `from` up to `to` (default: all of it), counted in
   * the stripe; what was handed in of another is forgotten. Throws RangeError outside, TypeError without the page.
   */
  begin(stripe: number, from = 0, to = this.contentOf(stripe)): void {
    intInRange('stripe', stripe, 0, this.root.stripes - 1);
    const content = this.contentOf(stripe);
    intInRange('to', to, 0, content);
    intInRange('from', from, 0, to);
    if (!this.hasPage(this.pageOf(stripe))) throw new TypeError(`page ${this.pageOf(stripe)} is not held`);
    this.stripe = stripe;
    this.from = from;
    this.to = to;
    this.bytes = shardLength(this.root, content);
    this.count = 0;
    this.present.fill(0);
    this.wanted.fill(0);
    if (to > from) {
      const last = Math.floor((to - 1) / this.bytes);
      for (let i = Math.floor(from / this.bytes); i <= last; i++) this.wanted[i] = 1;
    }
  }

  /** Content bytes of a stripe. */
  contentOf(stripe: number): number {
    return stripeLength(this.root, this.root.length, stripe);
  }

  /** Whether the range asked for needs this data shard; any `data` shards do in place of those that are needed. */
  needs(index: number): boolean {
    return this.wanted[index] === 1;
  }

  /** Key of a shard of the stripe at work. */
  shardHash(index: number): Uint8Array {
    const at = hashAt(this.root, this.local(), intInRange('index', index, 0, this.shards.length - 1));
    return this.page.hashes.slice(at, at + HASH_BYTES);
  }

  /** The hash of the stripe at work: BLAKE3 of its shards' hashes. */
  get stripeHash(): Uint8Array {
    const at = hashAt(this.root, this.local(), -1);
    return this.page.hashes.slice(at, at + HASH_BYTES);
  }

  /**
   * A shard of the stripe at work, `length` bytes at `offset`, copied. HASH: these are not its bytes, whoever sent
   * them lied or was hurt, and it is still missing. UNWANTED: it is there already.
   */
  handleShard(index: number, bytes: Uint8Array, offset: number, length: number): Verdict {
    const at = hashAt(this.root, this.local(), intInRange('index', index, 0, this.shards.length - 1));
    intInRange('offset', offset, 0, bytes.length);
    intInRange('length', length, 0, bytes.length - offset);
    if (this.present[index] !== 0) return BlobDrop.UNWANTED;
    if (!this.matches(bytes, offset, length, this.page.hashes, at)) return BlobDrop.HASH;
    // Right by its hash, and still wrong: its maker said so.
    if (length !== this.bytes + SHARD_TRAILER_BYTES || bytes[offset + length - 1] !== index)
      return BlobDrop.FORM;
    (this.shards[index] as Uint8Array).set(bytes.subarray(offset, offset + length));
    this.present[index] = 1;
    this.count++;
    return TAKEN;
  }

  /** Whether `read` has what it needs: all the data shards of the range, or any `data` shards. */
  get isReady(): boolean {
    if (this.count >= this.root.data) return true;
    for (let i = 0; i < this.root.data; i++) if (this.wanted[i] === 1 && this.present[i] === 0) return false;
    return true;
  }

  /** Shards of the stripe at work that were handed in. */
  get held(): number {
    return this.count;
  }

  /**
   * Writes the range of the stripe at work to `out` and returns its bytes. Throws TypeError before `isReady` and for a sealed
   * blob without its key, RangeError when `out` is too small.
   */
  read(out: Uint8Array, outOffset: number): number {
    if (!this.isReady) throw new TypeError('too few shards were handed in');
    if (!this.readable) throw new TypeError('the blob is sealed and the reference lacks its key');
    intInRange('outOffset', outOffset, 0, out.length - (this.to - this.from));
    this.recover();
    const key = this.stripeKeys.slice(this.local() * HASH_BYTES, (this.local() + 1) * HASH_BYTES);
    for (let at = this.from; at < this.to; ) {
      const index = Math.floor(at / this.bytes);
      const within = at - index * this.bytes;
      const part = Math.min(this.bytes - within, this.to - at);
      let plain = this.shards[index] as Uint8Array;
      if (this.root.sealed) {
        // A copy: the shard itself may still serve a repair.
        this.scratch.set(plain.subarray(0, this.bytes));
        plain = this.scratch;
        sealShard(key, index, plain.subarray(0, this.bytes));
      }
      out.set(plain.subarray(within, within + part), outOffset + at - this.from);
      at += part;
    }
    return this.to - this.from;
  }

  /**
   * A shard of the stripe at work that was not handed in, made from `data` others, and checked: what `handleShard` would take.
   * FORM: its hash is another, so the blob was made wrong. Throws TypeError with too few shards. `out.bytes` is
   * borrowed until the next call.
   */
  rebuild(index: number, out: Block): Verdict {
    const at = hashAt(this.root, this.local(), intInRange('index', index, 0, this.shards.length - 1));
    if (this.present[index] === 0) {
      if (this.count < this.root.data) throw new TypeError('too few shards were handed in');
      this.wanted.fill(0);
      this.wanted[index] = 1;
      this.recover();
    }
    const shard = this.shards[index] as Uint8Array;
    shard[this.bytes] = index;
    out.kind = BlockKind.SHARD;
    out.number = this.stripe;
    out.index = index;
    out.bytes = shard;
    out.length = this.bytes + SHARD_TRAILER_BYTES;
    if (!this.matches(shard, 0, out.length, this.page.hashes, at)) return BlobDrop.FORM;
    out.hash.set(this.hash);
    return TAKEN;
  }

  /** Reconstructs what is wanted and not present; it does not count as present. */
  private recover(): void {
    const { present, wanted } = this;
    for (let i = 0; i < wanted.length; i++) if (present[i] !== 0) wanted[i] = 0;
    const done = this.rs?.reconstruct(this.shards, present, wanted, 0, this.bytes);
    // Where nothing is missing, fewer shards than a reconstruction needs will do.
    assert(done || !wanted.includes(1), 'isReady was checked');
  }

  private local(): number {
    if (this.stripe < 0) throw new TypeError('no stripe was begun');
    return this.stripe - this.page.number * stripesPerPage(this.root);
  }

  private matches(bytes: Uint8Array, offset: number, length: number, hash: Uint8Array, at: number): boolean {
    blake3Into(this.hash, 0, bytes, offset, length);
    return equalBytes(this.hash, 0, hash, at, HASH_BYTES);
  }
}
