/**
 * The stack: transport, wireguard and kademlia wired into one thread's worth of node.
 *
 *     datagram → wireguard.handleDatagram → kademlia.handleDatagram
 *     kademlia.pollTransmit → wireguard.send (seals in place) → transport.send
 *     wireguard.pollTransmit (handshakes, keepalives) → transport.send
 *
 * After every input both engines are drained (`#pump`), within a bound; what is left then waits until pending I/O and
 * timers had their turn. One timer serves all deadlines. Clock and transport are parameters: tests run this very
 * composition on virtual time.
 */
import {
  type BoundAddress,
  type Counters,
  type Curves,
  copyBytes,
  createCounters,
  createTransmit,
  ENDPOINT_BYTES,
  HEADROOM,
  IDLE,
  type Identity,
  type Millis,
  NONE,
  PLAINTEXT,
  type Rng,
  SEALED,
  type Transmit,
  type Transport,
  type TransportHost,
} from '@molia/core';
import {
  createKademlia,
  createKademliaEvent,
  type Kademlia,
  type KademliaEvent,
  type Peers,
  type RecordStore,
  type Tuning,
} from '@molia/kademlia';
import {
  createWireguard,
  createWireguardEvent,
  type Wireguard,
  WireguardEventKind,
  type WireguardOptions,
} from '@molia/wireguard';
import { type Clock, RunningTime } from './clock.ts';
import { PATHS_MAX, PUMP_EVENTS_MAX, PUMP_TRANSMITS_MAX } from './constants.ts';
import { PathTable } from './paths.ts';

export type { Clock } from './clock.ts';

export interface ShardOptions {
  readonly identity: Identity;
  /** 32 bytes; all zero for the public network. */
  readonly presharedKey: Uint8Array;
  readonly curves: Curves;
  readonly rng: Rng;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly store: RecordStore;
  readonly client: boolean;
  readonly peersMax: number;
  /** No handshake time stamp at or before it is sent. */
  readonly tai64nFloor?: Uint8Array | undefined;
  readonly cipher?: WireguardOptions['cipher'];
  readonly tuning?: Partial<Tuning> | undefined;
  /** The slot is reused and its bytes are borrowed. It may call the engine. */
  readonly onEvent: (event: KademliaEvent) => void;
  /** The transport broke. */
  readonly onFail: (error: Error) => void;
}

const COUNTERS = [
  'datagramsReceived',
  'messagesReceived',
  'messagesSent',
  'handshakesSent',
  'messagesUnsent',
  'pathsStale',
  'pumpsDeferred',
  'timersFired',
  'stalls',
] as const;
const C = {
  DATAGRAMS_RECEIVED: 0,
  MESSAGES_RECEIVED: 1,
  MESSAGES_SENT: 2,
  HANDSHAKES_SENT: 3,
  MESSAGES_UNSENT: 4,
  PATHS_STALE: 5,
  PUMPS_DEFERRED: 6,
  TIMERS_FIRED: 7,
  STALLS: 8,
} as const;

/**
 * Turns of the event loop for which a deadline waits while datagrams still come in: node:dgram hands over about 32 a turn, the
 * addon up to 512, so this covers the 4096 that a socket's buffer may hold.
 */
const EXPIRE_TURNS_MAX = 128;
/** A timer this late says that the process itself stood still. */
const STALL_MS = 20;
/** What is waited for then gets as long again, up to this: on one machine, whoever is to answer was often held up as well. */
const STALL_ROOM_MS_MAX = 100;
const NEVER = Number.POSITIVE_INFINITY;

export class Shard {
  readonly wireguard: Wireguard;
  readonly kademlia: Kademlia;
  readonly paths: PathTable;
  readonly counters: Counters<typeof COUNTERS> = createCounters(COUNTERS);
  readonly #options: ShardOptions;
  readonly #clock: Clock;
  readonly #time = new RunningTime();
  readonly #transport: Transport;
  readonly #out: Transmit = createTransmit();
  readonly #sessionEvent = createWireguardEvent();
  readonly #event = createKademliaEvent();
  /** Bits 4 and 6: the transport has a socket of that family. */
  #families = 0;
  #pumping = false;
  #deferred = false;
  /** Turns that a passed deadline may still wait; 0 = none has passed. */
  #expiring = 0;
  #receivedBefore = 0;
  #closed = false;
  #timer: unknown;
  /** By the clock. */
  #timerAt = NEVER;

  constructor(options: ShardOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#transport = options.transport;
    this.paths = new PathTable(options.rng, PATHS_MAX);
    const secret = options.identity.transportSecret();
    this.wireguard = createWireguard({
      staticSecret: secret,
      identityKey: options.identity.publicKey,
      presharedKey: options.presharedKey,
      curves: options.curves,
      rng: options.rng,
      wallMsAtZero: options.clock.wallMsAtZero,
      peersMax: options.peersMax,
      pathBytes: (path, out, offset) => this.#pathBytes(path, out, offset),
      ...(options.cipher === undefined ? {} : { cipher: options.cipher }),
      ...(options.tai64nFloor === undefined ? {} : { tai64nFloor: options.tai64nFloor }),
    });
    secret.fill(0);
    this.kademlia = createKademlia({
      identity: options.identity,
      peers: this.#peers(),
      store: options.store,
      rng: options.rng,
      curves: options.curves,
      wallMsAtZero: options.clock.wallMsAtZero,
      client: options.client,
      ...(options.tuning === undefined ? {} : { tuning: options.tuning }),
    });
  }

  /** Opens the transport and starts the timers. */
  async open(): Promise<readonly BoundAddress[]> {
    const bound = await this.#transport.open(this.host());
    this.attach(bound);
    return bound;
  }

  /** What the transport reports to. */
  host(): TransportHost {
    return {
      path: (address, port) => this.paths.ofAddress(address, port),
      endpointPath: (endpoint, offset) => this.paths.of(endpoint, offset),
      receive: (path, bytes, offset, length) => this.#receive(path, bytes, offset, length),
      fail: (error) => this.#options.onFail(error),
    };
  }

  /** The transport is open on these addresses: for one that opens at once, as a simulated one does, instead of `open`. */
  attach(bound: readonly BoundAddress[]): void {
    for (const { family } of bound) this.#families |= 1 << family;
    this.pump();
  }

  /** Unix milliseconds at `now()` = 0. */
  get wallMsAtZero(): number {
    return this.#clock.wallMsAtZero;
  }

  /** The engines' time: it stands still while the process does. */
  now(): Millis {
    const clock = this.#clock.now();
    if (clock - this.#timerAt >= STALL_MS) this.#stalled(clock);
    return this.#time.at(clock);
  }

  /** Sends and delivers what the engines have ready: call it after every call of an engine's method. */
  pump(): void {
    this.#pump(this.now());
  }

  /** Stops timers and transport, wipes the sessions' keys. Idempotent. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#disarm();
    this.wireguard.destroy();
    this.#out.bytes.fill(0);
    await this.#transport.close();
  }

  #receive(path: number, bytes: Uint8Array, offset: number, length: number): void {
    if (this.#closed) return;
    const now = this.now();
    const { wireguard } = this;
    this.counters.add(C.DATAGRAMS_RECEIVED, 1);
    if (wireguard.handleDatagram(now, path, bytes, offset, length) === PLAINTEXT) {
      this.counters.add(C.MESSAGES_RECEIVED, 1);
      this.kademlia.handleDatagram(now, wireguard.peer, bytes, wireguard.plainOffset, wireguard.plainLength);
    }
    this.#pump(now);
  }

  /** INVARIANT: never nested; what an event handler starts is picked up by the loop that called it. */
  #pump(now: Millis): void {
    if (this.#pumping || this.#closed) return;
    this.#pumping = true;
    let transmits = PUMP_TRANSMITS_MAX;
    let events = PUMP_EVENTS_MAX;
    let delay = 0;
    let isDrained = false;
    try {
      // BOUNDED: by the three budgets; each round uses some of one of them or is the last.
      while (transmits > 0 && events > 0 && !this.#closed) {
        const sent = this.#drainMessages(now, transmits);
        transmits -= sent;
        const delivered = this.#drainEvents(now, events);
        events -= delivered;
        if (sent + delivered > 0) continue;
        delay = this.#nextDelay(now);
        isDrained = true;
        break;
      }
    } finally {
      this.#pumping = false;
    }
    if (this.#closed) return;
    if (!isDrained) this.#defer();
    else if (delay > 0) this.#arm(now, delay);
    else this.#expire();
  }

  /** Kademlia's messages through wireguard, then wireguard's own. How many left. */
  #drainMessages(now: Millis, max: number): number {
    const { wireguard, kademlia } = this;
    const out = this.#out;
    let count = 0;
    out.offset = HEADROOM;
    while (count < max && kademlia.pollTransmit(now, out)) {
      count++;
      const verdict = wireguard.send(now, out.to, out.bytes, out.offset, out.length, out.flags);
      if (verdict === SEALED) {
        this.counters.add(C.MESSAGES_SENT, 1);
        this.#carry(wireguard.sealedTo, wireguard.sealedOffset, wireguard.sealedLength);
      } else if (verdict < 0) {
        this.counters.add(C.MESSAGES_UNSENT, 1);
      }
      out.offset = HEADROOM;
    }
    while (count < max && wireguard.pollTransmit(now, out)) {
      count++;
      this.counters.add(C.HANDSHAKES_SENT, 1);
      this.#carry(out.to, out.offset, out.length);
      out.offset = HEADROOM;
    }
    return count;
  }

  #drainEvents(now: Millis, max: number): number {
    const session = this.#sessionEvent;
    let count = 0;
    while (count < max && this.wireguard.pollEvent(session)) {
      count++;
      if (session.kind === WireguardEventKind.PEER_UNREACHABLE) {
        this.kademlia.handlePeerUnreachable(now, session.peer);
      } else if (session.kind === WireguardEventKind.PEER_CLOSED) {
        this.kademlia.handlePeerClosed(now, session.peer);
      } else if (session.kind === WireguardEventKind.PEER_ROAMED) {
        this.kademlia.handlePeerRoamed(now, session.peer);
      }
    }
    while (count < max && !this.#closed && this.kademlia.pollEvent(this.#event)) {
      count++;
      this.#options.onEvent(this.#event);
    }
    return count;
  }

  #carry(path: number, offset: number, length: number): void {
    const at = this.paths.offsetOf(path);
    if (at === NONE) {
      this.counters.add(C.PATHS_STALE, 1);
      return;
    }
    this.#transport.send(path, this.paths.bytes, at, this.#out.bytes, offset, length);
  }

  #nextDelay(now: Millis): number {
    return Math.min(this.wireguard.nextDelay(now), this.kademlia.nextDelay(now));
  }

  /** An armed timer that is early enough stays: an early call is harmless. */
  #arm(now: Millis, delay: number): void {
    if (delay >= IDLE) return;
    const at = this.#time.clockAt(now + delay);
    if (at >= this.#timerAt) return;
    this.#armAt(at, at - this.#clock.now());
  }

  #armAt(at: Millis, wait: number): void {
    this.#disarm();
    this.#timerAt = at;
    this.#timer = this.#clock.setTimer(this.#fire, Math.max(1, wait));
  }

  #disarm(): void {
    if (this.#timerAt === NEVER) return;
    this.#clock.clearTimer(this.#timer);
    this.#timerAt = NEVER;
  }

  readonly #fire = (): void => {
    if (this.#closed) return;
    this.counters.add(C.TIMERS_FIRED, 1);
    const timer = this.#timer;
    const now = this.now();
    // A stall was found and the timer set anew.
    if (this.#timer !== timer) return;
    this.#timerAt = NEVER;
    this.#pump(now);
  };

  /** The timer should have fired a while ago: the time since then was not ours, and deadlines do not count it. */
  #stalled(clock: Millis): void {
    const late = clock - this.#timerAt;
    const room = Math.min(late, STALL_ROOM_MS_MAX);
    if (this.#closed || !this.#time.miss(clock, late + room)) return;
    this.counters.add(C.STALLS, 1);
    this.#armAt(clock + room, room);
  }

  /**
   * A deadline passed: the engines hear of it after the datagrams that lie in the socket already. A process that was
   * held up would otherwise give up requests whose answers it has only not read yet.
   */
  #expire(): void {
    if (this.#expiring > 0) return;
    this.#expiring = EXPIRE_TURNS_MAX;
    this.#receivedBefore = this.counters.values[C.DATAGRAMS_RECEIVED] as number;
    this.#clock.defer(this.#expireTurn);
  }

  readonly #expireTurn = (): void => {
    if (this.#closed) return;
    const received = this.counters.values[C.DATAGRAMS_RECEIVED] as number;
    this.#expiring--;
    if (this.#expiring > 0 && received !== this.#receivedBefore) {
      this.#receivedBefore = received;
      this.#clock.defer(this.#expireTurn);
      return;
    }
    this.#expiring = 0;
    const now = this.now();
    this.wireguard.handleTimeout(now);
    this.kademlia.handleTimeout(now);
    this.#pump(now);
  };

  #defer(): void {
    if (this.#deferred) return;
    this.#deferred = true;
    this.counters.add(C.PUMPS_DEFERRED, 1);
    this.#clock.defer(() => {
      this.#deferred = false;
      this.pump();
    });
  }

  #pathBytes(path: number, out: Uint8Array, offset: number): number {
    const at = this.paths.offsetOf(path);
    if (at === NONE) return 0;
    copyBytes(out, offset, this.paths.bytes, at, ENDPOINT_BYTES);
    return ENDPOINT_BYTES;
  }

  /** Kademlia's port to the session storey. */
  #peers(): Peers {
    const { wireguard, paths } = this;
    return {
      open: (now, publicKey, keyOffset, endpoint, endpointOffset) => {
        if ((this.#families & (1 << (endpoint[endpointOffset] as number))) === 0) return NONE;
        return wireguard.open(now, publicKey, keyOffset, paths.of(endpoint, endpointOffset));
      },
      identity: (peer, out, offset) => wireguard.identity(peer, out, offset),
      endpoint: (peer, out, offset) => {
        const path = wireguard.path(peer);
        return path !== NONE && this.#pathBytes(path, out, offset) > 0;
      },
      bindIdentity: (now, peer, publicKey, offset) => wireguard.bindIdentity(now, peer, publicKey, offset),
      doubt: (now, peer) => wireguard.doubt(now, peer),
    };
  }
}
