/**
 * The routing table of BEP 5: buckets of eight by the bits a contact's id shares with ours, in typed columns. Only nodes that
 * answered us are in it, one for each public IP address.
 */
import { ENDPOINT_BYTES, endpointToCompact, equalBytes, grow, type Millis, NONE } from '@molia/core';
import { BUCKET_CONTACTS, NODE_ID_BYTES, QUESTIONABLE_MS } from './constants.ts';
import { addressBytes, addressKey, compareIdDistance, isSecureId, sharedIdBits } from './node-id.ts';

const BUCKETS = NODE_ID_BYTES * 8 + 1;
/** An id and a compact IPv6 endpoint. */
export const NODE_ENTRY_BYTES_MAX = NODE_ID_BYTES + 18;
/** Failed queries in a row after which a contact leaves. */
const FAILURES_MAX = 3;

export class ContactTable {
  readonly ownId: Uint8Array;
  ids = new Uint8Array(32 * NODE_ID_BYTES);
  endpoints = new Uint8Array(32 * ENDPOINT_BYTES);
  /** Contacts as answers name them: id and compact endpoint, `NODE_ENTRY_BYTES_MAX` apart. */
  entries = new Uint8Array(32 * NODE_ENTRY_BYTES_MAX);
  /** First four bytes of the ids: what decides most comparisons. */
  private prefixes = new Uint32Array(32);
  private addressKeys = new Int32Array(32);
  /** When it last answered, and when it last queried us (-1e9 = never). */
  answeredAt = new Float64Array(32);
  private queriedAt = new Float64Array(32);
  private failures = new Uint8Array(32);
  private readonly members = new Int16Array(BUCKETS * BUCKET_CONTACTS);
  private readonly counts = new Uint8Array(BUCKETS);
  private readonly changedAt = new Float64Array(BUCKETS);
  private readonly freeRows: number[] = [];
  private used = 0;
  /** Contacts in the table. */
  count = 0;

  constructor(ownId: Uint8Array) {
    this.ownId = ownId;
  }

  bucketOf(id: Uint8Array, at: number): number {
    return sharedIdBits(this.ownId, 0, id, at);
  }

  find(id: Uint8Array, at: number): number {
    const bucket = this.bucketOf(id, at);
    for (let i = 0; i < (this.counts[bucket] as number); i++) {
      const row = this.members[bucket * BUCKET_CONTACTS + i] as number;
      if (equalBytes(this.ids, row * NODE_ID_BYTES, id, at, NODE_ID_BYTES)) return row;
    }
    return NONE;
  }

  /** A node answered us: it enters, or its entry is refreshed. Its row, or `NONE` when there is no place for it. */
  answered(now: Millis, id: Uint8Array, idAt: number, endpoint: Uint8Array, at: number): number {
    const bucket = this.bucketOf(id, idAt);
    if (bucket === BUCKETS - 1) return NONE;
    let row = this.find(id, idAt);
    if (row !== NONE) {
      // An id that moves is believed only when its old place has failed or the new one proves the id.
      const same = equalBytes(this.endpoints, row * ENDPOINT_BYTES, endpoint, at, ENDPOINT_BYTES);
      if (!same && this.failures[row] === 0) return NONE;
      if (!same && !isSecureId(id, idAt, endpoint, at)) return NONE;
      this.setEndpoint(row, endpoint, at);
    } else {
      const other = this.atAddress(endpoint, at);
      if (other !== NONE) {
        // The node at this very endpoint took another id: its old one is dead. Another port of the address is another node.
        if (!equalBytes(this.endpoints, other * ENDPOINT_BYTES, endpoint, at, ENDPOINT_BYTES)) return NONE;
        this.remove(other);
      }
      if (this.counts[bucket] === BUCKET_CONTACTS) {
        const replaced = this.replaceable(now, bucket);
        if (replaced === NONE) return NONE;
        this.remove(replaced);
      }
      row = this.allocate();
      this.ids.set(id.subarray(idAt, idAt + NODE_ID_BYTES), row * NODE_ID_BYTES);
      this.entries.set(id.subarray(idAt, idAt + NODE_ID_BYTES), row * NODE_ENTRY_BYTES_MAX);
      this.prefixes[row] = prefixOf(id, idAt);
      this.setEndpoint(row, endpoint, at);
      this.queriedAt[row] = -1e9;
      const index = this.counts[bucket] as number;
      this.members[bucket * BUCKET_CONTACTS + index] = row;
      this.counts[bucket] = index + 1;
      this.count++;
    }
    this.changedAt[bucket] = now;
    this.answeredAt[row] = now;
    this.failures[row] = 0;
    return row;
  }

  /** A node queried us. `true`: we do not know it and there is room, so it is worth a ping. */
  queried(now: Millis, id: Uint8Array, idAt: number, endpoint: Uint8Array, at: number): boolean {
    const row = this.find(id, idAt);
    if (row !== NONE) {
      if (equalBytes(this.endpoints, row * ENDPOINT_BYTES, endpoint, at, ENDPOINT_BYTES))
        this.queriedAt[row] = now;
      return false;
    }
    const bucket = this.bucketOf(id, idAt);
    if (bucket === BUCKETS - 1) return false;
    if (this.counts[bucket] === BUCKET_CONTACTS && this.replaceable(now, bucket) === NONE) return false;
    const other = this.atAddress(endpoint, at);
    return other === NONE || equalBytes(this.endpoints, other * ENDPOINT_BYTES, endpoint, at, ENDPOINT_BYTES);
  }

  /** A contact did not answer. `keep`: nobody answers at the moment, so it may be our own network's fault. */
  failed(row: number, keep: boolean): void {
    this.failures[row] = Math.min(255, (this.failures[row] as number) + 1);
    if ((this.failures[row] as number) >= FAILURES_MAX && !keep) this.remove(row);
  }

  /** Good contacts (BEP 5): answered within 15 minutes, or answered once and queried us within 15 minutes. */
  isGood(now: Millis, row: number): boolean {
    if ((this.failures[row] as number) > 0) return false;
    return (
      now - (this.answeredAt[row] as number) < QUESTIONABLE_MS ||
      now - (this.queriedAt[row] as number) < QUESTIONABLE_MS
    );
  }

  /**
   * Rows of the good contacts nearest to a target, nearest first, into `out`; returns how many, at most `count`. Whole groups of
   * equal shared prefix come one after the other, so most buckets are never looked at.
   */
  closest(now: Millis, target: Uint8Array, at: number, out: Int32Array, count: number): number {
    const shared = Math.min(BUCKETS - 1, sharedIdBits(this.ownId, 0, target, at));
    let found = this.collect(now, shared, target, at, out, 0, 0, count);
    if (found < count) {
      const base = found;
      for (let bucket = shared + 1; bucket < BUCKETS; bucket++) {
        found = this.collect(now, bucket, target, at, out, base, found, count);
      }
    }
    for (let bucket = shared - 1; bucket >= 0 && found < count; bucket--) {
      found = this.collect(now, bucket, target, at, out, found, found, count);
    }
    return found;
  }

  private setEndpoint(row: number, endpoint: Uint8Array, at: number): void {
    this.endpoints.set(endpoint.subarray(at, at + ENDPOINT_BYTES), row * ENDPOINT_BYTES);
    this.addressKeys[row] = addressKey(endpoint, at, addressBytes(endpoint, at));
    endpointToCompact(this.entries, row * NODE_ENTRY_BYTES_MAX + NODE_ID_BYTES, endpoint, at);
  }

  private collect(
    now: Millis,
    bucket: number,
    target: Uint8Array,
    at: number,
    out: Int32Array,
    base: number,
    found: number,
    count: number,
  ): number {
    let length = found;
    const prefix = prefixOf(target, at);
    for (let i = 0; i < (this.counts[bucket] as number); i++) {
      const row = this.members[bucket * BUCKET_CONTACTS + i] as number;
      if (!this.isGood(now, row)) continue;
      let place = length;
      while (place > base && this.nearer(prefix, target, at, row, out[place - 1] as number)) place--;
      if (place >= count) continue;
      for (let j = Math.min(length, count - 1); j > place; j--) out[j] = out[j - 1] as number;
      out[place] = row;
      if (length < count) length++;
    }
    return length;
  }

  private nearer(prefix: number, target: Uint8Array, at: number, a: number, b: number): boolean {
    const difference =
      (((this.prefixes[a] as number) ^ prefix) >>> 0) - (((this.prefixes[b] as number) ^ prefix) >>> 0);
    if (difference !== 0) return difference < 0;
    return compareIdDistance(target, at, this.ids, a * NODE_ID_BYTES, this.ids, b * NODE_ID_BYTES) < 0;
  }

  /** Contacts that were silent for longer than `silentMs`, as many as fit `out`; returns how many. */
  silent(now: Millis, silentMs: number, out: Int32Array): number {
    let count = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (let i = 0; i < (this.counts[bucket] as number) && count < out.length; i++) {
        const row = this.members[bucket * BUCKET_CONTACTS + i] as number;
        if (now - (this.answeredAt[row] as number) >= silentMs) out[count++] = row;
      }
    }
    return count;
  }

  /** A bucket in use none of whose contacts answered for 15 minutes, and counts as changed from now; `NONE` when there is none. */
  staleBucket(now: Millis): number {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (this.counts[bucket] === 0 || now - (this.changedAt[bucket] as number) < QUESTIONABLE_MS) continue;
      this.changedAt[bucket] = now;
      return bucket;
    }
    return NONE;
  }

  /** Calls `each` with every contact's row. */
  forEach(each: (row: number) => void): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      for (let i = 0; i < (this.counts[bucket] as number); i++) {
        each(this.members[bucket * BUCKET_CONTACTS + i] as number);
      }
    }
  }

  private replaceable(now: Millis, bucket: number): number {
    for (let i = 0; i < BUCKET_CONTACTS; i++) {
      const row = this.members[bucket * BUCKET_CONTACTS + i] as number;
      if ((this.failures[row] as number) >= 2) return row;
      if (!this.isGood(now, row) && (this.failures[row] as number) >= 1) return row;
    }
    return NONE;
  }

  /** The contact that has an endpoint's address (and port, where ports are nodes: at home), or `NONE`. */
  private atAddress(endpoint: Uint8Array, at: number): number {
    const length = addressBytes(endpoint, at);
    const key = addressKey(endpoint, at, length);
    for (let row = 0; row < this.used; row++) {
      if (this.addressKeys[row] !== key) continue;
      if (equalBytes(this.endpoints, row * ENDPOINT_BYTES, endpoint, at, length)) return row;
    }
    return NONE;
  }

  private remove(row: number): void {
    const bucket = this.bucketOf(this.ids, row * NODE_ID_BYTES);
    const base = bucket * BUCKET_CONTACTS;
    const last = (this.counts[bucket] as number) - 1;
    for (let i = 0; i <= last; i++) {
      if (this.members[base + i] !== row) continue;
      this.members[base + i] = this.members[base + last] as number;
      break;
    }
    this.counts[bucket] = last;
    // A free row matches no address.
    this.endpoints.fill(0, row * ENDPOINT_BYTES, (row + 1) * ENDPOINT_BYTES);
    this.freeRows.push(row);
    this.count--;
  }

  private allocate(): number {
    const free = this.freeRows.pop();
    if (free !== undefined) return free;
    if (this.used === this.failures.length) {
      const rows = this.used * 2;
      this.ids = grow(this.ids, rows * NODE_ID_BYTES);
      this.endpoints = grow(this.endpoints, rows * ENDPOINT_BYTES);
      this.entries = grow(this.entries, rows * NODE_ENTRY_BYTES_MAX);
      this.prefixes = grow(this.prefixes, rows);
      this.addressKeys = grow(this.addressKeys, rows);
      this.answeredAt = grow(this.answeredAt, rows);
      this.queriedAt = grow(this.queriedAt, rows);
      this.failures = grow(this.failures, rows);
    }
    return this.used++;
  }
}

function prefixOf(id: Uint8Array, at: number): number {
  return (
    (((id[at] as number) << 24) |
      ((id[at + 1] as number) << 16) |
      ((id[at + 2] as number) << 8) |
      (id[at + 3] as number)) >>>
    0
  );
}
