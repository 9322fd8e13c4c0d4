/** The port to the simulator as one host has it, from one start of a node to the next. */
import { type Millis, NONE, type Rng } from '@molia/core';
import type { SimHost } from './node-port.ts';
import type { Simulator } from './simulator.ts';

/** A host's face to its node. A node that was stopped may still hold it: then nothing it asks for happens. */
export class HostFace implements SimHost {
  readonly index: number;
  readonly rng: Rng;
  /** Event of the timer, or `NONE`. */
  timer: number = NONE;
  readonly #simulator: Simulator;
  #callback: (() => void) | undefined;
  readonly #deferred: (() => void)[] = [];

  constructor(simulator: Simulator, index: number) {
    this.#simulator = simulator;
    this.index = index;
    this.rng = simulator.rngOfHost(index);
  }

  get endpoint(): Uint8Array {
    return this.#simulator.network.boundEndpoint(this.index);
  }

  get v6Endpoint(): Uint8Array | undefined {
    return this.#simulator.network.v6Endpoint(this.index);
  }

  get wallMsAtZero(): number {
    return this.#simulator.wallMsAt(this.index);
  }

  now(): Millis {
    return this.#simulator.hostNow(this.index);
  }

  setTimer(callback: () => void, delayMs: number): unknown {
    if (!this.#isCurrent()) return 0;
    this.#callback = callback;
    this.timer = this.#simulator.arm(this.index, delayMs, this.timer);
    return 0;
  }

  clearTimer(_timer: unknown): void {
    if (this.timer === NONE) return;
    this.#simulator.disarm(this.timer);
    this.timer = NONE;
  }

  defer(callback: () => void): void {
    if (!this.#isCurrent()) return;
    this.#deferred.push(callback);
    this.#simulator.deferFor(this.index);
  }

  send(
    endpoint: Uint8Array,
    endpointOffset: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    if (this.#isCurrent())
      this.#simulator.sendFrom(this.index, endpoint, endpointOffset, bytes, offset, length);
  }

  fire(): void {
    this.timer = NONE;
    this.#callback?.();
  }

  runDeferred(): void {
    this.#deferred.shift()?.();
  }

  #isCurrent(): boolean {
    return this.#simulator.faceOf(this.index) === this;
  }
}
