/**
 * A network of full stacks in virtual time: who joins through whom, who leaves, what everybody asks, and the true answers
 * that only an onlooker knows. Operations are started at instants of a script, never when the one before has ended.
 */
import { type Curves, compareDistance, toHex } from '@molia/core';
import { EventKind, type KademliaEvent, type Op, Outcome, StoredRecord, type Tuning } from '@molia/kademlia';
import {
  ACCESS_CLASSES,
  type AccessClass,
  type LatencyMatrix,
  Simulator,
  type SimulatorOptions,
} from '@molia/sim';
import { createImmutable, immutableKey, RecordView, readRecord, verifyRecord } from '@molia/wire';
import { type Crypto, StackNode, stubCrypto } from './stack.ts';

export interface ClusterOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly matrix: LatencyMatrix;
  readonly crypto?: Crypto;
  readonly tuning?: Partial<Tuning>;
  readonly replay?: string;
  /** Time between two joins. */
  readonly joinStepMs?: number;
  readonly settleMs?: number;
  readonly links?: readonly AccessClass[];
  readonly cpuMicros?: SimulatorOptions['cpuMicros'];
}

/** One operation from its start to its end. Times in milliseconds; Infinity = never. */
export interface Attempt {
  readonly kind: 'find' | 'get' | 'put' | 'join';
  readonly host: number;
  readonly startedMs: number;
  /** First valid answer of a get. */
  firstMs: number;
  doneMs: number;
  ok: boolean;
  /** The node that asked left before it knew: counted apart. */
  censored: boolean;
  /** Requests sent. */
  asked: number;
  /** Holders of a put. */
  holders: number;
  /** Of the 20 closest live nodes, the share that a find named; NaN for other kinds. */
  recall: number;
  readonly target: Uint8Array;
}

const K = 20;
const SEEDS = 3;

export class Cluster {
  readonly simulator: Simulator;
  /** By host; undefined = gone. */
  readonly nodes: (StackNode | undefined)[] = [];
  /** What a checker found wrong; must stay empty. */
  readonly violations: string[] = [];
  readonly #options: ClusterOptions;
  readonly #crypto: Crypto;
  readonly #attempts = new Map<string, Attempt>();
  readonly #view = new RecordView();
  readonly #held = new StoredRecord();

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#crypto = options.crypto ?? stubCrypto();
    this.simulator = new Simulator({
      seed: options.seed,
      matrix: options.matrix,
      mtuBytes: 1452,
      ...(options.replay === undefined ? {} : { replay: options.replay }),
      ...(options.cpuMicros === undefined ? {} : { cpuMicros: options.cpuMicros }),
    });
  }

  get curves(): Curves {
    return this.#crypto.curves;
  }

  /** Everybody joins, one after the other, through a few who are there. `progress` hears how many. */
  populate(progress: (joined: number) => void = () => {}): void {
    const { nodes, joinStepMs = 20, settleMs = 10_000 } = this.#options;
    for (let i = 0; i < nodes; i++) {
      this.join();
      this.simulator.run(joinStepMs);
      progress(i + 1);
    }
    this.simulator.run(settleMs);
  }

  /** A new node on a new host; `presharedKey` (32 bytes) puts it into a network of its own. */
  join(presharedKey?: Uint8Array): StackNode {
    const { simulator } = this;
    const { rng } = simulator;
    const host = simulator.addHost({ row: rng.u32() % this.#options.matrix.rows, link: this.#drawLink() });
    const seeds: StackNode[] = [];
    for (let i = 0; i < SEEDS && this.nodes.length > 0; i++) seeds.push(this.someone());
    const node = simulator.start(
      host,
      (face) =>
        new StackNode(face, {
          crypto: this.#crypto,
          ...(presharedKey === undefined ? {} : { presharedKey }),
          ...(this.#options.tuning === undefined ? {} : { tuning: this.#options.tuning }),
          onEvent: (from, event) => this.#onEvent(from, event),
        }),
    );
    this.nodes[host] = node;
    for (const seed of seeds) node.kademlia.addContact(node.now(), seed.identity.publicKey, seed.endpoint);
    if (seeds.length > 0) this.#begin('join', node, node.identity.id, node.kademlia.bootstrap(node.now()));
    node.pump();
    return node;
  }

  /** A node vanishes without a word; what it had asked is censored. */
  leave(host: number): void {
    this.simulator.stop(host);
    this.nodes[host] = undefined;
    for (const [key, attempt] of this.#attempts) {
      if (attempt.host !== host) continue;
      attempt.censored = true;
      this.#attempts.delete(key);
    }
  }

  get alive(): StackNode[] {
    return this.nodes.filter((node) => node !== undefined);
  }

  /** A live node that is not mute, by the script's chance. */
  someone(): StackNode {
    const { rng, network } = this.simulator;
    // BOUNDED: some node is up, or there would be no simulation to run.
    for (;;) {
      const node = this.nodes[rng.u32() % this.nodes.length];
      if (node !== undefined && network.state[node.host] === 0) return node;
    }
  }

  /** Somebody who does not hold a record of the key already, where there is such a node. */
  asker(key: Uint8Array): StackNode {
    let node = this.someone();
    for (let i = 0; i < 50 && node.store.get(key, 0, this.#held); i++) node = this.someone();
    return node;
  }

  randomKey(): Uint8Array {
    const key = new Uint8Array(32);
    this.simulator.rng.fill(key, 0, 32);
    return key;
  }

  find(node: StackNode, target: Uint8Array): Attempt {
    return this.#begin('find', node, target, node.kademlia.findNode(node.now(), target));
  }

  get(node: StackNode, key: Uint8Array): Attempt {
    return this.#begin('get', node, key, node.kademlia.findValue(node.now(), key));
  }

  /** Stores a value of 100 random bytes; its key is the attempt's target. */
  put(node: StackNode, ttlSecs = 86_400): Attempt {
    const value = new Uint8Array(100);
    this.simulator.rng.fill(value, 0, 100);
    const op = node.kademlia.store(node.now(), createImmutable(value, ttlSecs));
    return this.#begin('put', node, immutableKey(value), op);
  }

  /** Ids of the live, speaking nodes closest to a target, without `except`; one group only, when given. */
  closest(target: Uint8Array, count: number, except: StackNode, group?: number): Uint8Array[] {
    const { network } = this.simulator;
    return this.alive
      .filter((node) => node !== except && network.state[node.host] === 0)
      .filter((node) => group === undefined || network.group(node.host) === group)
      .map((node) => node.identity.id)
      .sort((a, b) => compareDistance(target, 0, a, 0, b, 0))
      .slice(0, count);
  }

  /** Share of the closest live nodes to its own id that each node's table names, averaged over some nodes. */
  tableRecall(samples: number): number {
    let sum = 0;
    for (let i = 0; i < samples; i++) {
      const node = this.someone();
      const truth = this.closest(node.identity.id, K, node);
      const known = new Set(
        node.kademlia
          .contacts()
          .filter((contact) => contact.bucket >= 0)
          .map((contact) => toHex(contact.id)),
      );
      sum += truth.filter((id) => known.has(toHex(id))).length / Math.max(1, truth.length);
    }
    return sum / samples;
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

  #begin(kind: Attempt['kind'], node: StackNode, target: Uint8Array, op: Op): Attempt {
    const attempt: Attempt = {
      kind,
      host: node.host,
      startedMs: this.simulator.nowMs,
      firstMs: Number.POSITIVE_INFINITY,
      doneMs: Number.POSITIVE_INFINITY,
      ok: false,
      censored: false,
      asked: 0,
      holders: 0,
      recall: Number.NaN,
      target,
    };
    this.#attempts.set(`${node.host}/${op}`, attempt);
    node.pump();
    return attempt;
  }

  #onEvent(node: StackNode, event: KademliaEvent): void {
    const key = `${node.host}/${event.op}`;
    const attempt = this.#attempts.get(key);
    if (attempt === undefined) return;
    const ms = this.simulator.nowMs - attempt.startedMs;
    if (event.kind === EventKind.VALUE) {
      this.#checkValue(attempt, event);
      attempt.firstMs = Math.min(attempt.firstMs, ms);
    } else if (event.kind === EventKind.DONE) {
      this.#attempts.delete(key);
      attempt.doneMs = ms;
      attempt.asked = event.b;
      attempt.holders = event.a;
      attempt.ok =
        attempt.kind === 'get' ? attempt.firstMs < Number.POSITIVE_INFINITY : event.code === Outcome.OK;
      if (attempt.kind === 'find') {
        const truth = this.closest(attempt.target, K, node);
        const named = new Set(node.kademlia.closest(event.op).map((contact) => toHex(contact.id)));
        attempt.recall = truth.filter((id) => named.has(toHex(id))).length / Math.max(1, truth.length);
      }
    }
  }

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
