/**
 * What a lookup for a key does with the records it is shown (docs/spec/records.md): verifies everything, keeps the best by
 * sequence and equivocation rule, pulls values that did not fit the answer, collects providers once per owner.
 */
import { copyBytes, equalBytes, ID_BYTES, type Millis, NONE, toHex } from '@molia/core';
import {
  attachedRecordBytes,
  compareRecords,
  type FindValueResponseView,
  RecordForm,
  RecordOrder,
  RecordType,
  RecordView,
  readRecord,
  recordBytes,
  recordValueHash,
  SIGNATURE_BYTES,
  verifyProvider,
  verifyRecord,
  writeAttachedRecord,
  writeKeyedRecord,
} from '@molia/wire';
import { PULL_ALTERNATES_MAX, PULL_BUDGET_MS } from './constants.ts';
import type { Operation } from './operation.ts';
import { type PullDone, PullOutcome } from './records/puller.ts';
import { StoredRecord } from './records/store-port.ts';
import { Count, type Shared } from './shared.ts';
import { EventKind } from './types.ts';

/** What became of a record in an answer. */
export const Shown = {
  /** Of no use: older than asked for, not yet valid, or surpassed. */
  NOTHING: 0,
  /** The best so far, or the same again. */
  HELD: 1,
  /** It is the best by its envelope; its value is being pulled. */
  PULLING: 2,
  /** It does not verify: whoever sent it is at fault. */
  BAD: -1,
} as const;

const NO_BYTES = new Uint8Array(0);

export class ValueReader {
  private readonly shared: Shared;
  private readonly hash = new Uint8Array(32);
  private readonly view = new RecordView();
  private readonly stored = new StoredRecord();

  constructor(shared: Shared) {
    this.shared = shared;
  }

  /** What we hold ourselves; true when there is something. */
  local(now: Millis, op: Operation): boolean {
    const { stored, view } = this;
    if (this.shared.book.find(now, op.lookup.target, 0, stored) < 0) return false;
    if (readRecord(stored.bytes, stored.offset, stored.length, view) < 0) return false;
    if (view.sequence < op.sequenceMin) return false;
    recordValueHash(view, stored.bytes, this.hash, 0);
    this.adopt(op, stored.bytes.slice(stored.offset, stored.offset + stored.length));
    op.found++;
    return true;
  }

  /** Whether the best record ends the search: an immutable one cannot be surpassed. */
  isSettled(op: Operation): boolean {
    return op.best.length > 0 && op.bestView.type === RecordType.IMMUTABLE && !op.all;
  }

  /** Whether a value is being pulled, or waits until the puller has room for it. */
  isPulling(op: Operation): boolean {
    return op.envelope.length > 0;
  }

  /** Tries again to start a pull for which the puller had no room; true while it has none. */
  isWaiting(now: Millis, op: Operation): boolean {
    if (!this.isPulling(op) || op.pull !== NONE) return false;
    const row = op.alternates.pop();
    if (row === undefined) op.envelope = NO_BYTES;
    else this.startPull(now, op, row);
    return this.isPulling(op) && op.pull === NONE;
  }

  /** Whether the value being pulled will end the search. */
  pullsImmutable(op: Operation): boolean {
    return this.isPulling(op) && op.pullType === RecordType.IMMUTABLE && !op.all;
  }

  /** A record in an answer of contact `row`; one of `Shown`. */
  shown(now: Millis, op: Operation, row: number, bytes: Uint8Array, view: RecordView): number {
    const { shared } = this;
    if (view.type === RecordType.PROVIDER) return Shown.BAD;
    if (!equalBytes(bytes, view.keyOffset, op.lookup.target, 0, ID_BYTES)) return Shown.BAD;
    if (view.sequence < op.sequenceMin || view.notBeforeUnix > shared.unix(now)) return Shown.NOTHING;
    const order = this.orderByHash(op, bytes, view);
    if (order === RecordOrder.OLDER) return this.shownOlder(op, bytes, view);
    if (order === RecordOrder.SAME && this.sameSignature(op, bytes, view)) {
      op.found++;
      return Shown.HELD;
    }
    if (verifyRecord(view, bytes, shared.curves, this.hash, 0) < 0) return Shown.BAD;
    op.found++;
    if (order === RecordOrder.SAME) return Shown.HELD;
    if (op.best.length > 0) op.disagreed = true;
    if (order === RecordOrder.EQUIVOCATION_LOSES) {
      this.report(op, EventKind.EQUIVOCATION);
      return Shown.HELD;
    }
    if (op.head && op.holder === NONE) {
      this.shared.contacts.hold(row);
      op.holder = row;
    } else if (!view.hasValue) return this.pull(now, op, row, bytes, view);
    this.adopt(op, bytes.slice(view.offset, view.offset + view.length));
    if (order === RecordOrder.EQUIVOCATION_WINS) this.report(op, EventKind.EQUIVOCATION);
    return Shown.HELD;
  }

  /** Providers of an answer; how many were new, or `Shown.BAD` when one does not verify. */
  providers(op: Operation, bytes: Uint8Array, answer: FindValueResponseView): number {
    let fresh = 0;
    for (let i = 0; i < answer.providersCount && op.found < op.providersMax; i++) {
      const view = answer.providers[i] as RecordView;
      if (!this.isNewProvider(op, bytes, view)) continue;
      if (verifyProvider(view, bytes, this.shared.curves, op.lookup.target, 0) < 0) return Shown.BAD;
      const record = new Uint8Array(recordBytes(view, RecordForm.KEYLESS) + 2 + ID_BYTES);
      const length = writeKeyedRecord(record, 0, bytes, view, op.lookup.target, 0);
      this.provider(op, record, length, bytes, view);
      fresh++;
    }
    return fresh;
  }

  /** Providers that we hold ourselves. */
  localProviders(now: Millis, op: Operation): void {
    const { stored, view, shared } = this;
    let more = shared.book.firstProvider(now, op.lookup.target, 0, 0, stored);
    for (; more && op.found < op.providersMax; more = shared.book.nextProvider(now, stored)) {
      if (readRecord(stored.bytes, stored.offset, stored.length, view) < 0) continue;
      if (!this.isNewProvider(op, stored.bytes, view)) continue;
      const record = stored.bytes.slice(stored.offset, stored.offset + stored.length);
      this.provider(op, record, record.length, stored.bytes, view);
    }
  }

  /** A pull of this operation ended; true when the record is complete now. */
  pulled(now: Millis, op: Operation, done: PullDone): boolean {
    op.pull = NONE;
    const { view } = this;
    if (done.outcome !== PullOutcome.COMPLETE) {
      if (done.blame) this.blame(now, op, this.shared.boundRow(done.peer));
      const row = op.alternates.pop();
      if (row === undefined) {
        op.envelope = NO_BYTES;
        return false;
      }
      this.startPull(now, op, row);
      return false;
    }
    const envelope = op.envelope;
    op.envelope = NO_BYTES;
    if (readRecord(envelope, 0, envelope.length, view) < 0) return false;
    const surpassed =
      op.best.length > 0 && compareRecords(view, op.envelopeHash, 0, op.bestView, op.bestHash, 0) <= 0;
    if (surpassed) return false;
    const record = new Uint8Array(attachedRecordBytes(view));
    writeAttachedRecord(record, 0, envelope, view, done.bytes, done.offset);
    copyBytes(this.hash, 0, op.envelopeHash, 0, 32);
    this.adopt(op, record);
    return true;
  }

  /** `row` showed or sent what does not verify: it leaves the table, and the host is told who it was. */
  blame(now: Millis, op: Operation, row: number): void {
    const { shared } = this;
    shared.count(Count.BAD_ANSWERS);
    op.liars++;
    if (row === NONE) return;
    const event = op.silent ? undefined : shared.events.push(EventKind.LIAR, op.handle, 0, 0, 0, 0, false);
    if (event !== undefined) {
      event.bytes = shared.contacts.keys.slice(row * ID_BYTES, (row + 1) * ID_BYTES);
      event.length = ID_BYTES;
    }
    shared.expel(now, row);
  }

  /** Of no use but as a sign that the holders disagree, and that sign has to be verified once. */
  private shownOlder(op: Operation, bytes: Uint8Array, view: RecordView): number {
    if (op.disagreed) return Shown.NOTHING;
    if (verifyRecord(view, bytes, this.shared.curves, this.hash, 0) < 0) return Shown.BAD;
    op.disagreed = true;
    return Shown.NOTHING;
  }

  /** How the record stands to the best one and to the one being pulled, by its unverified fields. */
  private orderByHash(op: Operation, bytes: Uint8Array, view: RecordView): RecordOrder {
    if (op.best.length === 0) return RecordOrder.NEWER;
    recordValueHash(view, bytes, this.hash, 0);
    return compareRecords(view, this.hash, 0, op.bestView, op.bestHash, 0);
  }

  private sameSignature(op: Operation, bytes: Uint8Array, view: RecordView): boolean {
    const { bestView, best } = op;
    // An immutable record's hash is its proof: the key was compared, and the hash equals the best one's.
    if (view.type === RecordType.IMMUTABLE) return bestView.type === RecordType.IMMUTABLE;
    return (
      bestView.type === view.type &&
      bestView.ttlSecs === view.ttlSecs &&
      equalBytes(bytes, view.signatureOffset, best, bestView.signatureOffset, SIGNATURE_BYTES)
    );
  }

  /** Keeps a verified record (an owned copy, whose hash is in `this.hash`) as the best and reports it. */
  private adopt(op: Operation, record: Uint8Array): void {
    op.best = record;
    readRecord(record, 0, record.length, op.bestView);
    copyBytes(op.bestHash, 0, this.hash, 0, 32);
    this.report(op, EventKind.VALUE);
  }

  private report(op: Operation, kind: number): void {
    const event = this.shared.events.push(kind, op.handle, 0, 0, 0, 0, true);
    if (event === undefined) return;
    event.sequence = op.bestView.sequence;
    event.bytes = op.best;
    event.length = op.best.length;
  }

  /** A verified envelope without its value: pulls it from `row`, or remembers `row` as another source. */
  private pull(now: Millis, op: Operation, row: number, bytes: Uint8Array, view: RecordView): number {
    if (op.envelope.length > 0) {
      const wanted = this.view;
      readRecord(op.envelope, 0, op.envelope.length, wanted);
      const order = compareRecords(view, this.hash, 0, wanted, op.envelopeHash, 0);
      if (order === RecordOrder.SAME) {
        if (op.alternates.length < PULL_ALTERNATES_MAX) op.alternates.push(row);
        return Shown.PULLING;
      }
      if (order < 0) return Shown.NOTHING;
      this.shared.puller.cancel(now, op.pull);
      op.alternates.length = 0;
    }
    op.envelope = bytes.slice(view.offset, view.offset + view.length);
    op.pullType = view.type;
    copyBytes(op.envelopeHash, 0, this.hash, 0, 32);
    op.deadlineAt = Math.max(op.deadlineAt, now + PULL_BUDGET_MS);
    this.startPull(now, op, row);
    return Shown.PULLING;
  }

  private startPull(now: Millis, op: Operation, row: number): void {
    const { shared } = this;
    const { envelope } = op;
    for (let source: number | undefined = row; source !== undefined; source = op.alternates.pop()) {
      const peer = shared.contacts.peers[source] as number;
      if (peer === NONE) continue;
      readRecord(envelope, 0, envelope.length, this.view);
      op.pull = shared.puller.start(
        now,
        peer,
        op.envelopeHash,
        0,
        this.view.declaredValueLength,
        NO_BYTES,
        0,
        0,
        op.handle,
        shared.contacts.srtt[source] as number,
      );
      if (op.pull !== NONE) return;
      // No room now: `isWaiting` tries again.
      op.alternates.push(source);
      return;
    }
    op.pull = NONE;
    op.envelope = NO_BYTES;
  }

  private isNewProvider(op: Operation, bytes: Uint8Array, view: RecordView): boolean {
    op.owners ??= new Map();
    const known = op.owners.get(ownerText(bytes, view));
    return known === undefined || known < view.sequence;
  }

  private provider(
    op: Operation,
    record: Uint8Array,
    length: number,
    bytes: Uint8Array,
    view: RecordView,
  ): void {
    op.owners?.set(ownerText(bytes, view), view.sequence);
    op.found++;
    const event = this.shared.events.push(EventKind.PROVIDER, op.handle, 0, 0, 0, 0, true);
    if (event === undefined) return;
    event.sequence = view.sequence;
    event.bytes = record;
    event.length = length;
  }
}

function ownerText(bytes: Uint8Array, view: RecordView): string {
  return toHex(bytes.subarray(view.ownerOffset, view.ownerOffset + ID_BYTES));
}
