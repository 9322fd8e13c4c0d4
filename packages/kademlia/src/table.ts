/**
 * The routing table (docs/spec/routing.md). A bucket that covers our own id splits whenever it is full, so bucket `i` is
 * simply the contacts that share exactly `i` leading bits with us. A contact enters only after it answered us; a full
 * bucket keeps it in a replacement cache while the oldest silent contact is pinged. The three farthest buckets are
 * larger and prefer near contacts by self-measured round trip. It sends nothing: it says whom to ping.
 */
import { ENDPOINT_BYTES, grow, type Millis, NONE } from '@molia/core';
import {
  FAILURES_MAX,
  FAR_BUCKETS,
  NETWORK_PER_BUCKET_MAX,
  NETWORK_PER_TABLE_MAX,
  REPLACEMENTS_MAX,
  RTT_SWAP_FADE_MS,
  RTT_SWAP_MIN,
  SILENT_MS,
} from './constants.ts';
import { ContactFlag, type Contacts } from './contacts.ts';
import { neighboursAmong, networkBytes } from './diversity.ts';
import { PrefixIndex } from './prefix-index.ts';

interface Bucket {
  /** Grows up to the bucket's capacity. */
  rows: Int32Array;
  count: number;
  /** Oldest first. */
  readonly cache: Int32Array;
  cached: number;
}

/** Rows of a bucket at first: deep ones never hold more. */
const ROWS_INITIAL = 8;

export const Change = {
  /** Nothing but its time stamps. */
  NONE: 0,
  ADDED: 1,
  /** The bucket is full; it waits in the replacement cache. */
  CACHED: 2,
  /** It took the place of a slower contact. */
  SWAPPED: 3,
  REMOVED: 4,
  /** Its network has its share of the bucket or of the table already. */
  CROWDED: 5,
} as const;

export class Table {
  readonly index: PrefixIndex;
  /** After `answered`: a silent contact to ping for its place, or NONE. */
  suspect = NONE;
  private readonly contacts: Contacts;
  private readonly self: Uint8Array;
  private readonly k: number;
  /** Capacities of the buckets that prefer near contacts. */
  private readonly far: readonly number[];
  private readonly diversity: boolean;
  private readonly buckets: (Bucket | undefined)[] = [];

  /** `self` is our 32-byte id. */
  constructor(contacts: Contacts, self: Uint8Array, k: number, proximity = true, diversity = true) {
    this.far = proximity ? FAR_BUCKETS : [];
    this.diversity = diversity;
    this.contacts = contacts;
    this.self = self;
    this.k = k;
    this.index = new PrefixIndex(contacts);
  }

  /** Contacts in buckets. */
  get count(): number {
    return this.index.length;
  }

  /** Buckets from the farthest to the nearest that holds anybody, at least 1. */
  get depth(): number {
    for (let i = this.buckets.length - 1; i >= 0; i--) if ((this.buckets[i]?.count ?? 0) > 0) return i + 1;
    return 1;
  }

  /** Leading bits that a contact shares with us: its bucket, 256 = ourselves. */
  bucketOf(row: number): number {
    return this.contacts.sharedBits(row, this.self, 0);
  }

  capacityOf(bucket: number): number {
    return Math.max(this.far[bucket] ?? this.k, this.k);
  }

  countOf(bucket: number): number {
    return this.buckets[bucket]?.count ?? 0;
  }

  /** Whether a contact of this row belongs into a bucket that prefers near ones. */
  isFar(row: number): boolean {
    return this.bucketOf(row) < this.far.length;
  }

  /** Whether the bucket of this contact holds fewer than K, and its network may have one more: then it is worth a probe when it asks us. */
  hasRoom(row: number): boolean {
    const at = this.bucketOf(row);
    return at < 256 && this.countOf(at) < this.k && !this.isCrowded(this.bucket(at), row);
  }

  /** Whether fewer than K contacts lie in nearer buckets: its bucket is part of our neighbourhood. */
  isNeighbour(row: number): boolean {
    let nearer = 0;
    for (let i = this.bucketOf(row) + 1; i < this.buckets.length; i++) nearer += this.countOf(i);
    return nearer < this.k;
  }

  /** A contact answered us. Sets `suspect`. */
  answered(now: Millis, row: number): number {
    const { contacts } = this;
    this.suspect = NONE;
    const flags = contacts.flags[row] as number;
    if ((flags & (ContactFlag.TABLE | ContactFlag.CLIENT)) !== 0) return Change.NONE;
    const at = this.bucketOf(row);
    if (at >= 256) return Change.NONE;
    const bucket = this.bucket(at);
    if (this.isCrowded(bucket, row)) return Change.CROWDED;
    if (bucket.count < this.capacityOf(at)) {
      this.uncache(bucket, row);
      this.enter(now, bucket, row);
      return Change.ADDED;
    }
    if (at < this.far.length && this.swap(now, bucket, row)) return Change.SWAPPED;
    this.cache(bucket, row);
    this.suspect = this.oldestSilent(now, bucket);
    return Change.CACHED;
  }

  /**
   * A request to a contact went unanswered (its `failures` were counted). While `offline` nobody is evicted: then it
   * is us who are away.
   */
  failed(now: Millis, row: number, offline: boolean): number {
    const { contacts } = this;
    if (offline || (contacts.failures[row] as number) < FAILURES_MAX) return Change.NONE;
    return this.remove(now, row);
  }

  /** Takes a contact out of bucket and cache; the newest live replacement moves up. */
  remove(now: Millis, row: number): number {
    const flags = this.contacts.flags[row] as number;
    if ((flags & (ContactFlag.TABLE | ContactFlag.CACHED)) === 0) return Change.NONE;
    const bucket = this.bucket(this.bucketOf(row));
    if ((flags & ContactFlag.CACHED) !== 0) {
      this.uncache(bucket, row);
      return Change.NONE;
    }
    this.leave(bucket, row);
    this.promote(now, bucket);
    return Change.REMOVED;
  }

  /** The contact of the whole table that was heard longest ago, or NONE when it is empty. */
  stalest(): number {
    const { seenAt } = this.contacts;
    let stalest = NONE;
    for (let i = 0; i < this.index.length; i++) {
      const row = this.index.at(i);
      if (stalest === NONE || (seenAt[row] as number) < (seenAt[stalest] as number)) stalest = row;
    }
    return stalest;
  }

  /** Rows of a bucket, oldest entry first, into `out`; returns how many (tests, stats). */
  rowsOf(bucket: number, out: Int32Array): number {
    const b = this.buckets[bucket];
    if (b === undefined) return 0;
    for (let i = 0; i < b.count; i++) out[i] = b.rows[i] as number;
    return b.count;
  }

  private bucket(at: number): Bucket {
    let bucket = this.buckets[at];
    if (bucket === undefined) {
      while (this.buckets.length < at) this.buckets.push(undefined);
      bucket = {
        rows: new Int32Array(ROWS_INITIAL),
        count: 0,
        cache: new Int32Array(REPLACEMENTS_MAX),
        cached: 0,
      };
      this.buckets[at] = bucket;
    }
    return bucket;
  }

  private enter(now: Millis, bucket: Bucket, row: number): void {
    const { contacts } = this;
    contacts.hold(row);
    contacts.flags[row] = (contacts.flags[row] as number) | ContactFlag.TABLE;
    contacts.addedSecs[row] = now / 1000;
    // BOUNDED: by the capacity, which its callers look at.
    if (bucket.count === bucket.rows.length) bucket.rows = grow(bucket.rows, bucket.count * 2);
    bucket.rows[bucket.count++] = row;
    this.index.insert(row);
  }

  private leave(bucket: Bucket, row: number): void {
    const { contacts } = this;
    drop(bucket.rows, bucket.count--, row);
    this.index.remove(row);
    contacts.flags[row] = (contacts.flags[row] as number) & ~ContactFlag.TABLE;
    contacts.release(row);
  }

  private cache(bucket: Bucket, row: number): void {
    const { contacts } = this;
    this.uncache(bucket, row);
    if (bucket.cached === REPLACEMENTS_MAX) this.uncache(bucket, bucket.cache[0] as number);
    contacts.hold(row);
    contacts.flags[row] = (contacts.flags[row] as number) | ContactFlag.CACHED;
    bucket.cache[bucket.cached++] = row;
  }

  private uncache(bucket: Bucket, row: number): void {
    const { contacts } = this;
    if (((contacts.flags[row] as number) & ContactFlag.CACHED) === 0) return;
    drop(bucket.cache, bucket.cached--, row);
    contacts.flags[row] = (contacts.flags[row] as number) & ~ContactFlag.CACHED;
    contacts.release(row);
  }

  private promote(now: Millis, bucket: Bucket): void {
    for (let i = bucket.cached - 1; i >= 0; i--) {
      const row = bucket.cache[i] as number;
      if ((this.contacts.failures[row] as number) > 0 || this.isCrowded(bucket, row)) continue;
      this.enter(now, bucket, row);
      this.uncache(bucket, row);
      return;
    }
  }

  /** Whether the network of `row` has as many contacts as one may in the bucket or in the table. */
  private isCrowded(bucket: Bucket, row: number): boolean {
    if (!this.diversity) return false;
    const { endpoints } = this.contacts;
    const offset = row * ENDPOINT_BYTES;
    const bytes = networkBytes(endpoints, offset);
    if (bytes === 0) return false;
    const here = neighboursAmong(endpoints, offset, bytes, bucket.rows, bucket.count);
    if (here >= NETWORK_PER_BUCKET_MAX) return true;
    if (here === 0 && this.index.length < NETWORK_PER_TABLE_MAX) return false;
    return this.index.neighbours(offset, bytes) >= NETWORK_PER_TABLE_MAX;
  }

  /** NICE: the slowest gives way to a nearer newcomer, the less readily the longer it is known. */
  private swap(now: Millis, bucket: Bucket, row: number): boolean {
    const { srtt, addedSecs, failures } = this.contacts;
    let slowest = bucket.rows[0] as number;
    for (let i = 1; i < bucket.count; i++) {
      const other = bucket.rows[i] as number;
      if ((srtt[other] as number) > (srtt[slowest] as number)) slowest = other;
    }
    const fade = Math.max(RTT_SWAP_MIN, 1 - (now - (addedSecs[slowest] as number) * 1000) / RTT_SWAP_FADE_MS);
    const mine = srtt[row] as number;
    if (mine === 0 || mine >= (srtt[slowest] as number) * fade) return false;
    this.uncache(bucket, row);
    this.leave(bucket, slowest);
    this.enter(now, bucket, row);
    if (failures[slowest] === 0) this.cache(bucket, slowest);
    return true;
  }

  private oldestSilent(now: Millis, bucket: Bucket): number {
    const { seenAt } = this.contacts;
    let oldest = bucket.rows[0] as number;
    for (let i = 1; i < bucket.count; i++) {
      const other = bucket.rows[i] as number;
      if ((seenAt[other] as number) < (seenAt[oldest] as number)) oldest = other;
    }
    return now - (seenAt[oldest] as number) >= SILENT_MS ? oldest : NONE;
  }
}

/** Removes `row` from the first `count` of `rows`, keeping the order. */
function drop(rows: Int32Array, count: number, row: number): void {
  let at = 0;
  while (at < count && rows[at] !== row) at++;
  rows.copyWithin(at, at + 1, count);
}
