/** The Mainline DHT as a Node program uses it: promises, streams, AbortSignal everywhere; nothing is left after `close`. */
import {
  type Curves,
  createSecureRng,
  endpointAddress,
  endpointPort,
  formatEndpoint,
  fromHex,
  type GivenOptions,
  parseEndpoint,
  type Rng,
  resolveOptions,
  type Transport,
  toHex,
  writeEndpoint,
} from '@molia/core';
import { type BencodeInput, type BencodeValue, decodeBencode, encodeBencode } from '../bencode.ts';
import { BOOTSTRAP } from '../constants.ts';
import { ENGINE_DEFAULTS, MainlineEngine } from '../engine.ts';
import { immutableTarget, type MutableItem, mutableTarget } from '../items.ts';
import { writeSecureId } from '../node-id.ts';
import { EventKind, type MainlineEvent, type MainlineMode, type NodeInfo, Outcome } from '../types.ts';
import { failure, outcomeFailure } from './errors.ts';
import { openPump, overDgram, overTransport, type Pump, resolveEndpoints, splitHostPort } from './socket.ts';
import { OperationStream } from './stream.ts';

const {
  id: _id,
  family: _family,
  mode: _mode,
  filter: _filter,
  curves: _curves,
  ...ENGINE_NUMBERS
} = ENGINE_DEFAULTS;

const DEFAULTS = Object.freeze({
  ...ENGINE_NUMBERS,
  /** `host:port` of nodes to begin with; an empty list makes the first node of a new network. */
  bootstrap: BOOTSTRAP,
  /** More of them, beside `bootstrap`: what `exportBootstrap` returned last time. */
  extraBootstrap: [] as readonly string[],
  /** UDP port; 0 = any free one. Unless told 6881, or any when that is taken. */
  port: undefined as number | undefined,
  host: undefined as string | undefined,
  family: 4 as 4 | 6,
  mode: 'adaptive' as MainlineMode,
  id: undefined as string | Uint8Array | undefined,
  /** Our public IP address, where it is known: the id fits it (BEP 42) from the start instead of after the first votes. */
  publicAddress: undefined as string | undefined,
  curves: ENGINE_DEFAULTS.curves as Curves,
  /** What carries the datagrams instead of a `node:dgram` socket on `host` and `port`: `createUdpTransport` of @molia/native-shard. */
  transport: undefined as Transport | undefined,
  /** `false` = this query gets no answer. */
  filter: undefined as ((method: string, host: string, port: number) => boolean) | undefined,
});

export type MainlineOptions = GivenOptions<typeof DEFAULTS>;

export interface Signalled {
  readonly signal?: AbortSignal | undefined;
}

export interface Peer {
  readonly host: string;
  readonly port: number;
}

/** What a put achieved. */
export interface PutOutcome {
  readonly target: Uint8Array;
  /** Nodes that confirmed it, and that it was sent to. */
  readonly storedAt: number;
  readonly sentTo: number;
}

/** An immutable value, decoded, with its bencoded form. */
export interface ImmutableValue {
  readonly value: BencodeValue;
  readonly bytes: Uint8Array;
}

export interface MainlineInfo {
  readonly id: string;
  readonly localAddress: Peer;
  readonly publicAddress: Peer | undefined;
  /** No stranger's packet has reached us yet. */
  readonly firewalled: boolean;
  readonly serverMode: boolean;
  readonly contacts: number;
  /** Nodes in the network (0 = not known yet), and the relative standard deviation of that number. */
  readonly sizeEstimate: { readonly nodes: number; readonly deviation: number };
  readonly stored: { readonly infoHashes: number; readonly immutable: number; readonly mutable: number };
  readonly counters: Readonly<Record<string, number>>;
}

interface Running {
  onEvent(event: MainlineEvent): void;
  fail(reason: unknown): void;
}

/** Opens a node. Rejects with the system's error when the port cannot be bound; throws TypeError or RangeError for options. */
export async function createMainline(options?: MainlineOptions): Promise<Mainline> {
  const o = resolveOptions('createMainline', DEFAULTS, options);
  const { bootstrap, extraBootstrap, port, host, transport, id, publicAddress, filter, ...engineOptions } = o;
  if (id !== undefined && publicAddress !== undefined)
    throw new TypeError('publicAddress makes an id: give it, or id');
  if (transport !== undefined && (port !== undefined || host !== undefined))
    throw new TypeError('a transport has its own address: give it, or host and port');
  const texts = [...bootstrap, ...extraBootstrap];
  for (const text of texts) splitHostPort(text);
  const rng = createSecureRng();
  const engine = new MainlineEngine({
    ...engineOptions,
    rng,
    id:
      id !== undefined
        ? targetBytes(id)
        : publicAddress !== undefined
          ? secureIdFor(publicAddress, rng)
          : undefined,
    filter:
      filter === undefined
        ? undefined
        : (method, endpoint, at) => filter(method, endpointAddress(endpoint, at), endpointPort(endpoint, at)),
  });
  const node = new Mainline(engine);
  const any = o.family === 4 ? '0.0.0.0' : '::';
  const ports = port === undefined ? [6881, 0] : [port];
  const open =
    transport === undefined ? overDgram(o.family, host ?? any, ports) : overTransport(transport, o.family);
  node.attach(await openPump(engine, open, node.hear));
  const found = await resolveEndpoints(texts, o.family);
  if (texts.length > 0 && found.length === 0) {
    await node.close();
    throw failure('NO_BOOTSTRAP', `none of ${texts.join(', ')} resolves`);
  }
  engine.setBootstrap(found);
  node.wake();
  return node;
}

/** A node of the Mainline DHT. Made by `createMainline`. */
export class Mainline {
  readonly #engine: MainlineEngine;
  #pump: Pump | undefined;
  readonly #running = new Map<number, Running>();
  /** Mutable puts under way, by target. */
  readonly #puts = new Map<
    string,
    { item: MutableItem; outcome: Promise<PutOutcome>; abort: AbortController }
  >();
  #closed = false;
  /** For the pump. */
  readonly hear = (event: MainlineEvent): void => {
    if (event.op !== 0) this.#running.get(event.op)?.onEvent(event);
  };

  constructor(engine: MainlineEngine) {
    this.#engine = engine;
  }

  attach(pump: Pump): void {
    this.#pump = pump;
  }

  /** Runs what is due at once. */
  wake(): void {
    const pump = this.#open();
    this.#engine.handleTimeout(pump.now());
    pump.drain();
  }

  info(): MainlineInfo {
    const engine = this.#engine;
    const peer = (endpoint: Uint8Array): Peer => ({
      host: endpointAddress(endpoint, 0),
      port: endpointPort(endpoint, 0),
    });
    return {
      id: toHex(engine.id),
      localAddress: peer(this.#open().endpoint),
      publicAddress: engine.address === undefined ? undefined : peer(engine.address),
      firewalled: !engine.reachable,
      serverMode: engine.serving,
      contacts: engine.contactCount,
      sizeEstimate: { nodes: Math.round(engine.size.nodes), deviation: engine.size.deviation },
      stored: engine.stored,
      counters: engine.counters.snapshot(),
    };
  }

  /** `host:port` of the good contacts: keep them, and pass them as `extraBootstrap` next time. */
  exportBootstrap(): string[] {
    return this.#engine.contacts(this.#open().now()).map((endpoint) => formatEndpoint(endpoint));
  }

  /** Searches for our own id; whether anybody answered. */
  async bootstrapped(options: Signalled = {}): Promise<boolean> {
    const event = await this.#finish((now) => this.#engine.findNode(now, this.#engine.id), options.signal);
    return event.answered > 0;
  }

  /** The answering nodes nearest to a target (20 bytes or hex), at most `count` (default 20). */
  async findNode(
    target: string | Uint8Array,
    options: Signalled & { count?: number } = {},
  ): Promise<readonly NodeInfo[]> {
    const bytes = targetBytes(target);
    const event = await this.#finish(
      (now) => this.#engine.findNode(now, bytes, options.count),
      options.signal,
    );
    return event.nodes;
  }

  /** Whether the node at `host:port` (an address, no name) answers; one that does enters the routing table. */
  async ping(address: string, options: Signalled = {}): Promise<boolean> {
    const endpoint = parseEndpoint(address);
    const event = await this.#run((now) => this.#engine.ping(now, endpoint), options.signal);
    return event.outcome === Outcome.OK;
  }

  /** Peers of an info-hash, one list for each node that knows some, as the answers come. */
  getPeers(infoHash: string | Uint8Array, options: Signalled = {}): AsyncIterableIterator<readonly Peer[]> {
    const bytes = targetBytes(infoHash);
    return this.#stream(
      (now) => this.#engine.getPeers(now, bytes),
      EventKind.PEERS,
      (e) => peersOf(e.peers),
      options.signal,
    );
  }

  /** Announces this host as a peer. Without `port`: the UDP port this node's datagrams come from. */
  async announcePeer(
    infoHash: string | Uint8Array,
    options: Signalled & { port?: number } = {},
  ): Promise<PutOutcome> {
    const target = targetBytes(infoHash);
    const { port } = options;
    if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65536))
      throw new RangeError(`a port is an integer from 1 to 65535, not ${port}`);
    const event = await this.#finish(
      (now) => this.#engine.announcePeer(now, target, port ?? 0),
      options.signal,
    );
    return putOutcome(target, event);
  }

  /** The value of a target, or `undefined` when nobody near holds it. */
  async getImmutable(
    target: string | Uint8Array,
    options: Signalled = {},
  ): Promise<ImmutableValue | undefined> {
    const bytes = targetBytes(target);
    let found: ImmutableValue | undefined;
    await this.#finish(
      (now) => this.#engine.getImmutable(now, bytes),
      options.signal,
      (event) => {
        const item = event.item as MutableItem;
        found = { value: decodeBencode(item.value) as BencodeValue, bytes: item.value };
      },
    );
    return found;
  }

  /** Stores a value of any bencode type, up to 1000 bytes bencoded (at most 996 bytes as a string reach every node). */
  async putImmutable(value: BencodeInput, options: Signalled = {}): Promise<PutOutcome> {
    const bytes = encodeBencode(value);
    const event = await this.#finish((now) => this.#engine.putImmutable(now, bytes), options.signal);
    return putOutcome(immutableTarget(bytes), event);
  }

  /** Verified items of a key, each newer than the one before, as the answers come. */
  getMutable(key: Uint8Array, options: Signalled & ReadOptions = {}): AsyncIterableIterator<MutableItem> {
    const salt = options.salt ?? new Uint8Array(0);
    const start = (now: number): number => this.#engine.getMutable(now, key, salt, options.newerThan);
    return this.#stream(start, EventKind.VALUE, (event) => event.item as MutableItem, options.signal);
  }

  /** The newest item that the nearest nodes hold, or `undefined`. Waits for all of them. */
  async getMutableMostRecent(
    key: Uint8Array,
    options: Signalled & ReadOptions = {},
  ): Promise<MutableItem | undefined> {
    let newest: MutableItem | undefined;
    for await (const item of this.getMutable(key, options)) newest = item;
    return newest;
  }

  /**
   * Stores a signed item (`signItem`). `cas`: only over the item with this sequence number. Rejects with NOT_MOST_RECENT,
   * CAS_FAILED or CONCURRENT_WRITE when somebody else wrote.
   */
  async putMutable(item: MutableItem, options: Signalled & { cas?: bigint } = {}): Promise<PutOutcome> {
    const target = mutableTarget(item.key, item.salt);
    const name = toHex(target);
    const running = this.#puts.get(name);
    if (running !== undefined) {
      if (toHex(running.item.signature) === toHex(item.signature)) return running.outcome;
      if (item.seq < running.item.seq) throw outcomeFailure(Outcome.NOT_MOST_RECENT, 0);
      if (options.cas === undefined) throw outcomeFailure(Outcome.CONCURRENT_WRITE, 0);
      if (options.cas !== running.item.seq) throw outcomeFailure(Outcome.CAS_FAILED, 0);
      // The caller knows of the running put and replaces it: some nodes may hold it, so it must end first.
      await running.outcome.catch(() => undefined);
    }
    const abort = new AbortController();
    const signal =
      options.signal === undefined ? abort.signal : AbortSignal.any([options.signal, abort.signal]);
    const outcome = this.#finish((now) => this.#engine.putMutable(now, item, options.cas), signal).then(
      (event) => putOutcome(target, event),
    );
    const entry = { item, outcome, abort };
    this.#puts.set(name, entry);
    try {
      return await outcome;
    } finally {
      if (this.#puts.get(name) === entry) this.#puts.delete(name);
    }
  }

  /** Ends all operations with CLOSED and frees the socket. Harmless when closed. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const operation of running) operation.fail(failure('CLOSED', 'the node was closed'));
    await this.#pump?.close();
  }

  #open(): Pump {
    if (this.#closed || this.#pump === undefined) throw failure('CLOSED', 'the node is closed');
    return this.#pump;
  }

  /** Runs an operation to its end. Rejects unless it ended well; `onOther` hears of its other events. */
  async #finish(
    start: (now: number) => number,
    signal: AbortSignal | undefined,
    onOther?: (event: MainlineEvent) => void,
  ): Promise<MainlineEvent> {
    const event = await this.#run(start, signal, onOther);
    if (event.outcome !== Outcome.OK) throw outcomeFailure(event.outcome, event.errorCode);
    return event;
  }

  /** The last event of an operation, however it ended. */
  #run(
    start: (now: number) => number,
    signal: AbortSignal | undefined,
    onOther: (event: MainlineEvent) => void = () => {},
  ): Promise<MainlineEvent> {
    return new Promise((resolve, reject) => {
      this.#start(start, signal, {
        onEvent: (event) => {
          if (event.kind !== EventKind.DONE) {
            if (event.kind === EventKind.VALUE) onOther(event);
          } else resolve({ ...event });
        },
        fail: reject,
      });
    });
  }

  #stream<Item>(
    start: (now: number) => number,
    kind: number,
    itemOf: (event: MainlineEvent) => Item,
    signal: AbortSignal | undefined,
  ): AsyncIterableIterator<Item> {
    let op = 0;
    const stream = new OperationStream<Item>(() => this.#cancel(op));
    op = this.#start(start, signal, {
      onEvent: (event) => {
        if (event.kind === kind) stream.push(itemOf(event));
        else if (event.kind === EventKind.DONE)
          stream.end(
            event.outcome === Outcome.OK ? undefined : outcomeFailure(event.outcome, event.errorCode),
          );
      },
      fail: (reason) => stream.end(reason),
    });
    return stream;
  }

  #start(start: (now: number) => number, signal: AbortSignal | undefined, listener: Running): number {
    const pump = this.#open();
    signal?.throwIfAborted();
    const op = start(pump.now());
    if (op === 0) throw failure('BUSY', 'too many operations run at once');
    const onAbort = (): void => {
      this.#cancel(op);
      listener.fail(signal?.reason);
    };
    const done = (): void => {
      this.#running.delete(op);
      signal?.removeEventListener('abort', onAbort);
    };
    this.#running.set(op, {
      onEvent: (event) => {
        if (event.kind === EventKind.DONE) done();
        listener.onEvent(event);
      },
      fail: (reason) => {
        done();
        listener.fail(reason);
      },
    });
    signal?.addEventListener('abort', onAbort, { once: true });
    pump.drain();
    return op;
  }

  #cancel(op: number): void {
    if (!this.#running.delete(op) || this.#closed) return;
    const pump = this.#open();
    this.#engine.cancel(op);
    pump.drain();
  }
}

export interface ReadOptions {
  readonly salt?: Uint8Array | undefined;
  /** Only items with a higher sequence number. */
  readonly newerThan?: bigint | undefined;
}

function putOutcome(target: Uint8Array, event: MainlineEvent): PutOutcome {
  return { target, storedAt: event.stored, sentTo: event.sent };
}

function peersOf(bytes: Uint8Array): Peer[] {
  const peers: Peer[] = [];
  for (let at = 0; at < bytes.length; at += 19)
    peers.push({ host: endpointAddress(bytes, at), port: endpointPort(bytes, at) });
  return peers;
}

function secureIdFor(address: string, rng: Rng): Uint8Array {
  const endpoint = new Uint8Array(19);
  writeEndpoint(endpoint, 0, address, 1);
  const id = new Uint8Array(20);
  writeSecureId(id, 0, endpoint, 0, rng);
  return id;
}

function targetBytes(target: string | Uint8Array): Uint8Array {
  const bytes = typeof target === 'string' ? fromHex(target) : target;
  if (bytes.length !== 20) throw new RangeError(`a target has 20 bytes (40 hex digits), not ${bytes.length}`);
  return bytes;
}
