/** Limits and periods of the assembly. */

// Specification

/** docs/spec/records.md: longest value of a record, bytes. */
export const VALUE_BYTES_MAX = 65_536;
/** docs/spec/records.md. */
export const NAMESPACE_BYTES_MAX = 255;
export const SALT_BYTES_MAX = 64;
export const META_BYTES_MAX = 128;
/** A sequence is a double without loss. */
export const SEQUENCE_MAX = Number.MAX_SAFE_INTEGER;
/** docs/spec/records.md: longest value that travels inside one datagram, bytes. */
export const INLINE_BYTES_MAX = 1000;
/** docs/spec/records.md: default time to live of a record, seconds. */
export const TTL_SECS_DEFAULT = 86_400;
/** Storing nodes clamp longer ones to it. */
export const TTL_SECS_MAX = 86_400;
/** docs/spec/blobs.md: a shard goes to one of so many nodes closest to its key. */
export const BLOB_CANDIDATES_MAX = 20;

// Ours

/** Shortest time to live that a caller may ask for: it is refreshed at half of it, which must stay cheap. */
export const TTL_SECS_MIN = 60;

/** Remote endpoints remembered: twice the WireGuard peers, so that a roaming peer's old path can linger. */
export const PATHS_MAX = 131_072;
/** Datagrams sent in one turn before I/O and timers get theirs: about 20 ms of work at 5 µs each. */
export const PUMP_TRANSMITS_MAX = 4096;
/** Events delivered in one turn. */
export const PUMP_EVENTS_MAX = 4096;

/** Client operations at once: 256 lookups of 4 requests each fill a 1024-datagram burst, what socket buffers hold with ease. */
export const OPERATIONS_MAX = 256;
export const OPERATIONS_QUEUED_MAX = 16_384;
export const TIMEOUT_MS_DEFAULT = 10_000;
/** 64 KiB at 20 holders is about 1 200 chunks: three times the time of a small write. */
export const TIMEOUT_MS_LARGE = 30_000;
export const TIMEOUT_MS_MAX = 600_000;
/** Providers that one iteration delivers unless `max` says otherwise. */
export const PROVIDERS_DEFAULT = 1000;
export const PROVIDERS_MAX = 10_000;
/** Writes of a mutable record without a given sequence read the highest one first; a lost race is retried so often. */
export const SEQUENCE_RETRIES_MAX = 3;

/** First pause between two attempts to join, doubled up to the maximum, each jittered by a quarter. */
export const REJOIN_MS_MIN = 500;
export const REJOIN_MS_MAX = 60_000;
/** Seeds that are asked in one attempt to join. */
export const SEEDS_MAX = 256;
/** Contacts that a peerstore keeps: a full table of 64 buckets would be 1 280. */
export const PEERSTORE_CONTACTS_MAX = 2048;
/** Changed contacts are written to the peerstore this long after a change, and no more often. */
export const PEERSTORE_SAVE_MS = 1_000;
/** 2 048 contacts of 104 bytes, and the stamp. */
export const PEERSTORE_BYTES_MAX = 1024 * 1024;
export const PEERSTORE_SEGMENT_BYTES = 1024 * 1024;
export const PEERSTORE_CACHE_BYTES = 2 * 1024 * 1024;

export const PEERS_MAX = 65_536;
export const RECORDS_MAX = 100_000;
export const STORE_BYTES_MAX = 256 * 1024 * 1024;
/** Nodes of one testnet: each has a socket and a routing table, a process about a thousand descriptors. */
export const TESTNET_NODES_MAX = 500;
/** Testnet nodes that join at the same time. */
export const TESTNET_JOINS_MAX = 8;
/** A shard that has not come after this long gets a companion: twice what a pull of 64 KiB takes across the world. */
export const BLOB_LATE_MS = 1500;
/** Reads of a shard before it counts as missing, all but the first wide: one in 40 failed in 20 processes on two overloaded cores. */
export const BLOB_ATTEMPTS = 4;
/** A request that hardly anybody answers is made again after this long, doubling, until all tries together took so long: any stall but an outage. */
export const BLOB_PAUSE_MS_MIN = 250;
export const BLOB_PATIENCE_MS = 10_000;
/** Keys that one node may pin: their list is one file that is written whole. */
export const PINS_MAX = 10_000;
/** A pinned key is visited this often: shards on holders that stay for a month are then lost once in 10^8 blob years. */
export const STEWARD_PERIOD_MS = 3_600_000;
/** After a visit that failed. */
export const STEWARD_RETRY_MS = 300_000;
/** Shards that a steward asks for a second: about 20 small datagrams each, 150 kB/s at most. */
export const STEWARD_SHARDS_PER_SECOND = 50;
