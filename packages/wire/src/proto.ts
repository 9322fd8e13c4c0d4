/**
 * Protobuf by offset (https://protobuf.dev/programming-guides/encoding): a reader that walks the fields of one
 * message without allocating, and writers for numbers and bytes. What it accepts is what protobuf accepts: fields in
 * any order, unknown ones skipped, numbers in more bytes than needed, the last of a repeated scalar. What it refuses:
 * a length past the end, a varint over ten bytes, groups nested deeper than `NESTING_MAX`, a group that never ends.
 */
import { copyBytes, TAKEN, type Verdict } from '@molia/core';
import { NESTING_MAX, VARINT_BYTES_MAX } from './constants.ts';
import { WireDrop } from './drops.ts';

/** Wire types. */
export const VARINT = 0;
const FIXED64 = 1;
export const BYTES = 2;
const GROUP = 3;
const GROUP_END = 4;
const FIXED32 = 5;

/** Verdict of `next`: a field was read. */
export const FIELD = 1;

const NOTHING = new Uint8Array(0);
export const TWO_32 = 2 ** 32;

/** Walks the fields of one message. `tag` is `field << 3 | wire type`; a known field of another wire type is skipped like an unknown one. */
export class ProtoReader {
  bytes: Uint8Array = NOTHING;
  position = 0;
  end = 0;
  tag = 0;
  /** The last varint as two int32: whole numbers that V8 keeps in the object; `>>> 0` makes u32 of them. */
  low = 0;
  high = 0;
  /** The last length-delimited field. */
  offset = 0;
  length = 0;

  open(bytes: Uint8Array, offset: number, length: number): void {
    this.bytes = bytes;
    this.position = offset;
    this.end = offset + length;
  }

  /** `FIELD`: `tag` and its value are set; `TAKEN`: the message ended cleanly; negative: refused. */
  next(): Verdict {
    if (this.position >= this.end) return TAKEN;
    let verdict = this.varint();
    if (verdict < 0) return verdict;
    const tag = this.low;
    this.tag = tag;
    if (tag >>> 3 === 0) return WireDrop.MALFORMED;
    const wireType = tag & 7;
    if (wireType === VARINT) {
      verdict = this.varint();
      return verdict < 0 ? verdict : FIELD;
    }
    if (wireType === BYTES) return this.delimited();
    if (wireType === GROUP) {
      verdict = this.skipGroup(tag);
      this.tag = tag;
      return verdict;
    }
    return this.skipFixed(wireType);
  }

  /** Whether the last varint is an integer below 2^53, so that `high * 2^32 + (low >>> 0)` is exact. */
  isSafe(): boolean {
    return this.high >>> 0 <= 0x1fffff;
  }

  private varint(): Verdict {
    const bytes = this.bytes;
    let position = this.position;
    const end = this.end;
    if (position >= end) return WireDrop.TRUNCATED;
    let byte = bytes[position++] as number;
    if (byte < 0x80) {
      this.low = byte;
      this.high = 0;
      this.position = position;
      return TAKEN;
    }
    let low = byte & 0x7f;
    let high = 0;
    for (let index = 1; index < VARINT_BYTES_MAX; index++) {
      if (position >= end) return WireDrop.TRUNCATED;
      byte = bytes[position++] as number;
      const bits = byte & 0x7f;
      if (index < 4) low |= bits << (7 * index);
      else if (index === 4) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (7 * index - 32);
      if (byte < 0x80) {
        this.low = low;
        this.high = high;
        this.position = position;
        return TAKEN;
      }
    }
    return WireDrop.MALFORMED;
  }

  private delimited(): Verdict {
    const verdict = this.varint();
    if (verdict < 0) return verdict;
    const length = this.low;
    if (this.high !== 0 || length < 0 || length > this.end - this.position) return WireDrop.TRUNCATED;
    this.offset = this.position;
    this.length = length;
    this.position += length;
    return FIELD;
  }

  private skipFixed(wireType: number): Verdict {
    const size = wireType === FIXED64 ? 8 : wireType === FIXED32 ? 4 : 0;
    if (size === 0) return WireDrop.MALFORMED;
    if (this.end - this.position < size) return WireDrop.TRUNCATED;
    this.position += size;
    return FIELD;
  }

  /** BOUNDED: by `NESTING_MAX` levels and by the bytes that are left. */
  private skipGroup(tag: number, depth = 1): Verdict {
    if (depth > NESTING_MAX) return WireDrop.MALFORMED;
    for (;;) {
      let verdict = this.varint();
      if (verdict < 0) return verdict;
      const inner = this.low;
      if (inner >>> 3 === 0) return WireDrop.MALFORMED;
      const wireType = inner & 7;
      if (wireType === GROUP_END) return inner >>> 3 === tag >>> 3 ? FIELD : WireDrop.MALFORMED;
      if (wireType === VARINT) verdict = this.varint();
      else if (wireType === BYTES) verdict = this.delimited();
      else if (wireType === GROUP) verdict = this.skipGroup(inner, depth + 1);
      else verdict = this.skipFixed(wireType);
      if (verdict < 0) return verdict;
    }
  }
}

// Numbers are handed over as 32-bit integers, never as doubles: a double that passes a call that V8 does not inline
// costs 16 bytes of garbage. A u32 may be given as the int32 of the same bits (`value | 0`).

/** Bytes that `writeVarint` takes. */
export function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) count++;
  return count;
}

/** Bytes that `writeWideVarint` takes. */
export function wideVarintBytes(high: number, low: number): number {
  if (high === 0) return varintBytes(low);
  let count = 5;
  for (let rest = high >>> 3; rest !== 0; rest >>>= 7) count++;
  return count;
}

/** Writes a u32; returns the position behind it. */
export function writeVarint(bytes: Uint8Array, position: number, value: number): number {
  let at = position;
  let rest = value;
  while (rest >>> 7 !== 0) {
    bytes[at++] = rest | 0x80;
    rest >>>= 7;
  }
  bytes[at] = rest;
  return at + 1;
}

/** Writes a u64 given as two u32; returns the position behind it. */
export function writeWideVarint(bytes: Uint8Array, position: number, high: number, low: number): number {
  let at = position;
  let upper = high | 0;
  let lower = low | 0;
  while (upper !== 0 || lower >>> 7 !== 0) {
    bytes[at++] = lower | 0x80;
    lower = (lower >>> 7) | (upper << 25);
    upper >>>= 7;
  }
  bytes[at] = lower;
  return at + 1;
}

/** The upper 32 bits of an integer of 0 to 2^53 - 1; the lower ones are `value | 0`. */
export function highOf(value: number): number {
  return (value / TWO_32) | 0;
}

/** Writes a field of bytes under a one-byte tag; returns the position behind it. */
export function writeBytesField(
  bytes: Uint8Array,
  position: number,
  tag: number,
  source: Uint8Array,
  sourceOffset: number,
  length: number,
): number {
  bytes[position] = tag;
  const at = writeVarint(bytes, position + 1, length);
  copyBytes(bytes, at, source, sourceOffset, length);
  return at + length;
}

/** Writes a u32 under a one-byte tag unless it is 0 (proto3 leaves zeros out); returns the position behind it. */
export function writeNumberField(bytes: Uint8Array, position: number, tag: number, value: number): number {
  if (value === 0) return position;
  bytes[position] = tag;
  return writeVarint(bytes, position + 1, value);
}

/** Writes a u64 under a one-byte tag unless it is 0; returns the position behind it. */
export function writeWideField(
  bytes: Uint8Array,
  position: number,
  tag: number,
  high: number,
  low: number,
): number {
  if (high === 0 && low === 0) return position;
  bytes[position] = tag;
  return writeWideVarint(bytes, position + 1, high, low);
}

/** Whether the range is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
export function isUtf8(bytes: Uint8Array, offset: number, length: number): boolean {
  const end = offset + length;
  let at = offset;
  while (at < end) {
    const lead = bytes[at++] as number;
    if (lead < 0x80) continue;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const more = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (end - at < more) return false;
    const second = bytes[at] as number;
    const least = lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
    const most = lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
    if (second < least || second > most) return false;
    for (let index = 1; index < more; index++) {
      if (((bytes[at + index] as number) & 0xc0) !== 0x80) return false;
    }
    at += more;
  }
  return true;
}
