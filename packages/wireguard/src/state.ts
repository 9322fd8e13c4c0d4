/**
 * What the parts of the engine share: slabs, keys, the output fields, and the small rules that every message touches
 * (paths, timers, validity of a session). The parts are functions over one `State`.
 */
import {
  ByteRing,
  type Counters,
  createCounters,
  type Millis,
  NONE,
  TimerTable,
  type Verdict,
} from '@molia/core';
import { defaultCipher } from './cipher-wasm.ts';
import {
  CONSTRUCTION,
  IDENTIFIER,
  KEEPALIVE_TIMEOUT_MS,
  NO_ANSWER_MS,
  OUTBOX_BYTES,
  PATH_BYTES_MAX,
  REJECT_AFTER_MESSAGES_HIGH,
  REJECT_AFTER_MESSAGES_LOW,
  REJECT_AFTER_TIME_MS,
  REKEY_TIMEOUT_JITTER_MS,
  SESSIONS_PER_PEER,
} from './constants.ts';
import type { Cipher } from './crypto.ts';
import { EventRing, WireguardEventKind } from './events.ts';
import { LoadMeter, SourceLimiter } from './load.ts';
import { ascii, Macs } from './macs.ts';
import { MessagePool } from './message-pool.ts';
import { NOISE_STATE_BYTES, Noise } from './noise.ts';
import { type ResolvedOptions, resolveWireguardOptions, type WireguardOptions } from './options.ts';
import {
  ACTIVE,
  ARMED,
  DEADLINES,
  HAS_SHARED,
  NO_ANSWER,
  PASSIVE_KEEPALIVE,
  PEER_BYTES,
  PERSISTENT,
  Peers,
  SHARED,
  STATIC_KEY,
  TIMES,
} from './peers.ts';
import { Sessions } from './sessions.ts';
import { Superseded } from './superseded.ts';
import { StampClock } from './tai64n.ts';
import { Count, wireguardCounterNames } from './verdicts.ts';

/** Everything of one engine. */
export class State {
  readonly options: ResolvedOptions;
  readonly cipher: Cipher;
  readonly noise: Noise;
  readonly macs: Macs;
  readonly peers: Peers;
  readonly sessions: Sessions;
  readonly superseded = new Superseded();
  readonly timers: TimerTable;
  readonly pool: MessagePool;
  readonly events = new EventRing();
  readonly outbox = new ByteRing(OUTBOX_BYTES);
  readonly stamps: StampClock;
  readonly load: LoadMeter;
  readonly sources: SourceLimiter;
  readonly presharedKey: Uint8Array;
  readonly counters: Counters<typeof wireguardCounterNames> = createCounters(wireguardCounterNames);
  readonly ephemeral = new Uint8Array(32);
  readonly shared = new Uint8Array(32);
  readonly key = new Uint8Array(32);

  // Output of the last call.
  peer = NONE;
  plainOffset = 0;
  plainLength = 0;
  early = false;
  sealedTo = NONE;
  sealedOffset = 0;
  sealedLength = 0;

  /** The initiation whose early message is being answered: row of the peer or `NONE`, and what the response needs. */
  pendingRow = NONE;
  pendingPath = NONE;
  pendingRemoteIndex = 0;
  pendingLength = 0;
  pendingProved = false;
  readonly pendingState = new Uint8Array(NOISE_STATE_BYTES);
  /** Row at which the next search for an evictable peer begins. */
  evictionHand = 0;

  constructor(given: WireguardOptions) {
    const options = resolveWireguardOptions(given);
    this.options = options;
    this.cipher = options.cipher ?? defaultCipher();
    this.presharedKey = options.presharedKey.slice();
    this.noise = new Noise(
      this.cipher,
      options.curves,
      options.staticSecret,
      ascii(CONSTRUCTION),
      ascii(IDENTIFIER),
    );
    this.macs = new Macs(this.cipher, options.rng, this.noise.publicKey);
    const initial = Math.min(options.initialPeers, options.peersMax);
    const rowsMax = options.peersMax * SESSIONS_PER_PEER;
    this.sessions = new Sessions(
      options.rng,
      rowsMax,
      Math.min(initial * 2, rowsMax),
      options.shard.index,
      options.shard.bits,
    );
    this.timers = new TimerTable(initial);
    this.peers = new Peers(options.rng, options.peersMax, initial, (rows) => this.timers.grow(rows));
    this.pool = new MessagePool(options.queueBytesMax);
    this.stamps = new StampClock(options.wallMsAtZero, options.tai64nFloor);
    this.load = new LoadMeter(options.handshakesPerSecondMax, options.handshakesBurst);
    this.sources = new SourceLimiter(options.rng);
  }

  count(cell: number): void {
    this.counters.values[cell] = (this.counters.values[cell] as number) + 1;
  }

  /** Counts a drop and is its verdict. */
  drop(verdict: Verdict): Verdict {
    this.count(-verdict);
    return verdict;
  }

  /** Tells the host; lost and counted when it does not drain. */
  emit(kind: number, row: number, path: number): void {
    if (!this.events.push(kind, this.peers.handles.handleAt(row), path)) this.count(Count.EVENTS_LOST);
  }

  /** A random 0 to 333 ms. */
  jitter(): number {
    return (this.options.rng.u32() & 0xffff) % (REKEY_TIMEOUT_JITTER_MS + 1);
  }

  /** Sets a deadline of a peer, and its timer when that is now the first. */
  setDeadline(row: number, column: number, at: Millis): void {
    const times = this.peers.times;
    const base = row * TIMES;
    times[base + column] = at;
    if (at < (times[base + ARMED] as number)) {
      times[base + ARMED] = at;
      this.timers.set(row, at);
    }
  }

  /** Lets a deadline pass; the timer then finds nothing due and sets itself again. */
  clearDeadline(row: number, column: number): void {
    this.peers.times[row * TIMES + column] = Infinity;
  }

  /** Sets the timer to the first deadline left. */
  rearm(row: number): void {
    const times = this.peers.times;
    const base = row * TIMES;
    let first = Infinity;
    for (let column = 0; column < DEADLINES; column++) {
      const at = times[base + column] as number;
      if (at < first) first = at;
    }
    times[base + ARMED] = first;
    if (first === Infinity) this.timers.clear(row);
    else this.timers.set(row, first);
  }

  /** The session that may carry data to the peer now, or `NONE`. */
  usable(now: Millis, row: number): number {
    const session = this.peers.current[row] as number;
    if (session === NONE) return NONE;
    const sessions = this.sessions;
    if (now - (sessions.createdAt[session] as number) >= REJECT_AFTER_TIME_MS) return NONE;
    if (
      (sessions.sendHigh[session] as number) === REJECT_AFTER_MESSAGES_HIGH &&
      (sessions.sendLow[session] as number) >= REJECT_AFTER_MESSAGES_LOW
    ) {
      return NONE;
    }
    return session;
  }

  /** Where datagrams to the peer go: the proven path, else the hinted one, else `NONE`. */
  pathOf(row: number): number {
    const proven = this.peers.proven[row] as number;
    return proven !== NONE ? proven : (this.peers.hint[row] as number);
  }

  /** An authenticated message came from `path`. */
  provePath(row: number, path: number): void {
    const proven = this.peers.proven[row] as number;
    if (proven === path) return;
    this.peers.proven[row] = path;
    if (proven === NONE) return;
    this.count(Count.PEERS_ROAMED);
    this.emit(WireguardEventKind.PEER_ROAMED, row, path);
  }

  /** Timer rules (d) and (g): something authenticated arrived. */
  authenticatedReceived(now: Millis, row: number): void {
    const base = row * TIMES;
    this.peers.times[base + NO_ANSWER] = Infinity;
    this.peers.times[base + ACTIVE] = now;
    const every = this.peers.persistentMs[row] as number;
    if (every !== 0) this.setDeadline(row, PERSISTENT, now + every);
  }

  /** Timer rules (d) and (g): something authenticated goes out. */
  authenticatedSent(now: Millis, row: number): void {
    const base = row * TIMES;
    this.peers.times[base + PASSIVE_KEEPALIVE] = Infinity;
    this.peers.times[base + ACTIVE] = now;
    const every = this.peers.persistentMs[row] as number;
    if (every !== 0) this.setDeadline(row, PERSISTENT, now + every);
  }

  /** Timer rule (c): data went out and wants an answer of any kind. */
  dataSent(now: Millis, row: number): void {
    if (this.peers.times[row * TIMES + NO_ANSWER] !== Infinity) return;
    this.setDeadline(row, NO_ANSWER, now + NO_ANSWER_MS + (this.peers.jitterMs[row] as number));
  }

  /** Timer rule (b): data came in and wants an answer of any kind. */
  dataReceived(now: Millis, row: number): void {
    if (this.peers.times[row * TIMES + PASSIVE_KEEPALIVE] !== Infinity) return;
    this.setDeadline(row, PASSIVE_KEEPALIVE, now + KEEPALIVE_TIMEOUT_MS);
  }

  /** Makes the static-static result of a peer if it is missing; `false`: its key is of small order. */
  ensureShared(row: number): boolean {
    if (this.peers.has(row, HAS_SHARED)) return true;
    const base = row * PEER_BYTES;
    const bytes = this.peers.bytes;
    for (let i = 0; i < 32; i++) this.key[i] = bytes[base + STATIC_KEY + i] as number;
    if (!this.noise.staticShared(this.shared, this.key)) return false;
    this.adoptShared(row);
    return true;
  }

  /** Keeps the static-static result that lies in `shared`. */
  adoptShared(row: number): void {
    const base = row * PEER_BYTES + SHARED;
    for (let i = 0; i < 32; i++) this.peers.bytes[base + i] = this.shared[i] as number;
    this.shared.fill(0);
    this.peers.set(row, HAS_SHARED);
  }

  /** Fills `macs.source` with the address of a path. */
  readSource(path: number): void {
    const length = this.options.pathBytes(path, this.macs.source, 0);
    this.macs.sourceLength = Math.max(0, Math.min(PATH_BYTES_MAX, length));
  }
}

/** A little-endian u32 as a signed integer: an index is compared, never counted. */
export function readIndex(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset] as number) |
    ((bytes[offset + 1] as number) << 8) |
    ((bytes[offset + 2] as number) << 16) |
    ((bytes[offset + 3] as number) << 24)
  );
}

/** Writes 32 bits, little endian. */
export function writeIndex(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}
