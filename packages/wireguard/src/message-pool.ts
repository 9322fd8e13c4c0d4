/**
 * Messages that wait for a handshake: fixed blocks in one slab, a short chain a peer. Bounded in all and per peer;
 * a peer's oldest message gives way. Blocks are wiped when they are freed: they hold plaintext.
 */
import { copyBytes, growI32, growU8, NO_I32, NO_U8, NONE } from '@molia/core';
import { QUEUED_MESSAGE_BYTES_MAX } from './constants.ts';

/** Blocks of a pool when the first message waits. */
const INITIAL = 2;
/** More than this many are given back when none waits any more: a burst at joining does not stay for ever. */
const KEPT = 4;

/** Chains of blocks; the caller keeps each chain's head and tail. */
export class MessagePool {
  readonly #blocksMax: number;
  bytes: Uint8Array = NO_U8;
  #next: Int32Array = NO_I32;
  #lengths: Int32Array = NO_I32;
  #flags: Int32Array = NO_I32;
  #freeHead = NONE;
  #used = 0;
  #capacity = 0;

  constructor(bytesMax: number) {
    this.#blocksMax = Math.max(1, Math.floor(bytesMax / QUEUED_MESSAGE_BYTES_MAX));
  }

  /** Blocks in use. */
  get count(): number {
    return this.#used;
  }

  /** A block with a copy of the message, or `NONE` when the pool is full. `length` is at most the block's. */
  add(bytes: Uint8Array, offset: number, length: number, flags: number): number {
    if (this.#freeHead === NONE && !this.#grow()) return NONE;
    const block = this.#freeHead;
    this.#freeHead = this.#next[block] as number;
    this.#next[block] = NONE;
    this.#lengths[block] = length;
    this.#flags[block] = flags;
    copyBytes(this.bytes, block * QUEUED_MESSAGE_BYTES_MAX, bytes, offset, length);
    this.#used++;
    return block;
  }

  /** Wipes and frees a block that is in no chain any more. */
  free(block: number): void {
    const start = block * QUEUED_MESSAGE_BYTES_MAX;
    this.bytes.fill(0, start, start + (this.#lengths[block] as number));
    this.#next[block] = this.#freeHead;
    this.#freeHead = block;
    this.#used--;
    if (this.#used === 0 && this.#capacity > KEPT) this.#giveBack();
  }

  next(block: number): number {
    return this.#next[block] as number;
  }

  link(block: number, next: number): void {
    this.#next[block] = next;
  }

  length(block: number): number {
    return this.#lengths[block] as number;
  }

  flags(block: number): number {
    return this.#flags[block] as number;
  }

  /** Where the message lies in `bytes`. */
  offset(block: number): number {
    return block * QUEUED_MESSAGE_BYTES_MAX;
  }

  wipe(): void {
    this.bytes.fill(0);
  }

  /** Every block was wiped when it was freed. */
  #giveBack(): void {
    this.bytes = NO_U8;
    this.#next = NO_I32;
    this.#lengths = NO_I32;
    this.#flags = NO_I32;
    this.#freeHead = NONE;
    this.#capacity = 0;
  }

  #grow(): boolean {
    const capacity = Math.min(this.#blocksMax, Math.max(INITIAL, this.#capacity * 2));
    if (capacity <= this.#capacity) return false;
    const old = this.bytes;
    this.bytes = growU8(old, capacity * QUEUED_MESSAGE_BYTES_MAX);
    old.fill(0);
    this.#next = growI32(this.#next, capacity);
    this.#lengths = growI32(this.#lengths, capacity);
    this.#flags = growI32(this.#flags, capacity);
    for (let block = capacity - 1; block >= this.#capacity; block--) {
      this.#next[block] = this.#freeHead;
      this.#freeHead = block;
    }
    this.#capacity = capacity;
    return true;
  }
}
