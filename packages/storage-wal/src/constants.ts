/** Numbers of the log and the stores on it. All are ours: no other program reads these files. */

/** Version of the file format; another one is refused. */
export const FORMAT_VERSION = 1;
/** Version of the snapshot's layout; one of another version is not used, and all segments are read. */
export const SNAPSHOT_VERSION = 2;
/** Frames start at multiples of 8, so that a scan for the next whole frame looks at an eighth of the places. */
export const FRAME_ALIGN = 8;
/** length · crc · epoch. */
export const FRAME_HEAD_BYTES = 12;
/** Largest value. A frame with it fits the buffers of a scan and of a compaction step several times. */
export const VALUE_BYTES_MAX = 128 * 1024;
/** Largest frame body: a put's head and the largest value, or a segment head that names all segments. */
export const BODY_BYTES_MAX = VALUE_BYTES_MAX + 256;
/** Segments of a store at once: what a snapshot says of each (20 bytes) fits one frame. 128 GiB at the usual size. */
export const SEGMENTS_MAX = 4_096;

/** 32 MiB: a new file every 100,000 records of 300 B, and a compaction step that is over in a second. */
export const SEGMENT_BYTES = 32 * 2 ** 20;
export const SEGMENT_BYTES_MIN = 192 * 2 ** 10;
export const SEGMENT_BYTES_MAX = 2 ** 30;
/** Bytes are handed to the writer in blocks of this size. */
export const BLOCK_BYTES = 2 ** 20;
/** Bytes that may wait in memory until they are durable; then puts are refused. 60 blocks. */
export const PENDING_BYTES_MAX = 60 * 2 ** 20;
/** Beyond this part of it soft updates are dropped. */
export const SOFT_SHARE = 1 / 4;
/** Beyond this part compaction waits for the writer. */
export const COMPACT_SHARE = 1 / 4;
/** Blocks beyond the limit that removals and the log's own frames may use: they are never refused while the disk works. */
export const RESERVE_BLOCKS = 4;

/** `group`: longest wait, and most bytes, between two commits. 16 MiB sync in 10 to 20 ms on a server's disk. */
export const GROUP_MS = 100;
export const GROUP_BYTES = 16 * 2 ** 20;
/** `async`: the same for a store that may lose seconds. */
export const ASYNC_MS = 5_000;
/** After a failed operation the disk is tried again. */
export const RETRY_MS = 1_000;

/** A sealed segment with no more than this part alive is compacted: every byte is then written at most twice on average. */
export const LIVE_SHARE_MAX = 1 / 2;
/** Removal marks that wait for old segments may fill this part of the log; then the oldest segment is compacted. */
export const MARKS_SHARE_MAX = 1 / 4;
/** Bytes read for one step of a compaction: 2 to 3 ms of work at most. */
export const COMPACT_STEP_BYTES = 256 * 1024;

/**
 * A snapshot is written after so many bytes of log, or twice its own size if that is more. With a quarter instead of a
 * half a store that grows by frames of less than 288 bytes would never come to write one: its rows grow as fast.
 */
export const SNAPSHOT_EVERY_BYTES = 64 * 2 ** 20;
export const SNAPSHOT_COST_SHARE = 1 / 2;
/** Rows in one checksummed chunk of a snapshot. */
export const SNAPSHOT_CHUNK_ROWS = 1_024;
/** Chunks in one write: 590 KB, made in about a millisecond. */
export const SNAPSHOT_WRITE_CHUNKS = 8;

/** Bytes of values read lately that are kept in memory. */
export const CACHE_BYTES = 8 * 2 ** 20;
/** At least this, so that a dozen of the largest values are borrowable at once. */
export const CACHE_BYTES_MIN = 2 * 2 ** 20;

/** Bytes and records of a store, unless told. */
export const STORE_BYTES = 256 * 2 ** 20;
export const STORE_COUNT = 2 ** 20;
export const STORE_COUNT_MAX = 2 ** 24;
/** Evictions for one newcomer. */
export const EVICTIONS_MAX = 1_024;
/** Reports that wait to be polled; the oldest go first. */
export const REPORTS_MAX = 64;
/** Bytes read at once by recovery and by `verify`. */
export const SCAN_BYTES = 2 ** 20;

/** Last second of a u32: never expires. */
export const NEVER_UNIX = 0xffff_ffff;
