/** Options of a store, resolved once. */
import { type Rng, resolveOptions } from '@molia/core';
import {
  ASYNC_MS,
  BLOCK_BYTES,
  CACHE_BYTES,
  CACHE_BYTES_MIN,
  GROUP_BYTES,
  GROUP_MS,
  PENDING_BYTES_MAX,
  SEGMENT_BYTES,
  SEGMENT_BYTES_MAX,
  SEGMENT_BYTES_MIN,
  STORE_BYTES,
  STORE_COUNT,
  STORE_COUNT_MAX,
} from './constants.ts';
import type { Disk } from './disk.ts';

/**
 * How long a write may take to become durable when nobody asks for it sooner: `async` 5 s, `group` 100 ms, `strict` at
 * once (one sync after the other, each for all that came meanwhile).
 */
export type Durability = 'async' | 'group' | 'strict';

export interface KeyedStoreOptions {
  readonly disk: Disk;
  readonly rng: Rng;
  /** Unix seconds: what expired before is not taken up. */
  readonly nowUnix: number;
  /** Called when `poll` is worth calling again, after it said that there is nothing. */
  readonly wake?: () => void;
  /** Default `group`. */
  readonly durability?: Durability;
  /** Records, 1 to 2^24. Default 2^20. */
  readonly countMax?: number;
  /** Bytes of live records as they lie in the log. The files take at most twice as much and four segments. Default 256 MiB. */
  readonly bytesMax?: number;
  /** Default 32 MiB; 192 KiB to 1 GiB. */
  readonly segmentBytes?: number;
  /** Bytes that may wait for the disk in memory, 4 MiB to 1 GiB. Default 60 MiB. */
  readonly pendingBytesMax?: number;
  /** Bytes of values read lately that stay in memory, 2 MiB to 1 GiB. Default 8 MiB. */
  readonly cacheBytes?: number;
}

export interface StoreLimits {
  readonly commitMs: number;
  readonly commitBytes: number;
  readonly countMax: number;
  readonly bytesMax: number;
  readonly segmentBytes: number;
  readonly pendingBytesMax: number;
  readonly cacheBytes: number;
}

const COMMIT_MS: Readonly<Record<Durability, number>> = { async: ASYNC_MS, group: GROUP_MS, strict: 0 };
const GIB = 2 ** 30;

/** Throws TypeError or RangeError. */
export function resolveStoreOptions(options: KeyedStoreOptions): StoreLimits {
  const { disk: _disk, rng: _rng, nowUnix: _now, wake: _wake, ...given } = options;
  const { durability, ...limits } = resolveOptions(
    'store',
    {
      durability: 'group' as Durability,
      countMax: STORE_COUNT as number,
      bytesMax: STORE_BYTES as number,
      segmentBytes: SEGMENT_BYTES as number,
      pendingBytesMax: PENDING_BYTES_MAX as number,
      cacheBytes: CACHE_BYTES as number,
    },
    given,
    {
      countMax: [1, STORE_COUNT_MAX],
      bytesMax: [1, 2 ** 40],
      segmentBytes: [SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX],
      pendingBytesMax: [4 * BLOCK_BYTES, GIB],
      cacheBytes: [CACHE_BYTES_MIN, GIB],
    },
  );
  const commitMs = COMMIT_MS[durability];
  if (commitMs === undefined) {
    throw new RangeError(
      `store.durability must be async, group or strict, not ${JSON.stringify(durability)}`,
    );
  }
  return { ...limits, commitMs, commitBytes: Math.min(GROUP_BYTES, limits.pendingBytesMax / 2) };
}
