/**
 * The engine contract: every Molia protocol is a deterministic state machine over bytes and time.
 *
 * Four kinds of method, `now` as an argument, randomness injected, output into the caller's buffer. An engine
 * holds no promise, no timer, no socket and no clock; it never throws on input from the network.
 */

/**
 * Milliseconds on the host's monotonic clock, an integer that starts near 0 when the host starts.
 * Engines compare and subtract instants; only `wallMsAtZero` options tie them to Unix time.
 */
export type Millis = number;

/** What `nextDelay` returns when nothing is pending. */
export const IDLE = 0x3fffffff;

/**
 * Outcome of handing input to an engine, a small integer. `>= 0`: accepted. `< 0`: dropped, and the value is one
 * of the package's own `Drop` codes, whose counter was incremented.
 */
export type Verdict = number;

/** Accepted; nothing for the storey above. */
export const TAKEN = 0;
/** Accepted; a payload for the storey above lies in the same buffer (the engine's `plain*` fields say where). */
export const PLAINTEXT = 1;
/** `send` only: sealed in place, ready for the carrier (the engine's `sealed*` fields say where). */
export const SEALED = 2;

/**
 * One outgoing message. The host owns the object and the buffer and passes both to every `pollTransmit`; the
 * engine writes at `offset` and sets `to`, `length`, `flags`. Room guaranteed by the host: `HEADROOM` bytes before
 * `offset` and `ROOM` bytes from it.
 */
export interface Transmit {
  /** Where to: a path handle below wireguard, a peer handle above it. */
  to: number;
  bytes: Uint8Array;
  offset: number;
  length: number;
  /** `TransmitFlag` bits. */
  flags: number;
}

/** Bytes that a host keeps free before `Transmit.offset`, so that a lower storey can seal in place. */
export const HEADROOM = 64;
/** Bytes that a host guarantees from `Transmit.offset` on. */
export const ROOM = 1536;

export const TransmitFlag = {
  /** Idempotent: may travel as early data inside a handshake initiation. */
  EARLY: 1,
  /** The answer is expected to be large: pad an extended initiation so that it may come as the early answer. */
  LARGE_ANSWER: 2,
} as const;

/** A `Transmit` with its own buffer. */
export function createTransmit(): Transmit {
  return { to: -1, bytes: new Uint8Array(HEADROOM + ROOM), offset: HEADROOM, length: 0, flags: 0 };
}

/**
 * The engine contract in types. `Event` is one reused, monomorphic slot object of the engine's own shape.
 *
 * Bytes handed to `handleDatagram` are borrowed: an engine may decrypt in place and must copy what it keeps.
 * A host drains `pollTransmit` and `pollEvent` after every input (see `pump`), and calls `handleTimeout` when
 * `nextDelay` has elapsed; early calls are harmless.
 */
export interface Engine<Event> {
  handleDatagram(now: Millis, from: number, bytes: Uint8Array, offset: number, length: number): Verdict;
  handleTimeout(now: Millis): void;
  /** `false` = drained. */
  pollTransmit(now: Millis, out: Transmit): boolean;
  /** `false` = drained. */
  pollEvent(out: Event): boolean;
  /** Milliseconds until `handleTimeout` is due: 0 = due now, `IDLE` = nothing pending. */
  nextDelay(now: Millis): number;
}
