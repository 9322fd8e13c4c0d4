/**
 * The public face of a Molia node: options, results, events. Text keys, hashes, ids and public keys are 64 lower-case
 * hex digits; a `Key` argument may also be its 32 bytes. Times are milliseconds unless the name says `Sec`.
 */
import type { BoundAddress, Transport, TransportStats } from '@molia/core';

/** 32 bytes, or their 64 lower-case hex digits. */
export type Key = string | Uint8Array;

/** 64 lower-case hex digits. */
export type Hex = string;

/** Every option of {@link createNode}; all are optional. An unknown key throws a TypeError. */
export interface NodeOptions {
  /**
   * `'public'` (default), or the name or secret of a private network, 1 to 256 characters. Nodes with different
   * networks cannot even complete a handshake.
   */
  network?: string;
  /** 32-byte Ed25519 seed: the node's identity. Default: a fresh random one. Copied; the caller's bytes stay untouched. */
  identity?: Uint8Array;
  /**
   * Local addresses, `'0.0.0.0:0'` or `'[::]:49737'`. Default: both families on one random port, IPv6 left out where
   * the machine has none. Port 0 picks a free one.
   */
  listen?: readonly string[];
  /** Nodes to join through: `'<public key hex>@host:port'`, host a name or an address. Default none: a network of one. */
  seeds?: readonly string[];
  /** DNS names whose TXT records hold `molia=<public key hex>@host:port`. */
  dnsSeeds?: readonly string[];
  /**
   * Where to look when seeds and remembered contacts lead nowhere: `'mainline:network'` asks the BitTorrent Mainline DHT for nodes of
   * this network that publish there, `'mainline:<public key hex>'` for one of them. Default none. Loaded only when used.
   */
  bootstrap?: readonly string[];
  /** How the Mainline DHT is used. */
  mainline?: MainlineUse;
  /**
   * Directory in which the node keeps its records and contacts (`records/`, `peerstore/`); made when missing, one node at a
   * time. A node that comes back there serves what it held and joins through whom it knew. Default: nothing is kept.
   */
  dataDir?: string;
  /** Only asks, is never listed in routing tables and stores nothing for others. Default false. */
  client?: boolean;
  /** What carries the datagrams. Default: UDP on `listen`. */
  transport?: Transport;
  /** Join at once, and again by itself whenever no contact is left. Default true. */
  autoJoin?: boolean;
  /** Handshake, memory and rate limits. */
  limits?: NodeLimits;
  /** Told of alerts and state changes; never throws into the node. */
  onEvent?: (event: NodeEvent) => void;
  /** Closes the node when it fires. */
  signal?: AbortSignal;
}

/** Use of the BitTorrent Mainline DHT. */
export interface MainlineUse {
  /** `host:port` of Mainline nodes to begin with. Default: the ones that everybody knows. */
  nodes?: readonly string[];
  /**
   * Puts this node's signed record (public key and addresses) there, every 50 minutes, so that others find it. What is published
   * is public, also for a private network. Default false.
   */
  publish?: boolean;
}

/** Limits; each bounds memory or work. */
export interface NodeLimits {
  /** WireGuard peers held at once, 16 to 1 048 576. Default 65 536. */
  peersMax?: number;
  /** Records held for others, 1 to 16 777 216. Default 100 000. */
  recordsMax?: number;
  /** Bytes of those records. Default 256 MiB. */
  storeBytesMax?: number;
  /** Client operations running at once; more wait in line. Default 256. */
  operationsMax?: number;
  /** Client operations waiting in line; more reject. Default 16 384. */
  operationsQueuedMax?: number;
  /**
   * Work that one peer may ask of this node in a second, in units, 100 to 1 000 000 000: a question or a chunk is 1, a write
   * 8. More is answered with RATE_LIMITED. Default 10 000.
   */
  peerUnitsPerSecond?: number;
  /** Seconds between two visits to a pinned key, jittered by a quarter, 1 to 43 200. Default 3600. */
  stewardSecs?: number;
}

/** One-way reports of a node. */
export type NodeEvent =
  /** The table holds contacts again. */
  | { readonly type: 'joined'; readonly contacts: number; readonly elapsedMs: number }
  /** No contact is left; the node keeps trying its seeds and its peerstore. */
  | { readonly type: 'isolated' }
  /** This node's record lies in the Mainline DHT, at so many nodes. */
  | { readonly type: 'published'; readonly holders: number }
  /** Something an operator should look at; `hint` says what to do. */
  | { readonly type: 'alert'; readonly code: string; readonly message: string; readonly hint?: string }
  | { readonly type: 'closed' };

export type NodeState = 'joining' | 'ready' | 'isolated' | 'closed';

/** Options that every operation takes. */
export interface OperationOptions {
  /** Gives up with TIMEOUT, 1 to 600 000. Default 10 000 (30 000 for values that do not fit one datagram). */
  timeoutMs?: number;
  /** Gives up with ABORTED; everything in flight for the operation is dropped. */
  signal?: AbortSignal;
  /** Called synchronously while the operation runs; what it throws is ignored. */
  onProgress?: (progress: Progress) => void;
}

/** How far an operation is. */
export interface Progress {
  /** Nodes asked so far. */
  readonly asked: number;
  /** Nodes that answered so far. */
  readonly answered: number;
  /** Leading bits that the closest node found so far shares with the target. */
  readonly closestBits: number;
  readonly elapsedMs: number;
}

export interface GetOptions extends OperationOptions {
  /** `'blind'` and `'relay'` reject with UNSUPPORTED in this version. */
  privacy?: 'none' | 'blind' | 'relay';
}

export interface WriteOptions extends OperationOptions {
  /** How long nodes keep the record, 60 to 86 400 seconds. Default 86 400 (24 h). The writer refreshes it at half of it while it runs. */
  ttlSec?: number;
  /** Reject with NOT_ENOUGH_HOLDERS when fewer nodes (this one included) hold the record. Default 1. */
  holdersMin?: number;
}

export interface PutMutableOptions extends WriteOptions {
  /** Distinguishes records of one namespace; at most 64 bytes. */
  salt?: Uint8Array | string;
  /** Sequence, 1 to 2^53 - 1. Default: the highest one found in the network plus one. */
  seq?: number;
  /** Compare-and-swap: write only where exactly this sequence is held (0 = none held). */
  cas?: number;
  /** Unix seconds before which nobody hands the record out. Default 0: at once. */
  notBeforeUnix?: number;
}

export interface DeleteOptions extends WriteOptions {
  salt?: Uint8Array | string;
}

export interface GetMutableOptions extends GetOptions {
  salt?: Uint8Array | string;
  /** Only a record with at least this sequence will do. */
  minSeq?: number;
}

export interface FindProvidersOptions extends GetOptions {
  /** Stop after so many, 1 to 10 000. Default 1000. */
  max?: number;
}

/** Content of a blob: bytes, chunks of bytes as they come, or a file of a browser. */
export type BlobSource = Uint8Array | Blob | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>;

/** Options that every blob operation takes. */
export interface BlobOptions {
  /** Gives up with ABORTED; everything in flight is dropped. */
  signal?: AbortSignal;
  /** Called synchronously after each stripe; what it throws is ignored. */
  onProgress?: (progress: BlobProgress) => void;
}

export interface BlobProgress {
  /** Content bytes done. */
  readonly bytes: number;
  /** Content bytes altogether, where they are known. */
  readonly bytesTotal: number | undefined;
  readonly stripes: number;
  readonly elapsedMs: number;
}

export interface PutBlobOptions extends BlobOptions {
  /** Data and parity shards of a stripe. Default `'10:4'`; `'6:3'` for networks of fewer than 20, `'10:10'` for holders that come and go. */
  coding?: '10:4' | '6:3' | '10:10' | { readonly data: number; readonly parity: number };
  /**
   * `'none'` (default); `'convergent'`: under keys from the content, so that the same content is stored once, and whoever has it
   * can recognise it; `'random'`: under fresh keys.
   */
  encrypt?: 'none' | 'convergent' | 'random';
  /** How long nodes keep the shards, 60 to 86 400 seconds. Default 86 400 (24 h). Putting again renews it; a repair does not. */
  ttlSec?: number;
}

export interface GetBlobOptions extends BlobOptions {
  /** Bytes of the content, `end` not included; default all. RangeError beyond the content fails the stream. */
  range?: { readonly start: number; readonly end?: number };
}

export interface BlobStatusOptions extends BlobOptions {
  /** Shards fetched of each stripe, chosen at random: 10 of 14 settle that it can be read. Default all. */
  samples?: number;
}

export interface BlobResult {
  /** 64 hex digits, 128 when encrypted: the second half is the key that reads it. */
  readonly key: string;
  readonly length: number;
  readonly stripes: number;
  /** Shards stored, or found stored already. */
  readonly shards: number;
  /** The fewest different nodes that hold shards of one stripe; with fewer than `data + parity`, a node's loss costs several. */
  readonly holdersMin: number;
  readonly elapsedMs: number;
}

export interface BlobStatus {
  readonly length: number;
  readonly data: number;
  readonly parity: number;
  readonly sealed: boolean;
  readonly stripes: number;
  /** Shards fetched, and how many of them nobody had. */
  readonly checked: number;
  readonly missing: number;
  /** The fewest shards that were there of the `checked` ones of any stripe. */
  readonly presentMin: number;
  /** Stripes that are known to have at least `data` shards. */
  readonly readable: number;
  /** Shards that came with other bytes than theirs, and who sent those; nothing of what they sent was used. At most 1000 are listed. */
  readonly wrong: readonly WrongShard[];
}

/** A shard that a node sent with other bytes than its hash says. */
export interface WrongShard {
  readonly stripe: number;
  readonly index: number;
  /** Public key of the node. */
  readonly holder: Hex;
}

export interface BlobRepair extends BlobStatus {
  /** Shards that were made and stored again. */
  readonly rebuilt: number;
  /** Stripes with too few shards to read. */
  readonly lost: number;
}

/** What every write reports. */
export interface WriteResult {
  /** Key of the record. */
  readonly key: Hex;
  /** Nodes known to hold the record now, this one included. */
  readonly holders: number;
  readonly elapsedMs: number;
}

/** Result of `put`: `key` is the BLAKE3 hash of the value. */
export type PutResult = WriteResult;

export interface MutableResult extends WriteResult {
  readonly seq: number;
}

export interface MutableValue {
  readonly key: Hex;
  readonly owner: Hex;
  readonly seq: number;
  readonly value: Uint8Array;
  /** Two values were signed under this sequence; this is the one the whole network keeps. */
  readonly equivocated: boolean;
}

export interface Provider {
  /** Public key of who announced. */
  readonly publicKey: Hex;
  readonly id: Hex;
  readonly meta: Uint8Array;
  readonly seq: number;
}

export interface PeerInfo {
  readonly publicKey: Hex;
  readonly id: Hex;
  /** `1.2.3.4:5` or `[::1]:5`. */
  readonly endpoint: string;
  /** Smoothed round trip as measured by this node; `undefined` before the first answer. */
  readonly rttMs: number | undefined;
  /** Leading id bits shared with this node. */
  readonly bucket: number;
  /** Since it last answered. */
  readonly lastSeenMs: number;
}

export interface PingResult {
  readonly publicKey: Hex;
  readonly id: Hex;
  readonly endpoint: string;
  readonly rttMs: number;
}

export interface LookupResult {
  readonly target: Hex;
  /** Closest first, at most 20; all of them answered. */
  readonly contacts: readonly LookupContact[];
  readonly asked: number;
  readonly answered: number;
  readonly elapsedMs: number;
}

export interface LookupContact {
  readonly publicKey: Hex;
  readonly id: Hex;
  readonly endpoint: string;
}

/** A plain snapshot; JSON.stringify of it is stable and holds no secret. */
export interface NodeStats {
  readonly publicKey: Hex;
  readonly id: Hex;
  /** Never the name or secret itself. */
  readonly network: 'public' | 'private';
  readonly state: NodeState;
  readonly client: boolean;
  readonly uptimeMs: number;
  readonly addresses: readonly string[];
  readonly contacts: number;
  /** Estimated nodes in the network, this one included, with its standard deviation. */
  readonly networkSize: { readonly nodes: number; readonly standardDeviation: number };
  /** WireGuard sessions that can carry data now. */
  readonly sessions: number;
  readonly store: { readonly records: number; readonly bytes: number; readonly providers: number };
  readonly operations: { readonly running: number; readonly queued: number };
  readonly steward: StewardStats;
  readonly transport: TransportStats;
  /** Monotonic counters of each storey. */
  readonly counters: {
    readonly shard: Readonly<Record<string, number>>;
    readonly wireguard: Readonly<Record<string, number>>;
    readonly kademlia: Readonly<Record<string, number>>;
  };
  /** Which implementation does what: `{ aead, curves, blake3, transport }`. */
  readonly providers: Readonly<Record<string, string>>;
}

/** What the steward of pinned keys did since the node was opened. */
export interface StewardStats {
  /** Pinned keys, and those of them whose last visit found them whole or made them so. */
  readonly pins: number;
  readonly alive: number;
  /** Visits that ended well, and those that did not. */
  readonly rounds: number;
  readonly failures: number;
  /** Shards made again. */
  readonly rebuilt: number;
}

/** A pinned key. */
export interface PinInfo {
  /** 64 digits. */
  readonly key: Hex;
  readonly kind: 'record' | 'blob';
  readonly addedUnix: number;
  /** Last visit that ended well; 0 = none yet. */
  readonly checkedUnix: number;
  /** `waiting`: not visited yet, or the last visit failed for another reason. `hurt`: stripes cannot be read. `missing`: nobody has it. */
  readonly state: 'waiting' | 'alive' | 'hurt' | 'missing';
  /** Of a blob: shards missing and stripes beyond repair at the last visit, shards made again since the node was opened. */
  readonly missing: number;
  readonly rebuilt: number;
  readonly lost: number;
}

/** A node of the network. Create it with `createNode`. All methods throw TypeError or RangeError synchronously for misuse. */
export interface MoliaNode {
  readonly publicKey: Hex;
  readonly id: Hex;
  /** What is bound. */
  readonly addresses: readonly BoundAddress[];
  readonly state: NodeState;
  /**
   * `'<public key>@host:port'` strings that other nodes can use as seeds. A wildcard address is replaced by this
   * machine's own addresses, loopback last.
   */
  seedStrings(): string[];

  /**
   * The value whose BLAKE3 hash is `key`, verified. Looks in the own store first.
   * Rejects: NOT_FOUND, NO_PEERS, TIMEOUT, ABORTED, CLOSED, UNSUPPORTED.
   */
  get(key: Key, options?: GetOptions): Promise<Uint8Array>;
  /**
   * Stores 0 to 65 536 bytes under their hash. Rejects: NO_PEERS, NOT_ENOUGH_HOLDERS, TIMEOUT, ABORTED, CLOSED.
   */
  put(value: Uint8Array | string, options?: WriteOptions): Promise<PutResult>;
  /**
   * Signs and stores a record that this node's owner can replace. Rejects as `put`, and STALE_SEQUENCE,
   * CAS_MISMATCH, EQUIVOCATION.
   */
  putMutable(
    namespace: string,
    value: Uint8Array | string,
    options?: PutMutableOptions,
  ): Promise<MutableResult>;
  /** The valid record with the highest sequence. A tombstone counts as NOT_FOUND. Rejects as `get`. */
  getMutable(owner: Key, namespace: string, options?: GetMutableOptions): Promise<MutableValue>;
  /** Writes a tombstone over this node's own record. Rejects as `putMutable`. */
  delete(namespace: string, options?: DeleteOptions): Promise<MutableResult>;
  /**
   * Those who announced that they provide `key`, each once, as they are found; ends when the lookup does or at
   * `max`. Leaving the loop cancels the lookup. The loop throws TIMEOUT, ABORTED, CLOSED, NO_PEERS.
   */
  findProviders(key: Key, options?: FindProvidersOptions): AsyncIterableIterator<Provider>;
  /** Announces that this node provides `key`, with at most 128 bytes of metadata. Rejects as `put`. */
  announceProvider(key: Key, meta?: Uint8Array | string, options?: WriteOptions): Promise<WriteResult>;
  /**
   * Cuts content of any length into coded shards, each on a node of its own, in constant memory; the result's `key` finds
   * it again. Putting the same content once more moves only what is not there (not when sealed by random keys).
   * Rejects: NO_PEERS, NOT_ENOUGH_HOLDERS (a shard found no holder), TIMEOUT (of one shard), ABORTED, CLOSED, and with whatever
   * the source fails.
   */
  putBlob(source: BlobSource, options?: PutBlobOptions): Promise<BlobResult>;
  /**
   * The content of a blob, verified piece by piece, in constant memory; any `data` shards of a stripe suffice. Cancelling the
   * stream ends all requests. It fails with NOT_FOUND (too few shards, no manifest), UNSUPPORTED (the key is not that of a blob,
   * or of a sealed one without its second half), NO_PEERS, TIMEOUT, ABORTED, CLOSED.
   */
  getBlob(key: string, options?: GetBlobOptions): ReadableStream<Uint8Array>;
  /** Fetches shards, all or a random sample of each stripe, and tells how many are there. Rejects as `getBlob`. */
  blobStatus(key: string, options?: BlobStatusOptions): Promise<BlobStatus>;
  /**
   * Fetches every shard, rebuilds those that nobody has, stores them and the manifest for 24 h, and has the holders of the others keep them for
   * another time to live. Needs only the first 64 digits of a sealed blob's key. Rejects as `getBlob`; stripes with too few shards are counted in `lost`, not rejected.
   */
  repairBlob(key: string, options?: BlobOptions): Promise<BlobRepair>;
  /**
   * Keeps a record or a blob alive from now on: visits it every hour, states it again, has the holders of shards keep them, and
   * rebuilds what is missing. Needs only the first 64 digits of a sealed blob's key. Resolves when it is on the list, durably where there
   * is a data directory; the first visit follows at once. Rejects: NOT_FOUND, NO_PEERS, TIMEOUT, ABORTED, CLOSED, BUSY (10 000 keys are pinned), STORE_NOT_DURABLE.
   */
  pin(key: string, options?: { signal?: AbortSignal }): Promise<PinInfo>;
  /** Leaves a key to its time to live; false when it was not pinned. Rejects with STORE_NOT_DURABLE. */
  unpin(key: string): Promise<boolean>;
  /** What is pinned, in the order it was. */
  pins(): PinInfo[];
  /**
   * Joins through `seeds` (default: the node's own seeds, DNS seeds and peerstore); resolves with the number of
   * contacts in the routing table. With nothing to join through it resolves with 0.
   * Rejects: NO_PEERS (none answered), SEED_UNRESOLVED, TIMEOUT, ABORTED, CLOSED.
   */
  joinBootstrap(seeds?: readonly string[], options?: OperationOptions): Promise<number>;
  /**
   * One round trip to `'<public key>@host:port'`, or to a bare public key that is looked up first.
   * Rejects: PEER_UNREACHABLE, NOT_FOUND, TIMEOUT, ABORTED, CLOSED.
   */
  ping(peer: Key, options?: OperationOptions): Promise<PingResult>;
  /**
   * Asks one peer, given as for `ping`, which nodes near `target` it knows: one request, at most 20 contacts, closest
   * first. They are what the peer says, not checked, and may be dead or invented; `lookup` returns only nodes that
   * answered. Rejects as `ping`; PEER_UNREACHABLE too when the peer only asks (a client) or refuses.
   */
  findNode(peer: Key, target: Key, options?: OperationOptions): Promise<readonly LookupContact[]>;
  /** The closest nodes to `target` that answered. Rejects: NO_PEERS, TIMEOUT, ABORTED, CLOSED. */
  lookup(target: Key, options?: OperationOptions): Promise<LookupResult>;
  /** The routing table, closest first. */
  peers(): PeerInfo[];
  stats(): NodeStats;
  /** The counters in Prometheus text exposition format. */
  metrics(): string;
  /** Saves the contacts now; resolves when they are durable. Done by itself a second after changes and on `close`. */
  savePeerstore(): Promise<void>;
  /** Idempotent. Running operations reject with CLOSED, sockets and timers are gone when it resolves. Never rejects. */
  close(): Promise<void>;
}

/** Options of {@link createTestnet}: those of every node, minus what must differ between them. */
export interface TestnetOptions extends Omit<NodeOptions, 'identity' | 'listen' | 'dataDir' | 'transport'> {
  /** Address of every node, without port. Default `127.0.0.1`. */
  host?: string;
  /** Called as nodes join. */
  onProgress?: (joined: number, wanted: number) => void;
}

/** A network of nodes in this process. */
export interface Testnet {
  readonly nodes: readonly MoliaNode[];
  /** Seeds for further nodes: strings for `NodeOptions.seeds`. */
  readonly seeds: readonly string[];
  /** Adds one more node that has joined; it is closed with the others. */
  addNode(options?: NodeOptions): Promise<MoliaNode>;
  /** Closes all nodes. Idempotent. */
  close(): Promise<void>;
}
