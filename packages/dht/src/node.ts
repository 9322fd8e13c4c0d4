/**
 * `createNode`: a node of the DHT as a program uses it. It checks arguments, ties the stack to sockets, clock, peerstore
 * and seeds, and turns the engine's events into promises. Everything it starts, `close` ends.
 */
import {
  type BoundAddress,
  type Curves,
  createIdentity,
  createSecureRng,
  equalBytes,
  type Identity,
  networkPsk,
  PUBLIC_NETWORK,
  toHex,
} from '@molia/core';
import { EventKind, type KademliaEvent } from '@molia/kademlia';
import type { BlobHost } from './blob-host.ts';
import { blobStatus, getBlob, putBlob, repairBlob } from './blobs.ts';
import { Call } from './call.ts';
import {
  callOptions,
  GET,
  MUTABLE,
  OPERATION,
  requirePlain,
  WRITE,
  writeOptions,
  writeTimeout,
} from './call-options.ts';
import { createProcessClock } from './clock.ts';
import * as limits from './constants.ts';
import { type Context, short } from './context.ts';
import { createNodeCurves } from './curves-node.ts';
import { dhtError } from './errors.ts';
import { bytesInput, intInput, keyInput, stringsInput } from './inputs.ts';
import { Joiner } from './join.ts';
import { seedTexts } from './local-addresses.ts';
import { openDiscovery } from './mainline-source.ts';
import { addressTexts, createNodeRegistry, providersOf, shardStats, storeStats } from './node-metrics.ts';
import { type ResolvedOptions, resolveNodeOptions } from './node-options.ts';
import { type NodeStorage, openNodeStorage } from './node-storage.ts';
import { Operations } from './operations.ts';
import {
  askContact,
  endpointOf,
  iterateProviders,
  lookupNodes,
  pingContact,
  readMutable,
  readValue,
  seedEndpoint,
  tableContacts,
} from './reads.ts';
import { parseSeed } from './seeds.ts';
import { Shard } from './shard.ts';
import { openSteward, type Steward } from './steward.ts';
import type {
  BlobOptions,
  BlobRepair,
  BlobResult,
  BlobSource,
  BlobStatus,
  BlobStatusOptions,
  DeleteOptions,
  FindProvidersOptions,
  GetBlobOptions,
  GetMutableOptions,
  GetOptions,
  Hex,
  Key,
  LookupContact,
  LookupResult,
  MoliaNode,
  MutableResult,
  MutableValue,
  NodeEvent,
  NodeOptions,
  NodeState,
  NodeStats,
  OperationOptions,
  PeerInfo,
  PingResult,
  PinInfo,
  Provider,
  PutBlobOptions,
  PutMutableOptions,
  PutResult,
  WriteOptions,
  WriteResult,
} from './types.ts';
import { type WriteTurns, writeMutable, writeProvider, writeValue } from './writes.ts';

/**
 * Opens a node: resolves when its sockets are bound; it joins its seeds in the background. Throws TypeError or
 * RangeError at once for bad options; rejects with ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, STORE_LOCKED, STORE_UNUSABLE,
 * STORE_VERSION, ABORTED.
 */
export function createNode(options: NodeOptions = {}): Promise<MoliaNode> {
  return openNode(resolveNodeOptions(options));
}

async function openNode(options: ResolvedOptions): Promise<MoliaNode> {
  options.signal?.throwIfAborted();
  return new Node(options).open();
}

class Node implements MoliaNode {
  readonly publicKey: Hex;
  readonly id: Hex;
  addresses: readonly BoundAddress[] = [];
  readonly #options: ResolvedOptions;
  readonly #curves: Curves;
  readonly #identity: Identity;
  readonly #rng = createSecureRng();
  readonly #storage: NodeStorage;
  readonly #turns: WriteTurns = new Map();
  readonly #startedAt = performance.now();
  #shard!: Shard;
  #operations!: Operations;
  #context!: Context;
  #joiner!: Joiner;
  #steward!: Steward;
  #metrics: (() => string) | undefined;
  readonly #calls = new Set<Call>();
  #closing: Promise<void> | undefined;

  constructor(options: ResolvedOptions) {
    this.#options = options;
    this.#curves = createNodeCurves();
    this.#identity = createIdentity(this.#curves, options.identity, this.#rng);
    this.publicKey = toHex(this.#identity.publicKey);
    this.id = toHex(this.#identity.id);
    const bounds = options.limits;
    this.#storage = openNodeStorage(options.dataDir, bounds, this.#identity.id, this.#rng, (e) =>
      this.#emit(e),
    );
  }

  /** What was opened before a failure is closed again. */
  async open(): Promise<this> {
    await this.#openStack().catch(async (error: unknown) => {
      await this.#storage.close().catch(() => {});
      throw error;
    });
    return this;
  }

  async #openStack(): Promise<void> {
    const { network, client, transport, signal, limits: bounds } = this.#options;
    const storage = this.#storage;
    this.#shard = new Shard({
      identity: this.#identity,
      presharedKey: networkPsk(network),
      curves: this.#curves,
      rng: this.#rng,
      clock: createProcessClock(),
      transport,
      store: storage.store,
      client,
      peersMax: bounds.peersMax,
      // A second's worth may come at once.
      tuning: { peerUnitsPerSecond: bounds.peerUnitsPerSecond, peerUnitsBurst: bounds.peerUnitsPerSecond },
      tai64nFloor: storage.tai64nFloor,
      onEvent: (event) => this.#handleEvent(event),
      onFail: (error) => this.#handleFailure(error),
    });
    this.#operations = new Operations(this.#shard, bounds.operationsMax, bounds.operationsQueuedMax);
    this.#joiner = new Joiner({
      shard: this.#shard,
      operations: this.#operations,
      rng: this.#rng,
      seeds: this.#options.seeds.filter(
        (seed) => !equalBytes(seed.publicKey, 0, this.#identity.publicKey, 0, 32),
      ),
      dnsSeeds: this.#options.dnsSeeds,
      remembered: storage.remembered,
      autoJoin: this.#options.autoJoin,
      resolver: undefined,
      discovery: openDiscovery(this.#options, this.#identity, this.#curves, this.#rng, () => this.addresses),
      emit: (event) => this.#emit(event),
      ownCall: (timeoutMs) => new Call('join', {}, timeoutMs),
    });
    this.#context = {
      identity: this.#identity,
      shard: this.#shard,
      operations: this.#operations,
      store: storage.store,
      awaitContacts: (call) => this.#joiner.awaitContacts(call),
      settled: () => storage.settled(),
    };
    storage.attach(() => ({
      contacts: this.#shard.kademlia.contacts(),
      now: this.#shard.now(),
      tai64n: this.#shard.wireguard.lastTai64n,
    }));
    this.#steward = openSteward(this.#blobs, this.#options, (event) => this.#emit(event));
    this.addresses = await this.#shard.open();
    signal?.addEventListener('abort', this.#aborted, { once: true });
    this.#joiner.start();
    this.#steward.start();
  }

  get state(): NodeState {
    return this.#closing === undefined ? this.#joiner.state : 'closed';
  }

  seedStrings(): string[] {
    return seedTexts(this.publicKey, this.addresses);
  }

  get(key: Key, options?: GetOptions): Promise<Uint8Array> {
    const bytes = keyInput('key', key);
    const resolved = callOptions('get', GET, options);
    return this.#call(`get ${short(bytes)}`, resolved, limits.TIMEOUT_MS_LARGE, (call) => {
      requirePlain(resolved.privacy);
      return readValue(this.#context, bytes, call);
    });
  }

  put(value: Uint8Array | string, options?: WriteOptions): Promise<PutResult> {
    const bytes = bytesInput('value', value, limits.VALUE_BYTES_MAX);
    const resolved = writeOptions('put', WRITE, options);
    return this.#call('put', resolved, writeTimeout(bytes), (call) =>
      writeValue(this.#context, bytes, resolved.ttlSec, resolved.holdersMin, call),
    );
  }

  putMutable(
    namespace: string,
    value: Uint8Array | string,
    options?: PutMutableOptions,
  ): Promise<MutableResult> {
    const bytes = bytesInput('value', value, limits.VALUE_BYTES_MAX);
    const resolved = writeOptions('putMutable', MUTABLE, options);
    const { seq, cas } = resolved;
    if (seq !== undefined) intInput('seq', seq, 1, limits.SEQUENCE_MAX);
    if (cas !== undefined) intInput('cas', cas, 0, limits.SEQUENCE_MAX - 1);
    const write = {
      namespace: bytesInput('namespace', namespace, limits.NAMESPACE_BYTES_MAX),
      salt: bytesInput('salt', resolved.salt, limits.SALT_BYTES_MAX),
      value: bytes,
      seq,
      cas,
      ttlSecs: resolved.ttlSec,
      notBeforeUnix: intInput('notBeforeUnix', resolved.notBeforeUnix, 0, Number.MAX_SAFE_INTEGER),
      tombstone: false,
      holdersMin: resolved.holdersMin,
    };
    return this.#call('putMutable', resolved, writeTimeout(bytes), (call) =>
      writeMutable(this.#context, this.#turns, write, call),
    );
  }

  getMutable(owner: Key, namespace: string, options?: GetMutableOptions): Promise<MutableValue> {
    const ownerKey = keyInput('owner', owner);
    const name = bytesInput('namespace', namespace, limits.NAMESPACE_BYTES_MAX);
    const resolved = callOptions('getMutable', { ...GET, salt: MUTABLE.salt, minSeq: 0 }, options);
    const salt = bytesInput('salt', resolved.salt, limits.SALT_BYTES_MAX);
    const minSeq = intInput('minSeq', resolved.minSeq, 0, limits.SEQUENCE_MAX);
    return this.#call('getMutable', resolved, limits.TIMEOUT_MS_LARGE, (call) => {
      requirePlain(resolved.privacy);
      return readMutable(this.#context, ownerKey, name, salt, minSeq, call);
    });
  }

  delete(namespace: string, options?: DeleteOptions): Promise<MutableResult> {
    const resolved = writeOptions('delete', { ...WRITE, salt: MUTABLE.salt }, options);
    const write = {
      namespace: bytesInput('namespace', namespace, limits.NAMESPACE_BYTES_MAX),
      salt: bytesInput('salt', resolved.salt, limits.SALT_BYTES_MAX),
      value: new Uint8Array(0),
      seq: undefined,
      cas: undefined,
      ttlSecs: resolved.ttlSec,
      notBeforeUnix: 0,
      tombstone: true,
      holdersMin: resolved.holdersMin,
    };
    return this.#call('delete', resolved, limits.TIMEOUT_MS_DEFAULT, (call) =>
      writeMutable(this.#context, this.#turns, write, call),
    );
  }

  findProviders(key: Key, options?: FindProvidersOptions): AsyncIterableIterator<Provider> {
    const bytes = keyInput('key', key);
    const resolved = callOptions(
      'findProviders',
      { ...GET, max: limits.PROVIDERS_DEFAULT as number },
      options,
    );
    const max = intInput('max', resolved.max, 1, limits.PROVIDERS_MAX);
    const begin = () => {
      requirePlain(resolved.privacy);
      return this.#begin(`findProviders ${short(bytes)}`, resolved, limits.TIMEOUT_MS_DEFAULT);
    };
    return iterateProviders(this.#context, bytes, max, begin, (call) => this.#end(call));
  }

  announceProvider(key: Key, meta: Uint8Array | string = '', options?: WriteOptions): Promise<WriteResult> {
    const bytes = keyInput('key', key);
    const metadata = bytesInput('meta', meta, limits.META_BYTES_MAX);
    const resolved = writeOptions('announceProvider', WRITE, options);
    return this.#call('announceProvider', resolved, limits.TIMEOUT_MS_DEFAULT, (call) =>
      writeProvider(this.#context, bytes, metadata, resolved.ttlSec, resolved.holdersMin, call),
    );
  }

  putBlob(source: BlobSource, options?: PutBlobOptions): Promise<BlobResult> {
    return putBlob(this.#blobs, source, options);
  }

  getBlob(key: string, options?: GetBlobOptions): ReadableStream<Uint8Array> {
    return getBlob(this.#blobs, key, options);
  }

  blobStatus(key: string, options?: BlobStatusOptions): Promise<BlobStatus> {
    return blobStatus(this.#blobs, key, options);
  }

  repairBlob(key: string, options?: BlobOptions): Promise<BlobRepair> {
    return repairBlob(this.#blobs, key, options);
  }

  pin(key: string, options?: { signal?: AbortSignal }): Promise<PinInfo> {
    return this.#steward.pin(key, options);
  }

  unpin(key: string): Promise<boolean> {
    return this.#steward.unpin(key);
  }

  pins(): PinInfo[] {
    return this.#steward.list();
  }

  joinBootstrap(seeds?: readonly string[], options?: OperationOptions): Promise<number> {
    const parsed = seeds === undefined ? undefined : stringsInput('seeds', seeds).map(parseSeed);
    const resolved = callOptions('joinBootstrap', OPERATION, options);
    return this.#call('joinBootstrap', resolved, limits.TIMEOUT_MS_DEFAULT, (call) =>
      this.#joiner.join(call, parsed),
    );
  }

  ping(peer: Key, options?: OperationOptions): Promise<PingResult> {
    return this.#toPeer('ping', peer, options, (publicKey, endpoint, call) =>
      pingContact(this.#context, publicKey, endpoint, call),
    );
  }

  findNode(peer: Key, target: Key, options?: OperationOptions): Promise<readonly LookupContact[]> {
    const bytes = keyInput('target', target);
    return this.#toPeer('findNode', peer, options, (publicKey, endpoint, call) =>
      askContact(this.#context, publicKey, endpoint, bytes, call),
    );
  }

  lookup(target: Key, options?: OperationOptions): Promise<LookupResult> {
    const bytes = keyInput('target', target);
    const resolved = callOptions('lookup', OPERATION, options);
    return this.#call(`lookup ${short(bytes)}`, resolved, limits.TIMEOUT_MS_DEFAULT, (call) =>
      lookupNodes(this.#context, bytes, call),
    );
  }

  peers(): PeerInfo[] {
    return tableContacts(this.#context);
  }

  stats(): NodeStats {
    return {
      publicKey: this.publicKey,
      id: this.id,
      network: this.#options.network === PUBLIC_NETWORK ? 'public' : 'private',
      state: this.state,
      client: this.#options.client,
      uptimeMs: Math.round(performance.now() - this.#startedAt),
      addresses: addressTexts(this.addresses),
      ...shardStats(this.#shard),
      store: storeStats(this.#storage.store),
      operations: { running: this.#operations.running, queued: this.#operations.queued },
      steward: this.#steward.stats(),
      transport: this.#options.transport.stats(),
      providers: providersOf(this.#curves, this.#options.transport),
    };
  }

  metrics(): string {
    // Made when first asked for: it is 70 KiB, and most nodes are never scraped.
    this.#metrics ??= createNodeRegistry(this.#shard, () => this.stats());
    return this.#metrics();
  }

  savePeerstore(): Promise<void> {
    return this.#storage.save();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = dhtError('CLOSED', 'the node is closed');
    this.#options.signal?.removeEventListener('abort', this.#aborted);
    await Promise.all([this.#joiner.stop(), this.#steward.stop(closed)]);
    for (const call of this.#calls) call.fail(closed);
    this.#operations.close(closed);
    await this.#storage.save().catch((error: Error) => this.#alert(error));
    await this.#shard.close();
    await this.#storage.close().catch((error: Error) => this.#alert(error));
    this.#identity.wipe();
    this.#emit({ type: 'closed' });
  }

  /** Runs one public call from its start to its end. */
  async #call<T>(
    what: string,
    options: OperationOptions,
    timeoutMs: number,
    work: (call: Call) => Promise<T>,
  ): Promise<T> {
    const call = this.#begin(what, options, timeoutMs);
    try {
      call.check();
      return await work(call);
    } finally {
      this.#end(call);
    }
  }

  get #blobs(): BlobHost {
    return {
      context: this.#context,
      rng: this.#rng,
      call: (what, scope, work) =>
        this.#call(what, {}, limits.TIMEOUT_MS_LARGE, (call) => scope.run(call, () => work(call))),
    };
  }

  /** Runs a call that talks to one peer, given by seed string or by its bare key. */
  #toPeer<T>(
    name: string,
    peer: Key,
    options: OperationOptions | undefined,
    work: (publicKey: Uint8Array, endpoint: Uint8Array, call: Call) => Promise<T>,
  ): Promise<T> {
    const seed = typeof peer === 'string' && peer.includes('@') ? parseSeed(peer) : undefined;
    const publicKey = seed?.publicKey ?? keyInput('peer', peer);
    const resolved = callOptions(name, OPERATION, options);
    return this.#call(`${name} ${short(publicKey)}`, resolved, limits.TIMEOUT_MS_DEFAULT, async (call) => {
      const found =
        seed === undefined ? endpointOf(this.#context, publicKey, call) : seedEndpoint(seed, call);
      return work(publicKey, await found, call);
    });
  }

  #begin(what: string, options: OperationOptions, timeoutMs: number): Call {
    if (this.#closing !== undefined) throw dhtError('CLOSED', `${what}: the node is closed`);
    const call = new Call(what, options, timeoutMs);
    this.#calls.add(call);
    return call;
  }

  #end(call: Call): void {
    call.finish();
    this.#calls.delete(call);
  }

  readonly #aborted = (): void => {
    void this.close();
  };

  #handleEvent(event: KademliaEvent): void {
    if (event.kind === EventKind.TABLE_CHANGED) {
      this.#joiner.tableChanged();
      this.#storage.changed();
    } else {
      this.#operations.handle(event);
    }
  }

  #handleFailure(cause: Error): void {
    const hint = 'the node closes; start it again';
    this.#alert(dhtError('TRANSPORT_FAILED', `the transport failed (${cause.message})`, { cause, hint }));
    void this.close();
  }

  #alert(error: Error & { code?: string; hint?: string | undefined }): void {
    const { code = 'INTERNAL', message, hint } = error;
    this.#emit({ type: 'alert', code, message, ...(hint === undefined ? {} : { hint }) });
  }

  #emit(event: NodeEvent): void {
    try {
      this.#options.onEvent?.(event);
    } catch {
      // A broken listener is the caller's; the node goes on.
    }
  }
}
