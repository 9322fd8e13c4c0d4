/** Events of the engine to its host, in a fixed ring; one reused slot carries them out. */
import { NONE } from '@molia/core';
import { EVENTS_MAX } from './constants.ts';

/** What happened to a peer. */
export const WireguardEventKind = {
  /** A session is confirmed where there was none. */
  PEER_CONNECTED: 1,
  /** A handshake was given up: nobody answers at its paths. Waiting messages are dropped. */
  PEER_UNREACHABLE: 2,
  /** An authenticated message came from another path. */
  PEER_ROAMED: 3,
  /** Evicted to make room; the handle is stale. */
  PEER_CLOSED: 4,
} as const;

/** One event, filled by `pollEvent`. */
export interface WireguardEvent {
  /** A `WireguardEventKind`. */
  kind: number;
  peer: number;
  /** The path in question, or `NONE`. */
  path: number;
}

/** A slot for `pollEvent`. */
export function createWireguardEvent(): WireguardEvent {
  return { kind: 0, peer: NONE, path: NONE };
}

const FIELDS = 3;
/** Events that a fresh ring holds. */
const INITIAL = 16;

/** First in, first out, doubling up to `EVENTS_MAX`; `false` from `push` when full. */
export class EventRing {
  #cells: Int32Array = new Int32Array(INITIAL * FIELDS);
  #capacity = INITIAL;
  #head = 0;
  #used = 0;

  get room(): number {
    return EVENTS_MAX - this.#used;
  }

  push(kind: number, peer: number, path: number): boolean {
    if (this.#used === this.#capacity && !this.#grow()) return false;
    const at = ((this.#head + this.#used) % this.#capacity) * FIELDS;
    this.#cells[at] = kind;
    this.#cells[at + 1] = peer;
    this.#cells[at + 2] = path;
    this.#used++;
    return true;
  }

  pop(out: WireguardEvent): boolean {
    if (this.#used === 0) return false;
    const at = this.#head * FIELDS;
    out.kind = this.#cells[at] as number;
    out.peer = this.#cells[at + 1] as number;
    out.path = this.#cells[at + 2] as number;
    this.#head = (this.#head + 1) % this.#capacity;
    this.#used--;
    return true;
  }

  /** The ring is full; `false` at `EVENTS_MAX`. */
  #grow(): boolean {
    if (this.#capacity === EVENTS_MAX) return false;
    const old = this.#cells;
    const split = this.#head * FIELDS;
    this.#capacity = Math.min(this.#capacity * 2, EVENTS_MAX);
    this.#cells = new Int32Array(this.#capacity * FIELDS);
    this.#cells.set(old.subarray(split));
    this.#cells.set(old.subarray(0, split), old.length - split);
    this.#head = 0;
    return true;
  }
}
