/** Numbers of the record rules, the store and the puller. */

/** Specification (docs/spec/records.md). */

/** A published record lives at most this long without being refreshed. */
export const TTL_SECS_MAX = 86_400;
/** A cached record lives 5 to 30 minutes. */
export const CACHE_SECS_MIN = 300;
export const CACHE_SECS_MAX = 1_800;

/** Ours. */

/**
 * A tombstone is held for the longest life that any copy of what it deletes may have, and an hour: copies stored by
 * someone else just before the deletion expire first, so nothing comes back.
 */
export const TOMBSTONE_SECS = TTL_SECS_MAX + 3_600;
/** An own record does not expire while it is published: the last second of a u32. */
export const OWN_EXPIRES_UNIX = 0xffff_ffff;
/** Longest detached record kept beside a pull: a message holds no more. */
export const ENVELOPE_BYTES_MAX = 1_200;
/**
 * A steward schedules a republication while at least this part of the life is left: after TTL/2 and 3/4 (or so), a
 * further copy would be gone before it is of use.
 */
export const REPUBLISH_LEFT_MIN = 1 / 3;
/**
 * Owners refresh between 7/16 and 1/2 of the TTL, stewards between 1/2 and 5/8: a living owner is always first, and
 * the first steward to act postpones the others (their copy was refreshed), so one of twenty sends.
 */
export const OWNER_REFRESH_FROM = 7 / 16;
export const OWNER_REFRESH_TO = 1 / 2;
export const STEWARD_REFRESH_FROM = 1 / 2;
export const STEWARD_REFRESH_TO = 5 / 8;
/** A steward lets another take its turn when that acts at most this part of the TTL before: the width of the jitter. */
export const STEWARD_TURN = 1 / 8;
/** Nothing is republished more often than this, whatever its TTL. */
export const REPUBLISH_SECS_MIN = 30;
/** One turn of `handleTimeout` forgets at most so many records (about 2 ms), the rest follow at once. */
export const EXPIRE_BATCH = 1_024;

/** Records of all types. 2^18 of 300 B fill a quarter of the bytes; columns and indices cost about 60 MB then. */
export const STORE_COUNT_MAX = 2 ** 18;
/** Bytes of blocks. */
export const STORE_BYTES_MAX = 256 * 2 ** 20;
/** Providers of one key: eight chunks of 32. */
export const PROVIDERS_PER_KEY_MAX = 256;
/** Provider records in total, as a part of STORE_COUNT_MAX: announcements are cheap, so they may not take it all. */
export const PROVIDERS_MAX = 2 ** 17;
/** Evictions for one newcomer: a 64 KiB value in place of 128-byte ones needs at most 546. */
export const EVICTIONS_MAX = 1_024;
/** Part of the store's bytes and count that one publisher or peer may use. */
export const ACCOUNT_SHARE_MAX = 1 / 4;

/** Pinned values: bytes and number. */
export const PIN_BYTES_MAX = 8 * 2 ** 20;
export const PINS_MAX = 512;

/** Puller: concurrent pulls, of which one peer may hold a part, and their announced bytes. */
export const PULLS_MAX = 64;
export const PULLS_PER_PEER_MAX = 16;
export const PULL_BYTES_MAX = 4 * 2 ** 20;
/** Chunks in flight over all pulls: about 280 kB on the way. */
export const PULL_CHUNKS_MAX = 256;
/** Buffers of 64 KiB kept for the next pulls. */
export const PULL_BUFFERS_KEPT = 8;
/**
 * As TCP's initial window (RFC 6928): ten chunks of 1120 bytes fit the queue of nearly every path, and the largest value
 * takes 5 round trips instead of the 8 that four chunks took.
 */
export const PULL_WINDOW_INITIAL = 10;
/** A chunk overtaken by this many later ones is lost (RFC 5681's three duplicates). */
export const REORDERING = 3;
/** Requests are clamped to 50 to 600 ms (docs/spec/routing.md); a saturated uplink queues longer, so up to 2 s here. */
export const PULL_RTO_MS_MIN = 50;
export const PULL_RTO_MS_INITIAL = 500;
export const PULL_RTO_MS_MAX = 2_000;
export const PULL_BACKOFF_MAX = 8;
/** A round trip above twice the least one and 25 ms is a queue that we fill: the window is halved as for a loss. */
export const PULL_RTT_RISE = 2;
export const PULL_RTT_RISE_MS = 25;
/** At 20 % loss each way 8 tries fail once in 28,000 chunks; at 1 % never. */
export const CHUNK_TRIES_MAX = 8;
/** A whole pull, whatever its progress: 64 KiB at 5 kB/s. */
export const PULL_MS_MAX = 15_000;
