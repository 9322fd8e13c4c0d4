/**
 * The Kademlia engine (docs/spec/routing.md): one deterministic state machine from datagrams, time and calls to
 * datagrams and events. It wires the parts together; each part's file says what it does.
 */
import {
  assert,
  ENDPOINT_BYTES,
  type Engine,
  equalBytes,
  ID_BYTES,
  IDLE,
  intInRange,
  type Millis,
  NONE,
  resolveOptions,
  type Transmit,
  type Verdict,
} from '@molia/core';
import { ErrorCode, HEADER_BYTES, Header, HeaderFlag, MessageType, readHeader, WireDrop } from '@molia/wire';
import { Answers } from './answers.ts';
import { Asker } from './asker.ts';
import { DEFAULTS, K_MAX, K_MIN, PATHS_MAX, PROVIDERS_FOUND_MAX } from './constants.ts';
import { ContactFlag } from './contacts.ts';
import { Finder } from './finder.ts';
import { Maintenance } from './maintenance.ts';
import { type Operation, Operations, OpKind, Phase } from './operation.ts';
import { Publisher } from './publisher.ts';
import { Receiver } from './receiver.ts';
import { Expiry, REQUESTS_MAX } from './requests.ts';
import { Responder } from './responder.ts';
import { Count, Shared } from './shared.ts';
import { contactInfo, type KademliaStats, statsOf } from './stats.ts';
import { Change } from './table.ts';
import {
  type ContactInfo,
  EventKind,
  type FindValueOptions,
  type KademliaEvent,
  type KademliaOptions,
  type LookupOptions,
  type Op,
  Outcome,
  type SizeEstimate,
  type StoreOptions,
  type Tuning,
} from './types.ts';
import { ValueReader } from './value-reader.ts';

/** See `KademliaOptions`; throws TypeError or RangeError on options it does not understand. */
export function createKademlia(options: KademliaOptions): Kademlia {
  return new Kademlia(options);
}

export class Kademlia implements Engine<KademliaEvent> {
  private readonly shared: Shared;
  private readonly operations: Operations;
  private readonly reader: ValueReader;
  private readonly finder: Finder;
  private readonly publisher: Publisher;
  private readonly answers: Answers;
  private readonly responder: Responder;
  private readonly asker: Asker;
  private readonly maintenance: Maintenance;
  private readonly receiver: Receiver;
  private readonly header = new Header();
  private readonly nearest = new Int32Array(K_MAX);
  /** The operation whose last event the host has just seen. */
  private ended: Op = NONE;

  constructor(options: KademliaOptions) {
    const tuning = resolveTuning(options.tuning);
    this.shared = new Shared(options, tuning);
    this.operations = new Operations(this.shared.contacts, tuning);
    this.reader = new ValueReader(this.shared);
    this.finder = new Finder(this.shared, this.operations, this.reader);
    this.publisher = new Publisher(this.shared, this.operations);
    this.finder.publisher = this.publisher;
    this.answers = new Answers(this.shared);
    this.responder = new Responder(this.shared, this.answers);
    this.asker = new Asker(this.shared, this.operations, this.publisher, this);
    this.receiver = new Receiver(
      this.shared,
      this.operations,
      this.finder,
      this.reader,
      this.publisher,
      this.responder.stores,
      this.header,
    );
    this.maintenance = new Maintenance(this.shared, this.operations, this.finder, this.publisher);
  }

  // ---- Engine -----------------------------------------------------------------------------------------------------

  /** A message of an authenticated peer, opened by the session storey. Borrowed bytes; never throws on input. */
  handleDatagram(now: Millis, peer: number, bytes: Uint8Array, offset: number, length: number): Verdict {
    const { header } = this;
    this.shared.clock = now;
    const verdict = readHeader(bytes, offset, length, header);
    const isAnswer = length >= HEADER_BYTES && (header.flags & HeaderFlag.RESPONSE) !== 0;
    if (verdict < 0) {
      this.shared.count(Count.INVALID);
      const unsupported = verdict === WireDrop.VERSION || verdict === WireDrop.TYPE;
      if (unsupported && !isAnswer) this.responder.refuse(peer, header, ErrorCode.UNSUPPORTED);
      return verdict;
    }
    const body = offset + HEADER_BYTES;
    const bodyLength = length - HEADER_BYTES;
    if (isAnswer) return this.receiver.handleAnswer(now, peer, bytes, body, bodyLength);
    // An error is never answered, else two nodes could go on for ever.
    if (header.type === MessageType.ERROR) return this.receiver.unexpected();
    return this.responder.handle(now, peer, header, bytes, body, bodyLength);
  }

  /** The session storey gave up on a peer: whatever waits for it is dead now. */
  handlePeerUnreachable(now: Millis, peer: number): void {
    const { requests, puller } = this.shared;
    for (let row = requests.nextOfPeer(peer, 0); row !== NONE; row = requests.nextOfPeer(peer, row)) {
      this.receiver.deadRequest(now, row, false);
    }
    puller.handlePeerUnreachable(now, peer);
    this.receiver.drainPulls(now);
  }

  /** The handle is gone; the contact stays and is opened again when needed. */
  handlePeerClosed(now: Millis, peer: number): void {
    this.handlePeerUnreachable(now, peer);
    this.shared.unbind(peer);
  }

  /** The peer proved another endpoint. */
  handlePeerRoamed(_now: Millis, peer: number): void {
    const row = this.shared.boundRow(peer);
    if (row !== NONE) this.shared.refreshEndpoint(peer, row);
  }

  handleTimeout(now: Millis): void {
    this.shared.clock = now;
    const { requests, puller } = this.shared;
    for (let row = requests.expired(now); row !== NONE; row = requests.expired(now)) {
      if (requests.expiry === Expiry.LATE) this.receiver.lateRequest(now, row);
      else if (requests.expiry === Expiry.DEAD) this.receiver.deadRequest(now, row, true);
      else this.shared.settle(row);
    }
    for (let op = this.operations.expired(now); op !== undefined; op = this.operations.expired(now)) {
      if (op.phase === Phase.STORING) this.publisher.timeout(now, op);
      else if (op.phase !== Phase.ENDED) this.finder.timeout(now, op);
    }
    puller.handleTimeout(now);
    this.receiver.drainPulls(now);
    this.maintenance.handleTimeout(now);
  }

  pollTransmit(now: Millis, out: Transmit): boolean {
    // Answers first: the one to an extended initiation may travel in the handshake response.
    return this.answers.poll(now, out) || this.asker.poll(now, out);
  }

  /** `out.bytes` is borrowed until the next call. Polling an operation's last event frees its handle. */
  pollEvent(out: KademliaEvent): boolean {
    this.releaseEnded();
    const { events, table } = this.shared;
    if (this.shared.tableChanged) {
      this.shared.tableChanged = false;
      events.push(EventKind.TABLE_CHANGED, NONE, 0, table.count, 0, 0, false);
    }
    while (events.pop(out)) {
      const op = out.op === NONE ? undefined : this.operations.get(out.op);
      if (out.kind === EventKind.PROGRESS) {
        if (op === undefined) continue;
        this.fillProgress(op, out);
      }
      if (op !== undefined && op.phase === Phase.ENDED && op.lastEvent === out.kind) this.ended = op.handle;
      return true;
    }
    return false;
  }

  nextDelay(now: Millis): number {
    const { requests, puller } = this.shared;
    return Math.min(
      requests.nextDelay(now),
      this.operations.timers.nextDelay(now),
      puller.nextDelay(now),
      this.maintenance.nextDelay(now),
      IDLE,
    );
  }

  // ---- Operations -------------------------------------------------------------------------------------------------

  /**
   * Makes a contact known: asked when the table is thin, in it once it answered. Returns its row, or `NONE` when there
   * is no room or it is us. `publicKey` 32 bytes, `endpoint` 19 bytes; both copied.
   */
  addContact(_now: Millis, publicKey: Uint8Array, endpoint: Uint8Array): number {
    const row = this.internGiven(publicKey, endpoint);
    if (row === NONE) return NONE;
    this.maintenance.addSeed(row);
    this.shared.probe(row);
    return row;
  }

  /**
   * Takes a contact into the table as though it had last answered at `now` and had said by NEGOTIATE that it serves: for
   * restoring a table, and for simulations. It obeys the table's own rules and limits; `true` = it is in the table now.
   * `srttMs` and `rttvarMs`: its smoothed round trip and deviation, 0 = not measured. `now` may lie before the instants of
   * other calls. `id`: the key's BLAKE3, where the caller has it and vouches for it; computed otherwise. Copies; throws
   * RangeError on lengths. Sends nothing.
   */
  restoreContact(
    now: Millis,
    publicKey: Uint8Array,
    endpoint: Uint8Array,
    srttMs: number,
    rttvarMs: number,
    id?: Uint8Array,
  ): boolean {
    const row = this.internGiven(publicKey, endpoint, id);
    if (row === NONE) return false;
    const { contacts, roundTrips, table } = this.shared;
    if (srttMs > 0) {
      roundTrips.sample(row, srttMs);
      contacts.srtt[row] = srttMs;
      contacts.rttvar[row] = rttvarMs;
    }
    contacts.heard(row, now);
    contacts.flags[row] = (contacts.flags[row] as number) | ContactFlag.NEGOTIATED;
    const change = table.answered(now, row);
    if (change === Change.ADDED || change === Change.SWAPPED) this.shared.tableChanged = true;
    return ((contacts.flags[row] as number) & ContactFlag.TABLE) !== 0;
  }

  /**
   * Counts a lookup of `now` towards the size of the network: the closest nodes lay at these fractions of the id space from
   * its target, closest first. For restoring, and for simulations, as `restoreContact`.
   */
  restoreSize(now: Millis, fractions: ArrayLike<number>): void {
    const { size } = this.shared;
    size.begin();
    for (let i = 0; i < fractions.length; i++) size.rankedDistance(fractions[i] as number);
    size.commit(now);
  }

  /** Looks up our own id through the table and the seeds, then fills the buckets in the background. */
  bootstrap(now: Millis): Op {
    const op = this.open(now, OpKind.BOOTSTRAP, undefined);
    if (op === undefined) return NONE;
    this.finder.start(now, op, this.shared.identity.id, 0, 1, this.maintenance.seeds);
    this.finder.step(now, op);
    return op.handle;
  }

  /** The K live nodes closest to a 32-byte target. */
  findNode(now: Millis, target: Uint8Array, options: LookupOptions = {}): Op {
    const paths = checkLookup(target, options);
    const op = this.open(now, OpKind.FIND_NODE, options.budgetMs);
    if (op === undefined) return NONE;
    this.finder.start(now, op, target, 0, paths, this.maintenance.seeds);
    this.finder.step(now, op);
    return op.handle;
  }

  /** The record of a key: the first valid immutable one, or the mutable one with the highest sequence. */
  findValue(now: Millis, key: Uint8Array, options: FindValueOptions = {}): Op {
    const paths = checkLookup(key, options);
    const op = this.open(now, OpKind.FIND_VALUE, options.budgetMs);
    if (op === undefined) return NONE;
    op.sequenceMin = options.sequenceMin ?? 0;
    op.all = options.all ?? false;
    op.wide = options.wide ?? false;
    op.head = options.head ?? false;
    this.finder.start(now, op, key, 0, paths, this.maintenance.seeds);
    if (this.reader.local(now, op) && this.reader.isSettled(op)) this.finder.finish(op, now, Outcome.OK);
    else this.finder.step(now, op);
    return op.handle;
  }

  /** Providers of a key, each owner once (again only with a higher sequence), until `max` are found. */
  findProviders(now: Millis, key: Uint8Array, max: number, options: LookupOptions = {}): Op {
    const paths = checkLookup(key, options);
    intInRange('max', max, 1, PROVIDERS_FOUND_MAX);
    const op = this.open(now, OpKind.FIND_PROVIDERS, options.budgetMs);
    if (op === undefined) return NONE;
    op.providersMax = max;
    this.finder.start(now, op, key, 0, paths, this.maintenance.seeds);
    this.reader.localProviders(now, op);
    if (op.found >= max) this.finder.finish(op, now, Outcome.OK);
    else this.finder.step(now, op);
    return op.handle;
  }

  /** Writes an encoded record (immutable or mutable; copied) and keeps it alive as ours unless `own` is false. */
  store(now: Millis, record: Uint8Array, options: StoreOptions = {}): Op {
    const op = this.open(now, OpKind.STORE, options.budgetMs);
    if (op === undefined) return NONE;
    op.own = options.own ?? true;
    op.cas = options.cas ?? -1;
    if (!this.publisher.prepare(op, record.slice())) return this.publisher.abandon(now, op, Outcome.INVALID);
    if (op.cas < 0 && !this.publisher.keep(now, op, false)) {
      return this.publisher.abandon(now, op, op.refusal);
    }
    this.finder.start(now, op, op.record, op.view.keyOffset, 1, this.maintenance.seeds);
    this.finder.step(now, op);
    return op.handle;
  }

  /**
   * Writes an encoded record (copied; its value may be left out, then it only renews what is held) to one node alone, who may refuse what lies far from it: no lookup, and not kept as
   * ours. It is told not to hand it on. DONE `a` = 1 when it holds the record now; it then held it before, or pulled what did not fit a datagram.
   */
  storeAt(
    now: Millis,
    record: Uint8Array,
    publicKey: Uint8Array,
    endpoint: Uint8Array,
    budgetMs?: number,
  ): Op {
    const row = this.internGiven(publicKey, endpoint);
    const op = this.open(now, OpKind.STORE, budgetMs ?? this.shared.tuning.storeBudgetMs);
    if (op === undefined) return NONE;
    op.single = true;
    if (!this.publisher.prepare(op, record.slice())) return this.publisher.abandon(now, op, Outcome.INVALID);
    op.lookup.start(now, op.record, op.view.keyOffset, 1);
    this.publisher.storeTo(now, op, row);
    return op.handle;
  }

  /** Writes an encoded provider record; the same as `store`, by ANNOUNCE_PROVIDER. */
  announce(now: Millis, record: Uint8Array, options: StoreOptions = {}): Op {
    return this.store(now, record, options);
  }

  /** Stops to refresh one of our own records: by key, and for providers by owner. */
  unpublish(now: Millis, key: Uint8Array, owner?: Uint8Array): boolean {
    return this.shared.book.unpublish(now, key, 0, owner);
  }

  /** Asks one node for a sign of life. */
  ping(now: Millis, publicKey: Uint8Array, endpoint: Uint8Array): Op {
    return this.askOne(now, OpKind.PING, MessageType.PING, publicKey, endpoint, this.shared.identity.id);
  }

  /**
   * Asks one node whom it knows near a 32-byte target: one FIND_NODE, and one more when that is lost. DONE `a` = contacts
   * it named, us left out, readable with `closest`: as told, nobody checked that they live. A contact that we have
   * heard ourselves is shown with the endpoint that it proved. UNREACHABLE: no answer, or an error in its place.
   */
  ask(now: Millis, publicKey: Uint8Array, endpoint: Uint8Array, target: Uint8Array): Op {
    checkLookup(target, {});
    return this.askOne(now, OpKind.ASK, MessageType.FIND_NODE, publicKey, endpoint, target);
  }

  /** Ends an operation with `Outcome.CANCELLED`; nothing when it has ended. */
  cancel(now: Millis, op: Op): void {
    const operation = this.operations.get(op);
    if (operation === undefined || operation.phase === Phase.ENDED) return;
    if (operation.doneReported) this.publisher.stop(operation);
    else if (operation.kind === OpKind.STORE) this.publisher.abandon(now, operation, Outcome.CANCELLED);
    else this.finder.finish(operation, now, Outcome.CANCELLED);
  }

  /** Closest contacts of a `findNode` or `ask`, closest first, and the holder that a `head` read found, until the call after its DONE was polled. */
  closest(op: Op): ContactInfo[] {
    const operation = this.operations.get(op);
    if (operation === undefined) return [];
    const { lookup, kind, holder } = operation;
    if (kind === OpKind.FIND_VALUE) return holder === NONE ? [] : [contactInfo(this.shared, holder)];
    const found =
      kind === OpKind.ASK ? lookup.named(this.nearest) : lookup.closest(this.shared.tuning.k, this.nearest);
    return Array.from(this.nearest.subarray(0, found), (row) => contactInfo(this.shared, row));
  }

  // ---- Reads ------------------------------------------------------------------------------------------------------

  /** Every contact of the routing table. */
  contacts(): ContactInfo[] {
    const { index } = this.shared.table;
    return Array.from({ length: index.length }, (_, i) => contactInfo(this.shared, index.at(i)));
  }

  /** Contacts in the routing table. */
  get contactCount(): number {
    return this.shared.table.count;
  }

  sizeEstimate(): SizeEstimate {
    const now = this.shared.clock;
    const { size, tuning } = this.shared;
    const nodes = size.nodes(now);
    return {
      nodes: Number.isNaN(nodes) ? 1 + this.shared.table.count : nodes,
      standardDeviation: size.standardDeviation(now),
      radius: size.radius(now, tuning.k),
    };
  }

  get counters(): Shared['counters'] {
    return this.shared.counters;
  }

  /** Rules above the store: its counters, and `find` for what is held here. */
  get book(): Shared['book'] {
    return this.shared.book;
  }

  stats(): KademliaStats {
    return statsOf(this.shared.clock, this.shared, this.operations);
  }

  /** For the asker: a queued request whose contact cannot be reached from here. */
  unsendable(now: Millis, request: number): void {
    this.receiver.deadRequest(now, request, false);
  }

  // ---- Private ----------------------------------------------------------------------------------------------------

  private open(now: Millis, kind: number, budgetMs: number | undefined): Operation | undefined {
    this.releaseEnded();
    const budget = intInRange('budgetMs', budgetMs ?? this.shared.tuning.lookupBudgetMs, 1, 3_600_000);
    const op = this.operations.open(now, kind, budget);
    if (op === undefined) this.shared.count(Count.OPERATIONS_REFUSED);
    return op;
  }

  private askOne(
    now: Millis,
    kind: number,
    type: number,
    publicKey: Uint8Array,
    endpoint: Uint8Array,
    target: Uint8Array,
  ): Op {
    const row = this.internGiven(publicKey, endpoint);
    const op = this.open(now, kind, undefined);
    if (op === undefined) return NONE;
    op.lookup.start(now, target, 0, 1);
    if (row === NONE || this.shared.ask(type, row, op.handle) === NONE) {
      this.finder.finish(op, now, Outcome.UNREACHABLE);
    }
    return op.handle;
  }

  private releaseEnded(): void {
    if (this.ended === NONE) return;
    const op = this.operations.get(this.ended);
    this.ended = NONE;
    if (op !== undefined) this.operations.close(op);
  }

  private fillProgress(op: Operation, out: KademliaEvent): void {
    op.progressQueued = false;
    out.a = op.lookup.asked;
    out.b = op.lookup.answers;
    const found = op.lookup.closest(1, this.nearest);
    out.c = found === 0 ? 0 : op.lookup.sharedBits(this.nearest[0] as number);
  }

  private internGiven(publicKey: Uint8Array, endpoint: Uint8Array, id?: Uint8Array): number {
    if (publicKey.length !== ID_BYTES)
      throw new RangeError(`a public key has ${ID_BYTES} bytes, not ${publicKey.length}`);
    if (endpoint.length !== ENDPOINT_BYTES) {
      throw new RangeError(`an endpoint has ${ENDPOINT_BYTES} bytes, not ${endpoint.length}`);
    }
    if (id !== undefined && id.length !== ID_BYTES)
      throw new RangeError(`an id has ${ID_BYTES} bytes, not ${id.length}`);
    const { identity, contacts } = this.shared;
    if (equalBytes(identity.publicKey, 0, publicKey, 0, ID_BYTES)) return NONE;
    return contacts.intern(publicKey, 0, endpoint, 0, id);
  }
}

function checkLookup(target: Uint8Array, options: LookupOptions): number {
  if (target.length !== ID_BYTES) throw new RangeError(`a key has ${ID_BYTES} bytes, not ${target.length}`);
  return intInRange('paths', options.paths ?? 1, 1, PATHS_MAX);
}

function resolveTuning(given: Partial<Tuning> | undefined): Tuning {
  const tuning = resolveOptions('kademlia', DEFAULTS, given, {
    k: [K_MIN, K_MAX],
    alphaMin: [1, 64],
    alphaStart: [1, 64],
    alphaMax: [1, 64],
    alphaReads: [1, 64],
    lookupBudgetMs: [1, 3_600_000],
    storeBudgetMs: [1, 3_600_000],
    operationsMax: [8, 65_536],
    requestsMax: [64, REQUESTS_MAX],
    contactsMax: [1_024, 1_048_576],
    fixedTimeoutMs: [0, 60_000],
    refreshMsMin: [1_000, 86_400_000],
    refreshMsMax: [1_000, 86_400_000],
  });
  assert(tuning.refreshMsMin <= tuning.refreshMsMax, 'refreshMsMin is at most refreshMsMax');
  assert(
    tuning.alphaMin <= tuning.alphaStart && tuning.alphaStart <= tuning.alphaMax,
    'α bounds are ordered',
  );
  return tuning;
}
