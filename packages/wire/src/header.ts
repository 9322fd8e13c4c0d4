/**
 * The 12-byte header of every message (docs/spec/wire.md), network byte order:
 * `u8 version, u8 type, u8 flags, u8 qos, u32 correlation, u32 stream`.
 * Refuses other versions, types that version 1 does not know, and a qos above 2.
 */
import { TAKEN, type Verdict } from '@molia/core';
import { HEADER_BYTES, MessageType, PROTOCOL_VERSION, Qos } from './constants.ts';
import { WireDrop } from './drops.ts';

/** A decoded header; a host keeps one and reuses it. */
export class Header {
  version = 0;
  type = 0;
  flags = 0;
  qos = 0;
  /** u32 */
  correlation = 0;
  /** u32 */
  stream = 0;
}

const KNOWN = new Uint8Array(256);
for (const type of Object.values(MessageType)) KNOWN[type] = 1;

/** Whether version 1 names this message type, reserved ones included. */
export function isMessageType(type: number): boolean {
  return KNOWN[type] === 1;
}

/**
 * Reads the header at `offset`. With `WireDrop.VERSION` and `WireDrop.TYPE` the fields are filled all the same, so
 * that an authenticated peer can be answered UNSUPPORTED under its correlation.
 */
export function readHeader(bytes: Uint8Array, offset: number, length: number, out: Header): Verdict {
  if (length < HEADER_BYTES) return WireDrop.TRUNCATED;
  out.version = bytes[offset] as number;
  out.type = bytes[offset + 1] as number;
  out.flags = bytes[offset + 2] as number;
  out.qos = bytes[offset + 3] as number;
  out.correlation = readU32(bytes, offset + 4);
  out.stream = readU32(bytes, offset + 8);
  if (out.version !== PROTOCOL_VERSION) return WireDrop.VERSION;
  if (KNOWN[out.type] !== 1) return WireDrop.TYPE;
  if (out.qos > Qos.HINTS) return WireDrop.RANGE;
  return TAKEN;
}

/** Writes `HEADER_BYTES` at `offset`; `correlation` and `stream` are u32, or the int32 of the same bits. */
export function writeHeader(
  bytes: Uint8Array,
  offset: number,
  type: number,
  flags: number,
  qos: number,
  correlation: number,
  stream: number,
): void {
  bytes[offset] = PROTOCOL_VERSION;
  bytes[offset + 1] = type;
  bytes[offset + 2] = flags;
  bytes[offset + 3] = qos;
  writeU32(bytes, offset + 4, correlation);
  writeU32(bytes, offset + 8, stream);
}

function readU32(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset] as number) << 24) |
      ((bytes[offset + 1] as number) << 16) |
      ((bytes[offset + 2] as number) << 8) |
      (bytes[offset + 3] as number)) >>>
    0
  );
}

function writeU32(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}
