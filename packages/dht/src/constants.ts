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

// Ours

/** Shortest time to live that a caller may ask for: it is refreshed at half of it, which must stay cheap. */
export const TTL_SECS_MIN = 60;
/** Largest datagram: 1200 of message, 32 of WireGuard, and an extended initiation stays below 1400. */
export const DATAGRAM_BYTES_MAX = 1452;
/** Kernel socket buffers: 4 MiB hold about 3 000 datagrams of 1200 bytes, 30 ms at 100 000 a second. The kernel may cap it. */
export const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** Bytes that may wait inside libuv for a full socket; more are dropped, as a full network would. */
export const SEND_QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** One send in so many asks for its result, so that errors are counted without a callback on every packet. */
export const SEND_CHECK_EVERY = 32;
/** Attempts to find one port that is free for both families. */
export const PORT_ATTEMPTS_MAX = 16;

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
/** The peerstore is saved this long after a change, and no more often. */
export const PEERSTORE_SAVE_MS = 60_000;
/** Largest peerstore file read: 2 048 contacts of 51 bytes and the head are 105 KiB. */
export const PEERSTORE_BYTES_MAX = 1024 * 1024;

export const PEERS_MAX = 65_536;
export const RECORDS_MAX = 100_000;
export const STORE_BYTES_MAX = 256 * 1024 * 1024;
/** Nodes of one testnet: each has a socket and a routing table, a process about a thousand descriptors. */
export const TESTNET_NODES_MAX = 500;
/** Testnet nodes that join at the same time. */
export const TESTNET_JOINS_MAX = 8;
