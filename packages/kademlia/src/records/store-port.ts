/**
 * The record store port: what the records of a node are kept in, in kademlia's own words.
 *
 * A store is a synchronous keyed container of *encoded records* (protobuf bytes of `Record`, value inline) and of
 * the few columns that the rules above it (`RecordBook`) need without decoding. It knows no signature, no sequence
 * rule and no clock: instants are Unix seconds given by the caller. It bounds itself in bytes and records, and
 * decides what to evict. `storeCases` (store-cases.ts) is its test suite as data.
 */

const EMPTY = new Uint8Array(0);

/** `StoredRecord.marks` bits. */
export const RecordMark = {
  /** Published by this node: never evicted, refreshed by us. */
  OWN: 1,
  /** Kept only as a cache: short-lived, evicted first, never republished. */
  CACHED: 2,
  /** Two different records with this sequence were seen (equivocation). */
  FLAGGED: 4,
  /** We alone hold it, as one shard of a blob: never republished, renewed only by whoever stewards it. */
  SINGLE: 8,
} as const;

/** Outcomes of `RecordStore.put`. */
export const PutVerdict = {
  /** Held now, and nothing was held under that identity before. */
  ADDED: 0,
  /** Held now, in place of an older record of the same identity. */
  REPLACED: 1,
  /** No room: everything held is closer to our id, or own. Nothing changed for the given identity. */
  FULL: -1,
  /** Larger than the store takes at all. */
  TOO_LARGE: -2,
} as const;

/**
 * One record as the store sees it. The same reused shape is filled in by the caller for `put` (which copies
 * everything) and by the store for reads. After a read all byte ranges are borrowed: valid until the next call
 * that changes the store, other than `update`. `put` must not be given ranges of the store itself.
 *
 * The identity of a record is its key for types immutable and mutable, and (key, owner) for type provider.
 */
export class StoredRecord {
  /** Encoded record with its value inline: [offset, offset + length) of `bytes`. */
  bytes: Uint8Array = EMPTY;
  offset = 0;
  length = 0;
  /** The value inside `bytes` (absolute offset). */
  valueOffset = 0;
  valueLength = 0;
  /** 32 bytes. */
  key: Uint8Array = EMPTY;
  keyOffset = 0;
  /** Ed25519 key of the owner, 32 bytes; 32 zero bytes for immutable records. */
  owner: Uint8Array = EMPTY;
  ownerOffset = 0;
  /** BLAKE3 of the value, 32 bytes. */
  hash: Uint8Array = EMPTY;
  hashOffset = 0;
  /** wire's `RecordType`. */
  type = 0;
  /** wire's `RecordFlag` bits (tombstone). */
  flags = 0;
  /** `RecordMark` bits. */
  marks = 0;
  /** Quota account, 0 to ACCOUNTS - 1. */
  account = 0;
  /** Below 2^53. */
  sequence = 0;
  /** Signed lifetime in seconds. */
  ttlSecs = 0;
  /** Unix seconds; 0 = at once. */
  notBeforeUnix = 0;
  /** Unix seconds; from then on the record is gone. */
  expiresUnix = 0;
  /** Unix seconds of the next republication; 0 = never. */
  republishUnix = 0;
  /** Position of an iteration (`firstProvider`, `nextProvider`); the store's own. */
  cursor = -1;
}

/** Accounts of the quota table; a publisher's account is a salted hash of its key. */
export const ACCOUNTS = 4096;

export interface StoreStats {
  /** Records of all types. */
  readonly count: number;
  readonly providers: number;
  /** Bytes charged against `bytesMax`. */
  readonly bytes: number;
  readonly countMax: number;
  readonly bytesMax: number;
  /** Since the start. */
  readonly evicted: number;
  readonly expired: number;
}

export interface RecordStore {
  /**
   * Copies `record` in. Replaces what is held under the same identity; makes room by evicting, in this order:
   * cached before the rest, farthest from our id first; never own records, never anything closer than the newcomer
   * (unless the newcomer is own). A provider list that is full drops the entry that expires first.
   */
  put(record: StoredRecord): number;
  /** Immutable and mutable records. `false` = not held (`out` is unchanged). */
  get(key: Uint8Array, keyOffset: number, out: StoredRecord): boolean;
  /** One provider's entry. */
  getProvider(
    key: Uint8Array,
    keyOffset: number,
    owner: Uint8Array,
    ownerOffset: number,
    out: StoredRecord,
  ): boolean;
  /** An immutable or mutable record whose value has this BLAKE3 hash. */
  getByHash(hash: Uint8Array, hashOffset: number, out: StoredRecord): boolean;
  /** Providers of a key, oldest first, from the `skip`-th on: `for (ok = first; ok; ok = next)`. */
  firstProvider(key: Uint8Array, keyOffset: number, skip: number, out: StoredRecord): boolean;
  /** `false` = no more. The store must not change between the calls. */
  nextProvider(out: StoredRecord): boolean;
  providerCount(key: Uint8Array, keyOffset: number): number;
  /** Sets the instants and marks of a held record, found by the identity in `record`. */
  update(record: StoredRecord): boolean;
  /** By identity (`key`, `owner`, `type` of `record`). */
  remove(record: StoredRecord): boolean;
  /** Forgets at most `max` records with expiresUnix <= nowUnix; how many. Cost follows what is due, not what is held. */
  expire(nowUnix: number, max: number): number;
  /** The earliest `expiresUnix`, 0 = nothing held. */
  nextExpiryUnix(): number;
  /** The record with the earliest `republishUnix`, if that is <= nowUnix. It stays due until `update` moves it. */
  due(nowUnix: number, out: StoredRecord): boolean;
  /** The earliest `republishUnix`, 0 = none. */
  nextDueUnix(): number;
  /** Bytes charged to a quota account. */
  accountBytes(account: number): number;
  accountCount(account: number): number;
  /** Every record held, in no order, for snapshots and operators: start with cursor -1; `false` = no more. */
  next(out: StoredRecord): boolean;
  stats(): StoreStats;
}
