/**
 * WireGuard (Donenfeld 2017) as a sans-IO engine for many peers, with Molia's first contact in one round trip
 * (docs/spec/first-contact.md). Paths are below it, peers above. It holds no clock, socket or timer, throws on misuse
 * only, answers a wrong mac1 with silence, and allocates nothing for data once its slabs are warm.
 */
import {
  type Counters,
  copyBytes,
  type Engine,
  IDLE,
  type Millis,
  NONE,
  SEALED,
  type Transmit,
  type Verdict,
} from '@molia/core';
import {
  DATA_BYTES_MIN,
  DATA_HEADER_BYTES,
  DOUBT_AGE_MS,
  EVENTS_RESERVE,
  EXTENDED,
  MACS_BYTES,
  MESSAGE_COOKIE,
  MESSAGE_DATA,
  MESSAGE_INITIATION,
  MESSAGE_RESPONSE,
  PADDING_BYTES,
  RESPONSE_PAYLOAD_OFFSET,
  TAI64N_BYTES,
} from './constants.ts';
import { TAG_BYTES } from './crypto.ts';
import { handleData, sealData } from './data.ts';
import type { WireguardEvent } from './events.ts';
import { handleCookie, handleResponse, sendLater, writeInitiation } from './initiator.ts';
import type { WireguardOptions } from './options.ts';
import { bindIdentityKey, openIdentity, openStatic, removePeer } from './peer-life.ts';
import { runDeadlines } from './peer-timers.ts';
import {
  HAS_IDENTITY,
  IDENTITY_KEY,
  OPENED,
  PEER_BYTES,
  PERSISTENT,
  PLAIN,
  STATIC_KEY,
  WANT_FLUSH,
  WANT_INITIATION,
  WANT_KEEPALIVE,
} from './peers.ts';
import { answerFits, answerPending, handleInitiation, settlePending } from './responder.ts';
import { State } from './state.ts';
import { writeStamp } from './tai64n.ts';
import { Count, WireguardDrop, type wireguardCounterNames } from './verdicts.ts';
import { freeWaiting, takeWaiting } from './waiting.ts';

/** Room that `send` needs behind a message: padding and tag, or tag and MACs of an early answer. */
const BEHIND = Math.max(PADDING_BYTES + TAG_BYTES, TAG_BYTES + MACS_BYTES);

/** One WireGuard interface: many peers, one static key, any number of paths. */
export class Wireguard implements Engine<WireguardEvent> {
  readonly #state: State;
  #destroyed = false;

  constructor(options: WireguardOptions) {
    this.#state = new State(options);
  }

  /** After `PLAINTEXT`: who sent it. */
  get peer(): number {
    return this.#state.peer;
  }
  /** After `PLAINTEXT`: where the payload lies in the datagram's buffer. */
  get plainOffset(): number {
    return this.#state.plainOffset;
  }
  get plainLength(): number {
    return this.#state.plainLength;
  }
  /** After `PLAINTEXT`: it came inside a handshake message. From an initiation it has no forward secrecy. */
  get early(): boolean {
    return this.#state.early;
  }
  /** After `SEALED`: the path to send on. */
  get sealedTo(): number {
    return this.#state.sealedTo;
  }
  /** After `SEALED`: where the datagram begins in the caller's buffer. */
  get sealedOffset(): number {
    return this.#state.sealedOffset;
  }
  get sealedLength(): number {
    return this.#state.sealedLength;
  }
  /** Drops by `wireguardDropNames`, then everything else the engine does. */
  get counters(): Counters<typeof wireguardCounterNames> {
    return this.#state.counters;
  }
  /** Our X25519 public key (borrowed). */
  get publicKey(): Uint8Array {
    return this.#state.noise.publicKey;
  }
  /** Live peers. */
  get peerCount(): number {
    return this.#state.peers.handles.count;
  }
  /** Sessions and handshakes in flight. */
  get sessionCount(): number {
    return this.#state.sessions.count;
  }
  /** Name of the cipher in use. */
  get cipherName(): string {
    return this.#state.cipher.name;
  }
  /** The latest stamp sent (a copy, 12 bytes): persist it and give it back as `tai64nFloor`. Zeros before the first. */
  get lastTai64n(): Uint8Array {
    const stamp = new Uint8Array(TAI64N_BYTES);
    const { last } = this.#state.stamps;
    if (last > 0) writeStamp(stamp, 0, last);
    return stamp;
  }
  /** Whether initiations must prove their address now. */
  underLoad(now: Millis): boolean {
    return this.#state.load.underLoad(now);
  }

  /**
   * One datagram from `path`, opened in place. `PLAINTEXT`: see `peer`, `plainOffset`, `plainLength`, `early`. `TAKEN`: the
   * engine's own affair. Negative: a `WireguardDrop`. Drain `pollTransmit` and `pollEvent` afterwards.
   */
  handleDatagram(now: Millis, path: number, bytes: Uint8Array, offset: number, length: number): Verdict {
    const state = this.#state;
    state.count(Count.DATAGRAMS_IN);
    // The host had its turn to answer early; whatever comes now, the initiator gets its response.
    if (state.pendingRow !== NONE) settlePending(state, now);
    state.early = false;
    // The three bytes behind the type are reserved, zero; Molia uses the first in handshakes.
    const reserved = (bytes[offset + 2] as number) | (bytes[offset + 3] as number);
    const extended = bytes[offset + 1] as number;
    if (length < DATA_BYTES_MIN || reserved !== 0 || extended > EXTENDED || this.#destroyed) {
      return state.drop(WireguardDrop.MALFORMED);
    }
    switch (bytes[offset]) {
      case MESSAGE_DATA:
        return handleData(state, now, path, bytes, offset, length);
      case MESSAGE_INITIATION:
        return handleInitiation(state, now, path, bytes, offset, length);
      case MESSAGE_RESPONSE:
        return handleResponse(state, now, path, bytes, offset, length);
      case MESSAGE_COOKIE:
        return handleCookie(state, now, bytes, offset, length);
      default:
        return state.drop(WireguardDrop.MALFORMED);
    }
  }

  /**
   * Seals one message to a peer in the caller's buffer: needs 44 bytes before `offset` and 48 behind the message
   * (`HEADROOM` and `ROOM` of core give both). `SEALED`: send `sealedLength` bytes at `sealedOffset` to path `sealedTo`.
   * `TAKEN`: copied, it goes out after the handshake (or in it, with `TransmitFlag.EARLY`). Throws RangeError when the room is missing.
   */
  send(now: Millis, peer: number, bytes: Uint8Array, offset: number, length: number, flags: number): Verdict {
    const state = this.#state;
    const row = state.peers.handles.index(peer);
    if (row === NONE) return state.drop(WireguardDrop.STALE_PEER);
    if (offset < RESPONSE_PAYLOAD_OFFSET || length < 0 || bytes.length - offset < length + BEHIND) {
      throw new RangeError('send needs 44 bytes before the message and 48 behind it');
    }
    if (row === state.pendingRow && length > 0) {
      if (answerFits(state, length)) {
        return answerPending(state, now, bytes, offset, length) ? SEALED : WireguardDrop.BAD_HANDSHAKE;
      }
      settlePending(state, now);
      state.count(Count.EARLY_ANSWERS_DEFERRED);
      return sendLater(state, now, row, bytes, offset, length, 0);
    }
    const session = state.usable(now, row);
    if (session === NONE) return sendLater(state, now, row, bytes, offset, length, flags);
    const to = state.pathOf(row);
    if (to === NONE) return state.drop(WireguardDrop.NO_PATH);
    state.sealedLength = sealData(state, now, row, session, bytes, offset, length);
    state.sealedOffset = offset - DATA_HEADER_BYTES;
    state.sealedTo = to;
    return SEALED;
  }

  /** Runs what is due. Stops early when events must be drained first; `nextDelay` is then 0. */
  handleTimeout(now: Millis): void {
    const state = this.#state;
    while (state.events.room >= EVENTS_RESERVE) {
      // BOUNDED: by the peers; a deadline that ran lies in the future again.
      const row = state.timers.expired(now);
      if (row === NONE) return;
      runDeadlines(state, now, row);
    }
  }

  /** The next handshake message, keepalive or waiting message, sealed, with `to` a path. */
  pollTransmit(now: Millis, out: Transmit): boolean {
    const state = this.#state;
    if (state.pendingRow !== NONE) settlePending(state, now);
    if (state.outbox.pop(out)) return true;
    for (;;) {
      // BOUNDED: every turn sends a datagram or removes a wish.
      const row = state.peers.firstWork();
      if (row === NONE) return false;
      if (this.#work(now, row, out)) return true;
    }
  }

  #work(now: Millis, row: number, out: Transmit): boolean {
    const state = this.#state;
    const { peers } = state;
    if (peers.has(row, WANT_INITIATION)) {
      peers.unset(row, WANT_INITIATION);
      return writeInitiation(state, now, row, out);
    }
    const session = state.usable(now, row);
    if (session === NONE) {
      peers.unset(row, WANT_FLUSH | WANT_KEEPALIVE);
      return false;
    }
    let length = 0;
    if (peers.has(row, WANT_FLUSH)) {
      const block = takeWaiting(state, row);
      if (block === NONE) {
        peers.unset(row, WANT_FLUSH);
        return false;
      }
      length = state.pool.length(block);
      copyBytes(
        out.bytes,
        out.offset + DATA_HEADER_BYTES,
        state.pool.bytes,
        state.pool.offset(block),
        length,
      );
      freeWaiting(state, row, block);
    } else if (peers.has(row, WANT_KEEPALIVE)) {
      peers.unset(row, WANT_KEEPALIVE);
    } else {
      return false;
    }
    out.to = state.pathOf(row);
    out.flags = 0;
    out.length = sealData(state, now, row, session, out.bytes, out.offset + DATA_HEADER_BYTES, length);
    return true;
  }

  pollEvent(out: WireguardEvent): boolean {
    return this.#state.events.pop(out);
  }

  nextDelay(now: Millis): number {
    const state = this.#state;
    if (this.#destroyed) return IDLE;
    return state.events.room < EVENTS_RESERVE ? 0 : state.timers.nextDelay(now);
  }

  /**
   * The peer with this Ed25519 key (32 bytes), made when missing; `path` is where to try while none is proven. No
   * handshake yet. `NONE`: not a valid key, our own key, or no room.
   */
  open(now: Millis, key: Uint8Array, keyOffset: number, path: number): number {
    if (this.#destroyed) return NONE;
    return this.#opened(openIdentity(this.#state, now, key, keyOffset), path, OPENED);
  }

  /** The plain WireGuard peer with this X25519 key: never sent extended messages, its payloads padded to 16. */
  openTransportKey(now: Millis, key: Uint8Array, keyOffset: number, path: number): number {
    if (this.#destroyed) return NONE;
    return this.#opened(openStatic(this.#state, now, key, keyOffset), path, OPENED | PLAIN);
  }

  #opened(row: number, path: number, flags: number): number {
    if (row === NONE) return NONE;
    const { peers } = this.#state;
    peers.set(row, flags);
    if (path !== NONE) peers.hint[row] = path;
    return peers.handles.handleAt(row);
  }

  /** The peer bound to this Ed25519 key, or `NONE`; makes nothing. */
  peerOf(key: Uint8Array, keyOffset: number): number {
    const { peers } = this.#state;
    const row = peers.byIdentity.find(peers.bytes, key, keyOffset);
    return row === NONE ? NONE : peers.handles.handleAt(row);
  }

  /** Copies a peer's Ed25519 key (32 bytes) to `out`; `false` when none is bound or the handle is stale. */
  identity(peer: number, out: Uint8Array, offset: number): boolean {
    const { peers } = this.#state;
    const row = peers.handles.index(peer);
    if (row === NONE || !peers.has(row, HAS_IDENTITY)) return false;
    copyBytes(out, offset, peers.bytes, row * PEER_BYTES + IDENTITY_KEY, 32);
    return true;
  }

  /** Copies a peer's X25519 key (32 bytes) to `out`; `false` when the handle is stale. */
  transportKey(peer: number, out: Uint8Array, offset: number): boolean {
    const { peers } = this.#state;
    const row = peers.handles.index(peer);
    if (row === NONE) return false;
    copyBytes(out, offset, peers.bytes, row * PEER_BYTES + STATIC_KEY, 32);
    return true;
  }

  /** Binds an Ed25519 key that maps to the peer's static key; `false`: it does not, or another is bound. */
  bindIdentity(_now: Millis, peer: number, key: Uint8Array, keyOffset: number): boolean {
    const row = this.#state.peers.handles.index(peer);
    return row !== NONE && bindIdentityKey(this.#state, row, key, keyOffset);
  }

  /** Where datagrams to the peer go: proven, else hinted, else `NONE`. */
  path(peer: number): number {
    const row = this.#state.peers.handles.index(peer);
    return row === NONE ? NONE : this.#state.pathOf(row);
  }

  /** Whether data can be sent at once. */
  connected(now: Millis, peer: number): boolean {
    const row = this.#state.peers.handles.index(peer);
    return row !== NONE && this.#state.usable(now, row) !== NONE;
  }

  /** The u32 of the peer's last early data; 0 before. */
  capabilities(peer: number): number {
    const row = this.#state.peers.handles.index(peer);
    return row === NONE ? 0 : (this.#state.peers.capabilities[row] as number);
  }

  /** Persistent keepalive of one peer, ms; 0 ends it. `false`: stale handle. Throws RangeError outside 0 to an hour. */
  setPersistentKeepalive(now: Millis, peer: number, everyMs: number): boolean {
    if (!Number.isInteger(everyMs) || everyMs < 0 || everyMs > 3_600_000) {
      throw new RangeError(`everyMs must be an integer from 0 to 3600000, not ${everyMs}`);
    }
    const state = this.#state;
    const row = state.peers.handles.index(peer);
    if (row === NONE) return false;
    state.peers.persistentMs[row] = everyMs;
    if (everyMs === 0) state.clearDeadline(row, PERSISTENT);
    else state.setDeadline(row, PERSISTENT, now + everyMs);
    return true;
  }

  /**
   * The storey above asked in vain: the peer may have lost its session (a restart), which the published timers notice
   * only after 15 s. Nothing more is sent on it until something arrives on it, so the next message makes a handshake.
   * `false`: there is no session to doubt, or it is younger than a second, or the peer is a plain one.
   */
  doubt(now: Millis, peer: number): boolean {
    const { peers, sessions } = this.#state;
    const row = peers.handles.index(peer);
    if (row === NONE || peers.has(row, PLAIN)) return false;
    const session = peers.current[row] as number;
    if (session === NONE || now - (sessions.createdAt[session] as number) < DOUBT_AGE_MS) return false;
    sessions.free(peers.previous[row] as number);
    peers.previous[row] = session;
    peers.current[row] = NONE;
    this.#state.count(Count.SESSIONS_DOUBTED);
    return true;
  }

  /** Forgets a peer: keys wiped, waiting messages dropped, handle stale. `false`: it was stale already. */
  close(peer: number): boolean {
    const row = this.#state.peers.handles.index(peer);
    if (row === NONE) return false;
    removePeer(this.#state, row);
    return true;
  }

  /** Wipes every key. Afterwards all input is dropped and nothing goes out; idempotent. */
  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    const state = this.#state;
    for (let row = 0; row < state.peers.handles.capacity; row++) {
      if (state.peers.handles.handleAt(row) !== NONE) removePeer(state, row);
    }
    state.sessions.wipe();
    state.superseded.wipe();
    state.peers.wipe();
    state.pool.wipe();
    state.outbox.clear();
    state.pendingState.fill(0);
    state.presharedKey.fill(0);
    state.macs.wipe();
    state.noise.wipe();
  }
}

/** A WireGuard engine. Throws TypeError or RangeError for bad options. */
export function createWireguard(options: WireguardOptions): Wireguard {
  return new Wireguard(options);
}
