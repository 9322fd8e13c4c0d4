/**
 * The blob manifest, byte for byte (docs/spec/blobs.md): a root, whose hash names the blob, and pages with the hashes
 * of every shard and stripe. Fixed layouts rather than protobuf: the same content must give the same bytes, hence the
 * same key, and a page is a table of 32-byte fields that is read by offset. Numbers are big endian.
 * Reading never throws and keeps nothing of what it refuses: whoever made a blob chose its bytes.
 */
import { blake3Into, equalBytes, TAKEN, type Verdict } from '@molia/core';
import {
  BLOCK_BYTES_MAX,
  HASH_BYTES,
  MANIFEST_VERSION,
  PAGE_HEADER_BYTES,
  ROOT_HEADER_BYTES,
  SHARD_BYTES_MAX,
  SHARDS_MAX,
} from './constants.ts';

/** Why a block of a blob is refused; all are below 0. */
export const BlobDrop = {
  /** Not the bytes that the blob's key or a page of it asks for. */
  HASH: -1,
  /** A manifest that breaks its layout or contradicts itself. */
  FORM: -2,
  /** A version, or a flag, that this program does not know. */
  VERSION: -3,
  /** A shard that is there already, or that nothing asked for. */
  UNWANTED: -4,
} as const;

const ROOT_MAGIC = 0x4d4f4c42; // 'MOLB'
const PAGE_MAGIC = 0x4d4f4c50; // 'MOLP'
const FLAG_SEALED = 1;
const MAGIC_AT = 0;
const VERSION_AT = 4;
const FLAGS_AT = 5;
const DATA_AT = 6;
const PARITY_AT = 7;
/** Of a root. */
const SHARD_BYTES_AT = 8;
const PAGES_AT = 12;
const LENGTH_AT = 16;
const RESERVED_AT = 24;
const DIGEST_AT = 32;
/** Of a page. */
const NUMBER_AT = 8;
const STRIPES_AT = 12;

/** What a blob's bytes are cut into. */
export interface Layout {
  readonly data: number;
  readonly parity: number;
  /** Bytes of content in each data shard of a full stripe. */
  readonly shardBytes: number;
  readonly sealed: boolean;
}

/** Bytes of one stripe in a page: its hash, its shards' hashes, and its wrapped key when sealed. */
const entryBytes = (layout: Layout): number =>
  HASH_BYTES * (1 + layout.data + layout.parity + (layout.sealed ? 1 : 0));

/** Stripes of a full page. */
export function stripesPerPage(layout: Layout): number {
  return Math.floor((BLOCK_BYTES_MAX - PAGE_HEADER_BYTES) / entryBytes(layout));
}

/** Pages that a root has room for. */
export function pagesMax(layout: Layout): number {
  return Math.floor((BLOCK_BYTES_MAX - ROOT_HEADER_BYTES) / (HASH_BYTES * (layout.sealed ? 2 : 1)));
}

/** Bytes of content in a full stripe. */
export const stripeBytes = (layout: Layout): number => layout.data * layout.shardBytes;

/** Bytes of content that one blob holds at most. */
export function contentBytesMax(layout: Layout): number {
  return pagesMax(layout) * stripesPerPage(layout) * stripeBytes(layout);
}

/** Stripes of `length` bytes. */
export const stripesOf = (layout: Layout, length: number): number => Math.ceil(length / stripeBytes(layout));

const pagesOf = (layout: Layout, length: number): number =>
  Math.ceil(stripesOf(layout, length) / stripesPerPage(layout));

/** Content bytes of a stripe in a blob of `length`. */
export function stripeLength(layout: Layout, length: number, stripe: number): number {
  return Math.min(stripeBytes(layout), length - stripe * stripeBytes(layout));
}

/** Bytes of each shard of a stripe with so much content, without the trailer: the last stripe has shorter ones. */
export const shardLength = (layout: Layout, contentBytes: number): number =>
  Math.ceil(contentBytes / layout.data);

function writeHeader(out: Uint8Array, magic: number, layout: Layout): DataView {
  const view = new DataView(out.buffer, out.byteOffset, out.length);
  view.setUint32(MAGIC_AT, magic);
  view.setUint8(VERSION_AT, MANIFEST_VERSION);
  view.setUint8(FLAGS_AT, layout.sealed ? FLAG_SEALED : 0);
  view.setUint8(DATA_AT, layout.data);
  view.setUint8(PARITY_AT, layout.parity);
  return view;
}

function checkHeader(view: DataView, magic: number): Verdict {
  if (view.getUint32(MAGIC_AT) !== magic) return BlobDrop.FORM;
  if (view.getUint8(VERSION_AT) !== MANIFEST_VERSION) return BlobDrop.VERSION;
  if ((view.getUint8(FLAGS_AT) & ~FLAG_SEALED) !== 0) return BlobDrop.VERSION;
  const data = view.getUint8(DATA_AT);
  const parity = view.getUint8(PARITY_AT);
  return data < 1 || parity < 1 || data + parity > SHARDS_MAX ? BlobDrop.FORM : TAKEN;
}

/** The root of a blob. `pageHashes` and, when sealed, `pageKeys` (wrapped, as is `digest` then) are 32 bytes a page. */
export function writeRoot(
  layout: Layout,
  length: number,
  digest: Uint8Array,
  pageHashes: Uint8Array,
  pageKeys: Uint8Array,
): Uint8Array {
  const keys = layout.sealed ? pageKeys.length : 0;
  const out = new Uint8Array(ROOT_HEADER_BYTES + pageHashes.length + keys);
  const view = writeHeader(out, ROOT_MAGIC, layout);
  view.setUint32(SHARD_BYTES_AT, layout.shardBytes);
  view.setUint32(PAGES_AT, pageHashes.length / HASH_BYTES);
  view.setBigUint64(LENGTH_AT, BigInt(length));
  out.set(digest, DIGEST_AT);
  out.set(pageHashes, ROOT_HEADER_BYTES);
  if (layout.sealed) out.set(pageKeys, ROOT_HEADER_BYTES + pageHashes.length);
  return out;
}

/** A root that was read. */
export class Root implements Layout {
  data = 0;
  parity = 0;
  shardBytes = 0;
  sealed = false;
  /** Bytes of content. */
  length = 0;
  pages = 0;
  stripes = 0;
  /** BLAKE3 of the content; wrapped when sealed. */
  digest: Uint8Array = NOTHING;
  /** 32 bytes a page. */
  pageHashes: Uint8Array = NOTHING;
  /** Likewise, wrapped; empty unless sealed. */
  pageKeys: Uint8Array = NOTHING;
}

const NOTHING = /* @__PURE__ */ new Uint8Array(0);

/** Reads the root that is all of `bytes`, copying what it keeps. `TAKEN` or a `BlobDrop`; then `root` is as it was. */
export function readRoot(bytes: Uint8Array, root: Root): Verdict {
  if (bytes.length < ROOT_HEADER_BYTES || bytes.length > BLOCK_BYTES_MAX) return BlobDrop.FORM;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const verdict = checkHeader(view, ROOT_MAGIC);
  if (verdict < 0) return verdict;
  const layout: Layout = {
    data: view.getUint8(DATA_AT),
    parity: view.getUint8(PARITY_AT),
    shardBytes: view.getUint32(SHARD_BYTES_AT),
    sealed: view.getUint8(FLAGS_AT) === FLAG_SEALED,
  };
  if (layout.shardBytes < 1 || layout.shardBytes > SHARD_BYTES_MAX) return BlobDrop.FORM;
  if (view.getBigUint64(RESERVED_AT) !== 0n) return BlobDrop.FORM;
  const length = Number(view.getBigUint64(LENGTH_AT));
  const pages = view.getUint32(PAGES_AT);
  if (length > contentBytesMax(layout) || pages !== pagesOf(layout, length)) return BlobDrop.FORM;
  const tables = layout.sealed ? 2 : 1;
  if (bytes.length !== ROOT_HEADER_BYTES + tables * pages * HASH_BYTES) return BlobDrop.FORM;
  const keysAt = ROOT_HEADER_BYTES + pages * HASH_BYTES;
  Object.assign(root, layout);
  root.length = length;
  root.pages = pages;
  root.stripes = stripesOf(layout, length);
  root.digest = bytes.slice(DIGEST_AT, ROOT_HEADER_BYTES);
  root.pageHashes = bytes.slice(ROOT_HEADER_BYTES, keysAt);
  root.pageKeys = bytes.slice(keysAt);
  return TAKEN;
}

/** Stripes of page `number`: all pages but the last are full. */
export function stripesOfPage(root: Root, number: number): number {
  const full = stripesPerPage(root);
  return Math.min(full, root.stripes - number * full);
}

/**
 * Collects the hashes of the stripes of one page. `shardHashes`: 32 bytes a shard, all shards of a stripe, stripe
 * after stripe; `stripeKeys`: 32 bytes a stripe, wrapped, none unless sealed.
 */
export function writePage(
  layout: Layout,
  number: number,
  stripes: number,
  shardHashes: Uint8Array,
  stripeKeys: Uint8Array,
): Uint8Array {
  const out = new Uint8Array(PAGE_HEADER_BYTES + stripes * entryBytes(layout));
  const view = writeHeader(out, PAGE_MAGIC, layout);
  view.setUint32(NUMBER_AT, number);
  view.setUint32(STRIPES_AT, stripes);
  const listBytes = (layout.data + layout.parity) * HASH_BYTES;
  let at = PAGE_HEADER_BYTES;
  for (let stripe = 0; stripe < stripes; stripe++) {
    blake3Into(out, at, shardHashes, stripe * listBytes, listBytes);
    at += HASH_BYTES;
    out.set(shardHashes.subarray(stripe * listBytes, (stripe + 1) * listBytes), at);
    at += listBytes;
  }
  if (layout.sealed) out.set(stripeKeys, at);
  return out;
}

/** A page that was read. */
export class Page {
  /** -1: none yet. */
  number = -1;
  stripes = 0;
  /** As in `writePage`, each stripe's list after its own hash. */
  hashes: Uint8Array = NOTHING;
  /** Wrapped; empty unless sealed. */
  stripeKeys: Uint8Array = NOTHING;
}

/** Reads page `number` of a blob, all of `bytes`, copying what it keeps. `TAKEN` or a `BlobDrop`; then `page` is as it was. */
export function readPage(bytes: Uint8Array, root: Root, number: number, page: Page): Verdict {
  const stripes = stripesOfPage(root, number);
  if (bytes.length !== PAGE_HEADER_BYTES + stripes * entryBytes(root)) return BlobDrop.FORM;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const verdict = checkHeader(view, PAGE_MAGIC);
  if (verdict < 0) return verdict;
  if ((view.getUint8(FLAGS_AT) === FLAG_SEALED) !== root.sealed) return BlobDrop.FORM;
  if (view.getUint8(DATA_AT) !== root.data || view.getUint8(PARITY_AT) !== root.parity) return BlobDrop.FORM;
  if (view.getUint32(NUMBER_AT) !== number || view.getUint32(STRIPES_AT) !== stripes) return BlobDrop.FORM;
  const listBytes = (root.data + root.parity) * HASH_BYTES;
  let at = PAGE_HEADER_BYTES;
  for (let stripe = 0; stripe < stripes; stripe++) {
    blake3Into(scratch, 0, bytes, at + HASH_BYTES, listBytes);
    if (!equalBytes(scratch, 0, bytes, at, HASH_BYTES)) return BlobDrop.FORM;
    at += HASH_BYTES + listBytes;
  }
  page.number = number;
  page.stripes = stripes;
  page.hashes = bytes.slice(PAGE_HEADER_BYTES, at);
  page.stripeKeys = bytes.slice(at);
  return TAKEN;
}

const scratch = /* @__PURE__ */ new Uint8Array(HASH_BYTES);

/** Where the hash of a shard stands in `page.hashes`; of the whole stripe with `index` -1. `stripe` is counted in the page. */
export function hashAt(layout: Layout, stripe: number, index: number): number {
  return HASH_BYTES * (stripe * (1 + layout.data + layout.parity) + 1 + index);
}
