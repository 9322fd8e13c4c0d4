/**
 * DNS messages read by offset (RFC 1035 §4, RFC 6891): what a server must know of a query, what a forwarder must know of a reply,
 * and records with uncompressed data. Nothing here throws on input; compression pointers must point backwards and every
 * loop ends with the bytes, so the counts of a header cost nothing.
 */
import { HEADER_BYTES, LABEL_BYTES_MAX } from '../constants.ts';
import { readName } from '../domain-names.ts';
import { CLASS_IN, DNSSEC_OK, Flag, PLAIN_UDP_BYTES, Rcode, Type } from './constants.ts';
import { type WireName, wireOf } from './names.ts';

export interface Question {
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
}

/** What a query's OPT record says. */
export interface Edns {
  readonly version: number;
  /** Largest datagram that its sender takes, at least 512. */
  readonly udpBytes: number;
  readonly dnssecOk: boolean;
}

export interface Query {
  readonly id: number;
  readonly flags: number;
  /** `undefined` when it could not be read. */
  readonly question: Question | undefined;
  /** The question section as it was sent, a copy of its own; empty without a question. */
  readonly questionBytes: Uint8Array;
  readonly edns: Edns | undefined;
  /** NOERROR, or what to refuse the query with before its question is looked at. */
  readonly rcode: number;
}

/** A record: its owner, and its data with names written out. */
export interface ResourceRecord {
  readonly name: WireName;
  readonly type: number;
  readonly class: number;
  readonly ttl: number;
  readonly data: Uint8Array;
}

/** Where the parts of a record are. Sections: 0 answer, 1 authority, 2 additional. */
interface RecordPlace {
  readonly section: 0 | 1 | 2;
  readonly at: number;
  /** Offset of the type; the owner's name ends here. */
  readonly typeAt: number;
  readonly type: number;
  readonly dataAt: number;
  readonly end: number;
}

/** A reply, checked as a whole. */
export interface Reply {
  readonly id: number;
  readonly flags: number;
  /** With the upper bits of an OPT record. */
  readonly rcode: number;
  readonly question: Question | undefined;
  /** The message without OPT, a copy of its own. */
  readonly bytes: Uint8Array;
  /** Offset after the question section. */
  readonly questionEnd: number;
  /** Offsets of the TTLs in `bytes`. */
  readonly ttlAt: readonly number[];
  /** Seconds that it may be kept (RFC 2308 for negative ones); 0 = not at all. */
  readonly ttlSeconds: number;
  /** Whether it came with an OPT record. */
  readonly hasEdns: boolean;
}

export function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

export function u32(bytes: Uint8Array, at: number): number {
  return u16(bytes, at) * 65_536 + u16(bytes, at + 2);
}

/** Offset after the name at `at`, or -1. Does not follow pointers. */
function skipName(bytes: Uint8Array, at: number): number {
  // BOUNDED: by the bytes.
  for (let i = at; i < bytes.length; ) {
    const length = bytes[i] as number;
    if (length === 0) return i + 1;
    if (length >= 0xc0) return i + 2 <= bytes.length ? i + 2 : -1;
    if (length > LABEL_BYTES_MAX) return -1;
    i += 1 + length;
  }
  return -1;
}

function placesOf(bytes: Uint8Array, at: number): RecordPlace[] | undefined {
  const places: RecordPlace[] = [];
  let next = at;
  for (const section of [0, 1, 2] as const) {
    const count = u16(bytes, 6 + 2 * section);
    // BOUNDED: by the bytes; a record has at least eleven.
    for (let i = 0; i < count; i++) {
      const typeAt = skipName(bytes, next);
      if (typeAt < 0 || typeAt + 10 > bytes.length) return undefined;
      const end = typeAt + 10 + u16(bytes, typeAt + 8);
      if (end > bytes.length) return undefined;
      places.push({ section, at: next, typeAt, type: u16(bytes, typeAt), dataAt: typeAt + 10, end });
      next = end;
    }
  }
  return next === bytes.length ? places : undefined;
}

function readQuestion(bytes: Uint8Array): { question: Question; end: number } | undefined {
  const read = readName(bytes, HEADER_BYTES);
  if (read === undefined) return undefined;
  const name = wireOf(read.labels);
  const end = HEADER_BYTES + name.length + 4;
  // A pointer in the first name has nothing to point to.
  if (end > bytes.length || read.end !== end - 4) return undefined;
  return { question: { name, type: u16(bytes, end - 4), class: u16(bytes, end - 2) }, end };
}

/** Reads a query. `undefined`: it is too short or a response, and gets no answer at all. */
export function readQuery(bytes: Uint8Array): Query | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const id = u16(bytes, 0);
  const flags = u16(bytes, 2);
  if ((flags & Flag.QR) !== 0) return undefined;
  const refuse = (rcode: number): Query => ({
    id,
    flags,
    question: undefined,
    questionBytes: new Uint8Array(0),
    edns: undefined,
    rcode,
  });
  if ((flags & Flag.OPCODE) !== 0) return refuse(Rcode.NOTIMP);
  const asked = u16(bytes, 4) === 1 ? readQuestion(bytes) : undefined;
  if (asked === undefined || u16(bytes, 6) !== 0 || u16(bytes, 8) !== 0) return refuse(Rcode.FORMERR);
  const places = placesOf(bytes, asked.end);
  if (places === undefined) return refuse(Rcode.FORMERR);
  const options = places.filter((place) => place.type === Type.OPT);
  const [opt] = options;
  // The owner of OPT is the root, and there is one at most (RFC 6891 §6.1.1).
  if (options.length > 1 || (opt !== undefined && opt.typeAt !== opt.at + 1)) return refuse(Rcode.FORMERR);
  const edns =
    opt === undefined
      ? undefined
      : {
          version: bytes[opt.typeAt + 5] as number,
          udpBytes: Math.max(PLAIN_UDP_BYTES, u16(bytes, opt.typeAt + 2)),
          dnssecOk: (u16(bytes, opt.typeAt + 6) & DNSSEC_OK) !== 0,
        };
  return {
    id,
    flags,
    question: asked.question,
    questionBytes: new Uint8Array(bytes.subarray(HEADER_BYTES, asked.end)),
    edns,
    rcode: edns !== undefined && edns.version > 0 ? Rcode.BADVERS : Rcode.NOERROR,
  };
}

/** Reads a reply; `undefined` when it is malformed or no reply to a query. */
export function readReply(bytes: Uint8Array): Reply | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const flags = u16(bytes, 2);
  if ((flags & Flag.QR) === 0 || (flags & Flag.OPCODE) !== 0) return undefined;
  const questions = u16(bytes, 4);
  const asked = questions === 1 ? readQuestion(bytes) : undefined;
  // A server that refuses may leave the question out.
  if (questions > 1 || (questions === 1 && asked === undefined)) return undefined;
  const questionEnd = asked?.end ?? HEADER_BYTES;
  const places = placesOf(bytes, questionEnd);
  if (places === undefined) return undefined;
  const opt = places.findIndex((place) => place.type === Type.OPT);
  const own = opt < 0 ? places : places.slice(0, opt);
  const optPlace = places[opt];
  // What follows OPT is left out with it: its names could not keep their offsets, and additional records are a courtesy.
  const copy = new Uint8Array(bytes.subarray(0, optPlace === undefined ? bytes.length : optPlace.at));
  if (optPlace !== undefined) {
    if (optPlace.section !== 2) return undefined;
    const left = own.filter((place) => place.section === 2).length;
    copy[10] = left >>> 8;
    copy[11] = left & 255;
  }
  const upper = optPlace === undefined ? 0 : (bytes[optPlace.typeAt + 4] as number) << 4;
  const rcode = upper | (flags & Flag.RCODE);
  return {
    id: u16(bytes, 0),
    flags,
    rcode,
    question: asked?.question,
    bytes: copy,
    questionEnd,
    ttlAt: own.map((place) => place.typeAt + 4),
    ttlSeconds: keptSeconds(copy, rcode, own),
    hasEdns: opt >= 0,
  };
}

/** RFC 2181 §8: a TTL with the top bit set counts as 0. */
function ttlOf(bytes: Uint8Array, place: RecordPlace): number {
  const ttl = u32(bytes, place.typeAt + 4);
  return ttl > 0x7fff_ffff ? 0 : ttl;
}

function keptSeconds(bytes: Uint8Array, rcode: number, places: readonly RecordPlace[]): number {
  if (rcode !== Rcode.NOERROR && rcode !== Rcode.NXDOMAIN) return 0;
  const answers = places.filter((place) => place.section === 0);
  let least = Math.min(...answers.map((place) => ttlOf(bytes, place)));
  const soa = places.find((place) => place.section === 1 && place.type === Type.SOA);
  // RFC 2308 §5: the SOA record of a negative answer says for how long; without one it is not kept.
  if (soa !== undefined && soa.end - soa.dataAt >= 22)
    least = Math.min(least, ttlOf(bytes, soa), u32(bytes, soa.end - 4));
  return Number.isFinite(least) ? least : 0;
}

/** Records of one section (0 answer, 1 authority, 2 additional), class IN only; `undefined` when one is malformed. */
export function recordsOf(bytes: Uint8Array, section: 0 | 1 | 2): readonly ResourceRecord[] | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  let at = HEADER_BYTES;
  for (let i = u16(bytes, 4); i > 0; i--) {
    at = skipName(bytes, at) + 4;
    if (at < HEADER_BYTES + 4) return undefined;
  }
  const places = placesOf(bytes, at);
  if (places === undefined) return undefined;
  const records: ResourceRecord[] = [];
  for (const place of places) {
    if (place.section !== section || u16(bytes, place.typeAt + 2) !== CLASS_IN) continue;
    const owner = readName(bytes, place.at);
    const data = dataOf(bytes, place);
    if (owner === undefined || data === undefined) return undefined;
    records.push({
      name: wireOf(owner.labels),
      type: place.type,
      class: CLASS_IN,
      ttl: ttlOf(bytes, place),
      data,
    });
  }
  return records;
}

/** Bytes before the first name of the types that may hold compressed ones, and how many names there are (RFC 1035, RFC 2782). */
const COMPRESSED: Readonly<Record<number, readonly [before: number, names: number]>> = {
  [Type.NS]: [0, 1],
  [Type.CNAME]: [0, 1],
  [Type.PTR]: [0, 1],
  [Type.MX]: [2, 1],
  [Type.SRV]: [6, 1],
  [Type.SOA]: [0, 2],
};

/** A record's data with its names written out; `undefined` when it is malformed. */
function dataOf(bytes: Uint8Array, place: RecordPlace): Uint8Array | undefined {
  const layout = COMPRESSED[place.type];
  if (layout === undefined) return new Uint8Array(bytes.subarray(place.dataAt, place.end));
  let [before, names] = layout;
  let at = place.dataAt + before;
  let text = '';
  for (; names > 0; names--) {
    const name = readName(bytes, at);
    if (name === undefined || name.end > place.end) return undefined;
    at = name.end;
    text += wireOf(name.labels);
  }
  if (place.type !== Type.SOA && at !== place.end) return undefined;
  const tail = place.end - at;
  const data = new Uint8Array(before + text.length + tail);
  data.set(bytes.subarray(place.dataAt, place.dataAt + before));
  putName(data, before, text);
  data.set(bytes.subarray(at, place.end), before + text.length);
  return data;
}

/** Writes a name's octets. */
export function putName(out: Uint8Array, at: number, name: WireName): void {
  for (let i = 0; i < name.length; i++) out[at + i] = name.charCodeAt(i);
}

/** The name that a CNAME or NS record holds. */
export function targetOf(record: ResourceRecord): WireName {
  return String.fromCharCode(...record.data);
}
