/**
 * What the parts of the engine share: configuration, the slabs, and the two facts that every part reports the same
 * way: a contact answered, a request died.
 */
import {
  type Curves,
  copyBytes,
  createCounters,
  ENDPOINT_BYTES,
  endpointFromCompact,
  equalBytes,
  FixedQueue,
  grow,
  HANDLE_INDEX_BITS,
  ID_BYTES,
  type Identity,
  isZero,
  type Millis,
  NONE,
  type Rng,
} from '@molia/core';
import { COMPACT_IPV4_BYTES, type ContactList, MessageType } from '@molia/wire';
import {
  EVENTS_QUEUED_MAX,
  FAILURES_MAX,
  LOST_LONG_MS,
  OFFLINE_FAILURES,
  PROBES_QUEUED_MAX,
} from './constants.ts';
import { ContactFlag, Contacts } from './contacts.ts';
import { Events } from './events.ts';
import { Lost } from './lost.ts';
import { Puller } from './records/puller.ts';
import { RecordBook } from './records/record-book.ts';
import { Requests } from './requests.ts';
import { RoundTrips } from './round-trips.ts';
import { SizeEstimator } from './size-estimate.ts';
import { Change, Table } from './table.ts';
import type { KademliaOptions, Op, Peers, Tuning } from './types.ts';

/** Indices of `counters.values`. */
export const Count = {
  REQUESTS_SENT: 0,
  REQUESTS_ANSWERED: 1,
  REQUESTS_LATE: 2,
  REQUESTS_DEAD: 3,
  REQUESTS_SERVED: 4,
  RATE_LIMITED: 5,
  ANSWERS_OVERFLOWED: 6,
  /** Malformed messages. */
  INVALID: 7,
  /** Answers that nobody waits for. */
  UNEXPECTED: 8,
  /** Records or contacts in answers that do not verify. */
  BAD_ANSWERS: 9,
  UNAUTHORIZED: 10,
  LOOKUPS: 11,
  LOOKUPS_TIMED_OUT: 12,
  STORES: 13,
  CONTACTS_EVICTED: 14,
  OPERATIONS_REFUSED: 15,
} as const;

const COUNT_NAMES = [
  'requests_sent',
  'requests_answered',
  'requests_late',
  'requests_dead',
  'requests_served',
  'rate_limited',
  'answers_overflowed',
  'invalid',
  'unexpected',
  'bad_answers',
  'unauthorized',
  'lookups',
  'lookups_timed_out',
  'stores',
  'contacts_evicted',
  'operations_refused',
] as const;

const INDEX_MASK = (1 << HANDLE_INDEX_BITS) - 1;

export class Shared {
  readonly identity: Identity;
  readonly peers: Peers;
  readonly curves: Curves;
  readonly rng: Rng;
  readonly tuning: Tuning;
  readonly client: boolean;
  readonly features: number;
  readonly nodeRecord: Uint8Array | undefined;
  readonly wallMsAtZero: number;
  readonly contacts: Contacts;
  readonly table: Table;
  readonly lost: Lost;
  readonly requests: Requests;
  readonly roundTrips: RoundTrips;
  readonly size = new SizeEstimator();
  readonly events = new Events(EVENTS_QUEUED_MAX);
  readonly book: RecordBook;
  readonly puller = new Puller();
  readonly counters = createCounters(COUNT_NAMES);
  /** Contacts to be asked for their identity and role (NEGOTIATE). */
  readonly probes = new FixedQueue(PROBES_QUEUED_MAX);
  /** The last `now` that the host gave, for reads without one. */
  clock: Millis = 0;
  tableChanged = false;
  /** A contact (held) whose word of the network may be news, NONE = none; see `Healing`. */
  hint = NONE;
  /** The hint is a contact that was lost. */
  hintReturned = false;
  /** Contacts that entered the table among the K closest to us, ever. */
  neighboursMet = 0;
  /** A bootstrap ended: every bucket is to be filled. */
  fillSoon = false;
  /** Scratch for one endpoint and one key. */
  readonly endpoint = new Uint8Array(ENDPOINT_BYTES);
  readonly key = new Uint8Array(ID_BYTES);
  /** Contact row by index of the peer handle, NONE = unknown. */
  private rowsOfPeers = new Int32Array(16).fill(NONE);
  private deadInARow = 0;

  constructor(options: KademliaOptions, tuning: Tuning) {
    this.identity = options.identity;
    this.peers = options.peers;
    this.curves = options.curves;
    this.rng = options.rng;
    this.tuning = tuning;
    this.client = options.client ?? false;
    this.features = options.features ?? 0;
    this.nodeRecord = options.nodeRecord;
    this.wallMsAtZero = options.wallMsAtZero;
    this.contacts = new Contacts(tuning.contactsMax, options.rng.u32());
    this.table = new Table(this.contacts, options.identity.id, tuning.k, tuning.proximity, tuning.diversity);
    this.lost = new Lost(this.contacts, options.rng);
    this.requests = new Requests(tuning.requestsMax, options.rng);
    this.roundTrips = new RoundTrips(this.contacts, options.rng, tuning.fixedTimeoutMs);
    this.book = new RecordBook({
      store: options.store,
      curves: options.curves,
      rng: options.rng,
      wallMsAtZero: options.wallMsAtZero,
    });
  }

  count(counter: number): void {
    this.counters.add(counter, 1);
  }

  /** Unix seconds. */
  unix(now: Millis): number {
    return Math.floor((this.wallMsAtZero + now) / 1000);
  }

  /** A uniform number in [0, 1). */
  random(): number {
    return this.rng.u32() / 0x1_0000_0000;
  }

  /** The peer handle of a contact, opened when there is none; NONE when it cannot be reached from here. */
  peerOf(now: Millis, row: number): number {
    const { contacts } = this;
    const known = contacts.peers[row] as number;
    if (known !== NONE) return known;
    const peer = this.peers.open(
      now,
      contacts.keys,
      row * ID_BYTES,
      contacts.endpoints,
      row * ENDPOINT_BYTES,
    );
    if (peer !== NONE) this.bind(peer, row);
    return peer;
  }

  /** The contact of an authenticated peer, interned when new; NONE while its key is unknown or the slab is full. */
  rowOf(peer: number): number {
    const index = peer & INDEX_MASK;
    if (index < this.rowsOfPeers.length) {
      const row = this.rowsOfPeers[index] as number;
      if (row !== NONE && this.contacts.peers[row] === peer) return row;
    }
    return this.bindPeer(peer);
  }

  /** Forgets the handle of a peer that the session storey closed. */
  unbind(peer: number): void {
    const index = peer & INDEX_MASK;
    if (index >= this.rowsOfPeers.length) return;
    const row = this.rowsOfPeers[index] as number;
    if (row !== NONE && this.contacts.peers[row] === peer) this.contacts.peers[row] = NONE;
    this.rowsOfPeers[index] = NONE;
  }

  /** The contact of a peer handle if it has one by now; NONE otherwise. */
  boundRow(peer: number): number {
    const index = peer & INDEX_MASK;
    const row = index < this.rowsOfPeers.length ? (this.rowsOfPeers[index] as number) : NONE;
    return row !== NONE && this.contacts.peers[row] === peer ? row : NONE;
  }

  /** Takes the proven endpoint of a peer over into its contact. */
  refreshEndpoint(peer: number, row: number): void {
    if (this.peers.endpoint(peer, this.endpoint, 0)) {
      copyBytes(this.contacts.endpoints, row * ENDPOINT_BYTES, this.endpoint, 0, ENDPOINT_BYTES);
    }
  }

  /** A contact of an answer, interned; NONE when it is us, unusable, or the slab is full. */
  internFrom(bytes: Uint8Array, list: ContactList, at: number): number {
    const keyOffset = list.keyOffsets[at] as number;
    const offset = list.endpointOffsets[at] as number;
    const length = list.endpointLengths[at] as number;
    if (equalBytes(bytes, keyOffset, this.identity.publicKey, 0, ID_BYTES)) return NONE;
    const known = this.contacts.find(bytes, keyOffset);
    // Heard before: what a third party says of its address cannot matter.
    if (known !== NONE && (this.contacts.seenAt[known] as number) >= 0) return known;
    const address = length === COMPACT_IPV4_BYTES ? 4 : 16;
    if (isZero(bytes, offset, address) || isZero(bytes, offset + address, 2)) return NONE;
    if (!endpointFromCompact(this.endpoint, 0, bytes, offset, length)) return NONE;
    return this.contacts.intern(bytes, keyOffset, this.endpoint, 0);
  }

  /** A contact answered a request of ours: the only way into the table. `rttMs` < 0: not measured. */
  answered(now: Millis, row: number, rttMs: number): void {
    const { contacts, table } = this;
    this.deadInARow = 0;
    if (rttMs >= 0) this.roundTrips.sample(row, rttMs);
    contacts.heard(row, now);
    if (((contacts.flags[row] as number) & ContactFlag.LOST) !== 0) {
      this.returned(now, row);
      this.lost.remove(row);
    }
    const flags = contacts.flags[row] as number;
    if ((flags & ContactFlag.TABLE) !== 0) return;
    const change = table.answered(now, row);
    if (change === Change.ADDED || change === Change.SWAPPED) {
      this.tableChanged = true;
      if (table.isNeighbour(row)) this.neighboursMet++;
      if ((flags & ContactFlag.NEGOTIATED) === 0) this.probe(row);
    }
    if (table.suspect !== NONE) this.check(table.suspect);
  }

  /** A request to a contact died. */
  died(now: Millis, row: number): void {
    const { contacts } = this;
    this.count(Count.REQUESTS_DEAD);
    this.deadInARow++;
    contacts.silent(row, now);
    // Hearsay about a lost one is the news that a split has healed: our own probes must not make us deaf to it.
    const isLost = ((contacts.flags[row] as number) & ContactFlag.LOST) !== 0;
    if (this.offline || isLost) contacts.forgive(row);
    const peer = contacts.peers[row] as number;
    if (peer !== NONE && (contacts.failures[row] as number) >= FAILURES_MAX) this.peers.doubt?.(now, peer);
    if (this.table.failed(now, row, this.offline) === Change.REMOVED) {
      this.tableChanged = true;
      this.count(Count.CONTACTS_EVICTED);
      this.lost.add(now, row, this.table.bucketOf(row), this.table.count);
    }
  }

  /** A lost contact gave a sign of life: what it knows is news, unless it was only slow for a moment. */
  returned(now: Millis, row: number): void {
    if (this.lost.age(now, row) < LOST_LONG_MS) return;
    this.hintReturned = true;
    this.hintAt(row);
  }

  /** What this contact knows may be news to us. */
  hintAt(row: number): void {
    if (this.hint !== NONE) return;
    this.contacts.hold(row);
    this.hint = row;
  }

  /** A contact sent what no honest node sends: it leaves the table at once. */
  expel(now: Millis, row: number): void {
    this.contacts.failures[row] = 255;
    if (this.table.remove(now, row) !== Change.REMOVED) return;
    this.tableChanged = true;
    this.count(Count.CONTACTS_EVICTED);
  }

  /** Whether it looks as if we were the ones who are away. */
  get offline(): boolean {
    return this.deadInARow >= OFFLINE_FAILURES;
  }

  /** Queues an identity probe; harmless when one waits. */
  probe(row: number): void {
    const { contacts } = this;
    const flags = contacts.flags[row] as number;
    if ((flags & ContactFlag.QUEUED) !== 0 || !this.probes.push(row)) return;
    contacts.flags[row] = flags | ContactFlag.QUEUED;
    contacts.hold(row);
  }

  /** Asks a contact for a sign of life, once at a time; one that never said who it is by NEGOTIATE. */
  check(row: number): void {
    const { contacts } = this;
    const flags = contacts.flags[row] as number;
    if ((flags & ContactFlag.CHECKED) !== 0) return;
    const type = (flags & ContactFlag.NEGOTIATED) !== 0 ? MessageType.PING : MessageType.NEGOTIATE;
    if (this.ask(type, row, NONE) !== NONE) contacts.flags[row] = flags | ContactFlag.CHECKED;
  }

  /** A contact said by NEGOTIATE who it is. */
  introduced(now: Millis, row: number, client: boolean): void {
    const { contacts } = this;
    contacts.flags[row] = (contacts.flags[row] as number) | ContactFlag.NEGOTIATED;
    if (!client) {
      contacts.flags[row] = (contacts.flags[row] as number) & ~ContactFlag.CLIENT;
      return;
    }
    if (this.table.remove(now, row) === Change.REMOVED) this.tableChanged = true;
    contacts.flags[row] = (contacts.flags[row] as number) | ContactFlag.CLIENT;
  }

  /** Queues a request; its row or NONE. */
  ask(type: number, row: number, op: Op): number {
    const request = this.requests.open(type, row, op);
    if (request !== NONE) this.contacts.hold(row);
    return request;
  }

  /** Ends a request. */
  settle(request: number): void {
    this.contacts.release(this.requests.contacts[request] as number);
    this.requests.close(request);
  }

  private bindPeer(peer: number): number {
    if (!this.peers.identity(peer, this.key, 0)) return NONE;
    if (!this.peers.endpoint(peer, this.endpoint, 0)) this.endpoint.fill(0);
    const row = this.contacts.intern(this.key, 0, this.endpoint, 0);
    if (row === NONE) return NONE;
    this.bind(peer, row);
    this.refreshEndpoint(peer, row);
    return row;
  }

  private bind(peer: number, row: number): void {
    const index = peer & INDEX_MASK;
    let length = this.rowsOfPeers.length;
    if (index >= length) {
      while (length <= index) length *= 2;
      const first = this.rowsOfPeers.length;
      this.rowsOfPeers = grow(this.rowsOfPeers, length).fill(NONE, first);
    }
    this.rowsOfPeers[index] = row;
    this.contacts.peers[row] = peer;
  }
}
