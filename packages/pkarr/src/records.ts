/**
 * Resource records, typed: A, NS, CNAME, PTR, MX, TXT (RFC 1035), AAAA (RFC 3596), SRV (RFC 2782), SVCB and HTTPS (RFC 9460).
 * Any other type is kept as bytes (RFC 3597).
 */
import { addressBytes, addressText } from './addresses.ts';
import type { ByteWriter } from './byte-writer.ts';
import { STRING_BYTES_MAX } from './constants.ts';
import { labelsOf, nameOf, type ReadName, readName } from './domain-names.ts';
import { readSvcParams, type SvcParams, writeSvcParams } from './svcb.ts';

/** What a record says. Names are text without a dot at the end, `.` for the root. */
export type RecordData =
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'NS' | 'CNAME' | 'PTR'; readonly target: string }
  | { readonly type: 'MX'; readonly preference: number; readonly target: string }
  /** Each string has at most 255 bytes; `textOf` joins them. */
  | { readonly type: 'TXT'; readonly strings: readonly Uint8Array[] }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  /** `priority` 0 is an alias; `target` `.` is the owner itself. */
  | {
      readonly type: 'SVCB' | 'HTTPS';
      readonly priority: number;
      readonly target: string;
      readonly params: SvcParams;
    }
  | { readonly type: 'UNKNOWN'; readonly code: number; readonly bytes: Uint8Array };

export interface ResourceRecord {
  /** The owner. */
  readonly name: string;
  /** Seconds, 0 to 2^32 - 1. */
  readonly ttl: number;
  readonly data: RecordData;
}

/** Type numbers (IANA registry). */
export const TYPE_CODES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  SVCB: 64,
  HTTPS: 65,
} as const;

type KnownType = keyof typeof TYPE_CODES;
const TYPE_NAMES = new Map<number, KnownType>(
  Object.entries(TYPE_CODES).map(([name, code]) => [code, name as KnownType]),
);

/** The number of a record's type. */
export function typeCodeOf(data: RecordData): number {
  return data.type === 'UNKNOWN' ? data.code : TYPE_CODES[data.type];
}

/** TXT data of a text in UTF-8, cut into strings of 255 bytes. */
export function txtData(text: string | readonly string[]): RecordData {
  const encoder = new TextEncoder();
  if (typeof text !== 'string') return { type: 'TXT', strings: text.map((part) => encoder.encode(part)) };
  const bytes = encoder.encode(text);
  const strings: Uint8Array[] = [];
  for (let at = 0; at < bytes.length || at === 0; at += STRING_BYTES_MAX)
    strings.push(bytes.slice(at, at + STRING_BYTES_MAX));
  return { type: 'TXT', strings };
}

/** The strings of TXT data joined, as UTF-8; bytes that are not become U+FFFD. `undefined` for other types. */
export function textOf(data: RecordData): string | undefined {
  if (data.type !== 'TXT') return undefined;
  const decoder = new TextDecoder();
  return data.strings.map((part) => decoder.decode(part, { stream: true })).join('') + decoder.decode();
}

/** Writes what a record says. Throws RangeError that names what is wrong. */
export function writeRecordData(out: ByteWriter, data: RecordData): void {
  switch (data.type) {
    case 'A':
      out.bytes(addressBytes(data.address, 4));
      return;
    case 'AAAA':
      out.bytes(addressBytes(data.address, 6));
      return;
    case 'NS':
    case 'CNAME':
    case 'PTR':
      out.name(labelsOf(data.target), true);
      return;
    case 'MX':
      out.u16(number16('preference', data.preference));
      out.name(labelsOf(data.target), true);
      return;
    case 'TXT':
      if (data.strings.length === 0) throw new RangeError('TXT data needs at least one string');
      for (const part of data.strings) {
        if (part.length > STRING_BYTES_MAX)
          throw new RangeError(
            `a string of TXT data has at most ${STRING_BYTES_MAX} bytes, not ${part.length}`,
          );
        out.u8(part.length);
        out.bytes(part);
      }
      return;
    case 'SRV':
      out.u16(number16('priority', data.priority));
      out.u16(number16('weight', data.weight));
      out.u16(number16('port', data.port));
      // RFC 2782 and 9460: these targets are never compressed.
      out.name(labelsOf(data.target), false);
      return;
    case 'SVCB':
    case 'HTTPS':
      out.u16(number16('priority', data.priority));
      out.name(labelsOf(data.target), false);
      writeSvcParams(out, data.params);
      return;
    case 'UNKNOWN':
      out.bytes(data.bytes);
      return;
  }
}

/** Reads what a record says; `undefined` when it is malformed. Never throws. */
export function readRecordData(
  bytes: Uint8Array,
  code: number,
  offset: number,
  end: number,
): RecordData | undefined {
  const type = TYPE_NAMES.get(code);
  const length = end - offset;
  switch (type) {
    case 'A':
    case 'AAAA': {
      const family = type === 'A' ? 4 : 6;
      if (length !== (family === 4 ? 4 : 16)) return undefined;
      return { type, address: addressText(bytes, offset, family) };
    }
    case 'NS':
    case 'CNAME':
    case 'PTR': {
      const name = nameWithin(bytes, offset, end);
      return name?.end === end ? { type, target: nameOf(name.labels) } : undefined;
    }
    case 'MX': {
      const name = nameWithin(bytes, offset + 2, end);
      if (name?.end !== end) return undefined;
      return { type, preference: u16(bytes, offset), target: nameOf(name.labels) };
    }
    case 'TXT': {
      const strings: Uint8Array[] = [];
      for (let at = offset; at < end; ) {
        const next = at + 1 + (bytes[at] as number);
        if (next > end) return undefined;
        strings.push(bytes.slice(at + 1, next));
        at = next;
      }
      return strings.length === 0 ? undefined : { type, strings };
    }
    case 'SRV': {
      const name = nameWithin(bytes, offset + 6, end);
      if (name?.end !== end) return undefined;
      return {
        type,
        priority: u16(bytes, offset),
        weight: u16(bytes, offset + 2),
        port: u16(bytes, offset + 4),
        target: nameOf(name.labels),
      };
    }
    case 'SVCB':
    case 'HTTPS': {
      const name = nameWithin(bytes, offset + 2, end);
      const params = name && readSvcParams(bytes, name.end, end);
      if (name === undefined || params === undefined) return undefined;
      return { type, priority: u16(bytes, offset), target: nameOf(name.labels), params };
    }
    default:
      return { type: 'UNKNOWN', code, bytes: bytes.slice(offset, end) };
  }
}

function nameWithin(bytes: Uint8Array, offset: number, end: number): ReadName | undefined {
  if (offset >= end) return undefined;
  const name = readName(bytes, offset);
  return name !== undefined && name.end <= end ? name : undefined;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function number16(what: string, value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 65535)
    throw new RangeError(`${what} is an integer from 0 to 65535, not ${value}`);
  return value;
}
