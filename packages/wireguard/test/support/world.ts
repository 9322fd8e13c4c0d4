/** Engines joined by a deterministic link in virtual time: every test of the protocol's clockwork runs in here. */
import {
  createIdentity,
  createSeededRng,
  createTransmit,
  HEADROOM,
  type Identity,
  NONE,
  nobleCurves,
  PLAINTEXT,
  ROOM,
  SEALED,
  TransmitFlag,
  writeEndpoint,
} from '@molia/core';
import {
  createWireguard,
  createWireguardEvent,
  type Wireguard,
  type WireguardEvent,
  type WireguardOptions,
} from '../../src/index.ts';

/** Unix milliseconds at virtual instant 0. */
export const WALL_MS = 1_700_000_000_000;

export interface Sent {
  readonly at: number;
  readonly from: string;
  readonly to: string;
  /** A copy. */
  readonly bytes: Uint8Array;
}

export interface Received {
  readonly at: number;
  readonly peer: number;
  readonly text: string;
  readonly early: boolean;
}

interface Flight extends Sent {
  readonly due: number;
  readonly source: number;
  readonly target: number;
}

/** Host side of one engine: owns its address, its inbox and its log. */
export class Host {
  readonly name: string;
  readonly identity: Identity;
  readonly wg: Wireguard;
  readonly received: Received[] = [];
  readonly events: WireguardEvent[] = [];
  readonly verdicts: number[] = [];
  /** Current address; others name it by this number as a path. */
  address: number;
  /** Answers an early or ordinary message in the same turn; `undefined` = no answer. */
  onMessage: ((text: string, early: boolean) => string | undefined) | undefined;

  constructor(name: string, address: number, identity: Identity, wg: Wireguard) {
    this.name = name;
    this.address = address;
    this.identity = identity;
    this.wg = wg;
  }
}

export type HostOptions = Partial<Omit<WireguardOptions, 'staticSecret' | 'curves' | 'rng'>>;

export class World {
  now = 0;
  latencyMs = 20;
  readonly hosts: Host[] = [];
  readonly log: Sent[] = [];
  /** `true` drops the datagram on the link. */
  lose: (sent: Sent) => boolean = () => false;
  /** Milliseconds on the link of each copy that arrives. */
  delays: (sent: Sent) => number[] = () => [this.latencyMs];
  private readonly flights: Flight[] = [];
  private readonly out = createTransmit();
  private readonly event = createWireguardEvent();
  private readonly seed: number;
  private nextAddress = 1;

  constructor(seed = 1) {
    this.seed = seed;
  }

  /** A new host; with `like`, another run of the same identity at the same address. */
  host(name: string, options: HostOptions = {}, like?: Host): Host {
    const number = this.hosts.length;
    const rng = createSeededRng(this.seed * 1000 + number);
    const identity = like?.identity ?? createIdentity(nobleCurves, undefined, rng);
    const wg = createWireguard({
      staticSecret: identity.transportSecret(),
      identityKey: identity.publicKey,
      curves: nobleCurves,
      rng,
      wallMsAtZero: WALL_MS,
      pathBytes: (path, out, offset) => {
        writeEndpoint(out.subarray(offset), 0, `10.0.${path >>> 8}.${path & 255}`, 7000);
        return 19;
      },
      ...options,
    });
    const host = new Host(name, like?.address ?? this.nextAddress++, identity, wg);
    if (like !== undefined) this.hosts.splice(this.hosts.indexOf(like), 1);
    this.hosts.push(host);
    return host;
  }

  /** A host gets another address. */
  move(host: Host): void {
    host.address = this.nextAddress++;
  }

  open(from: Host, to: Host): number {
    return from.wg.open(this.now, to.identity.publicKey, 0, to.address);
  }

  openPlain(from: Host, to: Host): number {
    return from.wg.openTransportKey(this.now, to.identity.transportPublicKey, 0, to.address);
  }

  /** Both sides know each other and have a confirmed session, the first host as initiator. Returns both handles. */
  connect(from: Host, to: Host): [number, number] {
    const there = this.open(from, to);
    const back = this.open(to, from);
    this.send(from, there, 'connect');
    this.run(3 * this.latencyMs);
    if (!from.wg.connected(this.now, there) || !to.wg.connected(this.now, back))
      throw new Error('no session');
    return [there, back];
  }

  /** Sends a text; the verdict of `send`. */
  send(from: Host, peer: number, text: string, flags = 0): number {
    const verdict = this.sendWithoutDraining(from, peer, text, flags);
    this.drain(from);
    return verdict;
  }

  early(from: Host, peer: number, text: string, large = false): number {
    return this.send(from, peer, text, TransmitFlag.EARLY | (large ? TransmitFlag.LARGE_ANSWER : 0));
  }

  /** Runs the world until `at`. */
  runUntil(at: number): void {
    for (;;) {
      const next = Math.min(this.nextFlight(), this.nextTimer());
      if (next > at) break;
      this.now = Math.max(this.now, next);
      this.deliver();
      for (const host of this.hosts) {
        if (host.wg.nextDelay(this.now) === 0) {
          host.wg.handleTimeout(this.now);
          this.drain(host);
        }
      }
    }
    this.now = at;
  }

  run(forMs: number): void {
    this.runUntil(this.now + forMs);
  }

  /** Hands a datagram to a host as if it came from `source`; the verdict. */
  inject(to: Host, source: number, bytes: Uint8Array): number {
    const buffer = new Uint8Array(bytes.length + HEADROOM);
    buffer.set(bytes, HEADROOM);
    const verdict = to.wg.handleDatagram(this.now, source, buffer, HEADROOM, bytes.length);
    to.verdicts.push(verdict);
    if (verdict === PLAINTEXT) {
      const { peer, early, plainOffset, plainLength } = to.wg;
      const text = new TextDecoder().decode(buffer.slice(plainOffset, plainOffset + plainLength));
      to.received.push({ at: this.now, peer, text, early });
      const answer = to.onMessage?.(text, early);
      if (answer !== undefined) this.sendWithoutDraining(to, peer, answer, 0);
    }
    this.drain(to);
    return verdict;
  }

  private sendWithoutDraining(from: Host, peer: number, text: string, flags: number): number {
    const message = new TextEncoder().encode(text);
    const buffer = new Uint8Array(HEADROOM + ROOM);
    buffer.set(message, HEADROOM);
    const verdict = from.wg.send(this.now, peer, buffer, HEADROOM, message.length, flags);
    if (verdict === SEALED) {
      const { sealedTo, sealedOffset, sealedLength } = from.wg;
      this.launch(from, sealedTo, buffer.slice(sealedOffset, sealedOffset + sealedLength));
    }
    return verdict;
  }

  drain(host: Host): void {
    const { out, event } = this;
    out.offset = HEADROOM;
    for (let i = 0; host.wg.pollTransmit(this.now, out); i++) {
      if (i > 10_000) throw new Error(`${host.name} never stops sending`);
      this.launch(host, out.to, out.bytes.slice(out.offset, out.offset + out.length));
    }
    while (host.wg.pollEvent(event)) host.events.push({ ...event });
  }

  private launch(from: Host, path: number, bytes: Uint8Array): void {
    if (path === NONE) throw new Error(`${from.name} sends to no path`);
    const target = this.hosts.find((host) => host.address === path);
    const sent: Sent = { at: this.now, from: from.name, to: target?.name ?? '', bytes };
    this.log.push(sent);
    if (this.lose(sent)) return;
    for (const delay of this.delays(sent)) {
      this.flights.push({ ...sent, due: this.now + delay, source: from.address, target: path });
    }
  }

  private deliver(): void {
    for (;;) {
      const index = this.flights.findIndex((flight) => flight.due <= this.now);
      if (index < 0) return;
      const [flight] = this.flights.splice(index, 1);
      const host = this.hosts.find((candidate) => candidate.address === flight?.target);
      if (flight !== undefined && host !== undefined) this.inject(host, flight.source, flight.bytes);
    }
  }

  private nextFlight(): number {
    return this.flights.reduce((least, flight) => Math.min(least, flight.due), Infinity);
  }

  private nextTimer(): number {
    return this.hosts.reduce(
      (least, host) => Math.min(least, this.now + Math.max(0, host.wg.nextDelay(this.now))),
      Infinity,
    );
  }
}

/** Datagrams of one WireGuard message type in a log. */
export function ofType(log: readonly Sent[], type: number): Sent[] {
  return log.filter((sent) => sent.bytes[0] === type);
}

/** Instants of a host's datagrams of one type. */
export function timesOf(log: readonly Sent[], from: string, type: number): number[] {
  return ofType(log, type)
    .filter((sent) => sent.from === from)
    .map((sent) => sent.at);
}
