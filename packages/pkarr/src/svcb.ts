/** Parameters of SVCB and HTTPS records (RFC 9460 §2.2, §7; `ech` of RFC 9848). */
import { addressBytes, addressText } from './addresses.ts';
import type { ByteWriter } from './byte-writer.ts';

/** Service parameters; all optional. What is not named here stands in `other`, by its number. */
export interface SvcParams {
  /** Numbers of parameters that a client must understand to use the record. */
  readonly mandatory?: readonly number[];
  /** Protocol ids, 1 to 255 bytes each. */
  readonly alpn?: readonly string[];
  readonly noDefaultAlpn?: boolean;
  readonly port?: number;
  readonly ipv4hint?: readonly string[];
  readonly ipv6hint?: readonly string[];
  readonly ech?: Uint8Array;
  readonly other?: ReadonlyMap<number, Uint8Array>;
}

/** Numbers of the parameters (IANA registry). */
export const SvcKey = {
  MANDATORY: 0,
  ALPN: 1,
  NO_DEFAULT_ALPN: 2,
  PORT: 3,
  IPV4HINT: 4,
  ECH: 5,
  IPV6HINT: 6,
} as const;

/** Writes parameters in the order of their numbers. Throws RangeError that names what is wrong. */
export function writeSvcParams(out: ByteWriter, params: SvcParams): void {
  const values = new Map<number, Uint8Array>(params.other ?? []);
  for (const key of values.keys())
    if (!Number.isInteger(key) || key < 7 || key > 65535)
      throw new RangeError(`a parameter in \`other\` has a number from 7 to 65535, not ${key}`);
  if (params.mandatory !== undefined)
    values.set(SvcKey.MANDATORY, pairs([...params.mandatory].sort((a, b) => a - b)));
  if (params.alpn !== undefined) values.set(SvcKey.ALPN, alpnBytes(params.alpn));
  if (params.noDefaultAlpn === true) values.set(SvcKey.NO_DEFAULT_ALPN, new Uint8Array(0));
  if (params.port !== undefined) values.set(SvcKey.PORT, pairs([params.port]));
  if (params.ipv4hint !== undefined) values.set(SvcKey.IPV4HINT, joined(params.ipv4hint, 4));
  if (params.ech !== undefined) values.set(SvcKey.ECH, params.ech);
  if (params.ipv6hint !== undefined) values.set(SvcKey.IPV6HINT, joined(params.ipv6hint, 6));
  for (const key of params.mandatory ?? [])
    if (key === SvcKey.MANDATORY || !values.has(key))
      throw new RangeError(`\`mandatory\` names parameter ${key}, which the record does not have`);
  for (const [key, value] of [...values].sort((a, b) => a[0] - b[0])) {
    out.u16(key);
    out.u16(value.length);
    out.bytes(value);
  }
}

/** Reads parameters up to `end`; `undefined` when malformed: numbers must rise, lengths must fit. Never throws. */
export function readSvcParams(bytes: Uint8Array, offset: number, end: number): SvcParams | undefined {
  const params: { -readonly [K in keyof SvcParams]: SvcParams[K] } = {};
  const other = new Map<number, Uint8Array>();
  let last = -1;
  for (let at = offset; at < end; ) {
    if (at + 4 > end) return undefined;
    const key = u16(bytes, at);
    const length = u16(bytes, at + 2);
    at += 4;
    if (key <= last || at + length > end) return undefined;
    last = key;
    const value = bytes.subarray(at, at + length);
    at += length;
    switch (key) {
      case SvcKey.MANDATORY:
        if (length === 0 || length % 2 !== 0) return undefined;
        params.mandatory = Array.from({ length: length / 2 }, (_, i) => u16(value, 2 * i));
        break;
      case SvcKey.ALPN: {
        const alpn = alpnOf(value);
        if (alpn === undefined) return undefined;
        params.alpn = alpn;
        break;
      }
      case SvcKey.NO_DEFAULT_ALPN:
        if (length !== 0) return undefined;
        params.noDefaultAlpn = true;
        break;
      case SvcKey.PORT:
        if (length !== 2) return undefined;
        params.port = u16(value, 0);
        break;
      case SvcKey.IPV4HINT:
      case SvcKey.IPV6HINT: {
        const family = key === SvcKey.IPV4HINT ? 4 : 6;
        const size = family === 4 ? 4 : 16;
        if (length === 0 || length % size !== 0) return undefined;
        const hints = Array.from({ length: length / size }, (_, i) => addressText(value, i * size, family));
        params[family === 4 ? 'ipv4hint' : 'ipv6hint'] = hints;
        break;
      }
      case SvcKey.ECH:
        params.ech = value.slice();
        break;
      default:
        other.set(key, value.slice());
    }
  }
  if (other.size > 0) params.other = other;
  return params;
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function pairs(values: readonly number[]): Uint8Array {
  for (const value of values)
    if (!Number.isInteger(value) || value < 0 || value > 65535)
      throw new RangeError(`a port or parameter number is an integer from 0 to 65535, not ${value}`);
  return Uint8Array.from(values.flatMap((value) => [value >>> 8, value & 255]));
}

function alpnBytes(alpn: readonly string[]): Uint8Array {
  if (alpn.length === 0) throw new RangeError('`alpn` needs at least one protocol');
  const parts: number[] = [];
  for (const id of alpn) {
    const bytes = new TextEncoder().encode(id);
    if (bytes.length < 1 || bytes.length > 255)
      throw new RangeError(`a protocol id has 1 to 255 bytes, not ${bytes.length}`);
    parts.push(bytes.length, ...bytes);
  }
  return Uint8Array.from(parts);
}

function alpnOf(value: Uint8Array): string[] | undefined {
  const alpn: string[] = [];
  for (let at = 0; at < value.length; ) {
    const length = value[at] as number;
    if (length === 0 || at + 1 + length > value.length) return undefined;
    alpn.push(new TextDecoder().decode(value.subarray(at + 1, at + 1 + length)));
    at += 1 + length;
  }
  return alpn.length === 0 ? undefined : alpn;
}

function joined(addresses: readonly string[], family: 4 | 6): Uint8Array {
  if (addresses.length === 0) throw new RangeError(`\`ipv${family}hint\` needs at least one address`);
  return Uint8Array.from(addresses.flatMap((text) => [...addressBytes(text, family)]));
}
