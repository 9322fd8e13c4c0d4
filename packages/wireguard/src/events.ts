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

/** First in, first out; `false` from `push` when full. */
export class EventRing {
  readonly #cells = new Int32Array(EVENTS_MAX * FIELDS);
  #head = 0;
  #used = 0;

  get room(): number {
    return EVENTS_MAX - this.#used;
  }

  push(kind: number, peer: number, path: number): boolean {
    if (this.#used === EVENTS_MAX) return false;
    const at = ((this.#head + this.#used) % EVENTS_MAX) * FIELDS;
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
    this.#head = (this.#head + 1) % EVENTS_MAX;
    this.#used--;
    return true;
  }
}
