/**
 * Numbers of the Kademlia engine. Specification: what interoperation or the design fixes. Ours: what this
 * implementation chose, with the reason.
 */
import type { Tuning } from './types.ts';

// ---- Specification ------------------------------------------------------------------------------------------------

/** Entries of a near bucket and nodes a lookup settles (docs/spec/routing.md); 16 to 32 may be configured. */
export const K = 20;
export const K_MIN = 16;
export const K_MAX = 32;
/** Capacity of the three farthest buckets: fewer hops for everyone who is far, by proximity. */
export const FAR_BUCKETS: readonly number[] = [128, 64, 40];
/** RTO = SRTT + 4 RTTVAR within these bounds (docs/spec/routing.md). */
export const RTO_MS_MIN = 50;
export const RTO_MS_MAX = 600;
/** A request is late at this many SRTT: it frees its α slot and is still accepted. */
export const LATE_SRTT = 2;
/** Requests to one peer within a lookup: one and a retry. */
export const ATTEMPTS_MAX = 2;
/** Node-disjoint paths of a lookup. */
export const PATHS_MAX = 8;
/** Paths of a read whose holders disagree, or of which so many showed a record that does not verify. */
export const PATHS_DOUBTED = 4;
export const LIARS_DOUBTED = 2;

// ---- Ours ---------------------------------------------------------------------------------------------------------

/** RFC 6298 smoothing. */
export const SRTT_GAIN = 1 / 8;
export const RTTVAR_GAIN = 1 / 4;
/** Recent round trips from which a stranger's SRTT is read: enough for a P90, small enough to sort. */
export const RTT_SAMPLES = 64;
/** A stranger's SRTT before any sample: three times it is RTO_MS_MAX. */
export const SRTT_MS_UNKNOWN = 200;
/** A dead timeout is stretched by up to this share, so that retries of many nodes do not align. */
export const RTO_JITTER = 0.1;
/** Shortlist rows of a lookup: three times the K closest, so that a third may be dead. */
export const SHORTLIST_MAX = 96;
/** With disjoint paths. */
export const SHORTLIST_DISJOINT_MAX = 256;
/** Contacts heard within this long are not pinged when a newcomer wants their place. */
export const SILENT_MS = 60_000;
/** Consecutive unanswered requests after which a contact leaves the table. */
export const FAILURES_MAX = 2;
/** After that many, others' word for it is not believed for this long, doubling so often: 2 s to 64 s. Else every lookup waits for the same dead nodes. */
export const QUIET_MS = 2_000;
export const QUIET_DOUBLINGS = 5;
/** Dead requests in a row, to anyone, after which we assume that we are offline and evict nobody. */
export const OFFLINE_FAILURES = 10;
/** A nearer newcomer displaces the slowest contact of a far bucket less readily the longer that is known (NICE). */
export const RTT_SWAP_FADE_MS = 7_200_000;
/** Replacement cache rows of a bucket. */
export const REPLACEMENTS_MAX = 8;
/** Every contact of the table is heard at least this often, by a ping if by nothing else. */
export const LIVENESS_MS = 900_000;
/** Least time between two liveness pings. */
export const LIVENESS_STEP_MS = 1_000;
/** Mean time between two identity probes (NEGOTIATE) to contacts or inbound strangers. */
export const PROBE_STEP_MS = 20;
/** Probes at once after a pause: a small network is whole in one round trip, a flood still costs 50 a second. */
export const PROBES_BURST = 32;
/** Contacts waiting for a probe; more are forgotten and come back by themselves. */
export const PROBES_QUEUED_MAX = 256;
/** After joining, one bucket is filled per this time. */
export const FILL_STEP_MS = 50;
/** A table below K looks up our own id after this long, doubling while nobody new is met, up to the bucket refresh. */
export const SETTLE_MS_MIN = 1_000;
/** Seeds are asked again after this long without any contact, doubling up to the maximum. */
export const REJOIN_MS_MIN = 1_000;
export const REJOIN_MS_MAX = 60_000;
/** Seeds remembered for rejoining. */
export const SEEDS_MAX = 256;
/** Requests answered between two polls of the host: one descriptor of about 80 bytes each. */
export const ANSWERS_QUEUED_MAX = 512;
/** Events not yet polled. */
export const EVENTS_QUEUED_MAX = 4_096;
/** RATE_LIMITED is told a peer at most once in this time; between, its excess is dropped silently. */
export const RATE_LIMITED_TELL_MS = 250;
/** Units of work (see `peerUnitsPerSecond`). */
export const UNITS_FIND = 1;
export const UNITS_CHUNK = 1;
/** A store may cost a signature check, about 100 to 300 µs. */
export const UNITS_STORE = 8;
/** A storing node that answered PULLING is waited for this long after its last sign. */
export const PULLING_MS = 4_000;
/** Size samples kept: the slow estimate looks at all, the fast one at the newest few. */
export const SIZE_SAMPLES = 150;
export const SIZE_SAMPLES_FAST = 8;
export const SIZE_SAMPLE_AGE_MS = 7_200_000;
/** Providers one search collects at most, and how many one peer is paged through. */
export const PROVIDERS_FOUND_MAX = 10_000;
export const PROVIDERS_SKIP_MAX = 1_024;
/** A read that found a large value has this long from then on to pull it. */
export const PULL_BUDGET_MS = 15_000;
/** A read whose pull finds no room tries again after this long. */
export const PULL_RETRY_MS = 20;
/** A storing node that says BUSY or RATE_LIMITED is asked again after this long, jittered by as much again. */
export const BUSY_RETRY_MS = 100;
/** Other holders remembered while a value is pulled. */
export const PULL_ALTERNATES_MAX = 8;
/** STOREs whose value is being pulled at once, each with the state of one answer that is owed. */
export const PULLED_STORES_MAX = 256;
/** Requests wait this long when `requestsMax` are open. */
export const CROWDED_MS = 10;
/** Operation objects kept for reuse, beside as many as run: 2 KiB each. */
export const OPERATIONS_IDLE_MIN = 2;
/** Lookups of the engine itself (refresh, republish) that run at once. */
export const BACKGROUND_OPERATIONS_MAX = 4;
/** Storing nodes asked at once by one store: every responder in the radius, at most this many. */
export const STORE_TARGETS_MAX = 64;
/** Lookups that must have measured the network before a store is sent to who lies within the expected distance at once. */
export const STORE_EARLY_SAMPLES = 3;
/** STORE requests of one operation in flight. */
export const STORE_PARALLEL = 24;

export const DEFAULTS: Tuning = Object.freeze({
  k: K,
  alphaMin: 3,
  alphaStart: 4,
  alphaMax: 8,
  lookupBudgetMs: 2_000,
  storeBudgetMs: 15_000,
  operationsMax: 4_096,
  // 4096 lookups of 8 would be more; what exceeds it waits in its lookup.
  requestsMax: 16_384,
  // Table of about 600 with caches, and 4,096 lookups that share most of their contacts.
  contactsMax: 65_536,
  // At 5 µs a FIND_NODE one peer may take 5 % of a core.
  peerUnitsPerSecond: 10_000,
  peerUnitsBurst: 10_000,
  refreshMsMin: 1_800_000,
  refreshMsMax: 3_600_000,
  // 15 of 20: the last few are the slow ones, and each of the 15 alone keeps the record alive.
  holdersEarly: 0.75,
  proximity: true,
  fixedTimeoutMs: 0,
  maintenance: true,
});
