/**
 * The simulator: hosts with one timer each, datagrams under way, scripted calls, one queue in virtual time. No real clock,
 * no chance but the seed's: the same seed and script give the same history, and `digest` proves it.
 *
 * Events of one instant are ordered by the host that caused them and its own count, never by when they were added.
 *
 * A crew of threads may share one run. Every thread runs the whole script and knows every host, but only its owner has a
 * host's node and events. All run the same windows of virtual time, each as long as a datagram from one thread's host to
 * another's takes at least: what is sent within a window arrives after it. The history is the same for any number.
 */
import { assert, ENDPOINT_BYTES, grow, type Millis, NONE, type Rng } from '@molia/core';
import { writeEndpointAt } from './addresses.ts';
import type { Clock } from './clock.ts';
import { EVENTS_AT_ONCE_MAX, WALL_MS_AT_ZERO } from './constants.ts';
import { type Crew, CrewError } from './crew.ts';
import { EventQueue } from './event-queue.ts';
import { History } from './history.ts';
import { HostFace } from './host-face.ts';
import { HostState, Network } from './network.ts';
import type { SimHost, SimNode, SimNodeFactory } from './node-port.ts';
import { Generators, rngOf } from './random.ts';
import type { HostOptions, SimulatorOptions, Tap } from './simulator-options.ts';
import { Territory } from './territory.ts';
import { sumOf, type Totals, totalsOf } from './totals.ts';

const Kind = { TIMER: 1, DEFER: 2, ARRIVE: 3, HANDLE: 4, CALL: 5 } as const;
/** Ties: script before everything, then hosts by index, what was deferred last. INVARIANT: all below 2^53 in size. */
const CALL_TIE = -(2 ** 52);
const DEFER_TIE = 2 ** 52;
const HOST_TIE = 2 ** 30;

export class Simulator {
  readonly network: Network;
  /** Randomness of the script. */
  readonly rng: Rng;
  readonly generators: Generators;
  readonly script: number;
  tap: Tap | undefined = undefined;
  readonly #crew: Crew | undefined;
  readonly #workers: number;
  readonly #worker: number;
  readonly #territory: Territory;
  readonly #history: History;
  /** End of the window at hand, microseconds: nothing later is handled before the threads have met again. */
  readonly #windowEnd = new Float64Array(1);
  /** Host whose node is being called, or `NONE`. */
  #inside = NONE;
  /** Hash of what the script did. */
  #scriptLane = 0;
  readonly #queue = new EventQueue();
  readonly #clock: Clock;
  readonly #events = new Float64Array(1);
  readonly #options: SimulatorOptions;
  readonly #hosts: (HostFace | undefined)[] = [];
  readonly #nodes: (SimNode | undefined)[] = [];
  /** What makes the node of a host that sleeps. */
  readonly #sleepers: (SimNodeFactory<SimNode> | undefined)[] = [];
  readonly #calls = new Map<number, () => void>();
  readonly #endpoint = new Uint8Array(ENDPOINT_BYTES);
  #callsMade = 0;
  #callsRun = 0;
  /** Events taken at this instant. */
  #atOnce = 0;
  #running: Uint8Array = new Uint8Array(0);
  #sequence: Float64Array = new Float64Array(0);
  #skew: Float64Array = new Float64Array(0);
  /** Microseconds, of the node that runs or ran last. */
  #startedAt: Float64Array = new Float64Array(0);
  #nodeGenerator: Int32Array = new Int32Array(0);
  #busyUntil: Float64Array = new Float64Array(0);

  constructor(options: SimulatorOptions) {
    this.#options = options;
    this.generators = new Generators(options.seed);
    this.script = this.generators.add();
    this.rng = rngOf(this.generators, this.script);
    this.network = new Network(options, this.generators);
    this.#clock = this.network.clock;
    this.#crew = options.crew;
    this.#workers = options.crew?.workers ?? 1;
    this.#worker = options.crew?.worker ?? 0;
    this.#territory = new Territory(options.matrix, this.network, this.#workers);
    this.#history = new History(this.#clock);
  }

  /** Events that this worker has taken. */
  get events(): number {
    return this.#events[0] as number;
  }

  /** Threads that share this run. */
  get workers(): number {
    return this.#workers;
  }

  /** Whether this worker has the node of a host. */
  owns(host: number): boolean {
    return this.#territory.workerOf(host) === this.#worker;
  }

  /** The least time of a datagram between hosts of different workers, milliseconds; Infinity with one worker. */
  get lookAheadMs(): number {
    return (this.#territory.lookAheadUs[0] as number) / 1000;
  }

  /** Milliseconds since the start, with their fraction. */
  get nowMs(): number {
    return this.#clock.now / 1000;
  }

  /** Events of this worker that wait. */
  get waiting(): number {
    return this.#queue.length;
  }

  /** One more host without a node; its index. Hosts behind one NAT box have one owner: that of the first one's row. */
  addHost(options: HostOptions): number {
    this.#steer();
    const host = this.network.addHost(options);
    if (host >= this.#sequence.length) this.#resize(Math.max(64, host * 2));
    this.#skew[host] = options.skewMs ?? 0;
    this.#nodeGenerator[host] = this.generators.add();
    this.#hosts.push(undefined);
    this.#nodes.push(undefined);
    this.#sleepers.push(undefined);
    this.#territory.add(host, options.nat ?? NONE);
    // The window at hand ends earlier when the new host is nearer to another worker's than any was.
    const nearest = this.#clock.now + (this.#territory.lookAheadUs[0] as number) - 1;
    if (nearest < (this.#windowEnd[0] as number)) this.#windowEnd[0] = nearest;
    return host;
  }

  /**
   * Starts a node on a host, after stopping the one that runs there; `undefined` when another worker has it. `startedMs`:
   * the instant at which its clock was 0, now unless told; an earlier one, also before the simulation's own start, for a
   * node that has been up.
   */
  start<Node extends SimNode>(
    host: number,
    factory: SimNodeFactory<Node>,
    startedMs?: number,
  ): Node | undefined {
    this.#bringUp(host, startedMs);
    return this.owns(host) ? this.#make(host, factory) : undefined;
  }

  /**
   * As `start`, but the node is made only when the first datagram reaches it or `wake` asks for it; until then it does
   * nothing. INVARIANT: what the factory makes depends on the host alone, or the order of waking would change the history.
   */
  startAsleep(host: number, factory: SimNodeFactory<SimNode>, startedMs?: number): void {
    this.#bringUp(host, startedMs);
    if (this.owns(host)) this.#sleepers[host] = factory;
  }

  /** Makes the node of a host that sleeps; nothing for another. */
  wake(host: number): void {
    const factory = this.#sleepers[host];
    if (factory === undefined) return;
    this.#sleepers[host] = undefined;
    this.#make(host, factory);
  }

  #bringUp(host: number, startedMs: number | undefined): void {
    this.stop(host);
    this.#note(host, 1);
    this.#startedAt[host] = startedMs === undefined ? this.#clock.now : Math.round(startedMs * 1000);
    this.#running[host] = 1;
    this.network.state[host] = HostState.UP;
  }

  #make<Node extends SimNode>(host: number, factory: SimNodeFactory<Node>): Node {
    const face = new HostFace(this, host);
    this.#hosts[host] = face;
    const node = factory(face);
    this.#nodes[host] = node;
    return node;
  }

  /** A node vanishes without a word: nothing it had set fires, what is under way to it is lost. */
  stop(host: number): void {
    this.#steer();
    if (!this.isRunning(host)) return;
    this.#note(host, 2);
    this.#running[host] = 0;
    this.network.state[host] = HostState.DOWN;
    this.#sleepers[host] = undefined;
    const face = this.#hosts[host];
    if (face === undefined) return;
    if (face.timer !== NONE) this.#queue.cancel(face.timer);
    face.timer = NONE;
    this.#hosts[host] = undefined;
    this.#nodes[host] = undefined;
  }

  /** Whether a node runs there, mute or not. */
  isRunning(host: number): boolean {
    return this.#running[host] === 1;
  }

  /** A mute host runs on, but nothing reaches it and nothing leaves it. */
  setMute(host: number, mute: boolean): void {
    this.#steer();
    if (!this.isRunning(host)) return;
    this.#note(host, mute ? 3 : 4);
    this.network.state[host] = mute ? HostState.MUTE : HostState.UP;
  }

  /** Calls `callback` after `delayMs`: the script of a scenario. */
  call(delayMs: number, callback: () => void): void {
    this.#steer();
    const id = this.#callsMade++;
    this.#calls.set(id, callback);
    this.#queue.next[0] = this.#clock.now + Math.round(Math.max(0, delayMs) * 1000);
    this.#queue.next[1] = CALL_TIE + id;
    this.#queue.add(Kind.CALL, NONE, id);
  }

  /** Lets virtual time pass. */
  run(ms: number): void {
    const end = this.#clock.now + Math.round(ms * 1000);
    while (this.#openWindow(end)) {
      while (this.step(this.#windowEnd[0] as number));
    }
    this.#clock.now = end;
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
          this.#inside = host;
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
      if (cause instanceof CrewError) throw cause;
      const { seed, replay } = this.#options;
      const repeat = replay === undefined ? '' : `; replay: ${replay}`;
      throw new Error(`at ${this.nowMs} ms of the simulation (seed ${seed})${repeat}: ${cause}`, { cause });
    } finally {
      this.#inside = NONE;
    }
    return true;
  }

  /** Every worker's value, by worker: all call it at the same place of the script. Plain data. */
  gather<Value>(value: Value): Value[] {
    return this.#crew?.gather(value) ?? [value];
  }

  /** Sums over all workers: all call it at the same place of the script. */
  totals(): Totals {
    // Every worker runs the script's calls; they count once.
    const events = this.events - (this.#worker === 0 ? 0 : this.#callsRun);
    return sumOf(this.gather(totalsOf(this.network, events)));
  }

  /**
   * Hash of everything that every host saw so far, in hexadecimal: equal histories have equal digests. All workers call
   * it at the same place of the script, and get the same.
   */
  digest(): string {
    return this.#history.digest(this.network.hosts, this.#crew, this.#territory);
  }

  /** Hash of what one host of this worker saw. */
  digestOf(host: number): string {
    assert(this.owns(host), 'asks for the digest of a host of another worker');
    return this.#history.digestOf(host);
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
    this.#queue.next[1] = DEFER_TIE + host * HOST_TIE + (sequence % HOST_TIE);
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
    this.tap?.sent(host, network.site, length);
    const { arrivals, payload, copy } = network;
    this.#queue.next[0] = arrivals[0] as number;
    this.#setTie(host);
    this.#dispatch(payload);
    if (copy === NONE) return;
    this.#queue.next[0] = arrivals[1] as number;
    this.#setTie(host);
    this.#dispatch(copy);
  }

  /** Puts a datagram on its way: into the queue, or into the mail of the worker that has its receiver. */
  #dispatch(payload: number): void {
    const { network } = this;
    const worker = this.#territory.workerOf(network.site);
    if (worker === this.#worker) {
      this.#queue.add(Kind.ARRIVE, NONE, payload);
    } else {
      (this.#crew as Crew).mail.post(worker, this.#queue.next, network.payloads, payload);
      network.payloads.remove(payload);
    }
  }

  /** Sets `#windowEnd`; `false` = nobody has anything to do until `end`. */
  #openWindow(end: number): boolean {
    const crew = this.#crew;
    if (crew === undefined) {
      this.#windowEnd[0] = end;
      return this.#queue.first(end) !== NONE;
    }
    const first = this.#queue.first(end);
    const own = first === NONE ? Number.POSITIVE_INFINITY : (this.#queue.at[first] as number);
    crew.agree(Math.min(own, crew.mail.earliest[0] as number), this.#signature(), this.#deliver);
    const start = crew.earliest[0] as number;
    if (start > end) return false;
    this.#windowEnd[0] = Math.min(end, start + (this.#territory.lookAheadUs[0] as number) - 1);
    return true;
  }

  /** Queues what the mail has brought. */
  readonly #deliver = (): void => {
    const { mail } = this.#crew as Crew;
    const { payloads } = this.network;
    for (let id = mail.take(payloads); id !== NONE; id = mail.take(payloads)) {
      assert((mail.when[0] as number) >= this.#clock.now, 'a datagram from another worker comes too late');
      this.#queue.next[0] = mail.when[0] as number;
      this.#queue.next[1] = mail.when[1] as number;
      this.#queue.add(Kind.ARRIVE, NONE, id);
    }
  };

  /** Only the script may change who is there: a node's own doing would be known to its worker alone. */
  #steer(): void {
    if (this.#inside !== NONE && this.#crew !== undefined)
      throw new Error(
        `what node ${this.#inside} does may not steer the simulation when workers share it: only the script may`,
      );
  }

  #note(host: number, what: number): void {
    this.#scriptLane = Math.imul(this.#scriptLane ^ host, 0x85ebca6b) ^ what;
  }

  /** Hash of what the script did so far, the same in every worker. */
  #signature(): number {
    const lane = Math.imul(this.#scriptLane ^ this.network.scriptLane, 0x9e3779b1) ^ this.#callsMade;
    return Math.imul(lane ^ this.network.hosts, 0x85ebca6b) ^ this.generators.trace(this.script);
  }

  #fire(host: number): void {
    const face = this.#hosts[host];
    if (face === undefined) return;
    this.#history.note(host, Kind.TIMER, 0, 0);
    this.#inside = host;
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
    const isDelivered = this.network.delivered(host, length);
    if (isDelivered) this.wake(host);
    const node = this.#nodes[host];
    if (isDelivered && node !== undefined) {
      const address = payloads.sourceAddress[payload] as number;
      const port = payloads.sourcePort[payload] as number;
      this.#history.note(host, Kind.HANDLE, address ^ port, length);
      this.tap?.carried(this.network.siteOf(address), host, length);
      writeEndpointAt(this.#endpoint, 0, address, port);
      this.#inside = host;
      node.receive(this.#endpoint, 0, payloads.page(payload), payloads.offset(payload), length);
    }
    payloads.remove(payload);
  }

  #runCall(id: number): void {
    const callback = this.#calls.get(id);
    this.#calls.delete(id);
    this.#callsRun++;
    callback?.();
  }

  /** INVARIANT: grows with every call for a host, so two events of one instant and cause keep their order. */
  #setTie(host: number): void {
    const sequence = this.#sequence[host] as number;
    this.#sequence[host] = sequence + 1;
    this.#queue.next[1] = host * HOST_TIE + (sequence % HOST_TIE);
  }

  #resize(rows: number): void {
    this.#running = grow(this.#running, rows);
    this.#sequence = grow(this.#sequence, rows);
    this.#skew = grow(this.#skew, rows);
    this.#startedAt = grow(this.#startedAt, rows);
    this.#nodeGenerator = grow(this.#nodeGenerator, rows);
    this.#busyUntil = grow(this.#busyUntil, rows);
    this.#territory.resize(rows);
    this.#history.resize(rows);
  }
}
