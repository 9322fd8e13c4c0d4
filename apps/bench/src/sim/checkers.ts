/**
 * Invariants of the protocol, watched while a simulation runs. A broken one becomes a sentence in `cluster.violations`.
 * They keep what they have seen, so their memory grows with the run: for small ones. What they watch:
 *
 * - what a reader is given verifies (the cluster itself), is expected by its question, and is held unexpired by somebody;
 * - within a read, a sequence never falls, and under an equal sequence only the larger value hash replaces another;
 * - a holder never takes a lower sequence, nor under an equal one the smaller hash;
 * - a table names only contacts that have answered its owner, so no address is passed on unverified;
 * - buckets, requests, operations and contacts keep within their limits, and so does what one instant of a lookup asks;
 * - an unproven address is sent little.
 */
import { toHex } from '@molia/core';
import {
  DEFAULTS,
  EventKind,
  type KademliaEvent,
  RecordMark,
  StoredRecord,
  type Tuning,
} from '@molia/kademlia';
import { AmplificationWatch } from '@molia/sim';
import { compareHashes, RecordType, RecordView, readRecord, recordValueHash } from '@molia/wire';
import type { Cluster } from './cluster.ts';
import type { Attempt } from './cluster-options.ts';
import type { StackNode } from './stack.ts';

/** Capacity of the farthest buckets with proximity (docs/spec/routing.md). */
const FAR_BUCKETS: readonly number[] = [128, 64, 40];
/** A table is looked at whenever its host has received so many datagrams. */
const TABLE_EVERY = 500;
/** Between an answer's departure and its arrival a record may expire, seconds. */
const UNDER_WAY_SECS = 5;
/** RFC 9000, section 8, and docs/spec/first-contact.md. */
const AMPLIFICATION = 3;
/** Requests at one instant of a lookup, over α: so many may end at an instant, and be followed by as many. */
const AT_ONCE_OVER_ALPHA = 2;

interface Version {
  readonly sequence: number;
  readonly hash: Uint8Array;
}

export class Invariants {
  readonly #cluster: Cluster;
  readonly #tuning: Tuning;
  readonly #amplification: AmplificationWatch;
  readonly #view = new RecordView();
  readonly #held = new StoredRecord();
  /** By host: whom it has heard. */
  readonly #heard: Set<number>[] = [];
  readonly #received: number[] = [];
  /** By host and key: what it held when last looked at. */
  readonly #holdings = new Map<string, Version>();
  /** By operation under way: the version it was given last, and what it asked at this instant. */
  readonly #reads = new Map<string, Version>();
  readonly #asking = new Map<string, { nowMs: number; before: number; asked: number }>();
  /** By key: the latest expiry that any holder was seen with, Unix seconds. */
  readonly #expiry = new Map<string, number>();
  #turn = 0;

  /** Before anybody joins. `tuning`: as the nodes have it. */
  constructor(cluster: Cluster, tuning: Partial<Tuning> = {}) {
    this.#cluster = cluster;
    this.#tuning = { ...DEFAULTS, ...tuning };
    const { simulator } = cluster;
    const now = (): number => simulator.nowMs;
    this.#amplification = new AmplificationWatch(AMPLIFICATION, now, (line) => this.#report(line));
    cluster.observers.push((node, event, attempt) => this.#observe(node, event, attempt));
    simulator.tap = {
      sent: (from, to, length) => this.#amplification.sent(from, to, length),
      carried: (from, to, length) => this.#carried(from, to, length),
    };
  }

  /** Tables that were given, not met, count as heard. */
  trustTables(): void {
    for (const host of this.#cluster.alive)
      for (const other of this.#cluster.table(host)) this.#heardBy(host).add(other);
  }

  /** A last look at everybody. */
  finish(): void {
    for (const host of this.#cluster.alive) {
      this.checkTable(host);
      for (const key of this.#cluster.written.values()) this.#checkHolding(host, key);
    }
  }

  /** INVARIANT checked: only contacts that answered, and within the limits. */
  checkTable(host: number): void {
    const { kademlia } = this.#cluster.node(host);
    const heard = this.#heardBy(host);
    for (const other of this.#cluster.table(host))
      if (!heard.has(other))
        this.#report(`host ${host} would pass on host ${other}, which never answered it`);
    const { buckets, known, requests, operations } = kademlia.stats();
    const { k, proximity, contactsMax, requestsMax, operationsMax } = this.#tuning;
    for (const [bucket, count] of buckets.entries()) {
      const most = Math.max(k, proximity ? (FAR_BUCKETS[bucket] ?? k) : k);
      if (count > most) this.#report(`bucket ${bucket} of host ${host} holds ${count} of at most ${most}`);
    }
    if (known > contactsMax) this.#report(`host ${host} remembers ${known} contacts`);
    if (requests > requestsMax) this.#report(`host ${host} has ${requests} requests open`);
    if (operations > operationsMax) this.#report(`host ${host} runs ${operations} operations`);
  }

  #carried(from: number, to: number, length: number): void {
    this.#amplification.carried(from, to, length);
    this.#heardBy(to).add(from);
    const received = (this.#received[to] ?? 0) + 1;
    this.#received[to] = received;
    if (received % TABLE_EVERY === 0) this.checkTable(to);
    const { written } = this.#cluster;
    if (written.size === 0) return;
    this.#turn = (this.#turn + 1) % written.size;
    let i = 0;
    for (const key of written.values()) if (i++ === this.#turn) this.#checkHolding(to, key);
  }

  #checkHolding(host: number, key: Uint8Array): void {
    const name = `${host} ${toHex(key)}`;
    const held = this.#held;
    if (!this.#cluster.node(host).store.get(key, 0, held)) {
      this.#holdings.delete(name);
      return;
    }
    const before = this.#holdings.get(name);
    if (before !== undefined) {
      if (held.sequence < before.sequence)
        this.#report(`holder ${host} went back from sequence ${before.sequence} to ${held.sequence}`);
      if (held.sequence === before.sequence && compareHashes(held.hash, held.hashOffset, before.hash, 0) < 0)
        this.#report(`holder ${host} took the smaller hash under sequence ${held.sequence}`);
      if (
        held.sequence === before.sequence &&
        compareHashes(held.hash, held.hashOffset, before.hash, 0) === 0
      )
        return;
    }
    const hash = held.hash.slice(held.hashOffset, held.hashOffset + 32);
    this.#holdings.set(name, { sequence: held.sequence, hash });
  }

  #observe(node: StackNode, event: KademliaEvent, attempt: Attempt | undefined): void {
    const name = `${node.host}/${event.op}`;
    if (event.kind === EventKind.VALUE) this.#checkValue(name, node, event, attempt);
    else if (event.kind === EventKind.PROGRESS) this.#checkAsked(name, event, attempt);
    else if (event.kind === EventKind.DONE) {
      this.#reads.delete(name);
      this.#asking.delete(name);
    }
  }

  #checkValue(name: string, node: StackNode, event: KademliaEvent, attempt: Attempt | undefined): void {
    const view = this.#view;
    const { bytes, offset, length } = event;
    if (attempt === undefined || readRecord(bytes, offset, length, view) < 0) return;
    if (view.sequence < attempt.sequenceMin)
      this.#report(`host ${node.host} asked for sequence ${attempt.sequenceMin} and got ${view.sequence}`);
    const hash = new Uint8Array(32);
    recordValueHash(view, bytes, hash, 0);
    const before = this.#reads.get(name);
    if (before !== undefined && view.sequence < before.sequence)
      this.#report(`a read of host ${node.host} went back from ${before.sequence} to ${view.sequence}`);
    if (
      before !== undefined &&
      view.type === RecordType.MUTABLE &&
      view.sequence === before.sequence &&
      compareHashes(hash, 0, before.hash, 0) < 0
    )
      this.#report(`a read of host ${node.host} took the smaller hash under sequence ${view.sequence}`);
    this.#reads.set(name, { sequence: view.sequence, hash });
    this.#checkExpiry(node, attempt.target);
  }

  #checkExpiry(node: StackNode, key: Uint8Array): void {
    const name = toHex(key);
    const held = this.#held;
    let latest = this.#expiry.get(name) ?? 0;
    for (const host of this.#cluster.alive) {
      const { store } = this.#cluster.node(host);
      if (!store.get(key, 0, held)) continue;
      // Its publisher is there, and refreshes it.
      if ((held.marks & RecordMark.OWN) !== 0) return;
      latest = Math.max(latest, held.expiresUnix);
    }
    this.#expiry.set(name, latest);
    const nowUnix = Math.floor((node.shard.wallMsAtZero + node.now()) / 1000);
    // Zero: every holder left while its answer was under way.
    if (latest > 0 && latest + UNDER_WAY_SECS < nowUnix)
      this.#report(`host ${node.host} was given a record that had expired ${nowUnix - latest} s before`);
  }

  #checkAsked(name: string, event: KademliaEvent, attempt: Attempt | undefined): void {
    if (attempt === undefined || (attempt.kind !== 'find' && attempt.kind !== 'get')) return;
    const { nowMs } = this.#cluster.simulator;
    const last = this.#asking.get(name);
    const asking =
      last === undefined || last.nowMs !== nowMs
        ? { nowMs, before: last?.asked ?? 0, asked: event.a }
        : { ...last, asked: event.a };
    this.#asking.set(name, asking);
    // What was asked between two looks lies before this instant; only within one it is known to be at once.
    if (last === undefined || last.nowMs !== nowMs) return;
    const most = AT_ONCE_OVER_ALPHA * Math.max(this.#tuning.alphaMax, this.#tuning.alphaReads, 8);
    if (asking.asked - asking.before > most)
      this.#report(`a lookup asked ${asking.asked - asking.before} nodes at once`);
  }

  #heardBy(host: number): Set<number> {
    this.#heard[host] ??= new Set();
    return this.#heard[host];
  }

  #report(line: string): void {
    const { violations, simulator } = this.#cluster;
    if (violations.length < VIOLATIONS_MAX) violations.push(`${line}, at ${simulator.nowMs} ms`);
  }
}

/** One broken rule tends to break again at every event. */
const VIOLATIONS_MAX = 50;

/**
 * Nodes of two networks that must know nothing of each other: names of hosts on one side whose table names the other.
 * Empty when they are apart.
 */
export function mergers(cluster: Cluster, ours: readonly number[], others: readonly number[]): string[] {
  const found: string[] = [];
  const sides = [new Set(ours), new Set(others)] as const;
  for (const [side, hosts] of [ours, others].entries())
    for (const host of hosts)
      for (const contact of cluster.table(host))
        if (sides[1 - side]?.has(contact)) found.push(`host ${host} knows host ${contact}`);
  return found;
}
