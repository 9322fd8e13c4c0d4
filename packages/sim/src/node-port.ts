/**
 * The port between the simulator and what it runs: any composition of engines that takes its clock, its randomness and
 * its way out as parameters fits. Nothing here knows a protocol.
 */
import type { Millis, Rng } from '@molia/core';

/** A simulated node. All calls are synchronous and come from the simulator's loop. */
export interface SimNode {
  /**
   * A datagram arrived from the 19-byte endpoint at `endpointOffset`. All bytes are borrowed until it returns; the
   * datagram's may be changed in place.
   */
  receive(
    endpoint: Uint8Array,
    endpointOffset: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void;
}

/** What a node gets from the simulator: a clock with one timer, its own randomness, one socket. */
export interface SimHost {
  /** Its index, stable for the whole simulation. */
  readonly index: number;
  readonly rng: Rng;
  /** What its socket is bound to, 19 bytes: IPv4, private behind a NAT box. */
  readonly endpoint: Uint8Array;
  /** The same over IPv6; `undefined` unless the host has it. */
  readonly v6Endpoint: Uint8Array | undefined;
  /** Unix milliseconds at `now()` = 0, by the host's own, possibly wrong, wall clock. */
  readonly wallMsAtZero: number;
  /** Integer milliseconds since the node started. */
  now(): Millis;
  /** The one timer; setting it again replaces it. */
  setTimer(callback: () => void, delayMs: number): unknown;
  clearTimer(timer: unknown): void;
  /** Runs `callback` at the same instant, after the datagrams that are pending at it. */
  defer(callback: () => void): void;
  /** Sends a datagram to a 19-byte endpoint; bytes are copied. */
  send(endpoint: Uint8Array, endpointOffset: number, bytes: Uint8Array, offset: number, length: number): void;
}

/** Makes a node and starts it. */
export type SimNodeFactory<Node extends SimNode> = (host: SimHost) => Node;
