/**
 * Initiations that a newer one to the same peer has followed, whose answer is still welcome: a stranger can be asked twice
 * before it has answered once. One a peer; each lasts as long as the newer one, at most until the retry timer.
 */
import { growI32, growU8, NONE } from '@molia/core';
import { NOISE_STATE_BYTES } from './noise.ts';

const INITIAL = 8;

export class Superseded {
  /** Handshake states by slot. */
  bytes: Uint8Array = new Uint8Array(0);
  /** Session row of a slot. */
  #sessions: Int32Array = new Int32Array(0);
  #next: Int32Array = new Int32Array(0);
  #freeHead = NONE;

  /** Copies the state of a session's initiation; the slot that holds it. BOUNDED: by one a peer. */
  keep(session: number, from: Uint8Array, offset: number): number {
    if (this.#freeHead === NONE) this.#grow(Math.max(INITIAL, this.#next.length * 2));
    const slot = this.#freeHead;
    this.#freeHead = this.#next[slot] as number;
    this.#sessions[slot] = session;
    this.bytes.set(from.subarray(offset, offset + NOISE_STATE_BYTES), slot * NOISE_STATE_BYTES);
    return slot;
  }

  session(slot: number): number {
    return slot === NONE ? NONE : (this.#sessions[slot] as number);
  }

  /** Wipes and frees a slot; harmless for `NONE`. */
  free(slot: number): void {
    if (slot === NONE) return;
    this.bytes.fill(0, slot * NOISE_STATE_BYTES, (slot + 1) * NOISE_STATE_BYTES);
    this.#next[slot] = this.#freeHead;
    this.#freeHead = slot;
  }

  wipe(): void {
    this.bytes.fill(0);
  }

  #grow(slots: number): void {
    const first = this.#next.length;
    const old = this.bytes;
    this.bytes = growU8(old, slots * NOISE_STATE_BYTES);
    if (this.bytes !== old) old.fill(0);
    this.#sessions = growI32(this.#sessions, slots);
    this.#next = growI32(this.#next, slots);
    for (let slot = slots - 1; slot >= first; slot--) {
      this.#next[slot] = this.#freeHead;
      this.#freeHead = slot;
    }
  }
}
