/**
 * The asker's half: operations, their lookups and writes, the requests under way. An operation searches the nodes nearest to its
 * target; a put then writes to those that answered with a token.
 */
import {
  ENDPOINT_BYTES,
  endpointFromCompact,
  endpointPort,
  equalBytes,
  type Millis,
  NONE,
} from '@molia/core';
import { stringEnd, stringStart } from './bencode.ts';
import { ALPHA, BUCKET_CONTACTS, NODE_ID_BYTES, OPERATIONS_MAX, STORE_NODES } from './constants.ts';
import type { MutableItem } from './items.ts';
import { type KrpcMessage, MessageKind } from './krpc-read.ts';
import { CandidateState, Lookup } from './lookup.ts';
import { idDistance } from './node-id.ts';
import {
  conflictOf,
  nodeOf,
  nodesFound,
  type Operation,
  OpKind,
  RecentLookups,
  writeOutcome,
} from './operations.ts';
import { Purpose, writeLookup, writePing, writePut } from './query-writer.ts';
import { Requests } from './requests.ts';
import type { Shared } from './shared.ts';
import { SizeEstimator } from './size-estimate.ts';
import { EventKind, Outcome } from './types.ts';
import { itemIn } from './value-reader.ts';

/** Lookups kept for the next operation. */
const LOOKUPS_IDLE_MAX = 4;
/** Requests in a row without an answer after which nobody is blamed: our own network is down. */
const OFFLINE_FAILURES = 10;

export class Searcher {
  readonly size: SizeEstimator = new SizeEstimator();
  readonly #s: Shared;
  readonly #requests: Requests;
  readonly #recent = new RecentLookups();
  readonly #operations = new Map<number, Operation>();
  readonly #lookups: Lookup[] = [];
  readonly #rows = new Int32Array(STORE_NODES);
  readonly #endpoint = new Uint8Array(ENDPOINT_BYTES);
  #lastOp = 0;
  #failuresInRow = 0;

  constructor(shared: Shared, requestTimeoutMs: number) {
    this.#s = shared;
    this.#requests = new Requests(shared.rng, requestTimeoutMs);
  }

  /** An answer came. `false`: to nothing that we asked, at that address. */
  handleAnswer(now: Millis, m: KrpcMessage, endpoint: Uint8Array, at: number, bytes: Uint8Array): boolean {
    const requests = this.#requests;
    const row = requests.match(bytes, m.tidAt, m.tidLength, endpoint, at);
    if (row === NONE) return false;
    const purpose = requests.purposes[row] as number;
    const operation = this.#operations.get(requests.owners[row] as number);
    const index = requests.indices[row] as number;
    const wasLate = requests.close(now, row, true);
    this.#failuresInRow = 0;
    this.#s.counted(m.kind === MessageKind.ERROR ? 'receivedErrors' : 'answers');
    if (m.idAt >= 0 && !m.readOnly) this.#s.table.answered(now, bytes, m.idAt, endpoint, at);
    if (operation === undefined) return true;
    if (purpose === Purpose.WRITE || purpose === Purpose.DIRECT_WRITE) {
      if (operation.writing && operation.direct === (purpose === Purpose.DIRECT_WRITE))
        this.#handleWritten(now, m, operation, index, wasLate);
    } else if (purpose === Purpose.PING) this.#end(operation, Outcome.OK);
    else if (operation.lookup !== undefined && !operation.writing)
      this.#handleFound(now, m, operation, operation.lookup, purpose, index, wasLate, endpoint, at, bytes);
    return true;
  }

  handleTimeout(now: Millis): void {
    for (;;) {
      const row = this.#requests.timers.expired(now);
      if (row === NONE) return;
      this.#requestOverdue(now, row);
    }
  }

  nextDelay(now: Millis): number {
    return this.#requests.timers.nextDelay(now);
  }

  /** One ping that is an operation. */
  ping(now: Millis, endpoint: Uint8Array): number {
    const operation = this.#begin(OpKind.PING);
    if (operation === undefined) return 0;
    if (!this.sendPing(now, endpoint, 0, Purpose.PING, operation.op)) this.#end(operation, Outcome.TIMEOUT);
    return operation.op;
  }

  /** Ends an operation with CANCELLED; harmless when it has ended. */
  cancel(op: number): void {
    const operation = this.#operations.get(op);
    if (operation !== undefined) this.#end(operation, Outcome.CANCELLED);
  }

  /** Starts an operation that searches; its handle, or 0 when `OPERATIONS_MAX` run. */
  startLookup(
    now: Millis,
    kind: number,
    target: Uint8Array,
    breadth: number,
    prepare?: (operation: Operation) => void,
  ): number {
    if (target.length !== NODE_ID_BYTES)
      throw new RangeError(`a target has ${NODE_ID_BYTES} bytes, not ${target.length}`);
    const operation = this.#begin(kind);
    if (operation === undefined) return 0;
    prepare?.(operation);
    this.#search(now, operation, target, breadth);
    return operation.op;
  }

  /** An operation that is over at once: we hold the value ourselves. */
  answer(kind: number, item: MutableItem): number {
    const operation = this.#begin(kind);
    if (operation === undefined) return 0;
    this.#s.emit({ kind: EventKind.VALUE, op: operation.op, item });
    this.#end(operation, Outcome.OK);
    return operation.op;
  }

  #search(now: Millis, operation: Operation, target: Uint8Array, breadth: number): void {
    const { kind } = operation;
    const lookup = operation.lookup ?? this.#lookups.pop() ?? new Lookup();
    const writes = kind >= OpKind.GET_IMMUTABLE && kind <= OpKind.PUT_MUTABLE && kind !== OpKind.ANNOUNCE;
    lookup.start(target, 0, breadth, writes ? this.size.writeDistance : 0, writes ? this.size.subnets : 0);
    operation.lookup = lookup;
    // With `cas` the nodes that hold something must be known as they are now.
    if (
      kind >= OpKind.ANNOUNCE &&
      operation.cas === undefined &&
      this.#recent.restore(now, lookup, operation.item)
    ) {
      operation.direct = true;
      this.#write(now, operation, lookup);
      return;
    }
    operation.reused = this.#recent.seed(now, lookup);
    const { table } = this.#s;
    const known = table.closest(now, target, 0, this.#rows, STORE_NODES);
    for (let i = 0; i < known; i++) {
      const row = this.#rows[i] as number;
      lookup.add(table.ids, row * NODE_ID_BYTES, table.endpoints, row * ENDPOINT_BYTES);
    }
    if (lookup.count < BUCKET_CONTACTS) {
      for (const seed of this.#s.seeds) this.#ask(now, operation, lookup, Purpose.SEED, seed, 0, NONE);
    }
    this.#advance(now, operation, lookup);
  }

  #begin(kind: number): Operation | undefined {
    if (this.#operations.size >= OPERATIONS_MAX) return undefined;
    const op = ++this.#lastOp;
    const operation: Operation = {
      op,
      kind,
      lookup: undefined,
      item: undefined,
      newest: undefined,
      cas: undefined,
      newerThan: undefined,
      port: 0,
      writing: false,
      direct: false,
      waiting: 0,
      sent: 0,
      acknowledged: [],
      refusals: new Map(),
      reused: false,
    };
    this.#operations.set(op, operation);
    return operation;
  }

  sendPing(now: Millis, endpoint: Uint8Array, at: number, purpose: number, owner: number): boolean {
    const out = this.#s.outbox.push(endpoint, at);
    if (out === undefined) return false;
    if (this.#requests.open(now, endpoint, at, purpose, owner, NONE) === NONE) {
      this.#s.outbox.dropLast();
      return false;
    }
    writePing(out, this.#s.id, this.#requests.tid, !this.#s.serving);
    if (purpose !== Purpose.PROBE) this.#noteContacted(endpoint, at);
    return true;
  }

  #handleFound(
    now: Millis,
    m: KrpcMessage,
    operation: Operation,
    lookup: Lookup,
    purpose: number,
    index: number,
    wasLate: boolean,
    endpoint: Uint8Array,
    at: number,
    bytes: Uint8Array,
  ): void {
    if (wasLate) lookup.late--;
    else lookup.inFlight--;
    let c = index;
    if (purpose === Purpose.SEED) {
      if (m.idAt >= 0 && !this.#isOwn(bytes, m.idAt, endpoint, at))
        c = lookup.add(bytes, m.idAt, endpoint, at);
    } else if (
      m.kind === MessageKind.RESPONSE &&
      !equalBytes(bytes, m.idAt, lookup.ids, c * NODE_ID_BYTES, NODE_ID_BYTES)
    ) {
      // Another node lives at that address: what was said of it is void.
      lookup.states[c] = CandidateState.FAILED;
      lookup.forgetAddress(c);
      c = lookup.add(bytes, m.idAt, endpoint, at);
    }
    if (m.kind === MessageKind.ERROR) {
      if (c !== NONE) lookup.states[c] = CandidateState.FAILED;
      this.#advance(now, operation, lookup);
      return;
    }
    if (c !== NONE) {
      lookup.states[c] = CandidateState.ANSWERED;
      lookup.answered++;
      lookup.setToken(c, bytes, m.tokenAt, m.tokenLength);
      if (m.valueAt >= 0 || m.hasSeq) lookup.hasValue[c] = 1;
    }
    this.#addNamed(lookup, m, bytes);
    if (m.valuesAt >= 0) this.#reportPeers(operation, m, bytes);
    if (m.valueAt >= 0 && this.#reportValue(m, operation, lookup, bytes)) return;
    this.#advance(now, operation, lookup);
  }

  /** Adds the nodes that an answer names. BOUNDED: by the datagram, 78 entries. */
  #addNamed(lookup: Lookup, m: KrpcMessage, bytes: Uint8Array): void {
    const compact = this.#s.compactBytes;
    let at = compact === 6 ? m.nodesAt : m.nodes6At;
    if (at < 0) return;
    const end = at + (compact === 6 ? m.nodesLength : m.nodes6Length);
    for (; at + NODE_ID_BYTES + compact <= end; at += NODE_ID_BYTES + compact) {
      if (!endpointFromCompact(this.#endpoint, 0, bytes, at + NODE_ID_BYTES, compact)) continue;
      if (this.#endpoint[0] !== this.#s.family || endpointPort(this.#endpoint, 0) === 0) continue;
      if (!this.#isOwn(bytes, at, this.#endpoint, 0)) lookup.add(bytes, at, this.#endpoint, 0);
    }
  }

  #isOwn(id: Uint8Array, idAt: number, endpoint: Uint8Array, at: number): boolean {
    if (equalBytes(id, idAt, this.#s.id, 0, NODE_ID_BYTES)) return true;
    return this.#s.votes.elected && equalBytes(endpoint, at, this.#s.votes.address, 0, ENDPOINT_BYTES);
  }

  #reportPeers(operation: Operation, m: KrpcMessage, bytes: Uint8Array): void {
    const compact = this.#s.compactBytes;
    const found: number[] = [];
    for (let at = m.valuesAt; at < m.valuesEnd; ) {
      const start = stringStart(bytes, at, m.valuesEnd);
      if (start < 0) break;
      at = stringEnd();
      if (at - start === compact) found.push(start);
    }
    const peers = new Uint8Array(found.length * ENDPOINT_BYTES);
    found.forEach((start, i) => {
      endpointFromCompact(peers, i * ENDPOINT_BYTES, bytes, start, compact);
    });
    if (found.length > 0) this.#s.emit({ kind: EventKind.PEERS, op: operation.op, peers });
  }

  /** A value came. `true`: it ended the operation. */
  #reportValue(m: KrpcMessage, operation: Operation, lookup: Lookup, bytes: Uint8Array): boolean {
    const item = itemIn(m, bytes, operation, lookup.target, this.#s.curves);
    if (item === undefined) return false;
    operation.newest = item;
    if (operation.kind === OpKind.GET_IMMUTABLE || operation.kind === OpKind.GET_MUTABLE)
      this.#s.emit({ kind: EventKind.VALUE, op: operation.op, item });
    if (operation.kind !== OpKind.GET_IMMUTABLE) return false;
    this.#end(operation, Outcome.OK);
    return true;
  }

  #requestOverdue(now: Millis, row: number): void {
    const requests = this.#requests;
    const dead = requests.isDead(now, row);
    const operation = this.#operations.get(requests.owners[row] as number);
    const purpose = requests.purposes[row] as number;
    const index = requests.indices[row] as number;
    const wasLate = requests.wasLate(row);
    if (dead) {
      const at = row * ENDPOINT_BYTES;
      requests.close(now, row, false);
      this.#s.counted('timeouts');
      this.#failuresInRow++;
      this.#blame(requests.endpoints, at);
    }
    if (operation === undefined) return;
    const { lookup } = operation;
    if (purpose === Purpose.PING) {
      if (dead) this.#end(operation, Outcome.TIMEOUT);
    } else if (purpose === Purpose.WRITE || purpose === Purpose.DIRECT_WRITE) {
      if (operation.writing && operation.direct === (purpose === Purpose.DIRECT_WRITE))
        this.#writeOverdue(now, operation, dead, wasLate);
    } else if (lookup !== undefined && !operation.writing) {
      if (!dead) {
        lookup.inFlight--;
        lookup.late++;
        if (index !== NONE) lookup.states[index] = CandidateState.LATE;
      } else {
        if (wasLate) lookup.late--;
        else lookup.inFlight--;
        if (index !== NONE) lookup.states[index] = CandidateState.FAILED;
      }
      this.#advance(now, operation, lookup);
    }
  }

  /** A contact at this endpoint did not answer. */
  #blame(endpoints: Uint8Array, at: number): void {
    const { table } = this.#s;
    let failed = NONE;
    table.forEach((row) => {
      if (equalBytes(table.endpoints, row * ENDPOINT_BYTES, endpoints, at, ENDPOINT_BYTES)) failed = row;
    });
    if (failed !== NONE) table.failed(failed, this.#failuresInRow >= OFFLINE_FAILURES);
  }

  /** Asks whom it is time to ask; ends the lookup when nothing is left. */
  #advance(now: Millis, operation: Operation, lookup: Lookup): void {
    while (lookup.inFlight < ALPHA) {
      const c = lookup.next();
      if (c === NONE) break;
      lookup.states[c] = CandidateState.ASKED;
      if (!this.#ask(now, operation, lookup, Purpose.LOOKUP, lookup.endpoints, c * ENDPOINT_BYTES, c))
        lookup.states[c] = CandidateState.FAILED;
    }
    if (lookup.next() === NONE && lookup.isOver) this.#finishLookup(now, operation, lookup);
  }

  #ask(
    now: Millis,
    operation: Operation,
    lookup: Lookup,
    purpose: number,
    endpoints: Uint8Array,
    at: number,
    c: number,
  ): boolean {
    const out = this.#s.outbox.push(endpoints, at);
    if (out === undefined) return false;
    if (this.#requests.open(now, endpoints, at, purpose, operation.op, c) === NONE) {
      this.#s.outbox.dropLast();
      return false;
    }
    writeLookup(out, this.#s.id, this.#requests.tid, !this.#s.serving, operation, lookup);
    this.#noteContacted(endpoints, at);
    lookup.inFlight++;
    lookup.queried++;
    return true;
  }

  #noteContacted(endpoint: Uint8Array, at: number): void {
    this.#s.counted('sentQueries');
    if (!this.#s.seeksStrangers) return;
    const row = this.#s.contacted.find(endpoint, at);
    if (row === NONE) this.#s.contacted.insert(endpoint, at);
    else this.#s.contacted.touch(row);
  }

  #finishLookup(now: Millis, operation: Operation, lookup: Lookup): void {
    const holders = lookup.holders(false);
    if (lookup.breadth >= STORE_NODES && !operation.reused) {
      const near = holders.slice(0, STORE_NODES);
      this.size.add(
        near.map((c) => idDistance(lookup.ids, c * NODE_ID_BYTES, lookup.target, 0)),
        new Set(near.map((c) => lookup.subnets[c])).size,
      );
    }
    this.#recent.keep(now, lookup, operation.newest?.seq);
    // What we hold ourselves was reported, whoever else answers.
    if (lookup.answered === 0)
      this.#end(operation, operation.newest === undefined ? Outcome.NO_NODES : Outcome.OK);
    else if (operation.kind >= OpKind.ANNOUNCE && operation.kind <= OpKind.PUT_MUTABLE)
      this.#write(now, operation, lookup);
    else this.#end(operation, Outcome.OK);
  }

  #handleWritten(now: Millis, m: KrpcMessage, operation: Operation, index: number, wasLate: boolean): void {
    if (!wasLate) operation.waiting--;
    if (m.kind === MessageKind.RESPONSE)
      operation.acknowledged.push(nodeOf(operation.lookup as Lookup, index));
    else operation.refusals.set(m.errorCode, (operation.refusals.get(m.errorCode) ?? 0) + 1);
    this.#checkWritten(now, operation);
  }

  #writeOverdue(now: Millis, operation: Operation, dead: boolean, wasLate: boolean): void {
    if (!dead || !wasLate) operation.waiting--;
    if (dead) operation.refusals.set(0, (operation.refusals.get(0) ?? 0) + 1);
    this.#checkWritten(now, operation);
  }

  #checkWritten(now: Millis, operation: Operation): void {
    const outcome = writeOutcome(operation);
    if (outcome === undefined) return;
    const { lookup, acknowledged, sent } = operation;
    if (!operation.direct || (outcome === Outcome.OK && acknowledged.length * 2 >= sent)) {
      this.#end(operation, outcome);
      return;
    }
    // The tokens were too old, or somebody else wrote: a search tells which.
    operation.direct = false;
    operation.writing = false;
    operation.waiting = 0;
    operation.sent = 0;
    operation.acknowledged = [];
    operation.refusals.clear();
    this.#recent.forget((lookup as Lookup).target);
    this.#search(now, operation, (lookup as Lookup).target.slice(), (lookup as Lookup).breadth);
  }

  #write(now: Millis, operation: Operation, lookup: Lookup): void {
    const conflict = conflictOf(operation);
    if (conflict !== Outcome.OK) {
      this.#end(operation, conflict);
      return;
    }
    operation.writing = true;
    const purpose = operation.direct ? Purpose.DIRECT_WRITE : Purpose.WRITE;
    for (const c of lookup.holders(true)) {
      const at = c * ENDPOINT_BYTES;
      const out = this.#s.outbox.push(lookup.endpoints, at);
      if (out === undefined) break;
      if (this.#requests.open(now, lookup.endpoints, at, purpose, operation.op, c) === NONE) {
        this.#s.outbox.dropLast();
        break;
      }
      writePut(out, this.#s.id, this.#requests.tid, !this.#s.serving, operation, lookup, c);
      this.#s.counted('sentQueries');
      operation.sent++;
      operation.waiting++;
    }
    if (operation.sent === 0) this.#end(operation, Outcome.NO_NODES);
  }

  #end(operation: Operation, outcome: number): void {
    this.#operations.delete(operation.op);
    const { lookup, kind } = operation;
    if (kind !== OpKind.UPKEEP) {
      let errorCode = 0;
      let most = 0;
      for (const [code, count] of operation.refusals) {
        if (code !== 0 && count > most) {
          errorCode = code;
          most = count;
        }
      }
      const nodes =
        operation.sent > 0 || lookup === undefined
          ? operation.acknowledged
          : nodesFound(lookup, lookup.breadth);
      this.#s.emit({
        kind: EventKind.DONE,
        op: operation.op,
        outcome,
        nodes,
        queried: lookup?.queried ?? 0,
        answered: lookup?.answered ?? 0,
        stored: operation.acknowledged.length,
        sent: operation.sent,
        errorCode,
      });
    }
    if (lookup === undefined) return;
    if (operation.writing && outcome !== Outcome.OK) this.#recent.forget(lookup.target);
    else if (operation.writing && operation.item !== undefined)
      this.#recent.wrote(lookup.target, operation.item.seq);
    operation.lookup = undefined;
    if (this.#lookups.length < LOOKUPS_IDLE_MAX) this.#lookups.push(lookup);
  }
}
