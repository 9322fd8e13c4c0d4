/**
 * Answers to what we asked, and what never was answered: finds the request, checks that the answer is of its kind,
 * tells table and round trips, and hands it to the operation's part.
 */
import { type Millis, NONE, type Verdict } from '@molia/core';
import {
  decodeNegotiate,
  ErrorCode,
  ErrorView,
  FetchChunkResponseView,
  type Header,
  HeaderFlag,
  MessageType,
  Negotiation,
  PongView,
  readError,
  readFetchChunkResponse,
  readPong,
} from '@molia/wire';
import { CHUNK_CORRELATION } from './asker.ts';
import { FAILURES_MAX, LINGER_MS } from './constants.ts';
import { ContactFlag } from './contacts.ts';
import type { Finder } from './finder.ts';
import { isSingle, type Operation, type Operations, OpKind, Phase } from './operation.ts';
import type { Publisher } from './publisher.ts';
import { PullDone } from './records/puller.ts';
import { Count, type Shared } from './shared.ts';
import type { StoreResponder } from './store-responder.ts';
import { KademliaDrop, Outcome } from './types.ts';
import type { ValueReader } from './value-reader.ts';

export class Receiver {
  private readonly shared: Shared;
  private readonly operations: Operations;
  private readonly finder: Finder;
  private readonly reader: ValueReader;
  private readonly publisher: Publisher;
  private readonly stores: StoreResponder;
  private readonly header: Header;
  private readonly pong = new PongView();
  private readonly negotiation = new Negotiation();
  private readonly error = new ErrorView();
  private readonly chunk = new FetchChunkResponseView();
  private readonly pullDone = new PullDone();

  /** `header`: the engine's, filled before `handleAnswer`. */
  constructor(
    shared: Shared,
    operations: Operations,
    finder: Finder,
    reader: ValueReader,
    publisher: Publisher,
    stores: StoreResponder,
    header: Header,
  ) {
    this.shared = shared;
    this.operations = operations;
    this.finder = finder;
    this.reader = reader;
    this.publisher = publisher;
    this.stores = stores;
    this.header = header;
  }

  handleAnswer(now: Millis, peer: number, bytes: Uint8Array, offset: number, length: number): Verdict {
    const { header, shared } = this;
    const { requests } = shared;
    if (header.correlation >= CHUNK_CORRELATION) return this.handleChunk(now, peer, bytes, offset, length);
    const request = requests.find(header.correlation, peer);
    if (request === NONE) return this.unexpected();
    const row = requests.contacts[request] as number;
    const asked = requests.types[request] as number;
    const rttMs = now - (requests.sentAt[request] as number);
    const handle = requests.ops[request] as number;
    const op = handle === NONE ? undefined : this.operations.get(handle);
    shared.count(Count.REQUESTS_ANSWERED);
    // What the other one of a pair would bring is known now.
    const twin = requests.twins[request] as number;
    if (twin !== NONE) shared.settle(twin);
    // A hold of our own: the request's ends here, and the row is used below.
    shared.contacts.hold(row);
    shared.contacts.flags[row] = (shared.contacts.flags[row] as number) & ~ContactFlag.CHECKED;
    let verdict: Verdict;
    if (header.type === MessageType.ERROR) {
      verdict = this.handleError(now, op, request, row, bytes, offset, length);
    } else if (header.type !== asked + 1) {
      shared.count(Count.INVALID);
      shared.expel(now, row);
      if (op !== undefined) this.refusedBy(now, op, request, row, ErrorCode.INVALID);
      verdict = KademliaDrop.WRONG_TYPE;
    } else {
      verdict = this.dispatch(now, op, request, row, bytes, offset, length, rttMs);
    }
    if ((header.flags & HeaderFlag.MORE) === 0 || op === undefined || !this.publisher.pulling)
      shared.settle(request);
    this.publisher.pulling = false;
    shared.contacts.release(row);
    return verdict;
  }

  private dispatch(
    now: Millis,
    op: Operation | undefined,
    request: number,
    row: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    rttMs: number,
  ): Verdict {
    const { shared } = this;
    switch (this.header.type) {
      case MessageType.FIND_NODE_RESPONSE:
      case MessageType.FIND_VALUE_RESPONSE:
        // Only a server answers these: nobody has to ask it by NEGOTIATE whether it is one.
        shared.introduced(now, row, false);
        if (op !== undefined && op.phase !== Phase.ENDED) {
          if (op.kind === OpKind.ASK) {
            return this.finder.named(now, op, row, bytes, offset, length, rttMs);
          }
          return this.finder.answered(now, op, request, row, bytes, offset, length, rttMs);
        }
        shared.answered(now, row, rttMs);
        return 0;
      case MessageType.STORE_RESPONSE:
      case MessageType.ANNOUNCE_PROVIDER_RESPONSE:
        shared.answered(now, row, -1);
        if (op === undefined) return 0;
        return this.publisher.answered(now, op, request, row, bytes, offset, length);
      case MessageType.NEGOTIATE_RESPONSE:
        return this.handleNegotiated(now, row, bytes, offset, length, rttMs);
      default:
        return this.handlePong(now, op, row, bytes, offset, length, rttMs);
    }
  }

  private handlePong(
    now: Millis,
    op: Operation | undefined,
    row: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    rttMs: number,
  ): Verdict {
    const verdict = readPong(bytes, offset, length, this.pong);
    if (verdict < 0) this.shared.count(Count.INVALID);
    else this.shared.answered(now, row, rttMs);
    if (op !== undefined && op.phase !== Phase.ENDED) {
      op.found = rttMs;
      this.finder.finish(op, now, verdict < 0 ? Outcome.UNREACHABLE : Outcome.OK);
    }
    return verdict;
  }

  private handleNegotiated(
    now: Millis,
    row: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
    rttMs: number,
  ): Verdict {
    const verdict = decodeNegotiate(bytes, offset, length, this.negotiation);
    if (verdict < 0) {
      this.shared.count(Count.INVALID);
      return verdict;
    }
    this.shared.introduced(now, row, this.negotiation.client);
    this.shared.answered(now, row, rttMs);
    return verdict;
  }

  private handleError(
    now: Millis,
    op: Operation | undefined,
    request: number,
    row: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    const { shared, error } = this;
    const verdict = readError(bytes, offset, length, error);
    if (verdict < 0) {
      shared.count(Count.INVALID);
      error.code = ErrorCode.INVALID;
    }
    // Alive, but no proof that it serves: it keeps its place in the table and never gains one.
    shared.contacts.heard(row, now);
    const isFind = shared.requests.types[request] === MessageType.FIND_NODE;
    if (error.code === ErrorCode.UNSUPPORTED && isFind) shared.introduced(now, row, true);
    if (op !== undefined) this.refusedBy(now, op, request, row, error.code);
    return verdict;
  }

  private handleChunk(now: Millis, peer: number, bytes: Uint8Array, offset: number, length: number): Verdict {
    const { header, chunk } = this;
    const { puller } = this.shared;
    let verdict: Verdict;
    if (header.type === MessageType.ERROR) {
      verdict = readError(bytes, offset, length, this.error);
      const busy = this.error.code === ErrorCode.BUSY || this.error.code === ErrorCode.RATE_LIMITED;
      if (verdict >= 0) verdict = puller.handleError(now, header.stream, peer, busy);
    } else if (header.type !== MessageType.FETCH_CHUNK_RESPONSE) {
      verdict = KademliaDrop.WRONG_TYPE;
    } else {
      verdict = readFetchChunkResponse(bytes, offset, length, chunk);
      if (verdict >= 0) {
        const { chunkOffset, total, dataOffset, dataLength } = chunk;
        verdict = puller.handleChunk(
          now,
          header.stream,
          peer,
          chunkOffset,
          total,
          bytes,
          dataOffset,
          dataLength,
        );
      }
    }
    this.drainPulls(now);
    return verdict;
  }

  drainPulls(now: Millis): void {
    const { pullDone } = this;
    while (this.shared.puller.pollDone(pullDone)) {
      if (pullDone.tag < 0) {
        this.stores.pulledValue(now, -1 - pullDone.tag, pullDone);
        continue;
      }
      const op = this.operations.get(pullDone.tag);
      if (op === undefined || op.phase === Phase.ENDED || op.pull !== pullDone.pull) continue;
      this.finder.pulled(now, op, this.reader.pulled(now, op, pullDone));
    }
  }

  private refusedBy(now: Millis, op: Operation, request: number, row: number, code: number): void {
    if (op.phase === Phase.ENDED) return;
    if (this.isStore(request)) this.publisher.refused(now, op, row, code);
    else if (isSingle(op.kind)) this.finder.finish(op, now, Outcome.UNREACHABLE);
    else this.finder.refused(now, op, request, row, code);
  }

  lateRequest(now: Millis, request: number): void {
    const { requests } = this.shared;
    this.shared.count(Count.REQUESTS_LATE);
    const handle = requests.ops[request] as number;
    const op = handle === NONE ? undefined : this.operations.get(handle);
    if (op !== undefined && !isSingle(op.kind))
      this.finder.late(now, op, request, requests.contacts[request] as number);
  }

  deadRequest(now: Millis, request: number, reachable: boolean): void {
    const { shared } = this;
    const { requests, contacts } = shared;
    const row = requests.contacts[request] as number;
    const handle = requests.ops[request] as number;
    contacts.flags[row] = (contacts.flags[row] as number) & ~ContactFlag.CHECKED;
    shared.died(now, row);
    const op = handle === NONE ? undefined : this.operations.get(handle);
    if (op === undefined) {
      const inTable = ((contacts.flags[row] as number) & ContactFlag.TABLE) !== 0;
      if (inTable && (contacts.failures[row] as number) < FAILURES_MAX) shared.check(row);
    } else if (op.phase !== Phase.ENDED) {
      this.deadFor(now, op, request, row, reachable);
    }
    // A slow peer is not a dead one: its answer corrects what we think of it, and the lookup that still runs.
    if (reachable && !this.isStore(request)) requests.linger(now, request, LINGER_MS);
    else shared.settle(request);
  }

  private deadFor(now: Millis, op: Operation, request: number, row: number, reachable: boolean): void {
    if (this.isStore(request)) {
      this.publisher.dead(now, op, row, reachable);
    } else if (!isSingle(op.kind)) {
      this.finder.dead(now, op, request, row, reachable);
    } else if (reachable && op.pages++ === 0 && this.askAgain(request, row, op)) {
      // One retry, as in a lookup.
    } else {
      this.finder.finish(op, now, Outcome.UNREACHABLE);
    }
  }

  private askAgain(request: number, row: number, op: Operation): boolean {
    return this.shared.ask(this.shared.requests.types[request] as number, row, op.handle) !== NONE;
  }

  private isStore(request: number): boolean {
    const type = this.shared.requests.types[request];
    return type === MessageType.STORE || type === MessageType.ANNOUNCE_PROVIDER;
  }

  unexpected(): Verdict {
    this.shared.count(Count.UNEXPECTED);
    return KademliaDrop.UNEXPECTED;
  }
}
