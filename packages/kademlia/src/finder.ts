/**
 * Runs lookups: asks whom the shortlist names, reads FIND_NODE and FIND_VALUE answers, adapts α, ends on
 * convergence or budget (docs/spec/routing.md). What a found record means is `ValueReader`'s; what follows a store's lookup
 * is the publisher's.
 */
import { type Millis, NONE, type Verdict } from '@molia/core';
import {
  ContactList,
  ErrorCode,
  FindValueResponseView,
  MessageType,
  readFindNodeResponse,
  readFindValueResponse,
} from '@molia/wire';
import {
  CROWDED_MS,
  EDGES_MAX,
  LIARS_DOUBTED,
  LOOKUP_PARALLEL,
  PATHS_DOUBTED,
  PROVIDERS_SKIP_MAX,
  PULL_RETRY_MS,
  SHORTLIST_MAX,
  STORE_EARLY_SAMPLES,
} from './constants.ts';
import { ContactFlag, HEAD_BYTES } from './contacts.ts';
import { type Lookup, NO_REACH } from './lookup.ts';
import { isSingle, type Operation, type Operations, OpKind, OWN_NEIGHBOURS, Phase } from './operation.ts';
import { distanceFraction } from './records/responsibility.ts';
import { Count, type Shared } from './shared.ts';
import { EventKind, Outcome } from './types.ts';
import { Shown, type ValueReader } from './value-reader.ts';

/** Called when a lookup of a kind that goes on afterwards has settled. */
export interface Settled {
  /** The closest nodes of a store are known. */
  lookupSettled(now: Millis, op: Operation): void;
  /** A node answered the lookup of a store. */
  responded(now: Millis, op: Operation, row: number): void;
}

export class Finder {
  /** Set by the engine: the publisher. */
  publisher: Settled | undefined = undefined;
  private readonly shared: Shared;
  private readonly operations: Operations;
  private readonly reader: ValueReader;
  private readonly list = new ContactList();
  private readonly answer = new FindValueResponseView();
  private readonly initial: Int32Array;

  constructor(shared: Shared, operations: Operations, reader: ValueReader) {
    this.shared = shared;
    this.operations = operations;
    this.reader = reader;
    this.initial = new Int32Array(SHORTLIST_MAX);
  }

  /** Begins the lookup of an operation at its target, from the table and, while that is thin, from `seeds`. */
  start(
    now: Millis,
    op: Operation,
    target: Uint8Array,
    targetOffset: number,
    paths: number,
    seeds: readonly number[],
  ): void {
    const { shared, initial } = this;
    this.shared.count(Count.LOOKUPS);
    op.lookup.start(now, target, targetOffset, paths);
    if (isRead(op.kind)) op.lookup.widenTo(shared.tuning.alphaReads);
    const forKey = op.kind !== OpKind.FIND_NODE && op.kind !== OpKind.BOOTSTRAP && op.kind !== OpKind.REFRESH;
    const { k } = shared.tuning;
    const reach = shared.size.radiusWord(now, k);
    const measured = shared.size.samples(now) >= STORE_EARLY_SAMPLES;
    if (forKey && shared.tuning.widen) op.lookup.extend(reach);
    if (op.wide) op.lookup.width = shared.tuning.k * 2;
    if (shared.tuning.endgame && paths === 1 && !op.silent) {
      op.lookup.hasten(
        measured ? reach : NO_REACH,
        isRead(op.kind) ? shared.tuning.alphaReads : LOOKUP_PARALLEL,
      );
    }
    // Who is crowded around a key is all that the crowd tells of; our own table knows others within its reach.
    const want = forKey || paths > 1 ? shared.tuning.k * 2 : shared.tuning.k;
    const found = shared.table.index.closest(target, targetOffset, want, initial);
    for (let i = 0; i < found; i++) op.lookup.add(initial[i] as number, i % paths);
    if (found < shared.tuning.k) {
      for (let i = 0; i < seeds.length; i++) op.lookup.add(seeds[i] as number, i % paths);
    }
  }

  /** Asks on, and ends the lookup when it has converged. */
  step(now: Millis, op: Operation): void {
    if (op.phase === Phase.DRAINING) {
      this.drained(now, op);
      return;
    }
    if (op.phase !== Phase.LOOKUP) return;
    const { shared } = this;
    const { lookup } = op;
    lookup.pace(now, shared.roundTrips.smoothed);
    // An immutable value on its way ends the search: nobody else is asked unless the pull fails.
    if (!this.reader.pullsImmutable(op)) {
      const type = requestType(op.kind);
      for (let row = lookup.next(); row !== NONE; row = lookup.next()) {
        if (shared.ask(type, row, op.handle) !== NONE) continue;
        lookup.unsent(row);
        this.operations.arm(op, Math.min(op.deadlineAt, now + CROWDED_MS));
        return;
      }
    }
    const asksEdges = op.pages > 0 && !isRead(op.kind);
    if (!this.reader.isPulling(op) && !asksEdges && lookup.converged) {
      this.converged(now, op);
      return;
    }
    this.operations.arm(op, Math.min(op.deadlineAt, lookup.paceAt(shared.roundTrips.smoothed)));
  }

  /** The operation's timer is due. */
  timeout(now: Millis, op: Operation): void {
    if (now < op.deadlineAt) {
      const waits = this.reader.isWaiting(now, op);
      this.step(now, op);
      if (waits && op.phase !== Phase.ENDED) this.awaitPuller(now, op);
      return;
    }
    this.shared.count(Count.LOOKUPS_TIMED_OUT);
    if (op.kind === OpKind.STORE) {
      op.phase = Phase.STORING;
      this.publisher?.lookupSettled(now, op);
      return;
    }
    if (isSingle(op.kind)) {
      this.finish(op, now, Outcome.UNREACHABLE);
      return;
    }
    const found = op.kind === OpKind.FIND_VALUE && op.best.length > 0;
    this.finish(op, now, found ? Outcome.OK : Outcome.TIMEOUT);
  }

  /** FIND_NODE_RESPONSE or FIND_VALUE_RESPONSE of `row` for a live operation. */
  answered(
    now: Millis,
    op: Operation,
    request: number,
    row: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    rttMs: number,
  ): Verdict {
    const { shared } = this;
    const wantsValue = requestType(op.kind) === MessageType.FIND_VALUE;
    const verdict = wantsValue
      ? readFindValueResponse(bytes, offset, length, this.answer)
      : readFindNodeResponse(bytes, offset, length, this.list);
    if (verdict < 0) {
      this.misbehaved(now, op, request, row);
      return verdict;
    }
    shared.answered(now, row, rttMs);
    const isPage = shared.requests.extras[request] !== 0;
    if (isPage && !shared.requests.isGone(request)) op.pages--;
    if (!isPage || !wantsValue) {
      const at = isPage ? op.lookup.find(row) : op.lookup.answered(row);
      this.learn(now, op, at, bytes, wantsValue ? this.answer.contacts : this.list);
    }
    if (wantsValue && !this.useAnswer(now, op, request, row, bytes)) return verdict;
    if (op.kind === OpKind.STORE && op.phase === Phase.LOOKUP) this.publisher?.responded(now, op, row);
    this.progress(op);
    this.step(now, op);
    if (op.pull === NONE && op.phase !== Phase.ENDED && this.reader.isPulling(op)) this.awaitPuller(now, op);
    return verdict;
  }

  /** FIND_NODE_RESPONSE of `row` for an `ask`. */
  named(
    now: Millis,
    op: Operation,
    row: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    rttMs: number,
  ): Verdict {
    const { shared, list } = this;
    const verdict = readFindNodeResponse(bytes, offset, length, list);
    if (verdict < 0) {
      shared.count(Count.INVALID);
      shared.expel(now, row);
      this.finish(op, now, Outcome.UNREACHABLE);
      return verdict;
    }
    shared.answered(now, row, rttMs);
    for (let i = 0; i < list.count; i++) {
      const told = shared.internFrom(bytes, list, i);
      if (told !== NONE) op.lookup.add(told, 0);
    }
    op.found = op.lookup.count;
    this.finish(op, now, Outcome.OK);
    return verdict;
  }

  /** An ERROR in place of an answer. */
  refused(now: Millis, op: Operation, request: number, row: number, code: number): void {
    if (this.shared.requests.extras[request] !== 0) op.pages--;
    else op.lookup.refused(row);
    if (code === ErrorCode.BUSY || code === ErrorCode.RATE_LIMITED) op.lookup.slowDown();
    this.step(now, op);
  }

  late(now: Millis, op: Operation, request: number, row: number): void {
    if (op.phase !== Phase.LOOKUP || this.shared.requests.extras[request] !== 0) return;
    op.lookup.late(row);
    this.askAgain(op, request, row);
    this.askEdge(op);
    this.step(now, op);
  }

  /** `reachable` false: there is no way to it at all, so no retry either. */
  dead(now: Millis, op: Operation, request: number, row: number, reachable: boolean): void {
    if (this.shared.requests.extras[request] !== 0) op.pages--;
    else if (reachable) op.lookup.dead(row);
    else op.lookup.refused(row);
    this.step(now, op);
  }

  /** A pull for this operation's value ended. */
  pulled(now: Millis, op: Operation, complete: boolean): void {
    if (!complete && op.pull === NONE && this.reader.isPulling(op)) {
      this.awaitPuller(now, op);
      return;
    }
    if (complete && this.reader.isSettled(op)) {
      this.finish(op, now, Outcome.OK);
      return;
    }
    this.step(now, op);
  }

  /** Reports DONE, once. */
  finish(op: Operation, now: Millis, code: number): void {
    const { lookup } = op;
    if (op.pull !== NONE) this.shared.puller.cancel(now, op.pull);
    op.pull = NONE;
    op.phase = Phase.ENDED;
    if (op.kind === OpKind.BOOTSTRAP) this.shared.fillSoon = true;
    if (op.silent) {
      this.operations.close(op);
      return;
    }
    let a = op.found;
    if (op.kind === OpKind.FIND_NODE) a = lookup.closest(this.shared.tuning.k, this.initial);
    else if (op.kind === OpKind.BOOTSTRAP) a = this.shared.table.count;
    const event = this.shared.events.push(
      EventKind.DONE,
      op.handle,
      code,
      a,
      lookup.asked,
      now - op.startedAt,
      true,
    );
    if (event !== undefined) event.sequence = op.best.length > 0 ? op.bestView.sequence : 0;
    op.lastEvent = EventKind.DONE;
    this.operations.disarm(op);
  }

  /** Queues at most one PROGRESS per poll of the host; it is filled in when polled. */
  progress(op: Operation): void {
    if (op.silent || op.progressQueued || op.phase === Phase.ENDED) return;
    if (this.shared.events.push(EventKind.PROGRESS, op.handle, 0, 0, 0, 0, false) !== undefined) {
      op.progressQueued = true;
    }
  }

  /** The size of the network as the closest answerers show it. */
  sample(now: Millis, lookup: Lookup): void {
    const { shared, initial } = this;
    const { heads } = shared.contacts;
    const { id } = shared.identity;
    const found = lookup.closest(lookup.width, initial);
    const ours = distanceFraction(lookup.target, 0, id, 0);
    let counted = shared.client;
    shared.size.begin();
    for (let i = 0; i < found; i++) {
      const fraction = distanceFraction(lookup.target, 0, heads, (initial[i] as number) * HEAD_BYTES);
      if (!counted && ours < fraction) {
        counted = true;
        shared.size.rankedDistance(ours);
      }
      shared.size.rankedDistance(fraction);
    }
    if (found > 0) shared.size.commit(now);
  }

  /** Lists whom the contact at a position named. */
  private learn(now: Millis, op: Operation, at: number, bytes: Uint8Array, list: ContactList): void {
    const { shared } = this;
    const { lookup } = op;
    const path = at === NONE ? 0 : lookup.pathOf(at);
    let closest = false;
    for (let i = 0; i < list.count; i++) {
      const told = shared.internFrom(bytes, list, i);
      if (told === NONE || ((shared.contacts.flags[told] as number) & ContactFlag.CLIENT) !== 0) continue;
      if (!op.wide && shared.contacts.isQuiet(told, now)) continue;
      if (lookup.add(told, path) === 0) closest = true;
    }
    if (closest) lookup.progress(now);
  }

  /** The puller has no room: the timer tries again. */
  private awaitPuller(now: Millis, op: Operation): void {
    this.operations.arm(op, Math.min(op.deadlineAt, now + PULL_RETRY_MS));
  }

  /** Records and providers of an answer; false when the operation ended or the answerer was thrown out. */
  private useAnswer(now: Millis, op: Operation, request: number, row: number, bytes: Uint8Array): boolean {
    const { answer, reader } = this;
    let shown: number = Shown.NOTHING;
    if (op.kind === OpKind.FIND_PROVIDERS) {
      shown = reader.providers(op, bytes, answer);
      if (shown >= 0) this.nextPage(op, request, row);
    } else if (answer.hasRecord) {
      shown = reader.shown(now, op, row, bytes, answer.record);
      this.doubt(op);
    }
    if (shown === Shown.BAD) {
      reader.blame(now, op, row);
      this.doubt(op);
      op.lookup.refused(row);
      this.step(now, op);
      return false;
    }
    const full = op.kind === OpKind.FIND_PROVIDERS && op.found >= op.providersMax;
    if (full || (op.kind === OpKind.FIND_VALUE && reader.isSettled(op))) {
      this.finish(op, now, Outcome.OK);
      return false;
    }
    return true;
  }

  /** Holders that disagree, or several that lie, make a read ask farther afield, where the same few cannot be. */
  private doubt(op: Operation): void {
    if (op.disagreed || op.liars >= LIARS_DOUBTED) op.lookup.spread(PATHS_DOUBTED);
  }

  /** An overdue contact is asked once more before it is given up: one of the two packets may be lost. */
  private askAgain(op: Operation, request: number, row: number): void {
    const { shared } = this;
    if (!shared.tuning.resend || !op.lookup.again(row)) return;
    const second = shared.ask(requestType(op.kind), row, op.handle);
    if (second !== NONE) shared.requests.pair(request, second);
  }

  /**
   * Every answer near the target names the same K nodes, and the dead among them take the places of others that live just
   * beyond. For each that is overdue, one of the farthest that answered is asked for its own neighbours.
   */
  private askEdge(op: Operation): void {
    const { shared } = this;
    if (!shared.tuning.endgame || op.edges >= EDGES_MAX || requestType(op.kind) !== MessageType.FIND_NODE)
      return;
    if (op.lookup.pathCount > 1) return;
    const row = op.lookup.farthestAnswered(op.edges);
    const request = row === NONE ? NONE : shared.ask(MessageType.FIND_NODE, row, op.handle);
    if (request === NONE) return;
    shared.requests.extras[request] = OWN_NEIGHBOURS;
    op.lookup.asked++;
    op.edges++;
    op.pages++;
  }

  /** Asks the same node for the providers that did not fit. */
  private nextPage(op: Operation, request: number, row: number): void {
    const { answer, shared } = this;
    const skip = (shared.requests.extras[request] as number) + answer.providersCount;
    if (answer.providersCount === 0 || skip >= answer.providersTotal || skip > PROVIDERS_SKIP_MAX) return;
    const page = shared.ask(MessageType.FIND_VALUE, row, op.handle);
    if (page === NONE) return;
    shared.requests.extras[page] = skip;
    op.pages++;
  }

  private misbehaved(now: Millis, op: Operation, request: number, row: number): void {
    this.shared.count(Count.INVALID);
    this.shared.expel(now, row);
    if (this.shared.requests.extras[request] !== 0) op.pages--;
    else op.lookup.refused(row);
    this.step(now, op);
  }

  private converged(now: Millis, op: Operation): void {
    if (this.refill(op)) {
      this.step(now, op);
      return;
    }
    if (op.lookup.pathCount === 1 && !op.wide) this.sample(now, op.lookup);
    if (op.kind === OpKind.STORE) {
      op.phase = Phase.STORING;
      this.publisher?.lookupSettled(now, op);
      return;
    }
    op.phase = Phase.DRAINING;
    this.drained(now, op);
  }

  /** Too few of those we were told of live: the rest of our own table; true when that brought somebody new. */
  private refill(op: Operation): boolean {
    const { shared, initial } = this;
    const { lookup } = op;
    if (lookup.pathCount > 1 || lookup.closest(lookup.width, initial) >= lookup.width) return false;
    const found = shared.table.index.closest(lookup.target, 0, initial.length, initial);
    let fresh = lookup.revive();
    for (let i = 0; i < found; i++) if (lookup.add(initial[i] as number, 0) !== NONE) fresh = true;
    return fresh;
  }

  private drained(now: Millis, op: Operation): void {
    if (op.pages > 0 || this.reader.isPulling(op)) {
      this.operations.arm(op, op.deadlineAt);
      return;
    }
    const { lookup } = op;
    let code: number = lookup.answers > 0 ? Outcome.OK : Outcome.NO_PEERS;
    if (op.kind === OpKind.FIND_VALUE || op.kind === OpKind.FIND_PROVIDERS) {
      if (op.best.length > 0 || op.found > 0) code = Outcome.OK;
      else if (code === Outcome.OK) code = Outcome.NOT_FOUND;
    }
    this.finish(op, now, code);
  }
}

function isRead(kind: number): boolean {
  return kind === OpKind.FIND_VALUE || kind === OpKind.FIND_PROVIDERS;
}

function requestType(kind: number): number {
  return isRead(kind) ? MessageType.FIND_VALUE : MessageType.FIND_NODE;
}
