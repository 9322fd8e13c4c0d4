/**
 * The public shapes of the Kademlia engine: the port to the session storey, options, events, outcomes.
 * Rules: docs/spec/routing.md, docs/spec/records.md.
 */
import type { Curves, Identity, Millis, Rng } from '@molia/core';
import type { RecordStore } from './records/store-port.ts';

/**
 * What the engine needs from the session storey. `@molia/wireguard` fits; the test cluster implements it in memory.
 * Peer handles are 31-bit non-negative integers, `NONE` (-1) means "no such peer".
 */
export interface Peers {
  /**
   * Finds or creates the peer of an Ed25519 key (32 bytes at `keyOffset`) behind an endpoint (19 bytes). Sends nothing.
   * `NONE` when the key is no valid point, the endpoint cannot be reached from here, or there is no room.
   */
  open(
    now: Millis,
    publicKey: Uint8Array,
    keyOffset: number,
    endpoint: Uint8Array,
    endpointOffset: number,
  ): number;
  /** Writes the 32-byte Ed25519 key of a peer; `false` while it is unknown (a session without early data). */
  identity(peer: number, out: Uint8Array, offset: number): boolean;
  /** Writes the 19-byte endpoint, last proven else last hinted; `false` when there is none. */
  endpoint(peer: number, out: Uint8Array, offset: number): boolean;
  /** Binds a key to a session that began without one; `false` when it does not map to the session's static key. */
  bindIdentity(now: Millis, peer: number, publicKey: Uint8Array, offset: number): boolean;
  /** Requests to it die one after the other: its session may be gone at the other side. Optional. */
  doubt?(now: Millis, peer: number): void;
}

/** Handle of a running operation; `NONE` = refused, too many run already (`operationsMax`). */
export type Op = number;

export interface KademliaOptions {
  readonly identity: Identity;
  readonly peers: Peers;
  readonly store: RecordStore;
  readonly rng: Rng;
  readonly curves: Curves;
  /** Unix milliseconds at `now` = 0. */
  readonly wallMsAtZero: number;
  /** Asks, and is never listed: answers only PING, NEGOTIATE and FETCH_CHUNK. Default false. */
  readonly client?: boolean;
  /** Our signed node record, sent by NEGOTIATE; at most 512 bytes. */
  readonly nodeRecord?: Uint8Array;
  /** Feature bits of NEGOTIATE. */
  readonly features?: number;
  /** Every other limit; unknown keys throw. See `DEFAULTS`. */
  readonly tuning?: Partial<Tuning>;
}

/** Limits and periods; `DEFAULTS` in constants.ts says why each has its value. */
export interface Tuning {
  /** Closest nodes a lookup settles, entries of a near bucket: 16 to 32. */
  readonly k: number;
  readonly alphaMin: number;
  readonly alphaStart: number;
  readonly alphaMax: number;
  /** Requests of a read in flight, from its start: who waits for a value pays for its speed. */
  readonly alphaReads: number;
  /** A lookup ends after this long with what it has. */
  readonly lookupBudgetMs: number;
  /** A store ends after this long (pulls of large values included). */
  readonly storeBudgetMs: number;
  /** Operations at once, ours included (refresh, republish). */
  readonly operationsMax: number;
  /** Requests in flight. */
  readonly requestsMax: number;
  /** Contacts remembered at once: table, replacement caches, running lookups. */
  readonly contactsMax: number;
  /** Units of work a peer may ask a second (FIND 1, FETCH_CHUNK 1, STORE 8). */
  readonly peerUnitsPerSecond: number;
  readonly peerUnitsBurst: number;
  /** A bucket is probed once in this period (jittered). */
  readonly refreshMsMin: number;
  readonly refreshMsMax: number;
  /** Share of the K closest that must hold a record before a store reports DONE; the rest continues. */
  readonly holdersEarly: number;
  /** Larger far buckets that prefer near contacts. `false` = buckets of `k`, oldest first, as in the 2002 paper. */
  readonly proximity: boolean;
  /** At most 2 contacts of one network (IPv4 /24, IPv6 /48) in a bucket and 10 in the table. */
  readonly diversity: boolean;
  /** A request is late and dead after this long, whoever is asked; 0 = by each contact's own round trips. */
  readonly fixedTimeoutMs: number;
  /** An overdue peer is asked again while its first answer is still welcome. `false` = once the first request is dead. */
  readonly resend: boolean;
  /** More than α at once when the closest nodes are in sight. */
  readonly endgame: boolean;
  /** Lookups for a key ask everybody within the expected distance of the K-th closest, not only K. */
  readonly widen: boolean;
  /** Holders are asked to store as soon as they answered the lookup, not when it has ended. */
  readonly earlyStores: boolean;
  /** Asks buckets, liveness, republish by itself. `false` = only what the host calls (for tests). */
  readonly maintenance: boolean;
}

export const EventKind = {
  /** `a` = asked, `b` = answered, `c` = leading bits that the closest answerer shares with the target. */
  PROGRESS: 1,
  /** A verified record, encoded with its value inline, in `bytes`; `sequence` is its sequence. The last one is the best. */
  VALUE: 2,
  /** A verified provider record, encoded, in `bytes`. */
  PROVIDER: 3,
  /** The operation has its result: `code` is an `Outcome`; see each method for `a`, `b`, `c`. */
  DONE: 4,
  /** Two valid records with one sequence and different values were seen; the kept one is in `bytes`. */
  EQUIVOCATION: 5,
  /** The routing table gained or lost a contact: `a` = contacts now. `op` is `NONE`. */
  TABLE_CHANGED: 6,
  /** A store has ended for good, always after its DONE: `a` = holders, `b` = asked. The handle is free. */
  SETTLED: 7,
  /** A node showed something that does not verify, or sent bytes that are not what it announced: its public key is in `bytes`. */
  LIAR: 8,
} as const;

export const Outcome = {
  OK: 0,
  /** Every one of the closest live nodes was asked and none held it. */
  NOT_FOUND: 1,
  /** The budget was spent first; what was found by then was delivered. */
  TIMEOUT: 2,
  /** There was nobody to ask. */
  NO_PEERS: 3,
  CANCELLED: 4,
  /** A store that fewer nodes hold than asked for; `a` says how many. */
  NOT_ENOUGH_HOLDERS: 5,
  /** Somebody holds a higher sequence (`sequence`). */
  STALE: 6,
  /** Compare-and-swap failed; `sequence` is what is held (0 = nothing). */
  CAS_MISMATCH: 7,
  /** Somebody holds the same sequence with other bytes. */
  EQUIVOCATION: 8,
  /** A `ping` or `ask` that was not answered. */
  UNREACHABLE: 9,
  /** The record handed to `store` or `announce` does not verify. */
  INVALID: 10,
} as const;

/** Drop codes of `handleDatagram`, beside wire's; each has a counter. */
export const KademliaDrop = {
  /** An answer that nobody waits for, from this peer under this correlation. */
  UNEXPECTED: -1,
  /** An answer of another type than was asked for. */
  WRONG_TYPE: -2,
} as const;

/** Names of outcomes for logs and errors. */
export const outcomeNames: Readonly<Record<number, string>> = Object.freeze(
  Object.fromEntries(Object.entries(Outcome).map(([name, value]) => [value, name])),
);

/** One reused slot; `bytes` is borrowed until the next call of any method of the engine. */
export interface KademliaEvent {
  kind: number;
  op: Op;
  code: number;
  a: number;
  b: number;
  c: number;
  sequence: number;
  bytes: Uint8Array;
  offset: number;
  length: number;
}

const NO_BYTES = new Uint8Array(0);

/** A slot to hand to `pollEvent`. */
export function createKademliaEvent(): KademliaEvent {
  return { kind: 0, op: -1, code: 0, a: 0, b: 0, c: 0, sequence: 0, bytes: NO_BYTES, offset: 0, length: 0 };
}

export interface LookupOptions {
  /** Node-disjoint paths: 1 (default) to 8. */
  readonly paths?: number;
  /** Default `lookupBudgetMs`. */
  readonly budgetMs?: number;
}

export interface FindValueOptions extends LookupOptions {
  /** Only records with at least this sequence. */
  readonly sequenceMin?: number;
  /** `true`: keep asking after the first valid immutable record (a census of holders). */
  readonly all?: boolean;
  /** `true`: ask the 2 K closest, those included that were silent lately. Slower; for a record that one node alone holds. */
  readonly wide?: boolean;
  /**
   * `true`: only who holds an immutable record, by its own word: the first verified envelope ends the search, and no value that does not fit
   * the answer is pulled. VALUE carries the record as it was shown; `closest` names its holder, nobody when it is held here.
   */
  readonly head?: boolean;
}

export interface StoreOptions {
  /** Compare-and-swap: the sequence that must be held now; 0 = none. */
  readonly cas?: number;
  readonly budgetMs?: number;
  /** `false`: do not keep and refresh it as ours. Default true. */
  readonly own?: boolean;
}

/** A contact as shown to people: copies, safe to keep. */
export interface ContactInfo {
  readonly publicKey: Uint8Array;
  readonly id: Uint8Array;
  /** 19 bytes. */
  readonly endpoint: Uint8Array;
  /** Milliseconds, self-measured; NaN before the first sample. */
  readonly srttMs: number;
  /** Leading bits shared with our id, or -1 when not in the table. */
  readonly bucket: number;
  /** `now` of the last answer; -1 = never. */
  readonly lastSeenMs: Millis;
}

export interface SizeEstimate {
  /** Estimated nodes of the network, us included. */
  readonly nodes: number;
  /** Of `nodes`; NaN before the first lookup. */
  readonly standardDeviation: number;
  /** Fraction of the id space within which records are stored. */
  readonly radius: number;
}
