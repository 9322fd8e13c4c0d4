/** What the record book answers, and how a record came to it. */
import { StoreStatus } from '@molia/wire';

/** Outcomes of `accept`, `acceptValue`, `publish`. `>= 0`: the record is held now (or will be, PULL). */
export const RecordVerdict = {
  STORED: 0,
  /** The very record was held; its lifetime was extended where it may be. */
  REFRESHED: 1,
  /** Detached record that is wanted and whose envelope verified: pull the value, then `acceptValue`. Nothing is kept yet. */
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

/** Counters of the book: one a verdict (first `held` ones, then by falling code), then the others. */
export const RECORD_COUNTERS = [
  'stored',
  'refreshed',
  'pull',
  'equivocationWon',
  'equivocationLost',
  'stale',
  'casMismatch',
  'full',
  'quota',
  'invalid',
  'badSignature',
  'tooLarge',
  'tooEarly',
  'expiredOnArrival',
  'notOwner',
  'found',
  'deleted',
  'notFound',
  'notYet',
  'expired',
  'republishedOwn',
  'republishedSteward',
  'valuesServed',
  'pinned',
] as const;
const ACCEPTED = 4;
const VERDICTS = 15;
export const FOUND_COUNTER = VERDICTS;
export const EXPIRED_COUNTER = 19;
export const REPUBLISHED_OWN_COUNTER = 20;
export const REPUBLISHED_STEWARD_COUNTER = 21;
export const SERVED_COUNTER = 22;
export const PINNED_COUNTER = 23;

/** The counter of a `RecordVerdict`. */
export function verdictCounter(verdict: number): number {
  return verdict >= 0 ? verdict : ACCEPTED - 1 - verdict;
}

/** The counter of a `FindVerdict`. */
export function findCounter(verdict: number): number {
  return verdict >= 0 ? FOUND_COUNTER + verdict : FOUND_COUNTER + 1 - verdict;
}

/** wire's `StoreStatus` of a verdict; 0 where an ERROR answers instead (INVALID, or UNAUTHORIZED for NOT_OWNER). */
export function storeStatusOf(verdict: number): number {
  switch (verdict) {
    case RecordVerdict.STORED:
    case RecordVerdict.REFRESHED:
      return StoreStatus.STORED;
    case RecordVerdict.PULL:
      return StoreStatus.PULLING;
    case RecordVerdict.EQUIVOCATION_WON:
    case RecordVerdict.EQUIVOCATION_LOST:
      return StoreStatus.EQUIVOCATION;
    case RecordVerdict.STALE:
      return StoreStatus.STALE;
    case RecordVerdict.CAS_MISMATCH:
      return StoreStatus.CAS_MISMATCH;
    case RecordVerdict.FULL:
    case RecordVerdict.QUOTA:
      return StoreStatus.FULL;
    default:
      return 0;
  }
}

/** How a record came; one reused object. Defaults: from its publisher, just now, no compare-and-swap. */
export class AcceptRequest {
  cas = false;
  /** With `cas`: the sequence that must be held now; 0 = none held. */
  sequenceExpected = 0;
  /** How long the sender already held the record, in seconds (a steward states it; a publisher says 0). */
  ageSecs = 0;
  /** Keep as a cache for this many seconds (clamped to 5–30 min); 0 = a regular copy. */
  cacheSecs = 0;
  /** A regular copy that is never handed on; without effect on one that is held already as an ordinary one. */
  single = false;
  /** Ed25519 key of the sending peer: required for provider records, used for quotas. Undefined = from ourselves. */
  peerKey: Uint8Array | undefined = undefined;
  peerKeyOffset = 0;
}
