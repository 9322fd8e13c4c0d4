/** Numbers of this package. */

// Specification (docs/spec/blobs.md).

/** Data and parity shards of one code together: what GF(2^8) has room for, less one. */
export const SHARDS_MAX = 255;
/** Version of the manifest. */
export const MANIFEST_VERSION = 1;
/** Bytes of a record's value in the network: a root, a page and a shard each fit one. */
export const BLOCK_BYTES_MAX = 65536;
/** BLAKE3 digests, keys of ciphers and of records. */
export const HASH_BYTES = 32;
/** After a shard's bytes stands its index, so that equal shards of one stripe are different records. */
export const SHARD_TRAILER_BYTES = 1;
export const SHARD_BYTES_MAX = BLOCK_BYTES_MAX - SHARD_TRAILER_BYTES;
/** Fixed part of a root and of a page. */
export const ROOT_HEADER_BYTES = 64;
export const PAGE_HEADER_BYTES = 16;

// Ours.

/**
 * Bytes of a shard in a full stripe: the most that a record holds, 65,535, rounded down to whole cache lines. Their
 * number, 1023, is odd, so that the shards of a stripe lie in different sets of the caches.
 */
export const SHARD_BYTES_DEFAULT = 65472;
