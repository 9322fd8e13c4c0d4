/** How long records live here and when they are sent out again: pure functions of instants in Unix seconds. */
import { type Rng, randomBelow } from '@molia/core';
import { RecordFlag, RecordType } from '@molia/wire';
import {
  CACHE_SECS_MAX,
  CACHE_SECS_MIN,
  OWN_EXPIRES_UNIX,
  OWNER_REFRESH_FROM,
  OWNER_REFRESH_TO,
  REPUBLISH_LEFT_MIN,
  REPUBLISH_SECS_MIN,
  STEWARD_REFRESH_FROM,
  STEWARD_REFRESH_TO,
  TOMBSTONE_SECS,
  TTL_SECS_MAX,
} from './constants.ts';
import { RecordMark, type StoredRecord } from './store-port.ts';

const STEPS = 2 ** 16;

/** How long a record may live from when its publisher states it. */
export function lifeSecs(flags: number, ttlSecs: number): number {
  return (flags & RecordFlag.TOMBSTONE) === 0 ? Math.min(ttlSecs, TTL_SECS_MAX) : TOMBSTONE_SECS;
}

/** When a copy with `leftSecs` of its life left ends here. `cacheSecs` matters for cached ones. */
export function expiresUnix(
  nowUnix: number,
  leftSecs: number,
  marks: number,
  flags: number,
  cacheSecs: number,
): number {
  if ((marks & RecordMark.OWN) !== 0 && (flags & RecordFlag.TOMBSTONE) === 0) return OWN_EXPIRES_UNIX;
  if ((marks & RecordMark.CACHED) === 0) return nowUnix + leftSecs;
  return nowUnix + Math.min(leftSecs, Math.max(CACHE_SECS_MIN, Math.min(CACHE_SECS_MAX, cacheSecs)));
}

/**
 * When a record that was stated or sent out now is to be sent out next; 0 = never. Owners act just before TTL/2,
 * stewards just after half of what is left, each with jitter; cached and single ones and others' provider records never go out.
 */
export function republishUnix(rng: Rng, nowUnix: number, record: StoredRecord): number {
  const life = lifeSecs(record.flags, record.ttlSecs);
  const left = record.expiresUnix - nowUnix;
  let next = 0;
  if ((record.marks & RecordMark.OWN) !== 0) next = part(rng, life, OWNER_REFRESH_FROM, OWNER_REFRESH_TO);
  else if (
    (record.marks & (RecordMark.CACHED | RecordMark.SINGLE)) !== 0 ||
    record.type === RecordType.PROVIDER
  )
    return 0;
  else if (left < life * REPUBLISH_LEFT_MIN) return 0;
  else next = part(rng, left, STEWARD_REFRESH_FROM, STEWARD_REFRESH_TO);
  return next < left ? nowUnix + next : 0;
}

function part(rng: Rng, secs: number, from: number, to: number): number {
  const share = from + ((to - from) * randomBelow(rng, STEPS)) / STEPS;
  return Math.max(REPUBLISH_SECS_MIN, Math.floor(secs * share));
}
