/**
 * Writing (docs/spec/routing.md): after the lookup, STORE to every responder inside the expected distance of the 20th
 * closest node, and at least to the K closest; DONE once 15 of 20 hold it, the rest goes on in the background. The
 * one caller of `RecordBook.publish`.
 */
import { type Millis, NONE, type Verdict } from '@molia/core';
import {
  BODY_BYTES_MAX,
  ErrorCode,
  MessageType,
  RecordForm,
  RecordType,
  readRecord,
  readStoreResponse,
  recordBytes,
  StoreResponseView,
  StoreStatus,
  VALUE_INLINE_BYTES_MAX,
  verifyRecord,
} from '@molia/wire';
import {
  BUSY_RETRY_MS,
  CROWDED_MS,
  PULLING_MS,
  STORE_EARLY_SAMPLES,
  STORE_PARALLEL,
  STORE_TARGETS_MAX,
} from './constants.ts';
import { ContactFlag, HEAD_BYTES } from './contacts.ts';
import type { Settled } from './finder.ts';
import { Entry } from './lookup.ts';
import { type Operation, type Operations, Phase } from './operation.ts';
import { AcceptRequest, RecordVerdict } from './records/record-verdicts.ts';
import { distanceFraction } from './records/responsibility.ts';
import { Count, type Shared } from './shared.ts';
import { EventKind, type Op, Outcome } from './types.ts';

/** What became of a store target. */
const Target = {
  NEW: 0,
  ASKED: 1,
  RETRY: 2,
  ASKED_AGAIN: 3,
  /** Asked again without compare-and-swap: it held an older record while the others agreed. */
  REPAIRED: 4,
  STORED: 5,
  FAILED: 6,
  MISMATCH: 7,
  /** Said that it is overloaded; asked again a little later, until the budget is spent. */
  BUSY: 8,
} as const;

/** Bytes of a STORE beside the record: tag and length 3, cas 2, sequence 9, age 6. */
const STORE_BYTES = 20;

export class Publisher implements Settled {
  /** The last answer only announced that the value is being pulled: its request stays open. */
  pulling = false;
  private readonly shared: Shared;
  private readonly operations: Operations;
  private readonly response = new StoreResponseView();
  private readonly request = new AcceptRequest();

  constructor(shared: Shared, operations: Operations) {
    this.shared = shared;
    this.operations = operations;
  }

  /** Takes the record of a store operation (a copy). False: it does not verify. */
  prepare(op: Operation, record: Uint8Array): boolean {
    const { view } = op;
    op.record = record;
    op.makeTargets();
    if (readRecord(record, 0, record.length, view) < 0 || (!view.hasValue && !op.single)) return false;
    if (verifyRecord(view, record, this.shared.curves, op.hash, 0) < 0) return false;
    const fits =
      view.hasValue &&
      view.valueLength <= VALUE_INLINE_BYTES_MAX &&
      recordBytes(view, RecordForm.WHOLE) + STORE_BYTES <= BODY_BYTES_MAX;
    op.form = fits ? RecordForm.WHOLE : RecordForm.DETACHED;
    return true;
  }

  /**
   * Keeps the record as ours; false when a newer one is held here. `cas`: only in place of the expected sequence.
   * A value that does not fit a datagram is at least kept long enough to be pulled.
   */
  keep(now: Millis, op: Operation, cas: boolean): boolean {
    if (!op.own) {
      const { view } = op;
      if (op.form === RecordForm.DETACHED && view.hasValue) {
        this.shared.book.pin(
          now,
          op.record,
          view.valueOffset,
          view.valueLength,
          this.shared.tuning.storeBudgetMs * 2,
        );
      }
      return true;
    }
    const { request } = this;
    request.cas = cas;
    request.sequenceExpected = cas ? op.cas : 0;
    request.ageSecs = 0;
    request.cacheSecs = 0;
    request.peerKey = undefined;
    const verdict = this.shared.book.publish(now, op.record, 0, op.record.length, request);
    if (verdict >= 0) {
      op.holders++;
      return true;
    }
    op.highest = this.shared.book.heldSequence;
    if (verdict === RecordVerdict.STALE) op.refusal = Outcome.STALE;
    else if (verdict === RecordVerdict.CAS_MISMATCH) op.refusal = Outcome.CAS_MISMATCH;
    else if (verdict === RecordVerdict.EQUIVOCATION_LOST) op.refusal = Outcome.EQUIVOCATION;
    else op.refusal = Outcome.INVALID;
    return false;
  }

  /**
   * A node answered the lookup. If it lies within the expected distance it belongs to the holders whatever else the
   * lookup finds, so it is asked at once: a write then takes little longer than its lookup.
   */
  responded(now: Millis, op: Operation, row: number): void {
    const { shared } = this;
    if (
      !shared.tuning.earlyStores ||
      op.targetCount >= shared.tuning.k ||
      shared.size.samples(now) < STORE_EARLY_SAMPLES
    )
      return;
    if (this.isWithin(now, op, row) && this.addTarget(op, row)) this.step(now, op);
  }

  lookupSettled(now: Millis, op: Operation): void {
    const { shared } = this;
    const { lookup } = op;
    shared.count(Count.STORES);
    op.deadlineAt = Math.max(op.deadlineAt, now + shared.tuning.storeBudgetMs);
    let rank = 0;
    for (let i = 0; i < lookup.count; i++) {
      const row = lookup.rows[i] as number;
      if (lookup.states[i] !== Entry.ANSWERED) continue;
      if (rank >= shared.tuning.k && !this.isWithin(now, op, row)) break;
      rank++;
      this.addTarget(op, row);
    }
    this.step(now, op);
  }

  /** Stores to one node alone, without a lookup. `row` NONE: it cannot be a contact. */
  storeTo(now: Millis, op: Operation, row: number): void {
    this.keep(now, op, false);
    op.phase = Phase.STORING;
    if (row !== NONE) this.addTarget(op, row);
    this.step(now, op);
  }

  /** The store's budget is spent: whoever has not answered does not hold it. */
  timeout(now: Millis, op: Operation): void {
    if (now < op.deadlineAt) {
      for (let i = 0; i < op.targetCount; i++) {
        if (op.outcomes[i] === Target.BUSY) op.outcomes[i] = Target.NEW;
      }
      this.step(now, op);
      return;
    }
    op.storing = 0;
    for (let i = 0; i < op.targetCount; i++) {
      const outcome = op.outcomes[i] as number;
      if (outcome < Target.STORED || outcome === Target.BUSY) op.outcomes[i] = Target.FAILED;
    }
    this.step(now, op);
  }

  /** STORE_RESPONSE or ANNOUNCE_PROVIDER_RESPONSE. `more`: an outcome follows under the same correlation. */
  answered(
    now: Millis,
    op: Operation,
    request: number,
    row: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    const { response } = this;
    const verdict = readStoreResponse(bytes, offset, length, response);
    const at = this.targetOf(op, row);
    if (verdict < 0 || at === NONE) {
      if (at !== NONE) this.settle(now, op, at, Target.FAILED);
      return verdict;
    }
    const { status, sequence } = response;
    if (status === StoreStatus.PULLING) {
      this.pulling = true;
      this.shared.requests.extendLife(now, request, PULLING_MS);
      return verdict;
    }
    if (status === StoreStatus.STORED) {
      op.holders++;
      this.settle(now, op, at, Target.STORED);
      return verdict;
    }
    op.heldSequences[at] = sequence;
    if (status === StoreStatus.CAS_MISMATCH) {
      this.settle(now, op, at, Target.MISMATCH);
      return verdict;
    }
    if (status === StoreStatus.STALE || status === StoreStatus.EQUIVOCATION) {
      if (op.refusal !== Outcome.STALE) {
        op.refusal = status === StoreStatus.STALE ? Outcome.STALE : Outcome.EQUIVOCATION;
      }
      op.refusals++;
      op.highest = Math.max(op.highest, sequence);
    }
    this.settle(now, op, at, Target.FAILED);
    return verdict;
  }

  /** Ends a store that has not reported; returns its handle. */
  abandon(now: Millis, op: Operation, code: number): Op {
    this.report(now, op, code);
    this.end(op, code);
    return op.handle;
  }

  /** Ends the background part of a store that has reported. */
  stop(op: Operation): void {
    this.end(op, Outcome.CANCELLED);
  }

  /** An ERROR in place of an answer. */
  refused(now: Millis, op: Operation, row: number, code: number): void {
    const at = this.targetOf(op, row);
    if (at === NONE) return;
    const busy = code === ErrorCode.BUSY || code === ErrorCode.RATE_LIMITED;
    this.settle(now, op, at, busy ? Target.BUSY : Target.FAILED);
  }

  /** A STORE was not answered: asked once more. */
  dead(now: Millis, op: Operation, row: number, reachable: boolean): void {
    const at = this.targetOf(op, row);
    if (at === NONE) return;
    const first = op.outcomes[at] === Target.ASKED && reachable;
    this.settle(now, op, at, first ? Target.RETRY : Target.FAILED);
  }

  /** Whether requests to this row go without compare-and-swap. */
  withoutCas(op: Operation, row: number): boolean {
    const at = this.targetOf(op, row);
    return at !== NONE && op.outcomes[at] === Target.REPAIRED;
  }

  private isWithin(now: Millis, op: Operation, row: number): boolean {
    const { size, contacts, tuning } = this.shared;
    const distance = distanceFraction(op.lookup.target, 0, contacts.heads, row * HEAD_BYTES);
    return distance <= size.radius(now, tuning.k);
  }

  /** False: it is one already, only asks, or there is no room. */
  private addTarget(op: Operation, row: number): boolean {
    const { contacts } = this.shared;
    if (op.targetCount === STORE_TARGETS_MAX || this.targetOf(op, row) !== NONE) return false;
    if (((contacts.flags[row] as number) & ContactFlag.CLIENT) !== 0) return false;
    contacts.hold(row);
    op.targets[op.targetCount] = row;
    op.heldSequences[op.targetCount] = 0;
    op.outcomes[op.targetCount++] = Target.NEW;
    return true;
  }

  private settle(now: Millis, op: Operation, at: number, outcome: number): void {
    if (op.storing > 0) op.storing--;
    op.outcomes[at] = outcome;
    this.step(now, op);
  }

  private step(now: Millis, op: Operation): void {
    if (op.phase === Phase.ENDED) return;
    const { shared } = this;
    const type = op.view.type === RecordType.PROVIDER ? MessageType.ANNOUNCE_PROVIDER : MessageType.STORE;
    for (let i = 0; i < op.targetCount && op.storing < STORE_PARALLEL; i++) {
      const outcome = op.outcomes[i] as number;
      if (outcome !== Target.NEW && outcome !== Target.RETRY) continue;
      if (shared.ask(type, op.targets[i] as number, op.handle) === NONE) {
        if (op.phase === Phase.STORING) this.operations.arm(op, Math.min(op.deadlineAt, now + CROWDED_MS));
        return;
      }
      op.storing++;
      op.outcomes[i] = outcome === Target.NEW ? Target.ASKED : Target.ASKED_AGAIN;
    }
    if (op.cas < 0 && op.holders >= this.early(op)) this.report(now, op, Outcome.OK);
    // While the lookup runs, its finder holds the timer and more holders may come.
    if (op.phase !== Phase.STORING) return;
    const again = this.anyBusy(op) ? now + Math.ceil(BUSY_RETRY_MS * (1 + shared.random())) : op.deadlineAt;
    if (op.storing > 0 || again < op.deadlineAt) {
      this.operations.arm(op, Math.min(again, op.deadlineAt));
      return;
    }
    if (op.cas >= 0 && !op.judged && this.judgeCas(now, op)) return;
    this.complete(now, op);
  }

  /** Holders at which a store without compare-and-swap may report. */
  private early(op: Operation): number {
    const { k } = this.shared.tuning;
    const expected = op.phase === Phase.STORING ? Math.min(op.targetCount, k) : k;
    return Math.max(1, Math.ceil(expected * this.shared.tuning.holdersEarly)) + (op.own ? 1 : 0);
  }

  private complete(now: Millis, op: Operation): void {
    const stored = op.own ? op.holders - 1 : op.holders;
    let code: number = Outcome.OK;
    // A few who claim to hold something newer cannot fail a write that most took.
    if (op.refusal !== 0 && op.refusals * 3 > stored) code = op.refusal;
    else if (op.holders === 0) code = op.targetCount === 0 ? Outcome.NO_PEERS : Outcome.NOT_ENOUGH_HOLDERS;
    if (op.own && (code === Outcome.STALE || code === Outcome.EQUIVOCATION)) this.forget(now, op);
    this.report(now, op, code);
    this.end(op, code);
  }

  /** What lost to another record is not refreshed any more. */
  private forget(now: Millis, op: Operation): void {
    if (op.view.type === RecordType.MUTABLE) this.shared.book.unpublish(now, op.record, op.view.keyOffset);
  }

  private end(op: Operation, code: number): void {
    if (op.silent) {
      this.operations.close(op);
      return;
    }
    op.phase = Phase.ENDED;
    op.lastEvent = EventKind.SETTLED;
    this.shared.events.push(EventKind.SETTLED, op.handle, code, op.holders, op.targetCount, 0, true);
    this.operations.disarm(op);
  }

  private report(now: Millis, op: Operation, code: number): void {
    if (op.doneReported || op.silent) return;
    op.doneReported = true;
    const elapsed = now - op.startedAt;
    const event = this.shared.events.push(
      EventKind.DONE,
      op.handle,
      code,
      op.holders,
      op.targetCount,
      elapsed,
      true,
    );
    if (event !== undefined) event.sequence = code === Outcome.OK ? op.view.sequence : op.highest;
  }

  /**
   * Every answer to a compare-and-swap is in. It succeeded when more nodes swapped than hold something newer or
   * otherwise unexpected; the ones that merely lag behind are then brought up to date. True while that runs.
   */
  private judgeCas(now: Millis, op: Operation): boolean {
    op.judged = true;
    let stored = 0;
    let against = 0;
    for (let i = 0; i < op.targetCount; i++) {
      const held = op.heldSequences[i] as number;
      if (op.outcomes[i] === Target.STORED) stored++;
      if (op.outcomes[i] !== Target.MISMATCH) continue;
      if (held > op.cas) against++;
      op.highest = Math.max(op.highest, held);
    }
    if (op.targetCount > 0 && (stored === 0 || against >= stored)) {
      op.refusal = Outcome.CAS_MISMATCH;
      op.refusals = op.targetCount + 1;
      return false;
    }
    if (!this.keep(now, op, op.targetCount === 0)) {
      op.refusals = op.targetCount + 1;
      return false;
    }
    this.report(now, op, Outcome.OK);
    for (let i = 0; i < op.targetCount; i++) {
      if (op.outcomes[i] !== Target.MISMATCH || (op.heldSequences[i] as number) >= op.cas) continue;
      if (this.shared.ask(MessageType.STORE, op.targets[i] as number, op.handle) === NONE) continue;
      op.outcomes[i] = Target.REPAIRED;
      op.storing++;
    }
    return op.storing > 0;
  }

  private anyBusy(op: Operation): boolean {
    for (let i = 0; i < op.targetCount; i++) if (op.outcomes[i] === Target.BUSY) return true;
    return false;
  }

  private targetOf(op: Operation, row: number): number {
    for (let i = 0; i < op.targetCount; i++) if (op.targets[i] === row) return i;
    return NONE;
  }
}
