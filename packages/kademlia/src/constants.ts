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
/** Nobody is late before the first, and nobody is waited for longer than the second (docs/spec/routing.md). */
export const RTO_MS_MIN = 50;
export const RTO_MS_MAX = 800;
/** Contacts of one network (IPv4 /24, IPv6 /48) in a bucket and in the table: what one owner's addresses may take of it. */
export const NETWORK_PER_BUCKET_MAX = 2;
export const NETWORK_PER_TABLE_MAX = 10;
/** An answer that comes so long after its request was given up is read all the same. */
export const LINGER_MS = 1_000;
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
/** First round trips of which half are forgotten: enough for a P99. */
export const RTT_SAMPLES = 256;
/** A stranger is late after this quantile of first round trips: one in ten frees its slot for nothing, and is asked twice. */
export const STRANGER_LATE = 0.9;
/** And dead after this one: a lower one ends searches earlier, and misses more of the closest who are only slow. */
export const STRANGER_DEAD = 0.99;
/** A stranger's SRTT before any sample. */
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
/** But one that is nearer by this factor always may: else tables would stay as rough as they were made. */
export const RTT_SWAP_MIN = 1 / 2;
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
/**
 * One contact that others named and nobody here has heard is asked for a sign of life this often, if a far bucket could hold it: who
 * is near must be measured to be known. 720 an hour cost about 80 bytes a second; so many rows of the slab are looked at.
 */
export const NEAR_STEP_MS = 5_000;
export const NEAR_SCAN = 64;
/** After joining, one bucket is filled per this time. */
export const FILL_STEP_MS = 50;
/**
 * Filling a bucket after joining asks until this many nearest to a random id in it have answered: about 10 nodes a bucket,
 * a third of the datagrams that K of them cost among 700 nodes; the rest comes with lookups, refreshes and measuring.
 */
export const FILL_WIDTH = 4;
/** A bucket is refreshed first after this long, then each time that our age has doubled: a node that stays is worth more of it. */
export const GROW_MS = 60_000;
/** Lost contacts remembered: rows of the slab that stay held. A fifth of them from one bucket at most. */
export const LOST_MAX = 128;
export const LOST_PER_BUCKET_MAX = 24;
/** A mass silence: so many contacts, and this share of the table, lost within this long. */
export const LOST_MASS_COUNT = 4;
export const LOST_MASS_SHARE = 1 / 4;
export const LOST_MASS_MS = 300_000;
/**
 * One lost contact or absent seed is asked after this long, growing by half to the maximum, less in a small network: two
 * halves of 500 nodes ask across 500/30 times a second each, two of ten nodes at least once in 5 s. An unanswered
 * probe costs some initiations of 250 bytes: about 30 bytes a second.
 */
export const LOST_PROBE_MS_MIN = 5_000;
export const LOST_PROBE_MS_MAX = 30_000;
export const LOST_PROBE_PER_NODE_MS = 1_000;
/**
 * Hints that a rift has closed: followed after up to the jitter, then no sooner than this after contacts that were lost for
 * `LOST_LONG_MS`, and than `HEAL_STRANGER_MS` after strangers, doubling while they bring fewer new neighbours than
 * `HEAL_NEWS_MIN`. Under churn nobody returns under the same key, and strangers come all the time.
 */
export const HEAL_JITTER_MS = 3_000;
export const HEAL_MS_MIN = 5_000;
export const LOST_LONG_MS = 60_000;
export const HEAL_STRANGER_MS = 120_000;
/** So long after a long lost contact has returned, strangers are followed as fast. */
export const HEAL_RIFT_MS = 60_000;
export const HEAL_MS_MAX = 600_000;
export const HEAL_NEWS_MIN = 2;
/** After a hint was followed our own id is looked up once more: by then our neighbours have healed too and know more. */
export const HEAL_AGAIN_MS = 8_000;
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
/** Requests of one search for nodes in flight when the closest are in sight: all K, and as many more as may be dead. */
export const LOOKUP_PARALLEL = 24;
/** Nodes near the target that a search asks for their own neighbours, one for each that is overdue. */
export const EDGES_MAX = 6;
/** STORE requests of one operation in flight. */
export const STORE_PARALLEL = 24;

export const DEFAULTS: Tuning = Object.freeze({
  k: K,
  alphaMin: 3,
  alphaStart: 4,
  alphaMax: 8,
  // Among 100,000 nodes (simulated): first answer after 181 ms at 26 requests; 16 in flight ask 35 and answer no sooner.
  alphaReads: 12,
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
  diversity: true,
  fixedTimeoutMs: 0,
  resend: true,
  endgame: true,
  widen: true,
  earlyStores: true,
  maintenance: true,
});
