/** The engine in virtual time, and messages made and read by another program's codec (npm dns-packet). */
import { createSeededRng, parseEndpoint } from '@molia/core';
import * as codec from 'dns-packet';
import { Keypair } from '../../src/index.ts';
import { Carrier, DnsEngine, type EngineOptions, type Output } from '../../src/name-server/index.ts';

export type Answer = codec.Answer;
type Asked = Extract<Output, { kind: 'ask' }>;

/** Two public keys. */
export const KEY = Keypair.fromSecretKey(new Uint8Array(32).fill(1)).publicKey.toString();
export const OTHER_KEY = Keypair.fromSecretKey(new Uint8Array(32).fill(2)).publicKey.toString();

export interface QueryOptions {
  readonly id?: number;
  readonly flags?: number;
  /** UDP size of an OPT record, or none. */
  readonly edns?: number;
  readonly dnssecOk?: boolean;
}

export function query(name: string, type: string, options: QueryOptions = {}): Uint8Array {
  const { id = 7, flags = codec.RECURSION_DESIRED, edns, dnssecOk = false } = options;
  const opt: codec.OptAnswer = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: edns ?? 0,
    extendedRcode: 0,
    ednsVersion: 0,
    flags: dnssecOk ? codec.DNSSEC_OK : 0,
    flag_do: dnssecOk,
    options: [],
  };
  return codec.encode({
    type: 'query',
    id,
    flags,
    questions: [{ name, type: type as codec.RecordType, class: 'IN' }],
    additionals: edns === undefined ? [] : [opt],
  });
}

/** What a signed packet holds: a response without a question. */
export function packet(...answers: Answer[]): Uint8Array {
  return codec.encode({ type: 'response', id: 0, flags: 0, questions: [], answers });
}

export interface ReplyOptions {
  readonly id?: number;
  readonly flags?: number;
  readonly answers?: Answer[];
  readonly authorities?: Answer[];
  readonly additionals?: Answer[];
  readonly name?: string;
}

/** What a server says to a query. */
export function replyTo(asked: Uint8Array, options: ReplyOptions = {}): Uint8Array {
  const { id, questions } = read(asked);
  const question = questions?.[0] as codec.Question;
  const { flags = 0, answers = [], authorities = [], additionals = [] } = options;
  return codec.encode({
    type: 'response',
    id: options.id ?? (id as number),
    flags: codec.RECURSION_DESIRED | codec.RECURSION_AVAILABLE | flags,
    questions: [{ ...question, name: options.name ?? question.name }],
    answers,
    authorities,
    additionals,
  });
}

/** What the codec reads, with the field that its types lack. */
export type Read = codec.DecodedPacket & { readonly rcode: string };

export function read(bytes: Uint8Array): Read {
  return codec.decode(Buffer.from(bytes)) as Read;
}

export const a = (name: string, data: string, ttl = 300): Answer => ({ type: 'A', name, data, ttl });
export const cname = (name: string, data: string, ttl = 300): Answer => ({ type: 'CNAME', name, data, ttl });
export const ns = (name: string, data: string, ttl = 300): Answer => ({ type: 'NS', name, data, ttl });
export const txt = (name: string, data: string, ttl = 300): Answer => ({ type: 'TXT', name, data, ttl });
export const soa = (name: string, ttl: number, minimum: number): Answer => ({
  type: 'SOA',
  name,
  ttl,
  data: { mname: 'ns.test', rname: 'root.test', serial: 1, refresh: 1, retry: 1, expire: 1, minimum },
});

export const UPSTREAMS = [parseEndpoint('192.0.2.1:53'), parseEndpoint('192.0.2.2:53')];

export class Lab {
  readonly engine: DnsEngine;
  /** Not at zero: an instant of zero must not look like "never". */
  now = 1_000_000;
  /** Packets that lookups find; `undefined` = the key has none; a missing entry leaves the lookup open. */
  readonly zones = new Map<string, Uint8Array | undefined>();
  asks: Asked[] = [];
  lookups: { flight: number; key: Uint8Array }[] = [];
  answers: Extract<Output, { kind: 'answer' }>[] = [];
  released: number[] = [];

  constructor(options: EngineOptions = {}, seed = 1) {
    this.engine = new DnsEngine({ upstreams: UPSTREAMS, ...options }, createSeededRng(seed));
  }

  /** Hands in a query; what it leads to is in the fields. Returns the verdict. */
  query(bytes: Uint8Array, from = '198.51.100.7:4000', carrier: Carrier = Carrier.UDP): number {
    const verdict = this.engine.handleQuery(this.now, carrier, 1, parseEndpoint(from), 0, bytes);
    this.drain();
    return verdict;
  }

  /** A query with an answer at once, or after what `zones` knows. */
  ask(name: string, type = 'A', options: QueryOptions & { from?: string; carrier?: Carrier } = {}) {
    this.query(query(name, type, options), options.from, options.carrier);
    return this.answered();
  }

  /** The last question to another server, answered. */
  reply(options: ReplyOptions = {}): number {
    const asked = this.asks.at(-1) as Asked;
    return this.replyBytes(replyTo(asked.bytes, options));
  }

  replyBytes(bytes: Uint8Array): number {
    const asked = this.asks.at(-1) as Asked;
    const verdict = this.engine.handleReply(this.now, asked.flight, bytes);
    this.drain();
    return verdict;
  }

  /** Lets time pass, timeouts in their order. */
  pass(ms: number): void {
    const end = this.now + ms;
    for (let delay = this.engine.nextDelay(this.now); this.now + delay <= end; ) {
      this.now += delay;
      this.engine.handleTimeout(this.now);
      this.drain();
      delay = Math.max(1, this.engine.nextDelay(this.now));
    }
    this.now = end;
  }

  /** Takes the newest answer; throws when there is none. */
  answered(): Read & { bytes: Uint8Array; ttlSeconds: number } {
    const answer = this.answers.shift();
    if (answer === undefined) throw new Error('no answer');
    return { ...read(answer.bytes), bytes: answer.bytes, ttlSeconds: answer.ttlSeconds };
  }

  drain(): void {
    for (let output = this.engine.pollOutput(); output !== undefined; output = this.engine.pollOutput()) {
      if (output.kind === 'answer') this.answers.push(output);
      else if (output.kind === 'ask') this.asks.push(output);
      else if (output.kind === 'release') this.released.push(output.flight);
      else this.lookup(output.flight, output.key);
    }
  }

  private lookup(flight: number, key: Uint8Array): void {
    this.lookups.push({ flight, key });
    for (const [digits, dns] of this.zones)
      if (keyBytes(digits) === Buffer.from(key).toString('hex'))
        this.engine.handleZone(this.now, flight, dns);
  }
}

const DIGITS = 'ybndrfg8ejkmcpqxot1uwisza345h769';

/** The bytes of a key in hex, by big integers: another way than the server's. */
export function keyBytes(digits: string): string {
  let value = 0n;
  for (const digit of digits) value = (value << 5n) | BigInt(DIGITS.indexOf(digit));
  return (value >> 4n).toString(16).padStart(64, '0');
}
