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
const TWO_32 = 2 ** 32;

/** Walks the fields of one message. `tag` is `field << 3 | wire type`; a known field of another wire type is skipped like an unknown one. */
export class ProtoReader {
  bytes: Uint8Array = NOTHING;
  position = 0;
  end = 0;
  tag = 0;
  /** The last varint as two u32. */
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
    if (tag < 8) return WireDrop.MALFORMED;
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

  /** The last varint as a double, or -1 when it is 2^53 or more. */
  integer(): number {
    return this.high > 0x1fffff ? -1 : this.high * TWO_32 + this.low;
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
        this.low = low >>> 0;
        this.high = high >>> 0;
        this.position = position;
        return TAKEN;
      }
    }
    return WireDrop.MALFORMED;
  }

  private delimited(): Verdict {
    const verdict = this.varint();
    if (verdict < 0) return verdict;
    if (this.high !== 0 || this.low > this.end - this.position) return WireDrop.TRUNCATED;
    this.offset = this.position;
    this.length = this.low;
    this.position += this.low;
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
      if (inner < 8) return WireDrop.MALFORMED;
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

/** Bytes that `writeVarint` takes for an integer of 0 to 2^53 - 1. */
export function varintBytes(value: number): number {
  let count = 1;
  let rest = value;
  while (rest >= 128) {
    rest = Math.floor(rest / 128);
    count++;
  }
  return count;
}

/** Writes an integer of 0 to 2^53 - 1; returns the position behind it. */
export function writeVarint(bytes: Uint8Array, position: number, value: number): number {
  let at = position;
  if (value < 128) {
    bytes[at] = value;
    return at + 1;
  }
  if (value >= TWO_32) return writeVarintPair(bytes, at, Math.floor(value / TWO_32), value >>> 0);
  let rest = value >>> 0;
  while (rest >= 128) {
    bytes[at++] = rest | 0x80;
    rest >>>= 7;
  }
  bytes[at] = rest;
  return at + 1;
}

/** Writes a 64-bit integer given as two u32; returns the position behind it. */
export function writeVarintPair(bytes: Uint8Array, position: number, high: number, low: number): number {
  let at = position;
  let upper = high >>> 0;
  let lower = low >>> 0;
  while (upper !== 0 || lower >= 128) {
    bytes[at++] = lower | 0x80;
    lower = ((lower >>> 7) | (upper << 25)) >>> 0;
    upper >>>= 7;
  }
  bytes[at] = lower;
  return at + 1;
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

/** Writes a number under a one-byte tag unless it is 0 (proto3 leaves zeros out); returns the position behind it. */
export function writeNumberField(bytes: Uint8Array, position: number, tag: number, value: number): number {
  if (value === 0) return position;
  bytes[position] = tag;
  return writeVarint(bytes, position + 1, value);
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
