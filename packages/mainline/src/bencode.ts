/**
 * Bencode (BEP 3), by offset and without recursion: what comes from the network is scanned in place, never decoded into
 * objects. Canonical form only, where it matters: `bencodeEnd` with `strict` refuses unsorted or repeated dictionary keys
 * (BEP 44 demands it for values); integers and lengths with leading zeros and `-0` are refused always.
 */
import { DEPTH_MAX } from './constants.ts';
import { copyOf } from './copy.ts';

/** A decoded value. Dictionary keys are byte strings, one char a byte. Integers beyond 2^53 are bigints. */
export type BencodeValue = number | bigint | Uint8Array | BencodeValue[] | { [key: string]: BencodeValue };
/** What `encodeBencode` takes: strings are written as UTF-8. */
export type BencodeInput =
  | number
  | bigint
  | string
  | Uint8Array
  | readonly BencodeInput[]
  | { readonly [key: string]: BencodeInput };

const COLON = 0x3a;
const DICT = 0x64;
const END = 0x65;
const INT = 0x69;
const LIST = 0x6c;
const MINUS = 0x2d;
const ZERO = 0x30;

/** Where the last string read by `stringStart` ends. One thread, read at once: a second result without an object. */
let stringEndAt = 0;

/** First byte of the string that begins (with its length) at `at`; -1 when there is none within `limit`. */
export function stringStart(bytes: Uint8Array, at: number, limit: number): number {
  let length = 0;
  let i = at;
  for (; i < limit; i++) {
    const digit = (bytes[i] as number) - ZERO;
    if (digit < 0 || digit > 9) break;
    if (i > at && length === 0) return -1;
    length = length * 10 + digit;
    if (length > 0xffffff) return -1;
  }
  if (i === at || i >= limit || bytes[i] !== COLON || i + 1 + length > limit) return -1;
  stringEndAt = i + 1 + length;
  return i + 1;
}

/** End of the string that `stringStart` found last. */
export function stringEnd(): number {
  return stringEndAt;
}

/** End (exclusive) of the integer at `at`, `e` included; -1 when malformed or longer than 20 characters. */
export function integerEnd(bytes: Uint8Array, at: number, limit: number): number {
  if (bytes[at] !== INT) return -1;
  let i = at + 1;
  const negative = bytes[i] === MINUS;
  if (negative) i++;
  const first = i;
  while (i < limit && i - first < 20 && (bytes[i] as number) >= ZERO && (bytes[i] as number) <= ZERO + 9) i++;
  if (i === first || i >= limit || bytes[i] !== END) return -1;
  if (bytes[first] === ZERO && (i - first > 1 || negative)) return -1;
  return i + 1;
}

const kinds = new Uint8Array(DEPTH_MAX);
const keyStarts = new Int32Array(DEPTH_MAX);
const keyEnds = new Int32Array(DEPTH_MAX);

/**
 * End (exclusive) of the value at `at`; -1 when it is malformed, nests deeper than `DEPTH_MAX` or does not end by `limit`.
 * `strict`: -1 also for a dictionary whose keys are not in strictly ascending order.
 */
export function bencodeEnd(bytes: Uint8Array, at: number, limit: number, strict: boolean): number {
  let depth = 0;
  let i = at;
  // BOUNDED: every turn consumes at least one byte.
  for (;;) {
    if (i >= limit) return -1;
    const byte = bytes[i] as number;
    if (depth > 0 && byte === END) {
      if (kinds[depth - 1] === 2) return -1; // a key without its value
      depth--;
      i++;
    } else if (depth > 0 && kinds[depth - 1] === DICT) {
      const start = stringStart(bytes, i, limit);
      if (start < 0) return -1;
      if (strict && !keyFollows(bytes, depth - 1, start, stringEndAt)) return -1;
      keyStarts[depth - 1] = start;
      keyEnds[depth - 1] = stringEndAt;
      i = stringEndAt;
      kinds[depth - 1] = 2;
      continue;
    } else if (byte === LIST || byte === DICT) {
      if (depth === DEPTH_MAX) return -1;
      keyStarts[depth] = -1;
      kinds[depth++] = byte;
      i++;
      continue;
    } else if (byte === INT) {
      i = integerEnd(bytes, i, limit);
      if (i < 0) return -1;
    } else {
      if (stringStart(bytes, i, limit) < 0) return -1;
      i = stringEndAt;
    }
    if (depth === 0) return i;
    if (kinds[depth - 1] === 2) kinds[depth - 1] = DICT;
  }
}

function keyFollows(bytes: Uint8Array, level: number, start: number, end: number): boolean {
  const before = keyStarts[level] as number;
  if (before < 0) return true;
  const length = (keyEnds[level] as number) - before;
  const common = Math.min(length, end - start);
  for (let i = 0; i < common; i++) {
    const difference = (bytes[start + i] as number) - (bytes[before + i] as number);
    if (difference !== 0) return difference > 0;
  }
  return end - start > length;
}

/** Decodes one canonical value that fills `bytes`; `undefined` when it is anything else. Never throws. */
export function decodeBencode(bytes: Uint8Array): BencodeValue | undefined {
  if (bencodeEnd(bytes, 0, bytes.length, true) !== bytes.length) return undefined;
  return decodeAt(bytes, { at: 0 });
}

/** INVARIANT: the bytes were scanned, so recursion is bounded by `DEPTH_MAX` and nothing is malformed. */
function decodeAt(bytes: Uint8Array, cursor: { at: number }): BencodeValue {
  const byte = bytes[cursor.at] as number;
  if (byte === INT) {
    const end = integerEnd(bytes, cursor.at, bytes.length);
    const value = BigInt(String.fromCharCode(...bytes.subarray(cursor.at + 1, end - 1)));
    cursor.at = end;
    return value >= -0x1fffffffffffffn && value <= 0x1fffffffffffffn ? Number(value) : value;
  }
  if (byte === LIST) {
    const list: BencodeValue[] = [];
    for (cursor.at++; bytes[cursor.at] !== END; ) list.push(decodeAt(bytes, cursor));
    cursor.at++;
    return list;
  }
  if (byte === DICT) {
    const dict: { [key: string]: BencodeValue } = Object.create(null);
    for (cursor.at++; bytes[cursor.at] !== END; ) {
      let key = '';
      for (const unit of decodeAt(bytes, cursor) as Uint8Array) key += String.fromCharCode(unit);
      dict[key] = decodeAt(bytes, cursor);
    }
    cursor.at++;
    return dict;
  }
  const start = stringStart(bytes, cursor.at, bytes.length);
  cursor.at = stringEndAt;
  return copyOf(bytes, start, stringEndAt - start);
}

/** The canonical encoding. Throws TypeError for what bencode cannot say: fractions, null, booleans, keys beyond bytes. */
export function encodeBencode(value: BencodeInput): Uint8Array {
  const parts: Uint8Array[] = [];
  encodeInto(parts, value, 0);
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const ascii = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

function encodeInto(parts: Uint8Array[], value: BencodeInput, depth: number): void {
  if (depth > DEPTH_MAX) throw new TypeError(`a value nests at most ${DEPTH_MAX} deep`);
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) {
    parts.push(ascii(`i${BigInt(value as number)}e`));
  } else if (typeof value === 'string' || value instanceof Uint8Array) {
    const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    parts.push(ascii(`${bytes.length}:`), bytes);
  } else if (Array.isArray(value)) {
    parts.push(ascii('l'));
    for (const item of value) encodeInto(parts, item, depth + 1);
    parts.push(ascii('e'));
  } else if (typeof value === 'object' && value !== null) {
    parts.push(ascii('d'));
    // Keys are one char a byte, so their order as strings is the order of their bytes.
    for (const key of Object.keys(value).sort()) {
      if (/[^\0-\xff]/.test(key)) throw new TypeError(`the key ${JSON.stringify(key)} is no byte string`);
      parts.push(ascii(`${key.length}:${key}`));
      encodeInto(parts, (value as { [key: string]: BencodeInput })[key] as BencodeInput, depth + 1);
    }
    parts.push(ascii('e'));
  } else {
    throw new TypeError(`bencode knows integers, strings, lists and dictionaries, not ${String(value)}`);
  }
}
