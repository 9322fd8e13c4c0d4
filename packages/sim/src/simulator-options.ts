/** What a simulation and each of its hosts is made with. */
import type { Crew } from './crew.ts';
import type { NetworkOptions, PlaceOptions } from './network.ts';

export interface SimulatorOptions extends NetworkOptions {
  readonly seed: number;
  /** The command that repeats this run, told when it fails. */
  readonly replay?: string;
  /** Microseconds of a host's one processor that a received datagram costs; none unless told. */
  readonly cpuMicros?: (bytes: Uint8Array, offset: number, length: number) => number;
  /** The threads that share this run; one alone unless told. */
  readonly crew?: Crew | undefined;
}

export interface HostOptions extends PlaceOptions {
  /** How far its wall clock is ahead, milliseconds. */
  readonly skewMs?: number;
}

/** Hears of every datagram, by the hosts whose places its addresses have: for checkers. */
export interface Tap {
  /** It left its sender, and was not lost there. */
  sent(from: number, to: number, length: number): void;
  /** It was handed to its receiver. */
  carried(from: number, to: number, length: number): void;
}
