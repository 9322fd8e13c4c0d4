/**
 * The Mainline DHT as a deterministic engine: datagrams and time in, datagrams and events out. BEP 5, 42 (ids bound to addresses),
 * 43 (read-only), 44 (values), and 32 for a socket of the other family. No promise, timer, socket or clock; it never throws on
 * input from the network. Adaptive: it begins as a client and serves once strangers' packets reach it.
 */
import {
  type Counters,
  type Curves,
  ENDPOINT_BYTES,
  endpointFromCompact,
  endpointPort,
  equalBytes,
  IDLE,
  intInRange,
  type Millis,
  NONE,
  nobleCurves,
  resolveOptions,
  TokenBucket,
  type Verdict,
} from '@molia/core';
import {
  ADAPTIVE_MS,
  BOOTSTRAP_RETRY_MS,
  BUCKET_CONTACTS,
  NODE_ID_BYTES,
  PUBLIC_KEY_BYTES,
  QUESTIONABLE_MS,
  STORE_NODES,
  STORE_NODES_MAX,
  UPKEEP_MS,
  VERIFY_PINGS_PER_SECOND,
} from './constants.ts';
import { ContactTable } from './contact-table.ts';
import {
  immutableTarget,
  type MutableItem,
  mutableTarget,
  requireItemForm,
  requireValueForm,
  SEQUENCE_MAX,
} from './items.ts';
import { KrpcMessage, METHOD_NAMES, MessageKind, readKrpc } from './krpc-read.ts';
import { isExemptAddress, isSecureId, writeSecureId } from './node-id.ts';
import { OpKind } from './operations.ts';
import type { Datagram } from './outbox.ts';
import { Purpose } from './query-writer.ts';
import { Responder } from './responder.ts';
import { Searcher } from './searcher.ts';
import { Shared } from './shared.ts';
import type { SizeEstimator } from './size-estimate.ts';
import {
  type COUNTERS,
  type EngineOptions,
  EventKind,
  MainlineDrop,
  type MainlineEvent,
  type MainlineMode,
} from './types.ts';

/** Defaults of everything that may be left out. */
export const ENGINE_DEFAULTS = Object.freeze({
  curves: nobleCurves as Curves,
  id: undefined as Uint8Array | undefined,
  family: 4 as 4 | 6,
  mode: 'adaptive' as MainlineMode,
  requestTimeoutMs: 2000 as number,
  queriesPerSecondPerAddress: 100 as number,
  queriesBurstPerAddress: 400 as number,
  infoHashesMax: 2000 as number,
  peersPerHashMax: 500 as number,
  immutableItemsMax: 1000 as number,
  mutableItemsMax: 1000 as number,
  filter: undefined as EngineOptions['filter'],
});

const LIMITS = {
  requestTimeoutMs: [100, 60_000],
  queriesPerSecondPerAddress: [0, 1_000_000],
  queriesBurstPerAddress: [1, 1_000_000],
  infoHashesMax: [1, 1 << 20],
  peersPerHashMax: [4, 4096],
  immutableItemsMax: [1, 1 << 20],
  mutableItemsMax: [1, 1 << 20],
} as const;

/** Silent contacts that one upkeep pings: a table of some hundred is checked within the five minutes before it gets questionable. */
const CHECKED_AT_ONCE = 64;
const NOBODY = new Uint8Array(0);

export class MainlineEngine {
  readonly counters: Counters<typeof COUNTERS>;
  readonly size: SizeEstimator;
  readonly #s: Shared;
  readonly #options: Readonly<typeof ENGINE_DEFAULTS>;
  readonly #searcher: Searcher;
  readonly #responder: Responder;
  readonly #message = new KrpcMessage();
  readonly #verifyPings = new TokenBucket(VERIFY_PINGS_PER_SECOND, VERIFY_PINGS_PER_SECOND);
  readonly #rows = new Int32Array(CHECKED_AT_ONCE);
  readonly #endpoint = new Uint8Array(ENDPOINT_BYTES);
  #reachable = false;
  #startedAt: Millis = NONE;
  #upkeepAt: Millis = 0;
  #bootstrapDelay = BOOTSTRAP_RETRY_MS;
  /** Last search for our own id, or `NONE`. */
  #refreshedAt: Millis = NONE;

  /** Throws TypeError or RangeError for a wrong option. */
  constructor(options: EngineOptions) {
    const { rng, ...given } = options;
    const o = resolveOptions('mainline', ENGINE_DEFAULTS, given, LIMITS);
    if (o.family !== 4 && o.family !== 6) throw new RangeError(`family is 4 or 6, not ${o.family}`);
    if (!['adaptive', 'client', 'server'].includes(o.mode))
      throw new RangeError(`mode is adaptive, client or server, not ${o.mode}`);
    if (o.id !== undefined && o.id.length !== NODE_ID_BYTES)
      throw new RangeError(`a node id has ${NODE_ID_BYTES} bytes, not ${o.id.length}`);
    this.#options = o;
    this.#s = new Shared(rng, o.curves, o.family);
    const id = new Uint8Array(NODE_ID_BYTES);
    if (o.id === undefined) rng.fill(id, 0, NODE_ID_BYTES);
    else id.set(o.id);
    this.#s.id = id;
    this.#s.table = new ContactTable(id);
    this.#s.serving = o.mode === 'server';
    this.#s.seeksStrangers = o.mode === 'adaptive';
    this.counters = this.#s.counters;
    this.#searcher = new Searcher(this.#s, o.requestTimeoutMs);
    this.size = this.#searcher.size;
    this.#responder = new Responder(this.#s, {
      queriesPerSecond: o.queriesPerSecondPerAddress,
      queriesBurst: o.queriesBurstPerAddress,
      infoHashesMax: o.infoHashesMax,
      peersPerHashMax: o.peersPerHashMax,
      immutableItemsMax: o.immutableItemsMax,
      mutableItemsMax: o.mutableItemsMax,
    });
  }

  /** Whether we answer queries. */
  get serving(): boolean {
    return this.#s.serving;
  }

  /** Whether a stranger's packet reached us at our present address. */
  get reachable(): boolean {
    return this.#reachable;
  }

  /** Our node id; it changes when BEP 42 asks for it. */
  get id(): Uint8Array {
    return this.#s.id;
  }

  /** Our public endpoint (19 bytes) by the votes of others, or `undefined`. */
  get address(): Uint8Array | undefined {
    return this.#s.votes.elected ? this.#s.votes.address : undefined;
  }

  /** Contacts in the table. */
  get contactCount(): number {
    return this.#s.table.count;
  }

  /** What is stored for others. */
  get stored(): { infoHashes: number; immutable: number; mutable: number } {
    const { peers, immutables, mutables } = this.#responder;
    return { infoHashes: peers.count, immutable: immutables.count, mutable: mutables.count };
  }

  /** Endpoints of good contacts: what a next start bootstraps from. */
  contacts(now: Millis): Uint8Array[] {
    const { table } = this.#s;
    const found: Uint8Array[] = [];
    table.forEach((row) => {
      if (table.isGood(now, row))
        found.push(table.endpoints.slice(row * ENDPOINT_BYTES, (row + 1) * ENDPOINT_BYTES));
    });
    return found;
  }

  /** Endpoints (19 bytes each) that a thin table asks; replaces those before. */
  setBootstrap(endpoints: readonly Uint8Array[]): void {
    this.#s.seeds = endpoints.map((endpoint) => endpoint.slice());
    this.#upkeepAt = 0;
  }

  /** The `count` nodes nearest to a target. DONE: `nodes`. */
  findNode(now: Millis, target: Uint8Array, count: number = STORE_NODES): number {
    intInRange('count', count, 1, STORE_NODES_MAX);
    return this.#searcher.startLookup(now, OpKind.FIND_NODE, target, count);
  }

  /** Peers of an info-hash, those announced to us first. PEERS…, DONE. */
  getPeers(now: Millis, infoHash: Uint8Array): number {
    return this.#searcher.startLookup(now, OpKind.GET_PEERS, infoHash, BUCKET_CONTACTS, (o) => {
      const peers = this.#responder.ownPeers(now, infoHash);
      if (peers.length > 0) this.#s.emit({ kind: EventKind.PEERS, op: o.op, peers });
    });
  }

  /** Announces a peer; port 0 = the port our datagrams come from. PEERS…, DONE: `stored`. */
  announcePeer(now: Millis, infoHash: Uint8Array, port: number): number {
    return this.#searcher.startLookup(now, OpKind.ANNOUNCE, infoHash, BUCKET_CONTACTS, (o) => {
      o.port = port;
    });
  }

  /** The value whose SHA-1 is `target`, at once when we hold it. VALUE, DONE. */
  getImmutable(now: Millis, target: Uint8Array): number {
    const own = target.length === NODE_ID_BYTES ? this.#responder.ownImmutable(now, target) : undefined;
    if (own !== undefined) return this.#searcher.answer(OpKind.GET_IMMUTABLE, own);
    return this.#searcher.startLookup(now, OpKind.GET_IMMUTABLE, target, STORE_NODES);
  }

  /** Items of a key and salt, our own first. VALUE for every newer one, DONE when all near nodes were asked. */
  getMutable(now: Millis, key: Uint8Array, salt: Uint8Array, newerThan?: bigint): number {
    if (key.length !== PUBLIC_KEY_BYTES) throw new RangeError(`a public key has 32 bytes, not ${key.length}`);
    requireSequence('newerThan', newerThan);
    const target = mutableTarget(key, salt);
    return this.#searcher.startLookup(now, OpKind.GET_MUTABLE, target, STORE_NODES, (o) => {
      o.item = { key, salt, seq: 0n, signature: NOBODY, value: NOBODY };
      o.newerThan = newerThan;
      const own = this.#responder.ownMutable(now, target, key, salt);
      if (own === undefined || (newerThan !== undefined && own.seq <= newerThan)) return;
      o.newest = own;
      this.#s.emit({ kind: EventKind.VALUE, op: o.op, item: own });
    });
  }

  /** Stores a bencoded value. DONE: `stored`. Throws RangeError for a value that nodes would refuse. */
  putImmutable(now: Millis, value: Uint8Array): number {
    requireValueForm(value);
    return this.#searcher.startLookup(now, OpKind.PUT_IMMUTABLE, immutableTarget(value), STORE_NODES, (o) => {
      o.item = { key: NOBODY, salt: NOBODY, seq: 0n, signature: NOBODY, value };
    });
  }

  /** Stores a signed item, if `cas` is the number of what is stored (where something is). DONE: `stored`. Throws RangeError. */
  putMutable(now: Millis, item: MutableItem, cas?: bigint): number {
    requireItemForm(item);
    requireSequence('cas', cas);
    return this.#searcher.startLookup(
      now,
      OpKind.PUT_MUTABLE,
      mutableTarget(item.key, item.salt),
      STORE_NODES,
      (o) => {
        o.item = item;
        o.cas = cas;
      },
    );
  }

  /** One ping. DONE: OK or TIMEOUT. */
  ping(now: Millis, endpoint: Uint8Array): number {
    return this.#searcher.ping(now, endpoint);
  }

  /** Ends an operation with CANCELLED; harmless when it has ended. */
  cancel(op: number): void {
    this.#searcher.cancel(op);
  }

  /** One datagram from a 19-byte endpoint; all bytes are borrowed. */
  handleDatagram(
    now: Millis,
    endpoint: Uint8Array,
    at: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    if (endpoint[at] !== this.#s.family || endpointPort(endpoint, at) === 0)
      return this.#drop('wrongFamily', MainlineDrop.WRONG_FAMILY);
    const m = this.#message;
    if (!readKrpc(m, bytes, offset, length)) return this.#drop('junk', MainlineDrop.JUNK);
    if (m.kind === MessageKind.QUERY) return this.#handleQuery(now, m, endpoint, at, bytes);
    if (!this.#searcher.handleAnswer(now, m, endpoint, at, bytes))
      return this.#drop('unsolicited', MainlineDrop.UNSOLICITED);
    if (m.ipAt >= 0 && endpointFromCompact(this.#endpoint, 0, bytes, m.ipAt, m.ipLength)) {
      if (this.#endpoint[0] === this.#s.family) this.#vote(now, endpoint, at);
    }
    return 0;
  }

  handleTimeout(now: Millis): void {
    if (this.#startedAt === NONE) this.#startedAt = now;
    this.#searcher.handleTimeout(now);
    if (now >= this.#upkeepAt) this.#upkeep(now);
  }

  /** The next datagram to send, by swapping buffers with `out`; `false` = drained. */
  pollTransmit(out: Datagram): boolean {
    return this.#s.outbox.pop(out);
  }

  /** The next event; `false` = drained. */
  pollEvent(out: MainlineEvent): boolean {
    const event = this.#s.events.shift();
    if (event === undefined) return false;
    Object.assign(out, event);
    return true;
  }

  /** Milliseconds until `handleTimeout` is due: 0 = now. */
  nextDelay(now: Millis): number {
    if (this.#startedAt === NONE) return 0;
    return Math.min(IDLE, this.#searcher.nextDelay(now), Math.max(0, this.#upkeepAt - now));
  }

  #drop(counter: (typeof COUNTERS)[number], verdict: Verdict): Verdict {
    this.#s.counted(counter);
    return verdict;
  }

  #handleQuery(now: Millis, m: KrpcMessage, endpoint: Uint8Array, at: number, bytes: Uint8Array): Verdict {
    if (this.#s.seeksStrangers) this.#noteReach(m, endpoint, at, bytes);
    if (!this.#s.serving) return this.#drop('readOnly', MainlineDrop.READ_ONLY);
    if (!this.#responder.admits(now, endpoint, at))
      return this.#drop('rateLimited', MainlineDrop.RATE_LIMITED);
    const { filter } = this.#options;
    if (filter !== undefined && !filter(METHOD_NAMES[m.method] as string, endpoint, at))
      return this.#drop('filtered', MainlineDrop.FILTERED);
    const out = this.#s.outbox.push(endpoint, at);
    if (out === undefined) return this.#drop('outboxFull', MainlineDrop.OUTBOX_FULL);
    this.#responder.answer(now, m, bytes, endpoint, at, out);
    if (out.length === 0) this.#s.outbox.dropLast();
    this.#s.counted('queries');
    // A node that serves and asked us belongs in the table, once it has answered us.
    if (m.readOnly || m.malformed || m.idAt < 0) return 0;
    if (!this.#s.table.queried(now, bytes, m.idAt, endpoint, at)) return 0;
    if (this.#verifyPings.take(now)) this.#searcher.sendPing(now, endpoint, at, Purpose.PING, 0);
    return 0;
  }

  /** Whether this query proves that packets of strangers reach us: it is one, or our own probe came in from outside. */
  #noteReach(m: KrpcMessage, endpoint: Uint8Array, at: number, bytes: Uint8Array): void {
    if (!this.#s.votes.elected) return;
    const own =
      m.idAt >= 0 &&
      equalBytes(bytes, m.idAt, this.#s.id, 0, NODE_ID_BYTES) &&
      equalBytes(endpoint, at, this.#s.votes.address, 0, ENDPOINT_BYTES);
    const outside = isExemptAddress(this.#s.votes.address, 0) || !isExemptAddress(endpoint, at);
    if (own || (outside && this.#s.contacted.find(endpoint, at) === NONE)) {
      this.#reachable = true;
      this.#s.seeksStrangers = false;
    }
  }

  #vote(now: Millis, voter: Uint8Array, voterAt: number): void {
    if (!this.#s.votes.vote(voter, voterAt, this.#endpoint, 0)) return;
    // Reachability and serving belonged to the old address.
    this.#reachable = false;
    this.#s.seeksStrangers = this.#options.mode === 'adaptive';
    this.#setServing(this.#options.mode === 'server');
    const address = this.#s.votes.address;
    if (!isSecureId(this.#s.id, 0, address, 0)) this.#takeSecureId(now, address);
    if (this.#options.mode === 'adaptive') this.#searcher.sendPing(now, address, 0, Purpose.PROBE, 0);
    this.#s.emit({ kind: EventKind.ADDRESS });
  }

  /** A new id that BEP 42 allows for our address; the contacts move to a table around it. */
  #takeSecureId(now: Millis, address: Uint8Array): void {
    const id = new Uint8Array(NODE_ID_BYTES);
    writeSecureId(id, 0, address, 0, this.#s.rng);
    const old = this.#s.table;
    const table = new ContactTable(id);
    old.forEach((row) => {
      const answeredAt = old.answeredAt[row] as number;
      table.answered(answeredAt, old.ids, row * NODE_ID_BYTES, old.endpoints, row * ENDPOINT_BYTES);
    });
    this.#s.id = id;
    this.#s.table = table;
    this.#refreshedAt = NONE;
    this.#upkeepAt = now;
  }

  #setServing(serving: boolean): void {
    if (this.#s.serving === serving) return;
    this.#s.serving = serving;
    this.#s.emit({ kind: EventKind.MODE });
  }

  #upkeep(now: Millis): void {
    this.#upkeepAt = now + UPKEEP_MS;
    this.#responder.expire(now);
    const { table } = this.#s;
    if (table.count === 0) {
      if (this.#s.seeds.length > 0) {
        this.#upkeepAt = now + this.#bootstrapDelay;
        this.#bootstrapDelay = Math.min(UPKEEP_MS, this.#bootstrapDelay * 2);
        this.#refresh(now, this.#s.id);
      }
      return;
    }
    this.#bootstrapDelay = BOOTSTRAP_RETRY_MS;
    if (this.#refreshedAt === NONE || now - this.#refreshedAt >= QUESTIONABLE_MS) {
      this.#refreshedAt = now;
      this.#refresh(now, this.#s.id);
    }
    const bucket = table.staleBucket(now);
    if (bucket !== NONE) this.#refresh(now, this.#idInBucket(bucket));
    const silent = table.silent(now, QUESTIONABLE_MS - 5 * UPKEEP_MS, this.#rows);
    for (let i = 0; i < silent; i++) {
      this.#searcher.sendPing(
        now,
        table.endpoints,
        (this.#rows[i] as number) * ENDPOINT_BYTES,
        Purpose.PING,
        0,
      );
    }
    if (this.#options.mode !== 'adaptive' || this.#s.serving) return;
    if (this.#reachable && now - this.#startedAt >= ADAPTIVE_MS) this.#setServing(true);
    else if (this.#s.votes.elected && !this.#reachable)
      this.#searcher.sendPing(now, this.#s.votes.address, 0, Purpose.PROBE, 0);
  }

  #refresh(now: Millis, target: Uint8Array): void {
    this.#searcher.startLookup(now, OpKind.UPKEEP, target, STORE_NODES);
  }

  /** A random id that shares exactly `bucket` bits with ours. */
  #idInBucket(bucket: number): Uint8Array {
    const id = new Uint8Array(NODE_ID_BYTES);
    this.#s.rng.fill(id, 0, NODE_ID_BYTES);
    const whole = bucket >>> 3;
    const bits = bucket & 7;
    for (let i = 0; i < whole; i++) id[i] = this.#s.id[i] as number;
    const mask = 0xff00 >>> bits;
    const flip = 0x80 >>> bits;
    const own = this.#s.id[whole] as number;
    id[whole] = (own & mask & 0xff) | ((own ^ flip) & flip) | ((id[whole] as number) & (flip - 1));
    return id;
  }
}

function requireSequence(name: string, value: bigint | undefined): void {
  if (value === undefined || (typeof value === 'bigint' && value >= 0n && value <= SEQUENCE_MAX)) return;
  throw new RangeError(`${name} is a bigint from 0 to 2^63 - 1, not ${value}`);
}
