/**
 * Takes records from peers: STORE and ANNOUNCE_PROVIDER through the record book, values that did not fit by pulling
 * them from whoever stored (docs/spec/wire.md, large values).
 */
import { copyBytes, equalBytes, ID_BYTES, type Millis, NONE, TAKEN, type Verdict } from '@molia/core';
import {
  ErrorCode,
  type Header,
  HeaderFlag,
  MessageType,
  readAnnounceRequest,
  readStoreRequest,
  StoreRequestView,
  StoreStatus,
} from '@molia/wire';
import type { Answers } from './answers.ts';
import { PULLED_STORES_MAX } from './constants.ts';
import { HEAD_BYTES } from './contacts.ts';
import { type PullDone, PullOutcome } from './records/puller.ts';
import { AcceptRequest, RecordVerdict, storeStatusOf } from './records/record-verdicts.ts';
import { distanceFraction, KEEP_SLACK } from './records/responsibility.ts';
import { Count, type Shared } from './shared.ts';

/** A STORE whose value is being pulled: where the outcome goes. */
interface PulledStore {
  /** NONE = free. */
  pull: number;
  peer: number;
  correlation: number;
  readonly request: AcceptRequest;
  readonly peerKey: Uint8Array;
  readonly hash: Uint8Array;
}

export class StoreResponder {
  private readonly shared: Shared;
  private readonly answers: Answers;
  private readonly store = new StoreRequestView();
  private readonly accept = new AcceptRequest();
  private readonly pulled: PulledStore[] = [];
  private readonly nearest: Int32Array;

  constructor(shared: Shared, answers: Answers) {
    this.shared = shared;
    this.answers = answers;
    this.nearest = new Int32Array(shared.tuning.k);
  }

  /** The pull of a stored value ended; `slot` is what it was started with. */
  pulledValue(now: Millis, slot: number, done: PullDone): void {
    const waiting = this.pulled[slot];
    if (waiting === undefined || waiting.pull !== done.pull) return;
    waiting.pull = NONE;
    if (done.outcome !== PullOutcome.COMPLETE) {
      this.errorTo(waiting.peer, waiting.correlation, done.blame ? ErrorCode.INVALID : ErrorCode.NOT_FOUND);
      return;
    }
    const { book } = this.shared;
    waiting.request.peerKey = waiting.peerKey;
    const verdict = book.acceptValue(
      now,
      done.envelope,
      done.envelopeOffset,
      done.envelopeLength,
      done.bytes,
      done.offset,
      done.length,
      waiting.request,
    );
    this.storeAnswer(waiting.peer, waiting.correlation, 0, MessageType.STORE_RESPONSE, verdict);
  }

  /** STORE of contact `row`. */
  onStore(
    now: Millis,
    peer: number,
    row: number,
    header: Header,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    const { store, shared, accept } = this;
    const verdict = readStoreRequest(bytes, offset, length, store);
    if (verdict < 0) return verdict;
    const { record } = store;
    if (this.isForeign(now, bytes, record.keyOffset)) {
      this.storeStatus(
        peer,
        header.correlation,
        header.stream,
        MessageType.STORE_RESPONSE,
        StoreStatus.NOT_RESPONSIBLE,
        0,
      );
      return TAKEN;
    }
    accept.cas = store.cas;
    accept.sequenceExpected = store.sequenceExpected;
    accept.ageSecs = store.ageSecs;
    accept.single = store.single;
    accept.peerKey = shared.contacts.keys;
    accept.peerKeyOffset = row * ID_BYTES;
    const outcome = shared.book.accept(now, bytes, record.offset, record.length, accept);
    if (outcome !== RecordVerdict.PULL) {
      return this.storeAnswer(peer, header.correlation, header.stream, MessageType.STORE_RESPONSE, outcome);
    }
    return this.pullStored(now, peer, row, header, bytes);
  }

  /** ANNOUNCE_PROVIDER of contact `row`. */
  onAnnounce(
    now: Millis,
    peer: number,
    row: number,
    header: Header,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    const { store, shared, accept } = this;
    const verdict = readAnnounceRequest(bytes, offset, length, store);
    if (verdict < 0) return verdict;
    const { record } = store;
    accept.cas = false;
    accept.sequenceExpected = 0;
    accept.ageSecs = 0;
    accept.single = false;
    accept.peerKey = shared.contacts.keys;
    accept.peerKeyOffset = row * ID_BYTES;
    const outcome = shared.book.accept(now, bytes, record.offset, record.length, accept);
    return this.storeAnswer(
      peer,
      header.correlation,
      header.stream,
      MessageType.ANNOUNCE_PROVIDER_RESPONSE,
      outcome,
    );
  }

  /** Starts to pull the value of a detached record, or joins the pull that a repeated STORE began. */
  private pullStored(now: Millis, peer: number, row: number, header: Header, bytes: Uint8Array): Verdict {
    const { shared, store } = this;
    const { record } = store;
    let slot = this.pulled.findIndex((waiting) => waiting.pull === NONE);
    const same = this.pulled.findIndex(
      (waiting) =>
        waiting.pull !== NONE &&
        waiting.peer === peer &&
        equalBytes(waiting.hash, 0, bytes, record.valueHashOffset, ID_BYTES),
    );
    if (same >= 0) {
      (this.pulled[same] as PulledStore).correlation = header.correlation;
      this.storeStatus(
        peer,
        header.correlation,
        header.stream,
        MessageType.STORE_RESPONSE,
        StoreStatus.PULLING,
        0,
      );
      return TAKEN;
    }
    if (slot < 0) {
      if (this.pulled.length >= PULLED_STORES_MAX)
        return this.errorTo(peer, header.correlation, ErrorCode.BUSY);
      slot = this.pulled.push(createPulledStore()) - 1;
    }
    const waiting = this.pulled[slot] as PulledStore;
    const pull = shared.puller.start(
      now,
      peer,
      bytes,
      record.valueHashOffset,
      record.declaredValueLength,
      bytes,
      record.offset,
      record.length,
      // Negative tags are stores, others operations.
      -1 - slot,
      shared.contacts.srtt[row] as number,
    );
    if (pull === NONE) return this.errorTo(peer, header.correlation, ErrorCode.BUSY);
    waiting.pull = pull;
    waiting.peer = peer;
    waiting.correlation = header.correlation;
    waiting.request.cas = this.accept.cas;
    waiting.request.sequenceExpected = this.accept.sequenceExpected;
    waiting.request.ageSecs = this.accept.ageSecs;
    waiting.request.single = this.accept.single;
    copyBytes(waiting.peerKey, 0, shared.contacts.keys, row * ID_BYTES, ID_BYTES);
    copyBytes(waiting.hash, 0, bytes, record.valueHashOffset, ID_BYTES);
    this.storeStatus(
      peer,
      header.correlation,
      header.stream,
      MessageType.STORE_RESPONSE,
      StoreStatus.PULLING,
      0,
    );
    return TAKEN;
  }

  /** Whether a key is so far from us that its record does not belong here, by our own table and estimate. */
  private isForeign(now: Millis, bytes: Uint8Array, keyOffset: number): boolean {
    const { shared, nearest } = this;
    const { id } = shared.identity;
    const radius = shared.size.radius(now, shared.tuning.k);
    const ours = distanceFraction(bytes, keyOffset, id, 0);
    if (ours <= radius * KEEP_SLACK) return false;
    const found = shared.table.index.closest(bytes, keyOffset, shared.tuning.k, nearest, NONE, true);
    if (found < shared.tuning.k) return false;
    const last = nearest[found - 1] as number;
    return distanceFraction(bytes, keyOffset, shared.contacts.heads, last * HEAD_BYTES) < ours;
  }

  private storeAnswer(
    peer: number,
    correlation: number,
    stream: number,
    type: number,
    verdict: number,
  ): Verdict {
    const status = storeStatusOf(verdict);
    if (status !== 0) {
      this.storeStatus(peer, correlation, stream, type, status, this.shared.book.heldSequence);
      return TAKEN;
    }
    const tooLarge = verdict === RecordVerdict.TOO_LARGE;
    const foreign = verdict === RecordVerdict.NOT_OWNER;
    const code = tooLarge ? ErrorCode.TOO_LARGE : foreign ? ErrorCode.UNAUTHORIZED : ErrorCode.INVALID;
    return this.errorTo(peer, correlation, code);
  }

  private storeStatus(
    peer: number,
    correlation: number,
    stream: number,
    type: number,
    status: number,
    sequence: number,
  ): void {
    const at = this.answers.push(type, peer, correlation, stream);
    if (at === NONE) {
      this.shared.count(Count.ANSWERS_OVERFLOWED);
      return;
    }
    if (status === StoreStatus.PULLING) this.answers.flags[at] = HeaderFlag.RESPONSE | HeaderFlag.MORE;
    this.answers.a[at] = status;
    this.answers.b[at] = sequence;
  }

  private errorTo(peer: number, correlation: number, code: number): Verdict {
    const at = this.answers.push(MessageType.ERROR, peer, correlation, 0);
    if (at !== NONE) this.answers.a[at] = code;
    return TAKEN;
  }
}

function createPulledStore(): PulledStore {
  return {
    pull: NONE,
    peer: NONE,
    correlation: 0,
    request: new AcceptRequest(),
    peerKey: new Uint8Array(ID_BYTES),
    hash: new Uint8Array(ID_BYTES),
  };
}
