/**
 * Peers in a slab: one row of bytes (keys, cookie, handshake in flight), one of instants, one of small integers.
 * Two key tables find a row by its WireGuard static key and by its Ed25519 identity key.
 */
import { copyBytes, growF64, growI32, growU8, growU32, HandleTable, NONE, type Rng } from '@molia/core';
import { KeyTable } from './key-table.ts';
import { NOISE_STATE_BYTES } from './noise.ts';

/** Offsets in a row of `bytes`. */
export const STATIC_KEY = 0;
export const IDENTITY_KEY = 32;
/** Static-static Diffie-Hellman, made once. */
export const SHARED = 64;
/** Key of mac1 on messages to this peer. */
export const MAC1_KEY = 96;
/** State of the initiation in flight. */
export const HANDSHAKE = 128;
/** mac1 of the last handshake message we sent: what a cookie reply must answer. */
export const LAST_MAC1 = HANDSHAKE + NOISE_STATE_BYTES;
export const COOKIE = LAST_MAC1 + 16;
/** Latest stamp this peer sent. */
export const REMOTE_STAMP = COOKIE + 16;
export const PEER_BYTES = REMOTE_STAMP + 16;

/** Columns of `times`. `Infinity` = not set for the deadlines, `-Infinity` = never for the instants. */
export const RETRANSMIT = 0;
export const PASSIVE_KEEPALIVE = 1;
export const NO_ANSWER = 2;
export const ZERO_KEYS = 3;
export const PERSISTENT = 4;
/** When a handshake that had to wait is tried again. */
export const DEFERRED = 5;
/** Deadlines are the columns before this one. */
export const DEADLINES = 6;
/** When the peer's timer in the wheel fires: at or before the first deadline. */
export const ARMED = 6;
export const HANDSHAKE_SENT = 7;
export const INITIATION_RECEIVED = 8;
export const ATTEMPT_STARTED = 9;
export const COOKIE_AT = 10;
export const ACTIVE = 11;
/** Tick of the last stamp we sent to this peer. */
export const LAST_TICK = 12;
export const TIMES = 13;

/** Bits of `flags`. */
export const OPENED = 1;
/** Opened as a plain WireGuard peer. */
export const PLAIN = 2;
export const HAS_IDENTITY = 4;
export const HAS_SHARED = 8;
export const HAS_STAMP = 16;
export const HAS_COOKIE = 32;
/** The last-minute rekey on receive was asked for. */
export const LAST_MINUTE = 128;
/** The initiation in flight is extended. */
export const SENT_EXTENDED = 256;
/** A cookie reply already caused one early retry in this attempt. */
export const COOKIE_RETRIED = 512;
/** A handshake is being tried. */
export const TRYING = 1024;
/** The next initiation goes to the hinted path, where that differs from the proven one. */
export const TRY_HINT = 2048;
/** It used a session once: it receives where it sends from. */
export const PROVED = 4096;
/** Work for `pollTransmit`. */
export const WANT_INITIATION = 1 << 16;
export const WANT_KEEPALIVE = 1 << 17;
export const WANT_FLUSH = 1 << 18;
const WANT_ANY = WANT_INITIATION | WANT_KEEPALIVE | WANT_FLUSH;
/** In the work list; outlives the peer, as the list does. */
const IN_WORK = 1 << 20;

/** All peers of one engine. */
export class Peers {
  readonly handles: HandleTable;
  bytes: Uint8Array = new Uint8Array(0);
  times: Float64Array = new Float64Array(0);
  flags: Int32Array = new Int32Array(0);
  /** Path that an authenticated message came from last, or `NONE`. */
  proven: Int32Array = new Int32Array(0);
  /** Path the host named, or `NONE`. */
  hint: Int32Array = new Int32Array(0);
  /** Session rows, or `NONE`. */
  previous: Int32Array = new Int32Array(0);
  current: Int32Array = new Int32Array(0);
  next: Int32Array = new Int32Array(0);
  initiated: Int32Array = new Int32Array(0);
  /** Slot of the initiation before that one, or `NONE`. */
  superseded: Int32Array = new Int32Array(0);
  /** Waiting messages. */
  queueHead: Int32Array = new Int32Array(0);
  queueTail: Int32Array = new Int32Array(0);
  queueCount: Int32Array = new Int32Array(0);
  /** The waiting message that rides in initiations, or `NONE`. */
  earlyBlock: Int32Array = new Int32Array(0);
  /** Initiations sent in this attempt. */
  attempts: Int32Array = new Int32Array(0);
  capabilities: Uint32Array = new Uint32Array(0);
  /** Milliseconds between persistent keepalives; 0 = none. */
  persistentMs: Int32Array = new Int32Array(0);
  /** Added to the 15 s of `NO_ANSWER`, drawn once a peer so that the data path needs no randomness. */
  jitterMs: Int32Array = new Int32Array(0);
  readonly byStatic: KeyTable;
  readonly byIdentity: KeyTable;
  #workNext: Int32Array = new Int32Array(0);
  #workHead = NONE;
  #workTail = NONE;

  constructor(rng: Rng, peersMax: number, initial: number, onGrow: (rows: number) => void) {
    this.byStatic = new KeyTable(rng, PEER_BYTES, STATIC_KEY);
    this.byIdentity = new KeyTable(rng, PEER_BYTES, IDENTITY_KEY);
    this.handles = new HandleTable(peersMax, {
      initial,
      onGrow: (rows) => {
        this.#grow(rows);
        onGrow(rows);
      },
    });
    this.#grow(initial);
  }

  /** A row for a static key that has none, or `NONE` at `peersMax`. */
  add(staticKey: Uint8Array, offset: number): number {
    const handle = this.handles.alloc();
    if (handle === NONE) return NONE;
    const row = this.handles.index(handle);
    copyBytes(this.bytes, row * PEER_BYTES + STATIC_KEY, staticKey, offset, 32);
    this.byStatic.insert(this.bytes, row);
    this.flags[row] = (this.flags[row] as number) & IN_WORK;
    return row;
  }

  /** Forgets a row whose sessions and messages are already freed. */
  remove(row: number): void {
    this.byStatic.remove(this.bytes, row);
    if (((this.flags[row] as number) & HAS_IDENTITY) !== 0) this.byIdentity.remove(this.bytes, row);
    this.bytes.fill(0, row * PEER_BYTES, (row + 1) * PEER_BYTES);
    this.#clear(row);
    this.handles.free(this.handles.handleAt(row));
  }

  /** Binds an identity key that is already known to belong to the row's static key. */
  setIdentity(row: number, key: Uint8Array, offset: number): void {
    copyBytes(this.bytes, row * PEER_BYTES + IDENTITY_KEY, key, offset, 32);
    this.flags[row] = (this.flags[row] as number) | HAS_IDENTITY;
    this.byIdentity.insert(this.bytes, row);
  }

  has(row: number, flag: number): boolean {
    return ((this.flags[row] as number) & flag) !== 0;
  }

  set(row: number, flag: number): void {
    this.flags[row] = (this.flags[row] as number) | flag;
  }

  unset(row: number, flag: number): void {
    this.flags[row] = (this.flags[row] as number) & ~flag;
  }

  time(row: number, column: number): number {
    return this.times[row * TIMES + column] as number;
  }

  setTime(row: number, column: number, at: number): void {
    this.times[row * TIMES + column] = at;
  }

  /** Asks `pollTransmit` for work: `WANT_*` bits. */
  want(row: number, work: number): void {
    const flags = (this.flags[row] as number) | work;
    this.flags[row] = flags | IN_WORK;
    if ((flags & IN_WORK) !== 0) return;
    this.#workNext[row] = NONE;
    if (this.#workTail === NONE) this.#workHead = row;
    else this.#workNext[this.#workTail] = row;
    this.#workTail = row;
  }

  /** The first row with work, or `NONE`; it stays until it has none. */
  firstWork(): number {
    while (this.#workHead !== NONE) {
      const row = this.#workHead;
      if (((this.flags[row] as number) & WANT_ANY) !== 0) return row;
      this.flags[row] = (this.flags[row] as number) & ~IN_WORK;
      this.#workHead = this.#workNext[row] as number;
      if (this.#workHead === NONE) this.#workTail = NONE;
    }
    return NONE;
  }

  wipe(): void {
    this.bytes.fill(0);
  }

  #clear(row: number): void {
    this.flags[row] = (this.flags[row] as number) & IN_WORK;
    this.proven[row] = NONE;
    this.hint[row] = NONE;
    this.previous[row] = NONE;
    this.current[row] = NONE;
    this.next[row] = NONE;
    this.initiated[row] = NONE;
    this.superseded[row] = NONE;
    this.queueHead[row] = NONE;
    this.queueTail[row] = NONE;
    this.queueCount[row] = 0;
    this.earlyBlock[row] = NONE;
    this.attempts[row] = 0;
    this.capabilities[row] = 0;
    this.persistentMs[row] = 0;
    this.jitterMs[row] = 0;
    const base = row * TIMES;
    for (let i = 0; i <= ARMED; i++) this.times[base + i] = Infinity;
    for (let i = ARMED + 1; i < LAST_TICK; i++) this.times[base + i] = -Infinity;
    this.times[base + LAST_TICK] = 0;
  }

  #grow(rows: number): void {
    const first = this.flags.length;
    const oldBytes = this.bytes;
    this.bytes = growU8(oldBytes, rows * PEER_BYTES);
    if (this.bytes !== oldBytes) oldBytes.fill(0);
    this.times = growF64(this.times, rows * TIMES);
    this.flags = growI32(this.flags, rows);
    this.proven = growI32(this.proven, rows);
    this.hint = growI32(this.hint, rows);
    this.previous = growI32(this.previous, rows);
    this.current = growI32(this.current, rows);
    this.next = growI32(this.next, rows);
    this.initiated = growI32(this.initiated, rows);
    this.superseded = growI32(this.superseded, rows);
    this.queueHead = growI32(this.queueHead, rows);
    this.queueTail = growI32(this.queueTail, rows);
    this.queueCount = growI32(this.queueCount, rows);
    this.earlyBlock = growI32(this.earlyBlock, rows);
    this.attempts = growI32(this.attempts, rows);
    this.capabilities = growU32(this.capabilities, rows);
    this.persistentMs = growI32(this.persistentMs, rows);
    this.jitterMs = growI32(this.jitterMs, rows);
    this.#workNext = growI32(this.#workNext, rows);
    for (let row = first; row < rows; row++) this.#clear(row);
  }
}
