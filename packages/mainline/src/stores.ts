/** What a server keeps for others: peers of info-hashes and values, bounded by count and age, oldest use first out. */
import { grow, type Millis, NONE, type Rng } from '@molia/core';
import { ITEM_LIFE_MS, NODE_ID_BYTES, PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from './constants.ts';
import { copyOf } from './copy.ts';
import type { KrpcMessage } from './krpc-read.ts';
import { LruKeys } from './lru-keys.ts';

/** An announcement lives so long; peers announce again every 30 minutes or so. */
const PEER_LIFE_MS = 45 * 60_000;

/**
 * Peers by info-hash. A hash has a ring of `peersPerHash` compact peers; the newest announcement overwrites the oldest, and a
 * peer that announces again keeps its place.
 */
export class PeerStore {
  private readonly hashes: LruKeys;
  private readonly rings: (Uint8Array | undefined)[] = [];
  private readonly stamps: (Float64Array | undefined)[] = [];
  private readonly counts: number[] = [];
  private readonly peerBytes: number;
  private readonly peersMax: number;

  /** `peerBytes`: 6 or 18. */
  constructor(hashesMax: number, peersMax: number, peerBytes: number, rng: Rng) {
    this.hashes = new LruKeys(NODE_ID_BYTES, hashesMax, rng);
    this.peersMax = peersMax;
    this.peerBytes = peerBytes;
  }

  /** Info-hashes with peers. */
  get count(): number {
    return this.hashes.count;
  }

  /** Row of an info-hash, or `NONE`. */
  find(hash: Uint8Array, at: number): number {
    return this.hashes.find(hash, at);
  }

  /** Peers of a row, dead ones included. */
  peers(row: number): number {
    return this.counts[row] as number;
  }

  /** Offset of a live peer in `bytes(row)`, or -1 when it is too old. */
  peerAt(now: Millis, row: number, index: number): number {
    const stamp = (this.stamps[row] as Float64Array)[index] as number;
    return now - stamp < PEER_LIFE_MS ? index * this.peerBytes : -1;
  }

  bytes(row: number): Uint8Array {
    return this.rings[row] as Uint8Array;
  }

  announce(now: Millis, hash: Uint8Array, at: number, peer: Uint8Array): void {
    let row = this.hashes.find(hash, at);
    if (row === NONE) {
      row = this.hashes.insert(hash, at);
      this.rings[row] = new Uint8Array(4 * this.peerBytes);
      this.stamps[row] = new Float64Array(4);
      this.counts[row] = 0;
    } else this.hashes.touch(row);
    let ring = this.rings[row] as Uint8Array;
    let stamps = this.stamps[row] as Float64Array;
    const count = this.counts[row] as number;
    let place = 0;
    let oldest = 0;
    for (; place < count; place++) {
      if (this.samePeer(ring, place, peer)) break;
      if ((stamps[place] as number) < (stamps[oldest] as number)) oldest = place;
    }
    if (place === count) {
      if (count === this.peersMax) place = oldest;
      else {
        this.counts[row] = count + 1;
        if (count === stamps.length) {
          const capacity = Math.min(this.peersMax, count * 2);
          ring = grow(ring, capacity * this.peerBytes);
          stamps = grow(stamps, capacity);
          this.rings[row] = ring;
          this.stamps[row] = stamps;
        }
      }
    }
    for (let i = 0; i < this.peerBytes; i++) ring[place * this.peerBytes + i] = peer[i] as number;
    stamps[place] = now;
  }

  /** Drops hashes nobody announced for any longer. */
  expire(now: Millis): void {
    for (let row = this.hashes.eldest; row !== NONE; row = this.hashes.eldest) {
      const stamps = this.stamps[row] as Float64Array;
      let latest = 0;
      for (let i = 0; i < (this.counts[row] as number); i++) latest = Math.max(latest, stamps[i] as number);
      if (now - latest < PEER_LIFE_MS) return;
      this.hashes.remove(row);
      this.rings[row] = undefined;
      this.stamps[row] = undefined;
    }
  }

  private samePeer(ring: Uint8Array, place: number, peer: Uint8Array): boolean {
    for (let i = 0; i < this.peerBytes; i++) if (ring[place * this.peerBytes + i] !== peer[i]) return false;
    return true;
  }
}

/** Values of BEP 44, immutable and mutable ones each within a bound of their own. */
export class ItemStore {
  readonly targets: LruKeys;
  /** Bencoded values by row. */
  readonly values: (Uint8Array | undefined)[] = [];
  publicKeys = new Uint8Array(0);
  signatures = new Uint8Array(0);
  /** Sequence numbers in two words. */
  seqHigh = new Uint32Array(0);
  seqLow = new Uint32Array(0);
  private storedAt = new Float64Array(0);
  private readonly mutable: boolean;

  constructor(rowsMax: number, mutable: boolean, rng: Rng) {
    this.mutable = mutable;
    this.targets = new LruKeys(NODE_ID_BYTES, rowsMax, rng, (capacity) => {
      this.storedAt = grow(this.storedAt, capacity);
      if (!mutable) return;
      this.publicKeys = grow(this.publicKeys, capacity * PUBLIC_KEY_BYTES);
      this.signatures = grow(this.signatures, capacity * SIGNATURE_BYTES);
      this.seqHigh = grow(this.seqHigh, capacity);
      this.seqLow = grow(this.seqLow, capacity);
    });
  }

  get count(): number {
    return this.targets.count;
  }

  /** Row of a live value, or `NONE`. */
  find(now: Millis, target: Uint8Array, at: number): number {
    const row = this.targets.find(target, at);
    if (row === NONE || now - (this.storedAt[row] as number) < ITEM_LIFE_MS) return row;
    this.drop(row);
    return NONE;
  }

  /** Stores what a checked put brought. */
  put(now: Millis, target: Uint8Array, at: number, m: KrpcMessage, bytes: Uint8Array): void {
    let row = this.targets.find(target, at);
    if (row === NONE) row = this.targets.insert(target, at);
    else this.targets.touch(row);
    this.values[row] = copyOf(bytes, m.valueAt, m.valueLength);
    this.storedAt[row] = now;
    if (!this.mutable) return;
    this.publicKeys.set(bytes.subarray(m.keyAt, m.keyAt + PUBLIC_KEY_BYTES), row * PUBLIC_KEY_BYTES);
    this.signatures.set(
      bytes.subarray(m.signatureAt, m.signatureAt + SIGNATURE_BYTES),
      row * SIGNATURE_BYTES,
    );
    this.seqHigh[row] = m.seqHigh;
    this.seqLow[row] = m.seqLow;
  }

  /** Starts a value's two hours again. */
  refresh(now: Millis, row: number): void {
    this.storedAt[row] = now;
    this.targets.touch(row);
  }

  /** Negative, 0, positive: the stored sequence number against one in two words. */
  compareSeq(row: number, high: number, low: number): number {
    return (this.seqHigh[row] as number) - high || (this.seqLow[row] as number) - low;
  }

  sameValue(row: number, bytes: Uint8Array, at: number, length: number): boolean {
    const value = this.values[row] as Uint8Array;
    if (value.length !== length) return false;
    for (let i = 0; i < length; i++) if (value[i] !== bytes[at + i]) return false;
    return true;
  }

  /** Drops what is past its two hours, oldest use first. */
  expire(now: Millis): void {
    for (let row = this.targets.eldest; row !== NONE; row = this.targets.eldest) {
      if (now - (this.storedAt[row] as number) < ITEM_LIFE_MS) return;
      this.drop(row);
    }
  }

  private drop(row: number): void {
    this.targets.remove(row);
    this.values[row] = undefined;
  }
}
