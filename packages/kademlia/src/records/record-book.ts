/**
 * The record book: the rules above the store (protocol page, section 6). It verifies, clamps lifetimes, applies
 * the sequence rule, compare-and-swap, the equivocation rule, tombstones, `not_before` and quotas, keeps the node's
 * own records alive and says what is to be republished. It never throws on a record from the network.
 */
import type { Counters, Curves, Millis, Rng, Verdict } from '@molia/core';
import type { RecordStore, StoredRecord } from './store-port.ts';

/** Outcomes of `accept`, `acceptValue`, `publish`. `>= 0`: the record is held now (or will be, PULL). */
export const RecordVerdict = {
  STORED: 0,
  /** The very record was held; its lifetime was extended. */
  REFRESHED: 1,
  /** Detached record that is wanted: pull the value, then `acceptValue`. Nothing is kept yet. */
  PULL: 2,
  /** Equal sequence, other content, and this one wins: held now, flagged. */
  EQUIVOCATION_WON: 3,
  /** Equal sequence, other content, and the held one wins: it is flagged now. */
  EQUIVOCATION_LOST: -1,
  /** A record with a higher sequence is held. */
  STALE: -2,
  CAS_MISMATCH: -3,
  /** No room, or all of it is closer to our id. */
  FULL: -4,
  /** The publisher uses its share of this store. */
  QUOTA: -5,
  /** Malformed, wrong key, limits. `wireVerdict` says which of wire's drop codes. */
  INVALID: -6,
  BAD_SIGNATURE: -7,
  TOO_LARGE: -8,
  /** `not_before` lies beyond the record's own life. */
  TOO_EARLY: -9,
  /** Older than its lifetime, or lifetime 0. */
  EXPIRED: -10,
  /** A provider record that its owner did not announce itself. */
  NOT_OWNER: -11,
} as const;

/** Outcomes of `find`. */
export const FindVerdict = {
  FOUND: 0,
  /** A tombstone is held; `out` is filled with it, so that the reader can verify the deletion. */
  DELETED: 1,
  NOT_FOUND: -1,
  /** Held, not to be returned yet. */
  NOT_YET: -2,
} as const;

/** How a record came; one reused object. Defaults: from its publisher, just now, no compare-and-swap. */
export class AcceptRequest {
  cas = false;
  /** With `cas`: the sequence that must be held now; 0 = none held. */
  sequenceExpected = 0;
  /** How long the sender already held the record, in seconds (a steward states it; a publisher says 0). */
  ageSecs = 0;
  /** Keep as a cache for this many seconds (clamped to 5–30 min); 0 = a regular copy. */
  cacheSecs = 0;
  /** Ed25519 key of the sending peer: required for provider records, used for quotas. Undefined = from ourselves. */
  peerKey: Uint8Array | undefined = undefined;
  peerKeyOffset = 0;
}

export interface RecordBookOptions {
  readonly store: RecordStore;
  readonly curves: Curves;
  readonly rng: Rng;
  /** Unix milliseconds at now = 0. */
  readonly wallMsAtZero: number;
}

/** A record to send out again, from `nextRepublish`. */
export interface Republish {
  /** Borrowed like every read; a provider record goes out as ANNOUNCE_PROVIDER. */
  readonly record: StoredRecord;
  own: boolean;
  /** For the receiver: how long ago the publisher last stated it; 0 for own records. */
  ageSecs: number;
}

export declare class RecordBook {
  constructor(options: RecordBookOptions);
  /** By `RecordVerdict` order, see counters.names. */
  readonly counters: Counters;
  /** After `accept` and `acceptValue`: the sequence held now, 0 = none (for STORE_RESPONSE). */
  heldSequence: number;
  /** After INVALID or BAD_SIGNATURE: wire's verdict. */
  wireVerdict: Verdict;
  /**
   * A record from the network (STORE, ANNOUNCE_PROVIDER, a read that is cached), encoded, inline or detached.
   * Borrowed bytes; never throws; returns a `RecordVerdict`.
   */
  accept(now: Millis, bytes: Uint8Array, offset: number, length: number, request: AcceptRequest): Verdict;
  /** The second half of PULL: the detached record again, and the value that was pulled. */
  acceptValue(
    now: Millis,
    bytes: Uint8Array,
    offset: number,
    length: number,
    value: Uint8Array,
    valueOffset: number,
    valueLength: number,
    request: AcceptRequest,
  ): Verdict;
  /** One of our own: kept until `unpublish`, refreshed at TTL/2, served to pullers, never evicted. */
  publish(now: Millis, bytes: Uint8Array, offset: number, length: number, request?: AcceptRequest): Verdict;
  /** Stops refreshing an own record (by identity); it lives on as a normal one until it expires. */
  unpublish(key: Uint8Array, keyOffset: number, owner?: Uint8Array, ownerOffset?: number): boolean;
  /** A read of an immutable or mutable record; `FindVerdict`. No allocation. */
  find(now: Millis, key: Uint8Array, keyOffset: number, out: StoredRecord): Verdict;
  /** Providers of a key that may be returned now, from the `skip`-th on. No allocation. */
  firstProvider(now: Millis, key: Uint8Array, keyOffset: number, skip: number, out: StoredRecord): boolean;
  nextProvider(now: Millis, out: StoredRecord): boolean;
  providerCount(key: Uint8Array, keyOffset: number): number;
  /**
   * Serves FETCH_CHUNK: the value with this hash, as `out.bytes` [valueOffset, valueOffset + valueLength).
   * Own values are served at once, others once `not_before` has passed.
   */
  findValue(now: Millis, hash: Uint8Array, hashOffset: number, out: StoredRecord): boolean;
  /** Keeps a value for pullers although no record of it is held (bounded; oldest goes first). Copies. */
  pin(now: Millis, value: Uint8Array, offset: number, length: number, forMs: number): boolean;
  /** The next record due for republication; its schedule moves on. `false` = none due. */
  nextRepublish(now: Millis, out: Republish): boolean;
  /** Expires what is due. */
  handleTimeout(now: Millis): void;
  /** Until the next expiry or republication. */
  nextDelay(now: Millis): number;
}
