/**
 * Answers what peers ask: PING, NEGOTIATE, FIND_NODE, FIND_VALUE, FETCH_CHUNK, and through `StoreResponder` STORE and
 * ANNOUNCE_PROVIDER; ERROR UNSUPPORTED for the rest. An answer is remembered as a few numbers and a key and written
 * straight into the host's buffer when it polls. Work for one peer is bounded by a token bucket.
 */
/**
 * Answers what peers ask: PING, NEGOTIATE, FIND_NODE, FIND_VALUE, STORE, ANNOUNCE_PROVIDER, FETCH_CHUNK; ERROR
 * UNSUPPORTED for the rest. An answer is remembered as a few numbers and a key, and written straight into the host's
 * buffer when it polls. Work for one peer is bounded by a token bucket.
 */
import {
  copyBytes,
  grow,
  HANDLE_INDEX_BITS,
  ID_BYTES,
  type Millis,
  NONE,
  TAKEN,
  type Verdict,
} from '@molia/core';
import {
  decodeNegotiate,
  ErrorCode,
  FetchChunkRequestView,
  FindNodeRequestView,
  FindValueRequestView,
  type Header,
  MessageType,
  Negotiation,
  PingView,
  readFetchChunkRequest,
  readFindNodeRequest,
  readFindValueRequest,
  readPing,
} from '@molia/wire';
import type { Answers } from './answers.ts';
import { RATE_LIMITED_TELL_MS, UNITS_CHUNK, UNITS_FIND, UNITS_STORE } from './constants.ts';
import { ContactFlag } from './contacts.ts';
import { Count, type Shared } from './shared.ts';
import { StoreResponder } from './store-responder.ts';

const INDEX_MASK = (1 << HANDLE_INDEX_BITS) - 1;

/** Rows of the token buckets at first: as many peers as an idle node hears. */
const PEERS_INITIAL = 16;

export class Responder {
  private readonly shared: Shared;
  /** The part that takes records. */
  readonly stores: StoreResponder;
  private readonly answers: Answers;
  private readonly ping = new PingView();
  private readonly findNode = new FindNodeRequestView();
  private readonly findValue = new FindValueRequestView();
  private readonly fetch = new FetchChunkRequestView();
  private readonly negotiation = new Negotiation();
  /** Token buckets by peer index. */
  private tokens = new Float64Array(PEERS_INITIAL);
  private refilledAt = new Float64Array(PEERS_INITIAL).fill(-1);
  private toldAt = new Float64Array(PEERS_INITIAL);
  private owners = new Int32Array(PEERS_INITIAL).fill(NONE);

  constructor(shared: Shared, answers: Answers) {
    this.shared = shared;
    this.answers = answers;
    this.stores = new StoreResponder(shared, answers);
  }

  /** A request. Borrowed bytes: the body without its header. */
  handle(
    now: Millis,
    peer: number,
    header: Header,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    const { shared } = this;
    const { type } = header;
    if (type === MessageType.NEGOTIATE) return this.onNegotiate(now, peer, header, bytes, offset, length);
    const row = shared.rowOf(peer);
    if (row === NONE) {
      shared.count(Count.UNAUTHORIZED);
      return this.refuse(peer, header, ErrorCode.UNAUTHORIZED);
    }
    if (!this.afford(now, peer, costOf(type))) return this.limit(now, peer, header);
    shared.count(Count.REQUESTS_SERVED);
    this.meet(now, row);
    if (type === MessageType.PING) return this.onPing(peer, header, bytes, offset, length);
    if (type === MessageType.FETCH_CHUNK) return this.onFetchChunk(peer, header, bytes, offset, length);
    if (shared.client) return this.refuse(peer, header, ErrorCode.UNSUPPORTED);
    switch (type) {
      case MessageType.FIND_NODE:
        return this.onFindNode(peer, row, header, bytes, offset, length);
      case MessageType.FIND_VALUE:
        return this.onFindValue(peer, row, header, bytes, offset, length);
      case MessageType.STORE:
        return this.taken(peer, header, this.stores.onStore(now, peer, row, header, bytes, offset, length));
      case MessageType.ANNOUNCE_PROVIDER:
        return this.taken(
          peer,
          header,
          this.stores.onAnnounce(now, peer, row, header, bytes, offset, length),
        );
      default:
        return this.refuse(peer, header, ErrorCode.UNSUPPORTED);
    }
  }

  /** ERROR, to an authenticated peer only. */
  refuse(peer: number, header: Header, code: number, retryAfterMs = 0): Verdict {
    const at = this.answers.push(MessageType.ERROR, peer, header.correlation, header.stream);
    if (at !== NONE) {
      this.answers.a[at] = code;
      this.answers.b[at] = retryAfterMs;
    }
    return TAKEN;
  }

  private onPing(peer: number, header: Header, bytes: Uint8Array, offset: number, length: number): Verdict {
    const verdict = readPing(bytes, offset, length, this.ping);
    if (verdict < 0) return this.invalid(peer, header, verdict);
    const at = this.answers.push(MessageType.PONG, peer, header.correlation, header.stream);
    if (at === NONE) return this.overflow();
    this.answers.a[at] = this.ping.payloadLength;
    copyBytes(this.answers.keys, at * ID_BYTES, bytes, this.ping.payloadOffset, this.ping.payloadLength);
    return TAKEN;
  }

  private onFindNode(
    peer: number,
    row: number,
    header: Header,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    const verdict = readFindNodeRequest(bytes, offset, length, this.findNode);
    if (verdict < 0) return this.invalid(peer, header, verdict);
    const at = this.answers.push(MessageType.FIND_NODE_RESPONSE, peer, header.correlation, header.stream);
    if (at === NONE) return this.overflow();
    this.answers.rows[at] = row;
    this.answers.a[at] = this.findNode.limit;
    copyBytes(this.answers.keys, at * ID_BYTES, bytes, this.findNode.targetOffset, ID_BYTES);
    return TAKEN;
  }

  private onFindValue(
    peer: number,
    row: number,
    header: Header,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    const { findValue, answers } = this;
    const verdict = readFindValueRequest(bytes, offset, length, findValue);
    if (verdict < 0) return this.invalid(peer, header, verdict);
    const at = answers.push(MessageType.FIND_VALUE_RESPONSE, peer, header.correlation, header.stream);
    if (at === NONE) return this.overflow();
    answers.rows[at] = row;
    answers.a[at] = findValue.want;
    answers.b[at] = findValue.sequenceMin;
    answers.c[at] = findValue.skip;
    copyBytes(answers.keys, at * ID_BYTES, bytes, findValue.keyOffset, ID_BYTES);
    return TAKEN;
  }

  private onFetchChunk(
    peer: number,
    header: Header,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    const { fetch, answers } = this;
    const verdict = readFetchChunkRequest(bytes, offset, length, fetch);
    if (verdict < 0) return this.invalid(peer, header, verdict);
    const at = answers.push(MessageType.FETCH_CHUNK_RESPONSE, peer, header.correlation, header.stream);
    if (at === NONE) return this.overflow();
    answers.a[at] = fetch.chunkOffset;
    answers.b[at] = fetch.chunkLength;
    copyBytes(answers.keys, at * ID_BYTES, bytes, fetch.hashOffset, ID_BYTES);
    return TAKEN;
  }

  private onNegotiate(
    now: Millis,
    peer: number,
    header: Header,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    const { shared, negotiation } = this;
    if (!this.afford(now, peer, UNITS_STORE)) return this.limit(now, peer, header);
    const verdict = decodeNegotiate(bytes, offset, length, negotiation);
    if (verdict < 0) return this.invalid(peer, header, verdict);
    let row = shared.rowOf(peer);
    if (row === NONE && shared.peers.bindIdentity(now, peer, negotiation.publicKey, 0))
      row = shared.rowOf(peer);
    if (row === NONE) {
      shared.count(Count.UNAUTHORIZED);
      return this.refuse(peer, header, ErrorCode.UNAUTHORIZED);
    }
    shared.count(Count.REQUESTS_SERVED);
    shared.introduced(now, row, negotiation.client);
    this.meet(now, row);
    if (this.answers.push(MessageType.NEGOTIATE_RESPONSE, peer, header.correlation, header.stream) === NONE) {
      return this.overflow();
    }
    return TAKEN;
  }

  /** A stranger asked us: if there is room for it, it is asked who it is, and may enter once it answered. */
  private meet(now: Millis, row: number): void {
    const { shared } = this;
    const known = ContactFlag.TABLE | ContactFlag.CACHED | ContactFlag.CLIENT | ContactFlag.QUEUED;
    if (((shared.contacts.flags[row] as number) & known) !== 0) return;
    if (shared.table.hasRoom(row) || ((shared.contacts.flags[row] as number) & ContactFlag.LOST) !== 0) {
      shared.probe(row);
    }
    // Who has lost contacts listens to strangers: they may come from beyond the rift.
    shared.returned(now, row);
    if (shared.lost.count > 0) shared.hintAt(row);
  }

  private taken(peer: number, header: Header, verdict: Verdict): Verdict {
    return verdict < 0 ? this.invalid(peer, header, verdict) : verdict;
  }

  private invalid(peer: number, header: Header, verdict: Verdict): Verdict {
    this.shared.count(Count.INVALID);
    this.refuse(peer, header, ErrorCode.INVALID);
    return verdict;
  }

  private overflow(): Verdict {
    this.shared.count(Count.ANSWERS_OVERFLOWED);
    return TAKEN;
  }

  /** Takes units of work from a peer's bucket; false = spent. */
  private afford(now: Millis, peer: number, units: number): boolean {
    const { peerUnitsBurst, peerUnitsPerSecond } = this.shared.tuning;
    const at = peer & INDEX_MASK;
    if (at >= this.tokens.length) this.growBuckets(at);
    let tokens: number;
    if (this.owners[at] === peer) {
      const elapsed = now - (this.refilledAt[at] as number);
      tokens = Math.min(peerUnitsBurst, (this.tokens[at] as number) + (elapsed * peerUnitsPerSecond) / 1000);
    } else {
      this.owners[at] = peer;
      this.toldAt[at] = Number.NEGATIVE_INFINITY;
      tokens = peerUnitsBurst;
    }
    this.refilledAt[at] = now;
    const affordable = tokens >= units;
    this.tokens[at] = affordable ? tokens - units : tokens;
    return affordable;
  }

  private limit(now: Millis, peer: number, header: Header): Verdict {
    this.shared.count(Count.RATE_LIMITED);
    const at = peer & INDEX_MASK;
    if (now - (this.toldAt[at] as number) < RATE_LIMITED_TELL_MS) return TAKEN;
    this.toldAt[at] = now;
    return this.refuse(peer, header, ErrorCode.RATE_LIMITED, RATE_LIMITED_TELL_MS);
  }

  private growBuckets(index: number): void {
    let length = this.tokens.length;
    while (length <= index) length *= 2;
    const first = this.tokens.length;
    this.tokens = grow(this.tokens, length);
    this.refilledAt = grow(this.refilledAt, length);
    this.toldAt = grow(this.toldAt, length);
    this.owners = grow(this.owners, length).fill(NONE, first);
  }
}

function costOf(type: number): number {
  if (type === MessageType.STORE || type === MessageType.ANNOUNCE_PROVIDER) return UNITS_STORE;
  if (type === MessageType.FETCH_CHUNK) return UNITS_CHUNK;
  // A ping costs less than the decryption that brought it here.
  return type === MessageType.PING ? 0 : UNITS_FIND;
}
