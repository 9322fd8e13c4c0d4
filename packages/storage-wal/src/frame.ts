/**
 * Frames: how bytes lie in a segment.
 *
 *     u32 body length · u32 CRC-32C · u32 epoch · body · zeros up to the next multiple of 8      (little-endian)
 *
 * The checksum covers epoch and body and is seeded with the frame's length and position, so that neither a frame that
 * ended up elsewhere nor one of another life of the file verifies. The epoch is random, drawn for each segment. After
 * a damaged frame the next whole one is found by its epoch.
 */
import { copyBytes } from '@molia/core';
import { BODY_BYTES_MAX, FRAME_ALIGN, FRAME_HEAD_BYTES } from './constants.ts';
import { crc32c } from './crc32c.ts';

/** First byte of a body. */
export const FrameKind = {
  /** First frame of a segment: magic, version, store id, sequence number, the segments alive when it began. */
  HEAD: 1,
  /** A record: `PutField`, then the value. */
  PUT: 2,
  /** New expiry and attributes of the record whose frame lies at a position: `PutField`s and `TouchField`s. */
  TOUCH: 3,
  /** A record is gone: `RemoveField`. */
  REMOVE: 4,
  /** A segment was compacted; nothing in it counts any more. */
  FREED: 5,
  /** The last frame of a segment that was filled. */
  SEAL: 6,
} as const;

/** Offsets in the body of PUT and TOUCH. Byte 1 holds `RowFlag` bits. */
export const PutField = {
  FLAGS: 1,
  EXPIRES: 4,
  DUE: 8,
  RANK: 12,
  TAG: 16,
  LINK: 20,
  KEY: 24,
  VALUE: 56,
} as const;
export const PUT_BYTES = 56;

/** Offsets in the body of TOUCH after the key: the segment and position of the frame it is about. */
export const TouchField = { SEGMENT: 56, POSITION: 60 } as const;
export const TOUCH_BYTES = 64;

/** Offsets in the body of REMOVE: what segments up to FLOOR hold of the key is gone; of no account from EXPIRES on. */
export const RemoveField = { FLOOR: 4, EXPIRES: 8, KEY: 12 } as const;
export const REMOVE_BYTES = 44;

export const FreedField = { SEGMENT: 4 } as const;
export const FREED_BYTES = 8;
export const SEAL_BYTES = 4;

/** Offsets in the body of HEAD. */
export const HeadField = { VERSION: 1, MAGIC: 4, SEGMENT: 12, STORE: 16, COUNT: 32, LIST: 36 } as const;
/** "moliaLOG" as two words. */
export const HEAD_MAGIC = 0x696c6f6d;
export const HEAD_MAGIC_2 = 0x474f4c61;
export const STORE_ID_BYTES = 16;

export function readU32(bytes: Uint8Array, at: number): number {
  return readI32(bytes, at) >>> 0;
}

/** As `readU32`, signed: never a boxed number. */
export function readI32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)
  );
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Bytes that a frame with a body of `length` takes. */
export function frameBytes(length: number): number {
  return (FRAME_HEAD_BYTES + length + FRAME_ALIGN - 1) & -FRAME_ALIGN;
}

/** Writes head and padding around a body that lies at `at + FRAME_HEAD_BYTES`. `position`: of the frame in its segment. */
export function sealFrame(
  bytes: Uint8Array,
  at: number,
  length: number,
  epoch: number,
  position: number,
): void {
  writeU32(bytes, at, length);
  writeU32(bytes, at + 8, epoch);
  writeU32(bytes, at + 4, checksum(bytes, at, length, position));
  for (let i = at + FRAME_HEAD_BYTES + length; (i & (FRAME_ALIGN - 1)) !== (at & (FRAME_ALIGN - 1)); i++)
    bytes[i] = 0;
}

/** Length of the body of the whole, undamaged frame at `at`; -1 = none. `available`: bytes from `at` on. */
export function checkFrame(
  bytes: Uint8Array,
  at: number,
  available: number,
  epoch: number,
  position: number,
): number {
  if (available < FRAME_HEAD_BYTES + 1) return -1;
  const length = readI32(bytes, at);
  if (length < 1 || length > BODY_BYTES_MAX || FRAME_HEAD_BYTES + length > available) return -1;
  if (readI32(bytes, at + 8) !== epoch) return -1;
  return checksum(bytes, at, length, position) === readI32(bytes, at + 4) ? length : -1;
}

function checksum(bytes: Uint8Array, at: number, length: number, position: number): number {
  return crc32c(Math.imul(length, -0x61c88647) ^ position, bytes, at + 8, length + 4);
}

/** A byte loop below, a view (112 bytes of garbage, 5 GB/s) above. */
const VIEW_BYTES_MIN = 2_048;

/** Copies `length` bytes; the ranges may not overlap. */
export function copyRange(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  offset: number,
  length: number,
): void {
  if (length < VIEW_BYTES_MIN) copyBytes(target, at, source, offset, length);
  else target.set(source.subarray(offset, offset + length), at);
}
