/** What is being asked of upstreams, delegated servers and the network of keys: attempts, matching, timeouts. */
import {
  type Counters,
  ENDPOINT_BYTES,
  HandleTable,
  type Millis,
  NONE,
  type Rng,
  TimerTable,
} from '@molia/core';
import { Flag, MISMATCHES_MAX, Rcode } from './constants.ts';
import { putName, type Reply, readReply } from './message.ts';
import { MessageWriter } from './message-writer.ts';
import type { Need } from './resolution.ts';
import { type COUNTERS, DnsVerdict, type Output } from './types.ts';
import type { Upstreams } from './upstreams.ts';

type Asking = Extract<Need, { kind: 'upstream' | 'delegation' }>;

/** How a flight ended. */
export type Landing =
  | { readonly kind: 'zone'; readonly dns: Uint8Array | undefined; readonly ageMs: number }
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'failed' };

interface Flight {
  readonly handle: number;
  readonly need: Need;
  /** Servers that were not asked yet, best first; each is an index of an upstream or an endpoint. */
  readonly left: (number | Uint8Array)[];
  server: number | Uint8Array;
  id: number;
  overTcp: boolean;
  withEdns: boolean;
  askedAt: Millis;
  mismatches: number;
}

export interface FlightOptions {
  readonly flightsMax: number;
  readonly upstreamTimeoutMs: number;
  readonly keyTimeoutMs: number;
  readonly delegationPort: number;
}

export class Flights {
  private readonly options: FlightOptions;
  private readonly upstreams: Upstreams;
  private readonly rng: Rng;
  private readonly counters: Counters<typeof COUNTERS>;
  private readonly emit: (output: Output) => void;
  private readonly land: (now: Millis, need: Need, landing: Landing) => void;
  private readonly handles: HandleTable;
  private readonly timers: TimerTable;
  private readonly flights: (Flight | undefined)[] = [];
  private readonly writer = new MessageWriter();

  constructor(
    options: FlightOptions,
    upstreams: Upstreams,
    rng: Rng,
    counters: Counters<typeof COUNTERS>,
    emit: (output: Output) => void,
    land: (now: Millis, need: Need, landing: Landing) => void,
  ) {
    this.options = options;
    this.upstreams = upstreams;
    this.rng = rng;
    this.counters = counters;
    this.emit = emit;
    this.land = land;
    this.timers = new TimerTable(0);
    this.handles = new HandleTable(options.flightsMax, {
      onGrow: (capacity) => this.timers.grow(capacity),
    });
    this.timers.grow(this.handles.capacity);
  }

  get count(): number {
    return this.handles.count;
  }

  /** Starts asking; `false` when `flightsMax` are under way. */
  start(now: Millis, need: Need): boolean {
    const handle = this.handles.alloc();
    if (handle === NONE) return false;
    const left: (number | Uint8Array)[] =
      need.kind === 'upstream'
        ? this.upstreams.inOrder(this.rng)
        : need.kind === 'delegation'
          ? need.addresses.map((address) => this.endpointOf(address))
          : [];
    const flight: Flight = {
      handle,
      need,
      left,
      server: NONE,
      id: 0,
      overTcp: false,
      withEdns: true,
      askedAt: now,
      mismatches: 0,
    };
    this.flights[this.handles.index(handle)] = flight;
    if (need.kind === 'zone') {
      this.counters.add(this.counters.names.indexOf('keyLookups'), 1);
      this.timers.set(this.handles.index(handle), now + this.options.keyTimeoutMs);
      this.emit({ kind: 'lookup', flight: handle, key: need.place.key });
    } else this.askNext(now, flight);
    return true;
  }

  handleReply(now: Millis, handle: number, bytes: Uint8Array): DnsVerdict {
    const flight = this.flightOf(handle);
    if (flight === undefined || flight.need.kind === 'zone') return DnsVerdict.UNEXPECTED;
    const reply = readReply(bytes);
    const { question } = flight.need;
    const isOurs =
      reply !== undefined &&
      reply.id === flight.id &&
      (reply.question === undefined
        ? reply.rcode !== Rcode.NOERROR && reply.rcode !== Rcode.NXDOMAIN
        : reply.question.name === question.name &&
          reply.question.type === question.type &&
          reply.question.class === question.class);
    if (!isOurs) {
      this.counted('upstreamMismatched');
      // Over TCP nobody else can have sent it: this server is no use.
      if (flight.overTcp) this.askNext(now, flight);
      else if (++flight.mismatches >= MISMATCHES_MAX) this.ask(now, flight, true);
      return DnsVerdict.UNEXPECTED;
    }
    if (typeof flight.server === 'number') this.upstreams.answered(flight.server, now - flight.askedAt);
    const { rcode } = reply;
    if ((reply.flags & Flag.TC) !== 0 && !flight.overTcp) this.ask(now, flight, true);
    else if (flight.withEdns && !reply.hasEdns && (rcode === Rcode.FORMERR || rcode === Rcode.NOTIMP)) {
      // A server from before RFC 6891.
      flight.withEdns = false;
      this.ask(now, flight, flight.overTcp);
    } else if (rcode === Rcode.NOERROR || rcode === Rcode.NXDOMAIN)
      this.end(now, flight, { kind: 'reply', reply });
    else this.askNext(now, flight);
    return DnsVerdict.TAKEN;
  }

  /** The server cannot be reached, or closed the connection. */
  handleUnreachable(now: Millis, handle: number): void {
    const flight = this.flightOf(handle);
    if (flight === undefined || flight.need.kind === 'zone') return;
    if (typeof flight.server === 'number') this.upstreams.failed(flight.server);
    this.askNext(now, flight);
  }

  /** A packet's message, or that the key has none. */
  handleZone(now: Millis, handle: number, dns: Uint8Array | undefined, ageMs: number): void {
    const flight = this.flightOf(handle);
    if (flight?.need.kind === 'zone') this.end(now, flight, { kind: 'zone', dns, ageMs });
  }

  handleZoneFailed(now: Millis, handle: number): void {
    const flight = this.flightOf(handle);
    if (flight?.need.kind === 'zone') this.end(now, flight, { kind: 'failed' });
  }

  handleTimeout(now: Millis): void {
    // BOUNDED: each round takes one timer; a flight sets the next one for a later instant.
    for (let row = this.timers.expired(now); row !== NONE; row = this.timers.expired(now)) {
      const flight = this.flights[row];
      if (flight === undefined) continue;
      if (flight.need.kind === 'zone') this.end(now, flight, { kind: 'failed' });
      else {
        this.counted('upstreamTimeouts');
        if (typeof flight.server === 'number') this.upstreams.failed(flight.server);
        this.askNext(now, flight);
      }
    }
  }

  nextDelay(now: Millis): number {
    return this.timers.nextDelay(now);
  }

  /** Forgets all of them, without a landing. */
  clear(): void {
    for (const flight of this.flights) if (flight !== undefined) this.free(flight);
  }

  private flightOf(handle: number): Flight | undefined {
    const row = this.handles.index(handle);
    return row === NONE ? undefined : this.flights[row];
  }

  private askNext(now: Millis, flight: Flight): void {
    const server = flight.left.shift();
    if (server === undefined) {
      this.counted('upstreamFailed');
      this.end(now, flight, { kind: 'failed' });
      return;
    }
    flight.server = server;
    flight.withEdns = true;
    flight.mismatches = 0;
    this.ask(now, flight, false);
  }

  private ask(now: Millis, flight: Flight, overTcp: boolean): void {
    const need = flight.need as Asking;
    const isUpstream = need.kind === 'upstream';
    flight.id = this.rng.u32() & 0xffff;
    flight.overTcp = overTcp;
    flight.askedAt = now;
    const { name, type } = need.question;
    const question = new Uint8Array(name.length + 4);
    putName(question, 0, name);
    question.set([type >>> 8, type & 255, 0, 1], name.length);
    const flags = (isUpstream ? Flag.RD : 0) | (isUpstream && need.checkingDisabled ? Flag.CD : 0);
    this.writer.begin(flight.id, flags, question, name);
    if (flight.withEdns) this.writer.opt(0, isUpstream && need.dnssecOk);
    this.counted(isUpstream ? 'upstreamAsks' : 'delegationAsks');
    if (overTcp) this.counted('upstreamAsksTcp');
    const { server } = flight;
    const wait = typeof server === 'number' ? this.upstreams.waitMs(server) : this.options.upstreamTimeoutMs;
    // A connection takes round trips of its own.
    this.timers.set(
      this.handles.index(flight.handle),
      now + (overTcp ? this.options.upstreamTimeoutMs : wait),
    );
    this.emit({
      kind: 'ask',
      flight: flight.handle,
      endpoint: typeof server === 'number' ? this.upstreams.endpoint(server) : server,
      overTcp,
      bytes: this.writer.finish() as Uint8Array,
    });
  }

  private end(now: Millis, flight: Flight, landing: Landing): void {
    const { need } = flight;
    if (need.kind === 'zone' && landing.kind === 'failed') this.counted('keyLookupsFailed');
    this.free(flight);
    this.land(now, need, landing);
  }

  private free(flight: Flight): void {
    const row = this.handles.index(flight.handle);
    this.timers.clear(row);
    this.flights[row] = undefined;
    this.handles.free(flight.handle);
    this.emit({ kind: 'release', flight: flight.handle });
  }

  private endpointOf(address: Uint8Array): Uint8Array {
    const endpoint = new Uint8Array(ENDPOINT_BYTES);
    endpoint[0] = address.length === 4 ? 4 : 6;
    endpoint.set(address, 1);
    endpoint[17] = this.options.delegationPort >>> 8;
    endpoint[18] = this.options.delegationPort & 255;
    return endpoint;
  }

  private counted(name: (typeof COUNTERS)[number]): void {
    this.counters.add(this.counters.names.indexOf(name), 1);
  }
}
