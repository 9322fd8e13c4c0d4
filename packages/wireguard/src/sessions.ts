/**
 * Sessions in a slab, and the index table: a receiver index is `shard bits | random bits | row`, so that a datagram can be
 * steered by its top bits and found without a search. A row is one handshake asked for or one pair of transport keys.
 */
import { assert, grow, growF64, growI32, growU8, growU32, NONE, type Rng } from '@molia/core';
import { ReplayWindows } from './replay.ts';

/** Row states. */
const FREE = 0;
/** We sent an initiation; there are no keys yet. */
export const INITIATED = 1;
/** We responded; the initiator has not used the keys yet. */
export const UNCONFIRMED = 2;
export const LIVE = 3;

/** Fewest random bits of an index: enough to tell a row's successive owners apart. */
const RANDOM_BITS_MIN = 4;
/** Keys of a row: what we seal with, what we open with. */
export const SESSION_KEY_BYTES = 64;
export const RECEIVE_KEY = 32;

/** All sessions of one engine. */
export class Sessions {
  readonly windows = new ReplayWindows();
  /** Row of the peer it belongs to. */
  peer: Int32Array = new Int32Array(0);
  state: Uint8Array = new Uint8Array(0);
  /** 1 where we were the initiator. */
  initiator: Uint8Array = new Uint8Array(0);
  /** Ours, as signed 32 bits. */
  localIndex: Int32Array = new Int32Array(0);
  /** Theirs, as signed 32 bits. */
  remoteIndex: Int32Array = new Int32Array(0);
  /** When the keys were made. */
  createdAt: Float64Array = new Float64Array(0);
  /** Counter of the next packet we seal. */
  sendLow: Uint32Array = new Uint32Array(0);
  sendHigh: Uint32Array = new Uint32Array(0);
  /** Responses that did not open, while `INITIATED`. */
  failures: Uint8Array = new Uint8Array(0);
  keys: Uint8Array = new Uint8Array(0);
  readonly #rowBits: number;
  readonly #rowsMax: number;
  readonly #shardIndex: number;
  readonly #shardBits: number;
  readonly #rng: Rng;
  #next: Int32Array = new Int32Array(0);
  #freeHead = NONE;
  #count = 0;

  /** Throws RangeError when the rows and the shard leave fewer than 4 random bits. */
  constructor(rng: Rng, rowsMax: number, rows: number, shardIndex: number, shardBits: number) {
    this.#rng = rng;
    this.#rowsMax = rowsMax;
    this.#rowBits = 32 - Math.clz32(rowsMax - 1);
    this.#shardIndex = shardIndex;
    this.#shardBits = shardBits;
    if (32 - this.#rowBits - shardBits < RANDOM_BITS_MIN) {
      throw new RangeError(
        `peersMax and shard.bits ${shardBits} leave fewer than ${RANDOM_BITS_MIN} index bits`,
      );
    }
    this.#grow(rows);
  }

  /** Rows in use. */
  get count(): number {
    return this.#count;
  }

  get capacity(): number {
    return this.state.length;
  }

  /** A row with a fresh index. INVARIANT: rowsMax is five a peer, so there always is one. */
  alloc(peer: number, state: number): number {
    if (this.#freeHead === NONE) {
      assert(this.capacity < this.#rowsMax, 'every peer has at most five sessions');
      this.#grow(Math.min(this.#rowsMax, this.capacity * 2));
    }
    const row = this.#freeHead;
    this.#freeHead = this.#next[row] as number;
    this.#count++;
    this.peer[row] = peer;
    this.state[row] = state;
    this.localIndex[row] = this.#freshIndex(row);
    this.sendLow[row] = 0;
    this.sendHigh[row] = 0;
    this.failures[row] = 0;
    return row;
  }

  /** Wipes the keys and frees the row; harmless for `NONE`. */
  free(row: number): void {
    if (row === NONE) return;
    this.keys.fill(0, row * SESSION_KEY_BYTES, (row + 1) * SESSION_KEY_BYTES);
    this.windows.reset(row);
    this.state[row] = FREE;
    this.peer[row] = NONE;
    this.#next[row] = this.#freeHead;
    this.#freeHead = row;
    this.#count--;
  }

  /** The row with this receiver index (signed), or `NONE`. */
  find(index: number): number {
    const row = this.#rowBits === 0 ? 0 : index & ((1 << this.#rowBits) - 1);
    if (row >= this.state.length || this.state[row] === FREE) return NONE;
    return this.localIndex[row] === index ? row : NONE;
  }

  wipe(): void {
    this.keys.fill(0);
  }

  #freshIndex(row: number): number {
    const previous = this.localIndex[row] as number;
    const shard = this.#shardBits === 0 ? 0 : this.#shardIndex << (32 - this.#shardBits);
    const keep = this.#shardBits === 0 ? -1 : -1 >>> this.#shardBits;
    const random = this.#rng.u32();
    const index = shard | ((random << this.#rowBits) & keep) | row;
    // A row's next owner never has its last index, so late packets find nobody.
    return index !== previous ? index : shard | (((random + 1) << this.#rowBits) & keep) | row;
  }

  #grow(rows: number): void {
    const first = this.capacity;
    const oldKeys = this.keys;
    this.peer = growI32(this.peer, rows);
    this.state = growU8(this.state, rows);
    this.initiator = growU8(this.initiator, rows);
    this.localIndex = growI32(this.localIndex, rows);
    this.remoteIndex = growI32(this.remoteIndex, rows);
    this.createdAt = growF64(this.createdAt, rows);
    this.sendLow = growU32(this.sendLow, rows);
    this.sendHigh = growU32(this.sendHigh, rows);
    this.failures = growU8(this.failures, rows);
    this.keys = grow(oldKeys, rows * SESSION_KEY_BYTES);
    if (this.keys !== oldKeys) oldKeys.fill(0);
    this.#next = growI32(this.#next, rows);
    this.windows.grow(rows);
    for (let row = rows - 1; row >= first; row--) {
      this.peer[row] = NONE;
      this.#next[row] = this.#freeHead;
      this.#freeHead = row;
    }
  }
}
