/** What goes into a keyed store and what it tells of itself. */
import type { Rng } from '@molia/core';
import { NEVER_UNIX } from './constants.ts';
import type { Disk } from './disk.ts';
import type { Reports } from './reports.ts';
import type { Rows } from './rows.ts';
import type { Segments } from './segments.ts';
import type { StoreLimits } from './store-options.ts';

const EMPTY = new Uint8Array(0);

/** One record to put, or read. The value is `head` and then `value`, so that a layer above need not join them. */
export class StoreEntry {
  key: Uint8Array = EMPTY;
  keyOffset = 0;
  head: Uint8Array = EMPTY;
  headLength = 0;
  value: Uint8Array = EMPTY;
  valueOffset = 0;
  valueLength = 0;
  /** Unix seconds; from then on the record is gone. `NEVER_UNIX`: never. */
  expiresUnix = NEVER_UNIX;
  /** Unix seconds of the second alarm, 0 = none. */
  dueUnix = 0;
  /** What is evicted first has the greatest rank, 0 = never evicted. Below 2^32. */
  rank = 0;
  /** Whatever the caller wants to know without reading the value; signed. */
  tag = 0;
  /** A keyed hash that chains records, 0 = none; signed. */
  link = 0;
}

/** What a recovery hands over. */
export interface StoreParts {
  readonly disk: Disk;
  readonly rng: Rng;
  readonly limits: StoreLimits;
  readonly rows: Rows;
  readonly segments: Segments;
  readonly storeId: Uint8Array;
  readonly nextSequence: number;
  readonly snapshotBytes: number;
  readonly replayedBytes: number;
  readonly bytes: number;
  readonly nowUnix: number;
  readonly reports: Reports;
  /** Torn files, and where they are to be cut. */
  readonly cuts: readonly { readonly file: number; readonly length: number }[];
  /** Files that count no more. */
  readonly leftovers: readonly number[];
  readonly wake: () => void;
}

export interface KeyedStoreStats {
  readonly count: number;
  /** Bytes of the live records' frames, charged against `bytesMax`. */
  readonly bytes: number;
  readonly countMax: number;
  readonly bytesMax: number;
  /** Bytes of all segments. */
  readonly diskBytes: number;
  readonly segments: number;
  /** Bytes that wait to be durable. */
  readonly pendingBytes: number;
  /** Bytes of records put since the start, and bytes written to disk for them and all upkeep. */
  readonly putBytes: number;
  readonly writtenBytes: number;
  readonly commits: number;
  readonly compactedSegments: number;
  readonly evicted: number;
  readonly expired: number;
  /** Records found damaged when they were read. */
  readonly lost: number;
  readonly softDropped: number;
  readonly refused: number;
}
