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
