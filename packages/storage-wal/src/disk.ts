/**
 * The file port: what a store needs of a disk. Reads are synchronous and by position. Everything that changes a file is
 * an operation that the store asks for (`poll`) and whose end it is told (`complete`); one is in flight at a time, in
 * the order asked for. `node-fs.ts` drives real files, tests drive a disk that loses, tears and reorders.
 *
 * Files have numbers: a segment its sequence number (1 and up), the snapshot 0, the snapshot being written -1.
 */

export const SNAPSHOT_FILE = 0;
export const SNAPSHOT_NEXT_FILE = -1;

/** What a file is called in its directory. */
export function fileName(file: number): string {
  if (file === SNAPSHOT_FILE) return 'snapshot';
  if (file === SNAPSHOT_NEXT_FILE) return 'snapshot.next';
  return `${file.toString(16).padStart(8, '0')}.segment`;
}

/** The number of a file of ours, `undefined` for any other name. */
export function fileNumber(name: string): number | undefined {
  if (name === 'snapshot') return SNAPSHOT_FILE;
  if (name === 'snapshot.next') return SNAPSHOT_NEXT_FILE;
  const match = /^([0-9a-f]{8})\.segment$/.exec(name);
  const number = match === null ? 0 : Number.parseInt(match[1] as string, 16);
  return number > 0 ? number : undefined;
}

export interface DiskFile {
  readonly file: number;
  readonly size: number;
}

/** Synchronous reads. None of them throws for what a disk may do. */
export interface Disk {
  /** Files of ours, in no order. */
  list(): readonly DiskFile[];
  /** Bytes read into `out` (fewer only at the end of the file), -1 = the file is missing or cannot be read. */
  read(file: number, position: number, out: Uint8Array, offset: number, length: number): number;
}

export const OperationKind = {
  /** Make `file` anew with `length` bytes reserved (zeros). Ends well if it was there: it is emptied first. */
  CREATE: 1,
  /** Write [offset, offset + length) of `bytes` at `position`. The bytes must not change meanwhile; they do not. */
  WRITE: 2,
  /** Make what was written to `file` durable (fdatasync; a full flush on macOS). */
  SYNC: 3,
  /** Cut `file` to `length` bytes. */
  TRUNCATE: 4,
  /** `file` replaces `target`. */
  RENAME: 5,
  /** Ends well if it is gone already. */
  UNLINK: 6,
  /** Make creations, renames and removals durable. */
  SYNC_DIRECTORY: 7,
  /** Read [position, position + length) of `file` into `bytes` at `offset`; `complete` is told how many came. */
  READ: 8,
} as const;

/** One operation: a reused slot. */
export class DiskOperation {
  kind = 0;
  file = 0;
  target = 0;
  position = 0;
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  length = 0;
}

/** How an operation ended: >= 0 well (bytes for READ), else one of these. */
export const DiskError = {
  /** No space left, or quota exceeded. */
  FULL: -1,
  /** Read-only file system, or not permitted. */
  READ_ONLY: -2,
  /** Anything else. */
  FAILED: -3,
} as const;

/** What a driver runs. */
export interface DiskWork {
  /** The next operation, copied into `out`; `false` = none now. */
  poll(now: number, out: DiskOperation): boolean;
  /** The operation that was polled ended so. */
  complete(now: number, outcome: number): void;
  /** Milliseconds until `poll` is worth calling: 0 = now, core's `IDLE` = only after the next change. */
  nextDelay(now: number): number;
}
