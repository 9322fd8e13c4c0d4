/**
 * A network of full stacks in virtual time: who joins through whom, who leaves, what everybody asks, and the true answers
 * that only an onlooker knows. Operations are started at instants of a script, never when the one before has ended.
 *
 * A script names hosts by their numbers, and everything it decides follows from the seed and the script alone, never from
 * what an engine did or on what was gathered: so several threads can follow one script while each runs only the hosts
 * that it owns.
 */
import { type Curves, NONE, toHex } from '@molia/core';
import {
  EventKind,
  type KademliaEvent,
  type Op,
  Outcome,
  type RecordStore,
  type Tuning,
} from '@molia/kademlia';
import {
  ACCESS_CLASSES,
  type AccessClass,
  HostState,
  type LatencyMatrix,
  type SimHost,
  Simulator,
} from '@molia/sim';
import { createImmutable, immutableKey, RecordView, readRecord, verifyRecord } from '@molia/wire';
import type { Attempt, ClusterOptions, JoinOptions } from './cluster-options.ts';
import { AGE_MS_MAX, MET_IN_HOURS, Oracle } from './oracle.ts';
import { Population } from './population.ts';
import { type Crypto, StackNode, type StackOptions, stubCrypto } from './stack.ts';

export type { Attempt, ClusterOptions, JoinOptions } from './cluster-options.ts';

/** Whom a node had in its table. */
interface Known {
  readonly publicKey: Uint8Array;
  readonly endpoint: Uint8Array;
}

/** What a node that stopped had on disk. */
interface Remains {
  readonly store: RecordStore;
  readonly contacts: readonly Known[];
}

/** Hears of every event of every node that runs here; the slot and its bytes are borrowed. */
export type Observer = (node: StackNode, event: KademliaEvent, attempt: Attempt | undefined) => void;

const K = 20;
const SEEDS = 3;
/** Who is among so many closest may hold a record: the 20 that should, and as many again by an estimate that is off. */
const ASKER_APART = 40;
/** Contacts that a node which comes back still knows. */
const REMEMBERED_MAX = 200;

export class Cluster {
  readonly simulator: Simulator;
  readonly population = new Population();
  /** What a checker found wrong; must stay empty. */
  readonly violations: string[] = [];
  readonly observers: Observer[] = [];
  /** Every join so far. */
  readonly joins: Attempt[] = [];
  /** Keys given to `store`, by their hexadecimal form. */
  readonly written = new Map<string, Uint8Array>();
  /** Hears of every datagram that a node hands to its socket: 19 bytes of endpoint at the offset. */
  onSend: ((host: number, endpoint: Uint8Array, endpointOffset: number) => void) | undefined = undefined;
  readonly #options: ClusterOptions;
  readonly #crypto: Crypto;
  /** By host; undefined = gone, or somebody else's. */
  readonly #nodes: (StackNode | undefined)[] = [];
  readonly #attempts = new Map<string, Attempt>();
  #attemptsMade = 0;
  readonly #view = new RecordView();
  readonly #remains = new Map<number, Remains>();

  constructor(options: ClusterOptions) {
    if (options.compact === true && options.population !== 'oracle')
      throw new RangeError("compact needs population: 'oracle': who sleeps cannot join");
    this.#options = options;
    this.#crypto = options.crypto ?? stubCrypto();
    this.simulator = new Simulator({
      seed: options.seed,
      matrix: options.matrix,
      mtuBytes: 1452,
      crew: options.crew,
      ...(options.replay === undefined ? {} : { replay: options.replay }),
      ...(options.cpuMicros === undefined ? {} : { cpuMicros: options.cpuMicros }),
    });
  }

  get matrix(): LatencyMatrix {
    return this.#options.matrix;
  }

  get curves(): Curves {
    return this.#crypto.curves;
  }

  /** Brings everybody in, as `population` says. `progress` hears how many are there. */
  populate(progress: (joined: number) => void = () => {}): void {
    const { nodes, joinStepMs = 20, settleMs = 10_000 } = this.#options;
    if (this.#options.population === 'oracle') {
      this.#furnish(progress);
    } else {
      for (let i = 0; i < nodes; i++) {
        this.join();
        this.simulator.run(joinStepMs);
        progress(i + 1);
      }
    }
    this.simulator.run(settleMs);
  }

  /** A new node on a new host, whose number it returns. */
  join(options: JoinOptions = {}): number {
    const row = options.row ?? this.simulator.rng.u32() % this.#options.matrix.rows;
    const link = options.link ?? this.#drawLink();
    const through = options.through ?? this.#drawSeeds();
    const host = this.#addHost(row, link, options.seed, options.inBlock);
    this.#enter(host, through, [], {
      ...(options.presharedKey === undefined ? {} : { presharedKey: options.presharedKey }),
    });
    return host;
  }

  /** A host that had left `toReturn` comes back with its key, its records and the contacts it knew, as a daemon does. */
  rejoin(host: number, through: readonly number[] = this.#drawSeeds()): void {
    this.population.restore(host);
    this.simulator.network.state[host] = HostState.UP;
    const remains = this.#remains.get(host);
    this.#remains.delete(host);
    const store = remains === undefined ? {} : { store: remains.store };
    this.#enter(host, through, remains?.contacts ?? [], store);
  }

  #drawSeeds(): number[] {
    const seeds: number[] = [];
    for (let i = 0; i < SEEDS && this.population.live > 0; i++) seeds.push(this.someone());
    return seeds;
  }

  #enter(
    host: number,
    through: readonly number[],
    known: readonly Known[],
    options: Pick<StackOptions, 'presharedKey' | 'store'>,
  ): void {
    const attempt = through.length === 0 ? undefined : this.#attempt('join', host, this.population.id(host));
    if (attempt !== undefined) this.joins.push(attempt);
    const node = this.#start(host, undefined, options);
    if (node === undefined) return;
    for (const seed of through)
      node.kademlia.addContact(
        node.now(),
        this.population.publicKey(seed),
        this.simulator.network.boundEndpoint(seed),
      );
    for (const { publicKey, endpoint } of known) node.kademlia.addContact(node.now(), publicKey, endpoint);
    if (attempt !== undefined) this.#begin(attempt, node, node.kademlia.bootstrap(node.now()));
    node.pump();
  }

  /** A node vanishes without a word; what it had asked is censored. `toReturn` keeps what it needs to `rejoin`. */
  leave(host: number, toReturn = false): void {
    const node = this.#nodes[host];
    if (node !== undefined && toReturn)
      this.#remains.set(host, {
        store: node.store,
        contacts: node.kademlia
          .contacts()
          .filter((contact) => contact.bucket >= 0)
          .slice(0, REMEMBERED_MAX),
      });
    this.population.remove(host);
    this.simulator.stop(host);
    this.simulator.network.state[host] = HostState.DOWN;
    this.#nodes[host] = undefined;
    for (const [key, attempt] of this.#attempts) {
      if (attempt.host !== host) continue;
      attempt.censored = true;
      this.#attempts.delete(key);
    }
  }

  /** A mute node runs on, but nothing reaches it and nothing leaves it. */
  mute(host: number, mute = true): void {
    if (this.population.isLive(host))
      this.simulator.network.state[host] = mute ? HostState.MUTE : HostState.UP;
  }

  /** Hosts whose node lives, mute or not. */
  get alive(): number[] {
    const hosts: number[] = [];
    for (let host = 0; host < this.population.count; host++)
      if (this.population.isLive(host)) hosts.push(host);
    return hosts;
  }

  /** Engines of this worker: with `compact`, those that were needed so far. */
  get awake(): number {
    let count = 0;
    for (const node of this.#nodes) if (node !== undefined) count++;
    return count;
  }

  /** The node of a live host that this worker owns, for a look into its engine. Throws RangeError for another. */
  node(host: number): StackNode {
    this.simulator.wake(host);
    const node = this.#nodes[host];
    if (node === undefined) throw new RangeError(`no node runs here on host ${host}`);
    return node;
  }

  /** A live host that is not mute, by the script's chance. */
  someone(): number {
    const { rng } = this.simulator;
    // BOUNDED: some node is up, or there would be no simulation to run.
    for (;;) {
      const host = rng.u32() % this.population.count;
      if (this.#speaks(host)) return host;
    }
  }

  /** Somebody who should not hold a record of the key already, where there is such a node; nor `except`, its publisher. */
  asker(key: Uint8Array, except: number = NONE): number {
    const apart = Math.min(ASKER_APART, this.population.live >>> 1);
    const near = new Set(this.population.closest(key, apart));
    let host = this.someone();
    for (let i = 0; i < 50 && (host === except || near.has(host)); i++) host = this.someone();
    return host;
  }

  randomKey(): Uint8Array {
    const key = new Uint8Array(32);
    this.simulator.rng.fill(key, 0, 32);
    return key;
  }

  /** The attempt of a host that another worker owns stays as it began until `collect`. */
  find(host: number, target: Uint8Array): Attempt {
    const attempt = this.#attempt('find', host, target);
    if (!this.simulator.owns(host)) return attempt;
    const node = this.node(host);
    return this.#begin(attempt, node, node.kademlia.findNode(node.now(), target));
  }

  /** Only records with at least `sequenceMin`: what a reader that remembers asks for. */
  get(host: number, key: Uint8Array, sequenceMin = 0): Attempt {
    const attempt = this.#attempt('get', host, key, sequenceMin);
    if (!this.simulator.owns(host)) return attempt;
    const node = this.node(host);
    return this.#begin(attempt, node, node.kademlia.findValue(node.now(), key, { sequenceMin }));
  }

  /** Stores a value of 100 random bytes; its key is the attempt's target. */
  put(host: number, ttlSecs = 86_400): Attempt {
    const value = new Uint8Array(100);
    this.simulator.rng.fill(value, 0, 100);
    const attempt = this.#attempt('put', host, immutableKey(value));
    if (!this.simulator.owns(host)) return attempt;
    const node = this.node(host);
    return this.#begin(attempt, node, node.kademlia.store(node.now(), createImmutable(value, ttlSecs)));
  }

  /** Stores a record made before, under its key. `own`: the host goes on to keep and refresh it. */
  store(host: number, record: Uint8Array, key: Uint8Array, own = true): Attempt {
    this.written.set(toHex(key), key);
    const attempt = this.#attempt('put', host, key);
    if (!this.simulator.owns(host)) return attempt;
    const node = this.node(host);
    return this.#begin(attempt, node, node.kademlia.store(node.now(), record, { own }));
  }

  /** Ids of the live, speaking nodes closest to a target, without `except`; one group only, when given. */
  closest(target: Uint8Array, count: number, except: number, group?: number): Uint8Array[] {
    const { network } = this.simulator;
    return this.population
      .closest(
        target,
        count,
        (host) =>
          host !== except && this.#speaks(host) && (group === undefined || network.group(host) === group),
      )
      .map((host) => this.population.id(host));
  }

  /** Completes attempts with what the owners of their hosts know: all workers call it at the same place of the script. */
  collect(attempts: readonly Attempt[]): void {
    const { simulator } = this;
    if (simulator.workers === 1) return;
    const byIndex = new Map(attempts.map((attempt) => [attempt.index, attempt]));
    const own = attempts
      .filter((attempt) => simulator.owns(attempt.host))
      .map(({ index, firstMs, doneMs, ok, censored, asked, holders, recall, sequence }) => {
        return { index, firstMs, doneMs, ok, censored, asked, holders, recall, sequence };
      });
    for (const known of simulator.gather(own).flat())
      Object.assign(byIndex.get(known.index) as Attempt, known);
  }

  /** One host pings another, which it may not know. */
  ping(host: number, other: number): void {
    if (!this.simulator.owns(host) || !this.population.isLive(host)) return;
    const node = this.node(host);
    const endpoint = this.simulator.network.boundEndpoint(other);
    node.kademlia.ping(node.now(), this.population.publicKey(other), endpoint);
    node.pump();
  }

  /** Hosts in the table of a node that runs here. */
  table(host: number): number[] {
    return this.node(host)
      .kademlia.contacts()
      .filter((contact) => contact.bucket >= 0)
      .map((contact) => this.hostAt(contact.endpoint, 0));
  }

  /** Hosts in the tables of some nodes, wherever they run: all workers call it at the same place of the script. */
  tables(hosts: readonly number[]): number[][] {
    const own = hosts.map((host) => (this.simulator.owns(host) ? this.table(host) : null));
    const all = this.simulator.gather(own);
    return hosts.map((_, i) => all.map((tables) => tables[i]).find((table) => table !== null) ?? []);
  }

  /** The host behind a 19-byte endpoint, or `NONE`. */
  hostAt(endpoint: Uint8Array, offset: number): number {
    return this.simulator.network.hostAt(endpoint, offset);
  }

  /** Share of the closest live nodes to its own id that each node's table names, averaged over some nodes. */
  tableRecall(samples: number): number {
    const own: [number, number][] = [];
    for (let i = 0; i < samples; i++) {
      const host = this.someone();
      if (!this.simulator.owns(host)) continue;
      const truth = this.closest(this.population.id(host), K, host);
      const known = new Set(
        this.node(host)
          .kademlia.contacts()
          .filter((contact) => contact.bucket >= 0)
          .map((contact) => toHex(contact.id)),
      );
      own.push([i, truth.filter((id) => known.has(toHex(id))).length / Math.max(1, truth.length)]);
    }
    // Summed in the order of the samples: the last bit of a sum depends on its order.
    const all = this.simulator.gather(own).flat();
    all.sort((a, b) => a[0] - b[0]);
    return all.reduce((sum, [, recall]) => sum + recall, 0) / samples;
  }

  #speaks(host: number): boolean {
    return this.population.isLive(host) && this.simulator.network.state[host] === HostState.UP;
  }

  #addHost(row: number, link: AccessClass, given?: Uint8Array, inBlock = false): number {
    const { simulator } = this;
    const host = simulator.addHost({ row, link, inBlock });
    const seed = given ?? new Uint8Array(32);
    if (given === undefined) simulator.rngOfHost(host).fill(seed, 0, 32);
    const { publicKey, id } = this.#crypto.identity(seed);
    this.population.add(seed, publicKey, id);
    return host;
  }

  #start(
    host: number,
    startedMs?: number,
    options: Pick<StackOptions, 'presharedKey' | 'store'> = {},
  ): StackNode | undefined {
    return this.simulator.start(host, (face) => this.#make(face, options, this.#options.tuning), startedMs);
  }

  #make(
    face: SimHost,
    options: Pick<StackOptions, 'presharedKey' | 'store'>,
    tuning: Partial<Tuning> | undefined,
  ): StackNode {
    const host = face.index;
    const node = new StackNode(face, {
      crypto: this.#crypto,
      identity: this.#crypto.identity(this.population.seed(host)),
      ...options,
      ...(tuning === undefined ? {} : { tuning }),
      onEvent: this.#heard,
      onSend: (endpoint, endpointOffset) => this.onSend?.(host, endpoint, endpointOffset),
    });
    this.#nodes[host] = node;
    return node;
  }

  /** Everybody at once, with tables from the truth. */
  #furnish(progress: (joined: number) => void): void {
    const { simulator } = this;
    const { nodes, matrix, met = MET_IN_HOURS, compact = false } = this.#options;
    const first = this.population.count;
    for (let i = 0; i < nodes; i++) this.#addHost(simulator.rng.u32() % matrix.rows, this.#drawLink());
    const oracle = new Oracle(this.population, simulator.network, met);
    const tuning = compact ? { ...this.#options.tuning, maintenance: false } : this.#options.tuning;
    const startedMs = simulator.nowMs - AGE_MS_MAX;
    const factory = (face: SimHost): StackNode => {
      const node = this.#make(face, {}, tuning);
      // Of the instant at which everybody came in, however late it wakes: by then `AGE_MS_MAX` of its clock.
      oracle.furnish(node, face.rng, AGE_MS_MAX);
      return node;
    };
    for (let host = first; host < first + nodes; host++) {
      if (compact) simulator.startAsleep(host, factory, startedMs);
      else simulator.start(host, factory, startedMs);
      progress(host - first + 1);
    }
  }

  #drawLink(): AccessClass {
    const links = this.#options.links ?? ACCESS_CLASSES;
    let left = this.simulator.generators.unit(this.simulator.script);
    for (const link of links) {
      left -= link.share;
      if (left <= 0) return link;
    }
    return links[links.length - 1] as AccessClass;
  }

  #attempt(kind: Attempt['kind'], host: number, target: Uint8Array, sequenceMin = 0): Attempt {
    return {
      index: this.#attemptsMade++,
      kind,
      host,
      startedMs: this.simulator.nowMs,
      firstMs: Number.POSITIVE_INFINITY,
      doneMs: Number.POSITIVE_INFINITY,
      ok: false,
      censored: false,
      asked: 0,
      holders: 0,
      recall: Number.NaN,
      sequence: -1,
      sequenceMin,
      target,
    };
  }

  #begin(attempt: Attempt, node: StackNode, op: Op): Attempt {
    this.#attempts.set(`${node.host}/${op}`, attempt);
    node.pump();
    return attempt;
  }

  readonly #heard = (node: StackNode, event: KademliaEvent): void => {
    const key = `${node.host}/${event.op}`;
    const attempt = this.#attempts.get(key);
    for (const observe of this.observers) observe(node, event, attempt);
    if (attempt === undefined) return;
    const ms = this.simulator.nowMs - attempt.startedMs;
    if (event.kind === EventKind.VALUE) {
      this.#checkValue(attempt, event);
      attempt.firstMs = Math.min(attempt.firstMs, ms);
      attempt.sequence = event.sequence;
    } else if (event.kind === EventKind.DONE) {
      this.#attempts.delete(key);
      attempt.doneMs = ms;
      attempt.asked = event.b;
      attempt.holders = event.a;
      attempt.ok =
        attempt.kind === 'get' ? attempt.firstMs < Number.POSITIVE_INFINITY : event.code === Outcome.OK;
      if (attempt.kind === 'find') {
        const truth = this.closest(attempt.target, K, node.host);
        const named = new Set(node.kademlia.closest(event.op).map((contact) => toHex(contact.id)));
        attempt.recall = truth.filter((id) => named.has(toHex(id))).length / Math.max(1, truth.length);
      }
    }
  };

  /** INVARIANT checked: what a reader gets verifies, and is what it asked for. */
  #checkValue(attempt: Attempt, event: KademliaEvent): void {
    const view = this.#view;
    const { bytes, offset, length } = event;
    const verdict = readRecord(bytes, offset, length, view);
    const key = verdict < 0 ? '' : toHex(bytes.slice(view.keyOffset, view.keyOffset + 32));
    if (verdict < 0 || verifyRecord(view, bytes, this.curves) < 0 || key !== toHex(attempt.target))
      this.violations.push(
        `host ${attempt.host} was given a record that does not verify at ${this.simulator.nowMs} ms`,
      );
  }
}
