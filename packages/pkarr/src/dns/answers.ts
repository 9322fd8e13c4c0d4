/** What a client gets: composed answers, replies passed on, refusals; cut where the datagram or the sender's credit is too small. */
import type { Counters, Millis } from '@molia/core';
import { HEADER_BYTES } from '../constants.ts';
import {
  Flag,
  MESSAGE_BYTES_MAX,
  PLAIN_UDP_BYTES,
  Rcode,
  STALE_TTL_SECONDS,
  UDP_BYTES_MAX,
} from './constants.ts';
import { type Query, type Reply, u16, u32 } from './message.ts';
import { MessageWriter } from './message-writer.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { Composed, Step } from './resolution.ts';
import { Carrier, type COUNTERS, type Output } from './types.ts';

/** Who gets the answer, and what was asked. */
export interface Asker {
  readonly carrier: Carrier;
  readonly client: number;
  /** `ENDPOINT_BYTES`. */
  readonly endpoint: Uint8Array;
  readonly query: Query;
}

type CounterName = (typeof COUNTERS)[number];

const COUNTED: Readonly<Record<number, CounterName>> = {
  [Rcode.NOERROR]: 'answeredNoError',
  [Rcode.NXDOMAIN]: 'answeredNxDomain',
  [Rcode.SERVFAIL]: 'answeredServFail',
  [Rcode.REFUSED]: 'answeredRefused',
  [Rcode.FORMERR]: 'answeredFormErr',
};
const EMPTY: Composed = {
  kind: 'composed',
  rcode: 0,
  answers: [],
  authorities: [],
  additionals: [],
  stale: false,
};

export class Answers {
  private readonly byteLimits: RateLimiter;
  private readonly counters: Counters<typeof COUNTERS>;
  private readonly available: number;
  private readonly emit: (output: Output) => void;
  private readonly writer = new MessageWriter();

  /** `byteLimits`: of answers over UDP, where the sender may be forged. `recurses`: what RA says. */
  constructor(
    byteLimits: RateLimiter,
    counters: Counters<typeof COUNTERS>,
    recurses: boolean,
    emit: (output: Output) => void,
  ) {
    this.byteLimits = byteLimits;
    this.counters = counters;
    this.available = recurses ? Flag.RA : 0;
    this.emit = emit;
  }

  /** The end of a resolution. */
  give(now: Millis, asker: Asker, step: Exclude<Step, { kind: 'need' }>): void {
    if (step.kind === 'composed') this.compose(now, asker, step);
    else this.pass(now, asker, step.reply, step.age, step.stale);
  }

  /** A refusal without records. */
  fail(now: Millis, asker: Asker, rcode: number): void {
    this.compose(now, asker, { ...EMPTY, rcode });
  }

  /** An answer that only says to come back over TCP; no larger than the query but for an OPT record. */
  cut(asker: Asker): void {
    const { query } = asker;
    this.counted('truncated');
    this.writer.begin(
      query.id,
      this.flagsOf(query, Rcode.NOERROR) | Flag.TC,
      query.questionBytes,
      query.question?.name,
    );
    if (query.edns !== undefined) this.writer.opt(0, query.edns.dnssecOk);
    this.out(asker, this.writer.finish() as Uint8Array, 0);
  }

  private compose(now: Millis, asker: Asker, composed: Composed): void {
    const { query } = asker;
    const { writer } = this;
    const sections = [composed.answers, composed.authorities, composed.additionals] as const;
    writer.begin(query.id, this.flagsOf(query, composed.rcode), query.questionBytes, query.question?.name);
    for (const section of [0, 1, 2] as const)
      for (const record of sections[section]) writer.record(section, record, record.ttl);
    if (query.edns !== undefined) writer.opt(composed.rcode, query.edns.dnssecOk);
    const bytes = writer.finish();
    if (bytes === undefined) {
      this.fail(now, asker, Rcode.SERVFAIL);
      return;
    }
    const ttls = [...composed.answers, ...composed.authorities].map((record) => record.ttl);
    this.counted(COUNTED[composed.rcode] ?? 'answeredOther');
    if (composed.stale) this.counted('answeredStale');
    this.send(now, asker, bytes, ttls.length === 0 ? 0 : Math.min(...ttls));
  }

  private pass(now: Millis, asker: Asker, reply: Reply, age: number, stale: boolean): void {
    const { query } = asker;
    const { edns } = query;
    const own = reply.bytes.length;
    const bytes = new Uint8Array(own + (edns === undefined ? 0 : OPT_BYTES));
    if (bytes.length > MESSAGE_BYTES_MAX) {
      this.fail(now, asker, Rcode.SERVFAIL);
      return;
    }
    bytes.set(reply.bytes);
    const flags = this.flagsOf(query, reply.rcode);
    bytes.set([query.id >>> 8, query.id & 255, flags >>> 8, flags & 255]);
    // The same name in the client's own spelling, which some check.
    bytes.set(query.questionBytes, HEADER_BYTES);
    for (const at of reply.ttlAt) {
      const ttl = u32(bytes, at);
      const left = stale ? STALE_TTL_SECONDS : ttl > 0x7fff_ffff ? 0 : Math.max(0, ttl - age);
      bytes.set([left >>> 24, (left >>> 16) & 255, (left >>> 8) & 255, left & 255], at);
    }
    if (edns !== undefined) {
      bytes.set([0, 0, 41, UDP_BYTES_MAX >>> 8, UDP_BYTES_MAX & 255, 0, 0, edns.dnssecOk ? 0x80 : 0], own);
      const count = u16(bytes, 10) + 1;
      bytes.set([count >>> 8, count & 255], 10);
    }
    this.counted(COUNTED[reply.rcode] ?? 'answeredOther');
    if (stale) this.counted('answeredStale');
    this.send(now, asker, bytes, stale ? STALE_TTL_SECONDS : Math.max(0, reply.ttlSeconds - age));
  }

  private send(now: Millis, asker: Asker, bytes: Uint8Array, ttlSeconds: number): void {
    if (asker.carrier === Carrier.UDP) {
      const room = Math.min(UDP_BYTES_MAX, asker.query.edns?.udpBytes ?? PLAIN_UDP_BYTES);
      if (bytes.length > room || !this.byteLimits.take(now, asker.endpoint, 0, bytes.length)) {
        this.cut(asker);
        return;
      }
    }
    this.out(asker, bytes, ttlSeconds);
  }

  private out({ carrier, client, endpoint }: Asker, bytes: Uint8Array, ttlSeconds: number): void {
    this.emit({ kind: 'answer', carrier, client, endpoint, bytes, ttlSeconds });
  }

  private flagsOf(query: Query, rcode: number): number {
    const copied = query.flags & (Flag.OPCODE | Flag.RD | Flag.CD);
    return Flag.QR | this.available | copied | (rcode & Flag.RCODE);
  }

  private counted(name: CounterName): void {
    this.counters.add(this.counters.names.indexOf(name), 1);
  }
}

const OPT_BYTES = 11;
