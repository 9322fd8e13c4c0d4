/**
 * The simulator: hosts with one timer each, datagrams under way, scripted calls, one queue in virtual time. One thread,
 * no real clock, no chance but the seed's: the same seed and script give the same history, and `digest` proves it.
 *
 * Events of one instant are ordered by the host that caused them and its own count, never by the order in which this
 * process came to add them. The log is kept as two lanes of hash for each host over what that host saw.
 */
import { blake3, ENDPOINT_BYTES, grow, type Millis, NONE, type Rng, toHex } from '@molia/core';
import type { Clock } from './clock.ts';
import { EVENTS_AT_ONCE_MAX, WALL_MS_AT_ZERO } from './constants.ts';
import { EventQueue } from './event-queue.ts';
import type { AccessClass } from './links.ts';
import { HostState, Network, type NetworkOptions, writeEndpointAt } from './network.ts';
import type { SimHost, SimNode, SimNodeFactory } from './node-port.ts';
import { Generators, rngOf } from './random.ts';

const Kind = { TIMER: 1, DEFER: 2, ARRIVE: 3, HANDLE: 4, CALL: 5 } as const;
/** Ties: script before everything, then hosts by index, what was deferred last. INVARIANT: all below 2^53 in size. */
const CALL_TIE = -(2 ** 52);
const DEFER_TIE = 2 ** 52;
const HOST_TIE = 2 ** 32;
const DEFER_HOST_TIE = 2 ** 31;

export interface SimulatorOptions extends NetworkOptions {
  readonly seed: number;
  /** The command that repeats this run, told when it fails. */
  readonly replay?: string;
  /** Microseconds of a host's one processor that a received datagram costs; none unless told. */
  readonly cpuMicros?: (bytes: Uint8Array, offset: number, length: number) => number;
}

export interface HostOptions {
  /** Row of the latency matrix. */
  readonly row: number;
  readonly link: AccessClass;
  /** A box of `network.nats`. */
  readonly nat?: number;
  readonly port?: number;
  /** How far its wall clock is ahead, milliseconds. */
  readonly skewMs?: number;
}

export class Simulator {
  readonly network: Network;
  /** Randomness of the script. */
  readonly rng: Rng;
  readonly generators: Generators;
  readonly script: number;
  /** Hears of every datagram that is handed to a host: from which place, to whom, how many bytes. For checkers. */
  tap: ((from: number, to: number, length: number) => void) | undefined = undefined;
  readonly #queue = new EventQueue();
  readonly #clock: Clock;
  readonly #events = new Float64Array(1);
  readonly #options: SimulatorOptions;
  readonly #hosts: (Host | undefined)[] = [];
  readonly #nodes: (SimNode | undefined)[] = [];
  readonly #calls = new Map<number, () => void>();
  readonly #endpoint = new Uint8Array(ENDPOINT_BYTES);
  #callsMade = 0;
  /** Events taken at this instant. */
  #atOnce = 0;
  #sequence: Float64Array = new Float64Array(0);
  #skew: Float64Array = new Float64Array(0);
  /** Microseconds, of the node that runs or ran last. */
  #startedAt: Float64Array = new Float64Array(0);
  #nodeGenerator: Int32Array = new Int32Array(0);
  #busyUntil: Float64Array = new Float64Array(0);
  #laneA: Int32Array = new Int32Array(0);
  #laneB: Int32Array = new Int32Array(0);

  constructor(options: SimulatorOptions) {
    this.#options = options;
    this.generators = new Generators(options.seed);
    this.script = this.generators.add();
    this.rng = rngOf(this.generators, this.script);
    this.network = new Network(options, this.generators);
    this.#clock = this.network.clock;
  }

  /** Events taken so far. */
  get events(): number {
    return this.#events[0] as number;
  }

  /** Milliseconds since the start, with their fraction. */
  get nowMs(): number {
    return this.#clock.now / 1000;
  }

  /** Events that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** One more host without a node; its index. */
  addHost(options: HostOptions): number {
    const host = this.network.addHost(options.row, options.link, options.nat ?? NONE, options.port);
    if (host >= this.#sequence.length) this.#resize(Math.max(64, host * 2));
    this.#skew[host] = options.skewMs ?? 0;
    this.#nodeGenerator[host] = this.generators.add();
    this.#hosts.push(undefined);
    this.#nodes.push(undefined);
    return host;
  }

  /** Starts a node on a host, after stopping the one that runs there. */
  start<Node extends SimNode>(host: number, factory: SimNodeFactory<Node>): Node {
    this.stop(host);
    this.#startedAt[host] = this.#clock.now;
    const face = new Host(this, host);
    this.#hosts[host] = face;
    this.network.state[host] = HostState.UP;
    const node = factory(face);
    this.#nodes[host] = node;
    return node;
  }

  /** A node vanishes without a word: nothing it had set fires, what is under way to it is lost. */
  stop(host: number): void {
    const face = this.#hosts[host];
    if (face === undefined) return;
    if (face.timer !== NONE) this.#queue.cancel(face.timer);
    face.timer = NONE;
    this.#hosts[host] = undefined;
    this.#nodes[host] = undefined;
    this.network.state[host] = HostState.DOWN;
  }

  /** Whether a node runs there, mute or not. */
  isRunning(host: number): boolean {
    return this.#hosts[host] !== undefined;
  }

  /** A mute host runs on, but nothing reaches it and nothing leaves it. */
  setMute(host: number, mute: boolean): void {
    if (this.isRunning(host)) this.network.state[host] = mute ? HostState.MUTE : HostState.UP;
  }

  /** Calls `callback` after `delayMs`: the script of a scenario. */
  call(delayMs: number, callback: () => void): void {
    const id = this.#callsMade++;
    this.#calls.set(id, callback);
    this.#queue.next[0] = this.#clock.now + Math.round(Math.max(0, delayMs) * 1000);
    this.#queue.next[1] = CALL_TIE + id;
    this.#queue.add(Kind.CALL, NONE, id);
  }

  /** Lets virtual time pass. */
  run(ms: number): void {
    this.runUntil(() => false, ms);
  }

  /** Runs until the condition holds, looking after every event; `false` = the time was up first. */
  runUntil(condition: () => boolean, ms: number): boolean {
    const end = this.#clock.now + Math.round(ms * 1000);
    while (!condition()) {
      if (!this.step(end)) {
        this.#clock.now = end;
        return condition();
      }
    }
    return true;
  }

  /** Handles the next event, if it is due by `limit` (microseconds). */
  step(limit: number): boolean {
    const queue = this.#queue;
    const id = queue.take(limit);
    if (id === NONE) return false;
    const at = queue.at[id] as number;
    if (at > this.#clock.now) this.#atOnce = 0;
    this.#atOnce++;
    this.#clock.now = at;
    this.#events[0] = (this.#events[0] as number) + 1;
    const host = queue.host[id] as number;
    const data = queue.data[id] as number;
    try {
      if (this.#atOnce > EVENTS_AT_ONCE_MAX)
        throw new Error(`time stands still: host ${host} asks to be called at once, again and again`);
      switch (queue.kind[id]) {
        case Kind.TIMER:
          this.#fire(host);
          break;
        case Kind.DEFER:
          this.#hosts[host]?.runDeferred();
          break;
        case Kind.ARRIVE:
          this.#arrive(data);
          break;
        case Kind.HANDLE:
          this.#handle(host, data);
          break;
        default:
          this.#runCall(data);
      }
    } catch (cause) {
      const replay = this.#options.replay === undefined ? '' : `; replay: ${this.#options.replay}`;
      throw new Error(
        `at ${this.nowMs} ms of the simulation (seed ${this.#options.seed})${replay}: ${cause}`,
        {
          cause,
        },
      );
    }
    return true;
  }

  /** Hash of everything that every host saw so far, in hexadecimal: equal histories have equal digests. */
  digest(): string {
    const lanes = new Int32Array(2 * this.network.hosts + 1);
    for (let host = 0; host < this.network.hosts; host++) {
      lanes[2 * host] = this.#laneA[host] as number;
      lanes[2 * host + 1] = this.#laneB[host] as number;
    }
    lanes[2 * this.network.hosts] = this.network.hosts;
    return toHex(blake3(new Uint8Array(lanes.buffer)));
  }

  /** Hash of what one host saw. */
  digestOf(host: number): string {
    return `${((this.#laneA[host] as number) >>> 0).toString(16)}-${((this.#laneB[host] as number) >>> 0).toString(16)}`;
  }

  // What a host's face calls.

  faceOf(host: number): SimHost | undefined {
    return this.#hosts[host];
  }

  hostNow(host: number): Millis {
    return Math.floor((this.#clock.now - (this.#startedAt[host] as number)) / 1000);
  }

  rngOfHost(host: number): Rng {
    return rngOf(this.generators, this.#nodeGenerator[host] as number);
  }

  wallMsAt(host: number): number {
    return (
      WALL_MS_AT_ZERO + Math.floor((this.#startedAt[host] as number) / 1000) + (this.#skew[host] as number)
    );
  }

  /** Arms a timer at a whole millisecond of the host's clock, in place of `before`; its event. */
  arm(host: number, delayMs: number, before: number): number {
    if (before !== NONE) this.#queue.cancel(before);
    const at = this.hostNow(host) + Math.max(1, Math.ceil(delayMs));
    this.#queue.next[0] = (this.#startedAt[host] as number) + at * 1000;
    this.#setTie(host);
    return this.#queue.add(Kind.TIMER, host, 0);
  }

  disarm(timer: number): void {
    this.#queue.cancel(timer);
  }

  deferFor(host: number): void {
    const sequence = this.#sequence[host] as number;
    this.#sequence[host] = sequence + 1;
    this.#queue.next[0] = this.#clock.now;
    this.#queue.next[1] = DEFER_TIE + host * DEFER_HOST_TIE + (sequence % DEFER_HOST_TIE);
    this.#queue.add(Kind.DEFER, host, 0);
  }

  sendFrom(
    host: number,
    endpoint: Uint8Array,
    endpointOffset: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    const { network } = this;
    if (!network.depart(host, endpoint, endpointOffset, bytes, offset, length)) return;
    const { arrivals, payload, copy } = network;
    this.#queue.next[0] = arrivals[0] as number;
    this.#setTie(host);
    this.#queue.add(Kind.ARRIVE, NONE, payload);
    if (copy === NONE) return;
    this.#queue.next[0] = arrivals[1] as number;
    this.#setTie(host);
    this.#queue.add(Kind.ARRIVE, NONE, copy);
  }

  #fire(host: number): void {
    const face = this.#hosts[host];
    if (face === undefined) return;
    this.#log(host, Kind.TIMER, 0, 0);
    face.fire();
  }

  #arrive(payload: number): void {
    const { network } = this;
    const { payloads } = network;
    const host = network.arrive(payload);
    if (host === NONE) {
      payloads.remove(payload);
      return;
    }
    if (!network.passDown(host, payload)) {
      payloads.remove(payload);
      return;
    }
    let ready = this.#clock.result;
    const { cpuMicros } = this.#options;
    if (cpuMicros !== undefined) {
      const cost = cpuMicros(
        payloads.page(payload),
        payloads.offset(payload),
        payloads.length[payload] as number,
      );
      ready = Math.max(ready, this.#busyUntil[host] as number) + cost;
      this.#busyUntil[host] = ready;
    }
    ready = Math.ceil(ready);
    if (ready <= this.#clock.now) {
      this.#handle(host, payload);
      return;
    }
    this.#queue.next[0] = ready;
    this.#setTie(host);
    this.#queue.add(Kind.HANDLE, host, payload);
  }

  #handle(host: number, payload: number): void {
    const { payloads } = this.network;
    const length = payloads.length[payload] as number;
    const node = this.#nodes[host];
    if (this.network.delivered(host, length) && node !== undefined) {
      const address = payloads.sourceAddress[payload] as number;
      const port = payloads.sourcePort[payload] as number;
      this.#log(host, Kind.HANDLE, address ^ port, length);
      this.tap?.(this.network.siteOf(address), host, length);
      writeEndpointAt(this.#endpoint, 0, address, port);
      node.receive(this.#endpoint, 0, payloads.page(payload), payloads.offset(payload), length);
    }
    payloads.remove(payload);
  }

  #runCall(id: number): void {
    const callback = this.#calls.get(id);
    this.#calls.delete(id);
    callback?.();
  }

  /** INVARIANT: grows with every call for a host, so two events of one instant and cause keep their order. */
  #setTie(host: number): void {
    const sequence = this.#sequence[host] as number;
    this.#sequence[host] = sequence + 1;
    this.#queue.next[1] = host * HOST_TIE + (sequence % HOST_TIE);
  }

  #log(host: number, kind: number, from: number, length: number): void {
    const low = (this.#clock.now % 0x1_0000_0000) | 0;
    const high = Math.floor(this.#clock.now / 0x1_0000_0000);
    let a = Math.imul((this.#laneA[host] as number) ^ low, 0x85ebca6b);
    a = Math.imul(a ^ (a >>> 13) ^ (kind + (length << 4)), 0xc2b2ae35);
    this.#laneA[host] = a ^ (a >>> 16) ^ from;
    let b = Math.imul((this.#laneB[host] as number) ^ from, 0x9e3779b1);
    b = Math.imul(b ^ (b >>> 15) ^ low, 0x27d4eb2f);
    this.#laneB[host] = b ^ (b >>> 13) ^ (high + (length << 8) + kind);
  }

  #resize(rows: number): void {
    this.#sequence = grow(this.#sequence, rows);
    this.#skew = grow(this.#skew, rows);
    this.#startedAt = grow(this.#startedAt, rows);
    this.#nodeGenerator = grow(this.#nodeGenerator, rows);
    this.#busyUntil = grow(this.#busyUntil, rows);
    this.#laneA = grow(this.#laneA, rows);
    this.#laneB = grow(this.#laneB, rows);
  }
}

/** A host's face to its node. A node that was stopped may still hold it: then nothing it asks for happens. */
class Host implements SimHost {
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
