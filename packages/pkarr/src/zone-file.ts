/**
 * Zone files (RFC 1035 §5.1; service parameters as RFC 9460 §2.1 writes them): text to records and back. `$TTL`, `$ORIGIN`,
 * `@`, parentheses, comments, TTLs like `1h30m`. Names without a dot at the end stand below the origin, which is the key. An
 * SOA record is passed over: a packet has none. `$INCLUDE` and other directives are refused.
 */
import { fromHex, toHex } from '@molia/core';
import { KEY_DIGITS } from './constants.ts';
import { failure } from './errors.ts';
import type { PublicKey } from './keys.ts';
import { type RecordData, type ResourceRecord, TYPE_CODES } from './records.ts';
import { normalizeName } from './signed-packet.ts';
import { SvcKey, type SvcParams } from './svcb.ts';

/** Characters that are looked at: a packet's records take far fewer. */
const TEXT_MAX = 65_536;
const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };
const SVC_NAMES: Readonly<Record<string, number>> = {
  mandatory: SvcKey.MANDATORY,
  alpn: SvcKey.ALPN,
  'no-default-alpn': SvcKey.NO_DEFAULT_ALPN,
  port: SvcKey.PORT,
  ipv4hint: SvcKey.IPV4HINT,
  ech: SvcKey.ECH,
  ipv6hint: SvcKey.IPV6HINT,
};

interface Token {
  readonly text: string;
  readonly isQuoted: boolean;
}
interface Line {
  readonly number: number;
  readonly isIndented: boolean;
  readonly tokens: readonly Token[];
}

export interface ZoneOptions {
  /** Seconds, where neither the record nor `$TTL` says (default 300). */
  readonly ttl?: number | undefined;
}

/** The records of a zone file for a key. Throws INVALID_ZONE that names the line. */
export function parseZone(
  text: string,
  publicKey: PublicKey,
  { ttl = 300 }: ZoneOptions = {},
): ResourceRecord[] {
  if (text.length > TEXT_MAX)
    throw failure('INVALID_ZONE', `a zone file has at most ${TEXT_MAX} characters, not ${text.length}`);
  const records: ResourceRecord[] = [];
  const zone = { origin: publicKey.toString(), owner: '', ttl };
  for (const line of linesOf(text)) {
    try {
      const record = readLine(line, zone, publicKey);
      if (record !== undefined) records.push(record);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw failure(
        'INVALID_ZONE',
        `line ${line.number}: ${why}`,
        'see RFC 1035 for the form of zone files',
        cause,
      );
    }
  }
  return records;
}

/** A zone file of records: one a line, names complete. Parsing it again gives the same records. */
export function formatZone(records: readonly ResourceRecord[]): string {
  return records
    .map(({ name, ttl, data }) => `${absolute(name)} ${ttl} IN ${formatRecordData(data)}\n`)
    .join('');
}

/** Type and data of a record as a zone file has them. */
function formatRecordData(data: RecordData): string {
  switch (data.type) {
    case 'A':
    case 'AAAA':
      return `${data.type} ${data.address}`;
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return `${data.type} ${absolute(data.target)}`;
    case 'MX':
      return `MX ${data.preference} ${absolute(data.target)}`;
    case 'TXT':
      return `TXT ${data.strings.map(quoted).join(' ')}`;
    case 'SRV':
      return `SRV ${data.priority} ${data.weight} ${data.port} ${absolute(data.target)}`;
    case 'SVCB':
    case 'HTTPS':
      return [data.type, data.priority, absolute(data.target), ...formatParams(data.params)].join(' ');
    case 'UNKNOWN':
      return `TYPE${data.code} \\# ${data.bytes.length} ${toHex(data.bytes)}`.trimEnd();
  }
}

/** Lines with their tokens; parentheses join lines. */
function linesOf(text: string): Line[] {
  const lines: Line[] = [];
  let tokens: Token[] = [];
  let depth = 0;
  let number = 1;
  let startedAt = 1;
  let isIndented = false;
  const end = (): void => {
    if (tokens.length > 0) lines.push({ number: startedAt, isIndented, tokens });
    tokens = [];
  };
  const pattern =
    /(\r?\n)|(;[^\n]*)|([ \t]+)|([()])|"((?:[^"\\\n]|\\[^\n])*)"|((?:[^\s;()"\\]|\\.)+(?:(?<==)")?)|(.)/gsy;
  let isStart = true;
  for (let match = pattern.exec(text); match !== null; match = pattern.exec(text)) {
    const [, newline, , space, paren, string, word, other] = match;
    if (newline !== undefined) {
      number++;
      if (depth === 0) {
        end();
        startedAt = number;
        isStart = true;
        isIndented = false;
      }
      continue;
    }
    if (isStart) {
      isIndented = space !== undefined;
      isStart = false;
    }
    if (paren === '(') depth++;
    else if (paren === ')') depth = Math.max(0, depth - 1);
    else if (string !== undefined) tokens.push({ text: string, isQuoted: true });
    else if (word !== undefined) {
      // `key="a value"`: the quote belongs to the word.
      const value = word.endsWith('="') ? /((?:[^"\\\n]|\\[^\n])*)"/sy : undefined;
      if (value === undefined) tokens.push({ text: word, isQuoted: false });
      else {
        value.lastIndex = pattern.lastIndex;
        const rest = value.exec(text);
        if (rest === null) throw failure('INVALID_ZONE', `line ${number}: a quote is not closed`);
        pattern.lastIndex = value.lastIndex;
        tokens.push({ text: word.slice(0, -1) + rest[1], isQuoted: false });
      }
    } else if (other !== undefined)
      throw failure(
        'INVALID_ZONE',
        `line ${number}: ${JSON.stringify(other)} is out of place, or a quote is not closed`,
      );
  }
  if (depth > 0) throw failure('INVALID_ZONE', `line ${startedAt}: a parenthesis is not closed`);
  end();
  return lines;
}

function readLine(
  line: Line,
  zone: { origin: string; owner: string; ttl: number },
  publicKey: PublicKey,
): ResourceRecord | undefined {
  const tokens = [...line.tokens];
  const first = tokens[0] as Token;
  if (first.text.startsWith('$') && !first.isQuoted) {
    const value = tokens[1]?.text ?? '';
    if (first.text === '$TTL') zone.ttl = seconds(value) ?? refuse(`${JSON.stringify(value)} is no TTL`);
    else if (first.text === '$ORIGIN') zone.origin = under(value, zone.origin);
    else refuse(`${first.text} is not supported`);
    return undefined;
  }
  if (!line.isIndented) zone.owner = under((tokens.shift() as Token).text, zone.origin);
  else if (zone.owner === '') refuse('the first record has no name');
  let { ttl } = zone;
  // TTL and class, in either order.
  for (let i = 0; i < 2; i++) {
    const word = tokens[0]?.text ?? '';
    const given = seconds(word);
    if (given !== undefined) ttl = given;
    else if (/^IN$/i.test(word)) {
      // The class of all records.
    } else break;
    tokens.shift();
  }
  const type = (tokens.shift()?.text ?? refuse('the type is missing')).toUpperCase();
  if (type === 'SOA') return undefined;
  const owner = zone.owner.toLowerCase();
  const key = publicKey.toString();
  if (owner !== key && !owner.endsWith(`.${key}`)) refuse(`${zone.owner} does not lie below the key`);
  return { name: normalizeName(zone.owner, publicKey), ttl, data: readData(type, tokens, zone.origin) };
}

function readData(type: string, tokens: Token[], origin: string): RecordData {
  const take = (what: string): string => tokens.shift()?.text ?? refuse(`${what} is missing`);
  const number = (what: string): number => {
    const text = take(what);
    return /^\d{1,5}$/.test(text) && Number(text) <= 65_535
      ? Number(text)
      : refuse(`${what} is a number from 0 to 65535, not ${JSON.stringify(text)}`);
  };
  const name = (): string => under(take('a name'), origin);
  const done = (data: RecordData): RecordData =>
    tokens.length === 0 ? data : refuse(`${JSON.stringify(tokens[0]?.text)} is too much`);
  switch (type) {
    case 'A':
    case 'AAAA':
      return done({ type, address: take('the address') });
    case 'NS':
    case 'CNAME':
    case 'PTR':
      return done({ type, target: name() });
    case 'MX':
      return done({ type, preference: number('the preference'), target: name() });
    case 'TXT': {
      if (tokens.length === 0) refuse('the text is missing');
      const strings = tokens.splice(0).flatMap(({ text }) => cut(bytesOf(text)));
      return { type, strings };
    }
    case 'SRV':
      return done({
        type,
        priority: number('the priority'),
        weight: number('the weight'),
        port: number('the port'),
        target: name(),
      });
    case 'SVCB':
    case 'HTTPS':
      return { type, priority: number('the priority'), target: name(), params: readParams(tokens.splice(0)) };
    default: {
      const code = Number(/^TYPE(\d{1,5})$/.exec(type)?.[1] ?? refuse(`type ${type} is not supported`));
      if (code > 65_535 || take('\\#') !== '\\#') refuse('data of an unknown type is `\\# <length> <hex>`');
      const length = number('the length');
      const bytes = fromHex(
        tokens
          .splice(0)
          .map(({ text }) => text)
          .join(''),
      );
      if (bytes.length !== length) refuse(`${length} bytes were announced, and there are ${bytes.length}`);
      if (Object.values<number>(TYPE_CODES).includes(code)) refuse(`write ${type} by its name`);
      return { type: 'UNKNOWN', code, bytes };
    }
  }
}

function readParams(tokens: readonly Token[]): SvcParams {
  const params: { -readonly [K in keyof SvcParams]: SvcParams[K] } = {};
  const other = new Map<number, Uint8Array>();
  const seen = new Set<string>();
  for (const { text } of tokens) {
    const [, name = '', value = ''] = /^([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
    if (seen.has(name)) refuse(`${name} stands there twice`);
    seen.add(name);
    const list = value.split(',');
    switch (name) {
      case 'mandatory':
        params.mandatory = list.map((one) => svcNumber(one));
        break;
      case 'alpn':
        params.alpn = list;
        break;
      case 'no-default-alpn':
        params.noDefaultAlpn = true;
        break;
      case 'port':
        params.port = /^\d{1,5}$/.test(value) ? Number(value) : refuse(`${JSON.stringify(value)} is no port`);
        break;
      case 'ipv4hint':
        params.ipv4hint = list;
        break;
      case 'ipv6hint':
        params.ipv6hint = list;
        break;
      case 'ech':
        params.ech = Uint8Array.from(atob(value), (character) => character.charCodeAt(0));
        break;
      default:
        other.set(svcNumber(name), bytesOf(value));
    }
  }
  if (other.size > 0) params.other = other;
  return params;
}

function formatParams(params: SvcParams): string[] {
  const nameOf = (key: number): string =>
    Object.entries(SVC_NAMES).find(([, code]) => code === key)?.[0] ?? `key${key}`;
  const { mandatory, alpn, noDefaultAlpn, port, ipv4hint, ech, ipv6hint, other } = params;
  return [
    ...(mandatory === undefined ? [] : [`mandatory=${mandatory.map(nameOf).join(',')}`]),
    ...(alpn === undefined ? [] : [`alpn=${alpn.join(',')}`]),
    ...(noDefaultAlpn === true ? ['no-default-alpn'] : []),
    ...(port === undefined ? [] : [`port=${port}`]),
    ...(ipv4hint === undefined ? [] : [`ipv4hint=${ipv4hint.join(',')}`]),
    ...(ech === undefined ? [] : [`ech=${btoa(String.fromCharCode(...ech))}`]),
    ...(ipv6hint === undefined ? [] : [`ipv6hint=${ipv6hint.join(',')}`]),
    ...[...(other ?? [])].map(([key, value]) => `key${key}=${quoted(value)}`),
  ];
}

function svcNumber(name: string): number {
  const known = SVC_NAMES[name];
  const code = known ?? Number(/^key(\d{1,5})$/.exec(name)?.[1] ?? Number.NaN);
  return code >= 0 && code <= 65_535 ? code : refuse(`${JSON.stringify(name)} is no service parameter`);
}

/** A name below an origin, without the dot at the end. */
function under(name: string, origin: string): string {
  if (name === '@') return origin;
  if (name === '.') return '.';
  if (name.endsWith('.') && !name.endsWith('\\.')) return name.slice(0, -1);
  // The key is a name of its own, wherever it stands.
  if (name.slice(name.lastIndexOf('.') + 1).length === KEY_DIGITS && name.endsWith(origin.slice(-KEY_DIGITS)))
    return name;
  return name === '' ? refuse('a name is missing') : `${name}.${origin}`;
}

function absolute(name: string): string {
  return name === '.' ? '.' : `${name}.`;
}

/** `300`, `5m`, `1h30m`; `undefined` for anything else. */
function seconds(text: string): number | undefined {
  if (/^\d{1,10}$/.test(text)) return Number(text) <= 0xffff_ffff ? Number(text) : undefined;
  if (!/^(?:\d{1,6}[smhdw])+$/i.test(text)) return undefined;
  const parts = [...text.toLowerCase().matchAll(/(\d+)([smhdw])/g)];
  return parts.reduce(
    (sum, [, count, unit]) => sum + Number(count) * (UNIT_SECONDS[unit as string] as number),
    0,
  );
}

/** UTF-8 of a text in which `\DDD` is a byte and `\x` is x. */
function bytesOf(text: string): Uint8Array {
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (const [, code, escaped, plain] of text.matchAll(/\\(\d{3})|\\(.)|([^\\]+)/gs)) {
    if (code === undefined) bytes.push(...encoder.encode(escaped ?? plain ?? ''));
    else if (Number(code) > 255) refuse(`\\${code} is no byte`);
    else bytes.push(Number(code));
  }
  return Uint8Array.from(bytes);
}

function cut(bytes: Uint8Array): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += 255) parts.push(bytes.slice(at, at + 255));
  return parts;
}

function quoted(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => {
    if (byte === 0x22 || byte === 0x5c) return `\\${String.fromCharCode(byte)}`;
    return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, '0')}`;
  });
  return `"${text.join('')}"`;
}

function refuse(why: string): never {
  throw new RangeError(why);
}
