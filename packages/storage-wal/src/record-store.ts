/**
 * The records of a node on a keyed store: it fits kademlia's record store port (`RecordStore` there) by its shape. A
 * record is keyed by its key, a provider record by the hash of key and owner; values are found by hash, and providers by
 * key, through links. What is evicted first: cached records, then the farthest from our id; never our own.
 *
 * Borrowed ranges are good until the store changes other than by `update`, or 2 MiB or more were read since.
 */
import { blake3Into, copyBytes, createSeededRng, equalBytes, resolveOptions } from '@molia/core';
import { NEVER_UNIX } from './constants.ts';
import { frameBytes, readI32, readU32, writeU32 } from './frame.ts';
import type { KeyedStore } from './keyed-store.ts';
import { StoreVerdict } from './reports.ts';
import { StoreEntry } from './store-types.ts';

/** One record as the port sees it: filled in by the caller for `put`, by the store for reads. */
export interface RecordFields {
  bytes: Uint8Array;
  offset: number;
  length: number;
  valueOffset: number;
  valueLength: number;
  key: Uint8Array;
  keyOffset: number;
  owner: Uint8Array;
  ownerOffset: number;
  hash: Uint8Array;
  hashOffset: number;
  type: number;
  flags: number;
  marks: number;
  account: number;
  sequence: number;
  ttlSecs: number;
  notBeforeUnix: number;
  expiresUnix: number;
  republishUnix: number;
  cursor: number;
}

export interface RecordStoreOptions {
  /** Our node id, 32 bytes: what is near it is evicted last. */
  readonly id: Uint8Array;
  /** Longest encoded record. Default 66,560 (a value of 64 KiB and its envelope). */
  readonly recordBytesMax?: number;
  /** Provider records in total, and of one key. */
  readonly providersMax?: number;
  readonly providersPerKeyMax?: number;
}

export interface RecordStoreStats {
  readonly count: number;
  readonly providers: number;
  readonly bytes: number;
  readonly countMax: number;
  readonly bytesMax: number;
  readonly evicted: number;
  readonly expired: number;
}

const KEY = 32;
const ACCOUNTS = 4096;
const DEFAULTS = Object.freeze({
  recordBytesMax: 66_560 as number,
  providersMax: (2 ** 17) as number,
  providersPerKeyMax: 256 as number,
});

const Type = { IMMUTABLE: 1, MUTABLE: 2, PROVIDER: 3 } as const;
const TOMBSTONE = 1;
const Mark = { OWN: 1, CACHED: 2 } as const;
const Verdict = { FULL: -1, TOO_LARGE: -2 } as const;

/** Bits of a row's tag: type 2, marks 4, tombstone 1, account 12, and 13 of a second keyed hash of the link. */
const TYPE_MASK = 3;
const MARKS_SHIFT = 2;
const MARKS_MASK = 15;
const TOMBSTONE_BIT = 64;
const ACCOUNT_SHIFT = 7;
const CHECK_SHIFT = 19;
const CHECK_MASK = 0x1fff;

/** Before the encoded record: what a read must tell without decoding it. */
const Head = {
  FLAGS: 2,
  TTL: 4,
  SEQUENCE: 8,
  NOT_BEFORE: 16,
  VALUE_OFFSET: 24,
  VALUE_LENGTH: 28,
  KEYS: 32,
} as const;
const HEAD_VERSION = 1;
const NO_OWNER = new Uint8Array(KEY);

/** A record store on an open keyed store. Throws TypeError or RangeError on options. */
export function createRecordStore(keyed: KeyedStore, options: RecordStoreOptions): DurableRecordStore {
  return new DurableRecordStore(keyed, options);
}

export class DurableRecordStore {
  readonly keyed: KeyedStore;
  private readonly limits: typeof DEFAULTS;
  private readonly id: Uint8Array;
  private readonly entry = new StoreEntry();
  private readonly pair = new Uint8Array(2 * KEY);
  private readonly identity = new Uint8Array(KEY);
  private readonly multipliers = new Int32Array(2 * KEY);
  private readonly accountSums = new Float64Array(ACCOUNTS);
  private readonly accountCounts = new Uint32Array(ACCOUNTS);
  private providers = 0;

  constructor(keyed: KeyedStore, options: RecordStoreOptions) {
    const { id, ...limits } = options;
    if (id.length !== KEY) throw new RangeError(`id must be ${KEY} bytes, not ${id.length}`);
    this.limits = resolveOptions('record store', DEFAULTS, limits, {
      recordBytesMax: [1, DEFAULTS.recordBytesMax],
      providersMax: [0, 2 ** 24],
      providersPerKeyMax: [1, 65_535],
    });
    this.keyed = keyed;
    this.id = id.slice();
    this.entry.head = new Uint8Array(Head.KEYS + 3 * KEY);
    const rng = createSeededRng(keyed.storeId);
    for (let i = 0; i < this.multipliers.length; i++) this.multipliers[i] = rng.u32();
    const { rows } = keyed;
    for (let slot = 0; slot < rows.capacity; slot++) if (rows.length[slot] !== 0) this.count(slot, 1);
    keyed.onDrop = (slot) => this.count(slot, -1);
  }

  put(record: RecordFields): number {
    const { keyed, entry } = this;
    if (record.length > this.limits.recordBytesMax) return Verdict.TOO_LARGE;
    const isProvider = record.type === Type.PROVIDER;
    const held = this.identify(record);
    if (held < 0 && isProvider && !this.makeProviderRoom(record)) return Verdict.FULL;
    const isTombstone = (record.flags & TOMBSTONE) !== 0;
    const isLinked = isProvider || (record.type === Type.MUTABLE && !isTombstone);
    const of = isProvider ? record.key : record.hash;
    const at = isProvider ? record.keyOffset : record.hashOffset;
    entry.link = isLinked ? this.linkOf(of, at) : 0;
    const check = isLinked ? this.checkOf(of, at) : 0;
    this.describe(record);
    entry.tag =
      record.type |
      (record.marks << MARKS_SHIFT) |
      (isTombstone ? TOMBSTONE_BIT : 0) |
      (record.account << ACCOUNT_SHIFT) |
      (check << CHECK_SHIFT);
    this.writeHead(record);
    entry.value = record.bytes;
    entry.valueOffset = record.offset;
    entry.valueLength = record.length;
    const tag = held < 0 ? 0 : (keyed.rows.tag[held] as number);
    const given = held < 0 ? 0 : this.charged(held);
    const verdict = keyed.put(entry);
    if (verdict < 0) return verdict === StoreVerdict.TOO_LARGE ? Verdict.TOO_LARGE : Verdict.FULL;
    if (held >= 0) this.sum(tag, -given, -1);
    this.count(keyed.find(entry.key, entry.keyOffset), 1);
    return verdict;
  }

  get(key: Uint8Array, keyOffset: number, out: RecordFields): boolean {
    const slot = this.keyed.find(key, keyOffset);
    return slot >= 0 && this.typeOf(slot) !== Type.PROVIDER && this.fill(slot, out);
  }

  getProvider(
    key: Uint8Array,
    keyOffset: number,
    owner: Uint8Array,
    ownerOffset: number,
    out: RecordFields,
  ): boolean {
    const slot = this.findProvider(key, keyOffset, owner, ownerOffset);
    return slot >= 0 && this.fill(slot, out);
  }

  getByHash(hash: Uint8Array, hashOffset: number, out: RecordFields): boolean {
    const { keyed } = this;
    const immutable = keyed.find(hash, hashOffset);
    if (immutable >= 0 && this.typeOf(immutable) === Type.IMMUTABLE) return this.fill(immutable, out);
    const { links } = keyed.rows;
    const check = this.checkOf(hash, hashOffset);
    for (let slot = links.first(this.linkOf(hash, hashOffset)); slot >= 0; ) {
      const next = links.after(slot);
      if (this.isLinked(slot, Type.MUTABLE, check) && this.fillIfHash(slot, hash, hashOffset, out))
        return true;
      slot = next;
    }
    return false;
  }

  firstProvider(key: Uint8Array, keyOffset: number, skip: number, out: RecordFields): boolean {
    const { links } = this.keyed.rows;
    const check = this.checkOf(key, keyOffset);
    let left = skip;
    for (let slot = links.first(this.linkOf(key, keyOffset)); slot >= 0; slot = links.after(slot)) {
      if (!this.isLinked(slot, Type.PROVIDER, check) || left-- > 0) continue;
      out.cursor = slot;
      return this.fill(slot, out) || this.nextProvider(out);
    }
    return false;
  }

  nextProvider(out: RecordFields): boolean {
    const { links, tag } = this.keyed.rows;
    const check = ((tag[out.cursor] as number) >>> CHECK_SHIFT) & CHECK_MASK;
    for (let slot = links.after(out.cursor); slot >= 0; slot = links.after(slot)) {
      if (this.isLinked(slot, Type.PROVIDER, check) && this.fill(slot, out)) return true;
    }
    return false;
  }

  providerCount(key: Uint8Array, keyOffset: number): number {
    const { links } = this.keyed.rows;
    const check = this.checkOf(key, keyOffset);
    let count = 0;
    for (let slot = links.first(this.linkOf(key, keyOffset)); slot >= 0; slot = links.after(slot)) {
      if (this.isLinked(slot, Type.PROVIDER, check)) count++;
    }
    return count;
  }

  /** The next republication alone is soft: when it is forgotten, the record is republished sooner. */
  update(record: RecordFields): boolean {
    const slot = this.identify(record);
    if (slot < 0) return false;
    const { rows } = this.keyed;
    const before = rows.tag[slot] as number;
    this.describe(record);
    this.entry.tag = (before & ~(MARKS_MASK << MARKS_SHIFT)) | (record.marks << MARKS_SHIFT);
    const soft = this.entry.tag === before && record.expiresUnix === rows.expiry.keys[slot];
    return this.keyed.touch(slot, this.entry, soft);
  }

  remove(record: RecordFields): boolean {
    const slot = this.identify(record);
    return slot >= 0 && this.keyed.remove(slot);
  }

  expire(nowUnix: number, max: number): number {
    return this.keyed.expire(nowUnix, max);
  }

  nextExpiryUnix(): number {
    const { expiry } = this.keyed.rows;
    const slot = expiry.peek();
    return slot < 0 ? 0 : (expiry.keys[slot] as number);
  }

  due(nowUnix: number, out: RecordFields): boolean {
    const { due } = this.keyed.rows;
    // BOUNDED: a damaged record leaves the heap when it is read.
    for (let slot = due.peek(); slot >= 0 && (due.keys[slot] as number) <= nowUnix; slot = due.peek()) {
      if (this.fill(slot, out)) return true;
      if (due.peek() === slot) return false;
    }
    return false;
  }

  nextDueUnix(): number {
    const { due } = this.keyed.rows;
    const slot = due.peek();
    return slot < 0 ? 0 : (due.keys[slot] as number);
  }

  accountBytes(account: number): number {
    return this.accountSums[account] as number;
  }

  accountCount(account: number): number {
    return this.accountCounts[account] as number;
  }

  next(out: RecordFields): boolean {
    const { rows } = this.keyed;
    for (let slot = out.cursor + 1; slot < rows.capacity; slot++) {
      if (rows.length[slot] !== 0 && this.fill(slot, out)) return true;
    }
    return false;
  }

  stats(): RecordStoreStats {
    const { count, bytes, countMax, bytesMax, evicted, expired } = this.keyed.stats();
    return { count, providers: this.providers, bytes, countMax, bytesMax, evicted, expired };
  }

  private typeOf(slot: number): number {
    return (this.keyed.rows.tag[slot] as number) & TYPE_MASK;
  }

  private isLinked(slot: number, type: number, check: number): boolean {
    const tag = this.keyed.rows.tag[slot] as number;
    return (tag & TYPE_MASK) === type && ((tag >>> CHECK_SHIFT) & CHECK_MASK) === check;
  }

  /** Sets `entry.key` to the record's identity; its slot, -1 = not held. */
  private identify(record: RecordFields): number {
    const { entry, keyed } = this;
    if (record.type === Type.PROVIDER) {
      const slot = this.findProvider(record.key, record.keyOffset, record.owner, record.ownerOffset);
      entry.key = this.identity;
      entry.keyOffset = 0;
      return slot;
    }
    entry.key = record.key;
    entry.keyOffset = record.keyOffset;
    return keyed.find(record.key, record.keyOffset);
  }

  private findProvider(key: Uint8Array, keyOffset: number, owner: Uint8Array, ownerOffset: number): number {
    copyBytes(this.pair, 0, key, keyOffset, KEY);
    copyBytes(this.pair, KEY, owner, ownerOffset, KEY);
    blake3Into(this.identity, 0, this.pair, 0, 2 * KEY);
    return this.keyed.find(this.identity, 0);
  }

  /** Instants and rank of `entry`. */
  private describe(record: RecordFields): void {
    const { entry } = this;
    entry.expiresUnix = Math.min(record.expiresUnix, NEVER_UNIX);
    entry.dueUnix = Math.min(record.republishUnix, NEVER_UNIX);
    const isOwn = (record.marks & Mark.OWN) !== 0;
    entry.rank = isOwn ? 0 : 1 + remoteness(record.key, record.keyOffset, this.id, record.marks);
  }

  private writeHead(record: RecordFields): void {
    const { entry } = this;
    const { head } = entry;
    head[0] = HEAD_VERSION;
    head[1] = record.type;
    head[Head.FLAGS] = record.flags;
    head[Head.FLAGS + 1] = record.flags >>> 8;
    writeU32(head, Head.TTL, record.ttlSecs);
    writeU53(head, Head.SEQUENCE, record.sequence);
    writeU53(head, Head.NOT_BEFORE, record.notBeforeUnix);
    writeU32(head, Head.VALUE_OFFSET, record.valueOffset - record.offset);
    writeU32(head, Head.VALUE_LENGTH, record.valueLength);
    let at: number = Head.KEYS;
    if (record.type !== Type.IMMUTABLE) {
      copyBytes(head, at, record.owner, record.ownerOffset, KEY);
      copyBytes(head, at + KEY, record.hash, record.hashOffset, KEY);
      at += 2 * KEY;
    }
    if (record.type === Type.PROVIDER) {
      copyBytes(head, at, record.key, record.keyOffset, KEY);
      at += KEY;
    }
    entry.headLength = at;
  }

  /** `false` = the disk does not give it back; `out` is unchanged. */
  private fill(slot: number, out: RecordFields): boolean {
    const { keyed } = this;
    const at = keyed.load(slot);
    if (at < 0) return false;
    const { rows } = keyed;
    const bytes = keyed.loaded;
    const tag = rows.tag[slot] as number;
    const type = tag & TYPE_MASK;
    const isImmutable = type === Type.IMMUTABLE;
    const isProvider = type === Type.PROVIDER;
    const keys = at + Head.KEYS;
    const start = keys + (isImmutable ? 0 : 2 * KEY) + (isProvider ? KEY : 0);
    out.bytes = bytes;
    out.offset = start;
    out.length = keyed.valueLength(slot) - (start - at);
    out.valueOffset = start + readI32(bytes, at + Head.VALUE_OFFSET);
    out.valueLength = readI32(bytes, at + Head.VALUE_LENGTH);
    out.key = isProvider ? bytes : rows.keys;
    out.keyOffset = isProvider ? keys + 2 * KEY : slot * KEY;
    out.owner = isImmutable ? NO_OWNER : bytes;
    out.ownerOffset = isImmutable ? 0 : keys;
    out.hash = isImmutable ? rows.keys : bytes;
    out.hashOffset = isImmutable ? slot * KEY : keys + KEY;
    out.type = type;
    out.flags = (bytes[at + Head.FLAGS] as number) | ((bytes[at + Head.FLAGS + 1] as number) << 8);
    out.marks = (tag >>> MARKS_SHIFT) & MARKS_MASK;
    out.account = (tag >>> ACCOUNT_SHIFT) & (ACCOUNTS - 1);
    out.sequence = readU53(bytes, at + Head.SEQUENCE);
    out.ttlSecs = readU32(bytes, at + Head.TTL);
    out.notBeforeUnix = readU53(bytes, at + Head.NOT_BEFORE);
    out.expiresUnix = rows.expiry.keys[slot] as number;
    out.republishUnix = rows.due.keys[slot] as number;
    out.cursor = slot;
    return true;
  }

  private fillIfHash(slot: number, hash: Uint8Array, hashOffset: number, out: RecordFields): boolean {
    const at = this.keyed.load(slot);
    if (at < 0 || !equalBytes(this.keyed.loaded, at + Head.KEYS + KEY, hash, hashOffset, KEY)) return false;
    return this.fill(slot, out);
  }

  /** Room in the key's list, and among all providers. */
  private makeProviderRoom(record: RecordFields): boolean {
    const { rows } = this.keyed;
    const isOwn = (record.marks & Mark.OWN) !== 0;
    if (this.providerCount(record.key, record.keyOffset) < this.limits.providersPerKeyMax) {
      return this.providers < this.limits.providersMax || isOwn;
    }
    const check = this.checkOf(record.key, record.keyOffset);
    let first = -1;
    for (
      let slot = rows.links.first(this.linkOf(record.key, record.keyOffset));
      slot >= 0;
      slot = rows.links.after(slot)
    ) {
      if (!this.isLinked(slot, Type.PROVIDER, check)) continue;
      if ((((rows.tag[slot] as number) >>> MARKS_SHIFT) & Mark.OWN) !== 0) continue;
      if (first < 0 || (rows.expiry.keys[slot] as number) < (rows.expiry.keys[first] as number)) first = slot;
    }
    if (first < 0 || (rows.expiry.keys[first] as number) > record.expiresUnix) return false;
    return this.keyed.remove(first);
  }

  private charged(slot: number): number {
    return frameBytes(this.keyed.rows.length[slot] as number);
  }

  private count(slot: number, sign: number): void {
    this.sum(this.keyed.rows.tag[slot] as number, sign * this.charged(slot), sign);
  }

  private sum(tag: number, bytes: number, count: number): void {
    const account = (tag >>> ACCOUNT_SHIFT) & (ACCOUNTS - 1);
    this.accountSums[account] = (this.accountSums[account] as number) + bytes;
    this.accountCounts[account] = (this.accountCounts[account] as number) + count;
    if ((tag & TYPE_MASK) === Type.PROVIDER) this.providers += count;
  }

  /** Keyed by the store's secret id: nobody who can choose keys or hashes can choose what they collide with. */
  private linkOf(bytes: Uint8Array, offset: number): number {
    const hash = this.multilinear(0, bytes, offset);
    return hash === 0 ? 1 : hash;
  }

  private checkOf(bytes: Uint8Array, offset: number): number {
    return this.multilinear(KEY, bytes, offset) >>> (32 - 13);
  }

  private multilinear(from: number, bytes: Uint8Array, offset: number): number {
    const { multipliers } = this;
    let sum = 0;
    for (let i = 0; i < KEY; i++)
      sum = (sum + Math.imul(multipliers[from + i] as number, bytes[offset + i] as number)) | 0;
    // The high bits are the good ones; links are bucketed by the low ones.
    return sum ^ (sum >>> 15);
  }
}

function writeU53(bytes: Uint8Array, at: number, value: number): void {
  writeU32(bytes, at, value % 2 ** 32);
  writeU32(bytes, at + 4, Math.floor(value / 2 ** 32));
}

function readU53(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) + readU32(bytes, at + 4) * 2 ** 32;
}

/** What goes first when room is needed is greater: the top 30 bits of the distance, cached records above all others. */
function remoteness(key: Uint8Array, keyOffset: number, id: Uint8Array, marks: number): number {
  let distance = 0;
  for (let i = 0; i < 4; i++)
    distance = (distance << 8) | ((key[keyOffset + i] as number) ^ (id[i] as number));
  return (distance >>> 2) + ((marks & Mark.CACHED) === 0 ? 0 : 2 ** 30);
}
