/** The server's half: answers to the queries of BEP 5, 32 and 44, and what it stores for others. */
import {
  ENDPOINT_BYTES,
  endpointFromCompact,
  endpointToCompact,
  grow,
  type Millis,
  NONE,
  randomBelow,
} from '@molia/core';
import { sha1 } from '@noble/hashes/legacy.js';
import {
  BUCKET_CONTACTS,
  CLIENT_VERSION,
  NODE_ID_BYTES,
  NODES_ANSWERED,
  PEERS_ANSWERED_MAX,
  PUBLIC_KEY_BYTES,
  SALT_BYTES_MAX,
  SIGNATURE_BYTES,
  STORED_VALUE_BYTES_MAX,
} from './constants.ts';
import { NODE_ENTRY_BYTES_MAX } from './contact-table.ts';
import { type MutableItem, mutableTarget, signedBuffer } from './items.ts';
import { type KrpcMessage, Method, Want } from './krpc-read.ts';
import { BencodeWriter } from './krpc-write.ts';
import { LruKeys } from './lru-keys.ts';
import type { Datagram } from './outbox.ts';
import type { Shared } from './shared.ts';
import { ItemStore, PeerStore } from './stores.ts';
import { OWN_TOKEN_BYTES, Tokens } from './tokens.ts';

/** IP addresses whose rate is watched; an evicted one starts with a full allowance. */
const RATED_ADDRESSES_MAX = 8192;
/** The family and address of an endpoint. */
const ADDRESS_BYTES = 17;

const NOTHING = new Uint8Array(0);

export interface ResponderOptions {
  readonly queriesPerSecond: number;
  readonly queriesBurst: number;
  readonly infoHashesMax: number;
  readonly peersPerHashMax: number;
  readonly immutableItemsMax: number;
  readonly mutableItemsMax: number;
}

const ERROR_TEXTS: Readonly<Record<number, string>> = {
  203: 'Protocol Error',
  204: 'Method Unknown',
  205: 'message (v field) too big',
  206: 'invalid signature',
  207: 'salt (salt field) too big',
  301: 'the CAS hash mismatched',
  302: 'sequence number less than current',
};

export class Responder {
  readonly peers: PeerStore;
  readonly immutables: ItemStore;
  readonly mutables: ItemStore;
  private readonly options: ResponderOptions;
  private readonly shared: Shared;
  private readonly tokens: Tokens;
  private readonly writer = new BencodeWriter();
  private readonly rated: LruKeys;
  private allowances = new Float64Array(0);
  private ratedAt = new Float64Array(0);
  private readonly rows = new Int32Array(NODES_ANSWERED);
  private readonly compact = new Uint8Array(18);
  private readonly named: number;

  constructor(shared: Shared, options: ResponderOptions) {
    this.shared = shared;
    this.options = options;
    this.named = shared.compactBytes;
    this.tokens = new Tokens(shared.rng);
    this.peers = new PeerStore(options.infoHashesMax, options.peersPerHashMax, this.named, shared.rng);
    this.immutables = new ItemStore(options.immutableItemsMax, false, shared.rng);
    this.mutables = new ItemStore(options.mutableItemsMax, true, shared.rng);
    this.rated = new LruKeys(ADDRESS_BYTES, RATED_ADDRESSES_MAX, shared.rng, (capacity) => {
      this.allowances = grow(this.allowances, capacity);
      this.ratedAt = grow(this.ratedAt, capacity);
    });
  }

  expire(now: Millis): void {
    this.peers.expire(now);
    this.immutables.expire(now);
    this.mutables.expire(now);
  }

  /** A value that we hold, as an item without key; `undefined` = we do not. */
  ownImmutable(now: Millis, target: Uint8Array): MutableItem | undefined {
    const row = this.immutables.find(now, target, 0);
    if (row === NONE) return undefined;
    const value = (this.immutables.values[row] as Uint8Array).slice();
    return { key: NOTHING, salt: NOTHING, seq: 0n, signature: NOTHING, value };
  }

  /** An item that we hold: its signature was verified when it came. */
  ownMutable(now: Millis, target: Uint8Array, key: Uint8Array, salt: Uint8Array): MutableItem | undefined {
    const store = this.mutables;
    const row = store.find(now, target, 0);
    if (row === NONE) return undefined;
    const seq = (BigInt(store.seqHigh[row] as number) << 32n) | BigInt(store.seqLow[row] as number);
    const signature = store.signatures.slice(row * SIGNATURE_BYTES, (row + 1) * SIGNATURE_BYTES);
    return { key, salt, seq, signature, value: (store.values[row] as Uint8Array).slice() };
  }

  /** Peers that were announced to us, 19 bytes each. */
  ownPeers(now: Millis, hash: Uint8Array): Uint8Array {
    const row = this.peers.find(hash, 0);
    if (row === NONE) return NOTHING;
    const known = this.peers.peers(row);
    const endpoints = new Uint8Array(known * ENDPOINT_BYTES);
    let count = 0;
    for (let i = 0; i < known; i++) {
      const at = this.peers.peerAt(now, row, i);
      if (at < 0) continue;
      endpointFromCompact(endpoints, count++ * ENDPOINT_BYTES, this.peers.bytes(row), at, this.named);
    }
    return endpoints.slice(0, count * ENDPOINT_BYTES);
  }

  /** Takes one query off an address's allowance; `false` = none is left. */
  admits(now: Millis, endpoint: Uint8Array, at: number): boolean {
    const { queriesPerSecond, queriesBurst } = this.options;
    if (queriesPerSecond === 0) return true;
    let row = this.rated.find(endpoint, at);
    if (row === NONE) {
      row = this.rated.insert(endpoint, at);
      this.allowances[row] = queriesBurst;
    } else {
      this.rated.touch(row);
      const gained = ((now - (this.ratedAt[row] as number)) * queriesPerSecond) / 1000;
      this.allowances[row] = Math.min(queriesBurst, (this.allowances[row] as number) + gained);
    }
    this.ratedAt[row] = now;
    if ((this.allowances[row] as number) < 1) return false;
    this.allowances[row] = (this.allowances[row] as number) - 1;
    return true;
  }

  /** Writes the answer to a query into `out`. */
  answer(
    now: Millis,
    m: KrpcMessage,
    bytes: Uint8Array,
    endpoint: Uint8Array,
    at: number,
    out: Datagram,
  ): void {
    const code = this.refusal(now, m, bytes, endpoint, at);
    const w = this.writer;
    w.start(out.bytes, 0);
    if (code === 0) this.writeResult(now, m, bytes, endpoint, at, true);
    else this.writeError(m, bytes, endpoint, at, code);
    if (w.overflow) {
      // A value of the largest size beside a long transaction id: the nodes are what an asker can do without.
      w.start(out.bytes, 0);
      this.writeResult(now, m, bytes, endpoint, at, false);
    }
    out.length = w.overflow ? 0 : w.at;
  }

  /** 0, or the error code; puts and announcements are carried out here. */
  private refusal(now: Millis, m: KrpcMessage, bytes: Uint8Array, endpoint: Uint8Array, at: number): number {
    if (m.method === Method.UNKNOWN) return 204;
    if (m.malformed || m.idAt < 0) return 203;
    switch (m.method) {
      case Method.FIND_NODE:
      case Method.GET:
        return m.targetAt < 0 ? 203 : 0;
      case Method.GET_PEERS:
        return m.infoHashAt < 0 ? 203 : 0;
      case Method.ANNOUNCE_PEER:
        return this.announce(now, m, bytes, endpoint, at);
      case Method.PUT:
        return this.put(now, m, bytes, endpoint, at);
      default:
        return 0;
    }
  }

  private announce(now: Millis, m: KrpcMessage, bytes: Uint8Array, endpoint: Uint8Array, at: number): number {
    if (m.infoHashAt < 0 || !this.tokens.accepts(now, endpoint, at, bytes, m.tokenAt, m.tokenLength))
      return 203;
    if (!m.impliedPort && m.port <= 0) return 203;
    const length = endpointToCompact(this.compact, 0, endpoint, at);
    if (!m.impliedPort) {
      this.compact[length - 2] = m.port >>> 8;
      this.compact[length - 1] = m.port & 255;
    }
    this.peers.announce(now, bytes, m.infoHashAt, this.compact);
    return 0;
  }

  private put(now: Millis, m: KrpcMessage, bytes: Uint8Array, endpoint: Uint8Array, at: number): number {
    if (m.valueAt < 0 || !this.tokens.accepts(now, endpoint, at, bytes, m.tokenAt, m.tokenLength)) return 203;
    if (m.valueLength > STORED_VALUE_BYTES_MAX) return 205;
    if (!m.valueStrict) return 203;
    if (m.keyAt < 0) {
      const target = sha1(bytes.subarray(m.valueAt, m.valueAt + m.valueLength));
      if (!this.isNamed(m, bytes, target)) return 203;
      const row = this.immutables.find(now, target, 0);
      if (row === NONE) this.immutables.put(now, target, 0, m, bytes);
      else this.immutables.refresh(now, row);
      return 0;
    }
    return this.putMutable(now, m, bytes);
  }

  private putMutable(now: Millis, m: KrpcMessage, bytes: Uint8Array): number {
    if (m.signatureAt < 0 || !m.hasSeq) return 203;
    if (m.saltLength > SALT_BYTES_MAX) return 207;
    const key = bytes.subarray(m.keyAt, m.keyAt + PUBLIC_KEY_BYTES);
    const salt = m.saltAt < 0 ? bytes.subarray(0, 0) : bytes.subarray(m.saltAt, m.saltAt + m.saltLength);
    const target = mutableTarget(key, salt);
    if (!this.isNamed(m, bytes, target)) return 203;
    const row = this.mutables.find(now, target, 0);
    // What costs nothing comes before the signature, but says nothing about the item to who cannot sign.
    const order = row === NONE ? -1 : this.mutables.compareSeq(row, m.seqHigh, m.seqLow);
    const same = order === 0 && this.mutables.sameValue(row, bytes, m.valueAt, m.valueLength);
    const value = bytes.subarray(m.valueAt, m.valueAt + m.valueLength);
    const seq = (BigInt(m.seqHigh) << 32n) | BigInt(m.seqLow);
    const signature = bytes.subarray(m.signatureAt, m.signatureAt + SIGNATURE_BYTES);
    if (!this.shared.curves.ed25519Verify(signature, signedBuffer(value, seq, salt), key)) return 206;
    if (row !== NONE && m.hasCas && this.mutables.compareSeq(row, m.casHigh, m.casLow) !== 0) return 301;
    if (order > 0 || (order === 0 && !same)) return 302;
    if (same) this.mutables.refresh(now, row);
    else this.mutables.put(now, target, 0, m, bytes);
    return 0;
  }

  /** Puts of pubky/mainline name their target; it must be the right one. BEP 44 puts do not. */
  private isNamed(m: KrpcMessage, bytes: Uint8Array, target: Uint8Array): boolean {
    if (m.targetAt < 0) return true;
    for (let i = 0; i < NODE_ID_BYTES; i++) if (bytes[m.targetAt + i] !== target[i]) return false;
    return true;
  }

  private writeIp(endpoint: Uint8Array, at: number): void {
    const w = this.writer;
    const length = endpointToCompact(this.compact, 0, endpoint, at);
    w.raw('2:ip');
    w.string(this.compact, 0, length);
  }

  private writeError(
    m: KrpcMessage,
    bytes: Uint8Array,
    endpoint: Uint8Array,
    at: number,
    code: number,
  ): void {
    const w = this.writer;
    const text = ERROR_TEXTS[code] as string;
    w.raw('d1:eli');
    w.decimal(code);
    w.raw('e');
    w.decimal(text.length);
    w.raw(':');
    w.raw(text);
    w.raw('e');
    this.writeIp(endpoint, at);
    this.writeTail(m, bytes, 'e');
  }

  private writeTail(m: KrpcMessage, bytes: Uint8Array, kind: 'e' | 'r'): void {
    const w = this.writer;
    w.raw('1:t');
    w.string(bytes, m.tidAt, m.tidLength);
    w.raw('1:v');
    w.string(CLIENT_VERSION, 0, CLIENT_VERSION.length);
    w.raw('1:y1:');
    w.raw(kind);
    w.raw('e');
  }

  private writeResult(
    now: Millis,
    m: KrpcMessage,
    bytes: Uint8Array,
    endpoint: Uint8Array,
    at: number,
    withNodes: boolean,
  ): void {
    const w = this.writer;
    w.raw('d');
    this.writeIp(endpoint, at);
    w.raw('1:rd2:id20:');
    w.copy(this.shared.id, 0, NODE_ID_BYTES);
    if (m.method === Method.FIND_NODE) this.writeNodes(now, m, bytes, m.targetAt, NODES_ANSWERED);
    else if (m.method === Method.GET_PEERS) {
      const alone = this.peers.find(bytes, m.infoHashAt) === NONE;
      this.writeNodes(now, m, bytes, m.infoHashAt, alone ? NODES_ANSWERED : BUCKET_CONTACTS);
      this.writeToken(now, endpoint, at);
      this.writePeers(now, bytes, m.infoHashAt);
    } else if (m.method === Method.GET) this.writeGet(now, m, bytes, endpoint, at, withNodes);
    w.raw('e');
    this.writeTail(m, bytes, 'r');
  }

  private writeGet(
    now: Millis,
    m: KrpcMessage,
    bytes: Uint8Array,
    endpoint: Uint8Array,
    at: number,
    withNodes: boolean,
  ): void {
    const w = this.writer;
    // `seq` makes sense for a mutable item only.
    const fixed = m.hasSeq ? NONE : this.immutables.find(now, bytes, m.targetAt);
    const row = fixed === NONE ? this.mutables.find(now, bytes, m.targetAt) : NONE;
    const store = this.mutables;
    const full = row !== NONE && (!m.hasSeq || store.compareSeq(row, m.seqHigh, m.seqLow) > 0);
    if (full) {
      w.raw('1:k');
      w.string(store.publicKeys, row * PUBLIC_KEY_BYTES, PUBLIC_KEY_BYTES);
    }
    const nodes = fixed === NONE && !full ? NODES_ANSWERED : BUCKET_CONTACTS;
    if (withNodes) this.writeNodes(now, m, bytes, m.targetAt, nodes);
    if (row !== NONE) {
      w.raw('3:seq');
      w.wide(store.seqHigh[row] as number, store.seqLow[row] as number);
    }
    if (full) {
      w.raw('3:sig');
      w.string(store.signatures, row * SIGNATURE_BYTES, SIGNATURE_BYTES);
    }
    this.writeToken(now, endpoint, at);
    const value = fixed !== NONE ? this.immutables.values[fixed] : full ? store.values[row] : undefined;
    if (value === undefined) return;
    w.raw('1:v');
    w.copy(value, 0, value.length);
  }

  private writeToken(now: Millis, endpoint: Uint8Array, at: number): void {
    this.tokens.make(now, endpoint, at);
    this.writer.raw('5:token8:');
    this.writer.copy(this.tokens.bytes, 0, OWN_TOKEN_BYTES);
  }

  private writeNodes(now: Millis, m: KrpcMessage, bytes: Uint8Array, targetAt: number, max: number): void {
    const { family } = this.shared;
    // Two families are two networks (BEP 32); we know the one of our socket.
    if (m.want !== 0 && (m.want & (family === 4 ? Want.IPV4 : Want.IPV6)) === 0) return;
    const { table } = this.shared;
    const w = this.writer;
    const count = table.closest(now, bytes, targetAt, this.rows, max);
    w.raw(family === 4 ? '5:nodes' : '6:nodes6');
    const entryBytes = NODE_ID_BYTES + this.named;
    w.decimal(count * entryBytes);
    w.raw(':');
    for (let i = 0; i < count; i++)
      w.copy(table.entries, (this.rows[i] as number) * NODE_ENTRY_BYTES_MAX, entryBytes);
  }

  /** Up to 50 peers; of more, a run of the ring that begins at random. */
  private writePeers(now: Millis, bytes: Uint8Array, hashAt: number): void {
    const row = this.peers.find(bytes, hashAt);
    if (row === NONE) return;
    const known = this.peers.peers(row);
    const ring = this.peers.bytes(row);
    const w = this.writer;
    const max = this.shared.family === 4 ? PEERS_ANSWERED_MAX : PEERS_ANSWERED_MAX / 2;
    const first = known > max ? randomBelow(this.shared.rng, known) : 0;
    let written = 0;
    for (let i = 0; i < known && written < max; i++) {
      const peerAt = this.peers.peerAt(now, row, (first + i) % known);
      if (peerAt < 0) continue;
      if (written++ === 0) w.raw('6:valuesl');
      w.string(ring, peerAt, this.named);
    }
    if (written > 0) w.raw('e');
  }
}
