/**
 * Routing tables from ground truth, as a network has them that is complete: by bucket, the contacts that share exactly so
 * many leading bits. Small buckets hold everybody, larger ones a random sample; the far ones the nearest by round trip of
 * as many candidates as a node really meets. What is drawn comes from the node's own generator, so that a table depends
 * only on the seed and the host, never on who was served before.
 */
import { copyBytes, ENDPOINT_BYTES, grow, ID_BYTES, type Rng, randomBelow } from '@molia/core';
import type { Network } from '@molia/sim';
import type { Population, SortedHosts } from './population.ts';
import type { StackNode } from './stack.ts';

const K = 20;
/** Capacities of the far buckets (docs/spec/routing.md). */
const FAR_CAPACITIES: readonly number[] = [128, 64, 40];
/** Every contact of a table is heard at least this often, in turn: so old its last sign of life may be. */
export const AGE_MS_MAX = 900_000;
/**
 * What nodes of a really joined network of 1000 knew, by bucket from the farthest. 10 s after the last had joined, far
 * buckets held 16, 14 and 14 contacts. After an hour in which nobody asked for anything they were full, and what they held
 * ranks, by mean round trip, as the nearest of 177, 126 and 100 would.
 */
export const MET_IN_HOURS: readonly number[] = [177, 126, 100];
/** After those hours: by tenths of the contacts, smoothed round trip over the idle path's, in far buckets and in others. */
const SRTT_FAR: readonly number[] = [1, 1.015, 1.019, 1.022, 1.028, 1.042, 1.156, 1.224, 1.297, 1.47, 2];
const SRTT_NEAR: readonly number[] = [1, 1.016, 1.019, 1.022, 1.025, 1.031, 1.044, 1.072, 1.142, 1.197, 1.5];
/** And its deviation over itself. */
const RTTVAR: readonly number[] = [0.01, 0.018, 0.025, 0.038, 0.06, 0.114, 0.2, 0.286, 0.36, 0.443, 0.5];
/** Lookups that told a node of the network's size within the hours that they count. */
const SIZE_LOOKUPS = 30;
/** The deepest bucket that these lookups refresh: they share the few that hold anybody. */
const SIZE_BUCKETS = 12;

export class Oracle {
  readonly #population: Population;
  readonly #network: Network;
  /** Everybody at the instant of which the tables tell. */
  readonly #everybody: SortedHosts;
  /** In the order of their ids. */
  readonly #order: Int32Array;
  readonly #candidates: readonly number[];
  #picked: Int32Array = new Int32Array(256);
  #rtts: Float64Array = new Float64Array(256);
  /** By position: the last draw that took it. */
  readonly #marks: Uint32Array;
  #draw = 0;
  readonly #key = new Uint8Array(ID_BYTES);
  readonly #id = new Uint8Array(ID_BYTES);
  readonly #endpoint = new Uint8Array(ENDPOINT_BYTES);
  readonly #fractions: number[] = [];

  /** `candidates`: contacts that a node has met, by bucket from the farthest. The live hosts are those of this moment. */
  constructor(population: Population, network: Network, candidates: readonly number[]) {
    this.#population = population;
    this.#network = network;
    this.#candidates = candidates;
    this.#everybody = population.snapshot();
    this.#order = this.#everybody.hosts;
    this.#marks = new Uint32Array(this.#order.length);
  }

  /** Gives a node its table and its idea of the network's size; `now` is its own clock, at least `AGE_MS_MAX`. */
  furnish(node: StackNode, rng: Rng, now: number): void {
    let from = 0;
    let to = this.#order.length;
    const { ids } = this.#population;
    const own = node.host * ID_BYTES;
    for (let bit = 0; to - from > 1; bit++) {
      const middle = this.#firstWithBit(from, to, bit);
      const one = (((ids[own + (bit >>> 3)] as number) >>> (7 - (bit & 7))) & 1) === 1;
      if (one) this.#fill(node, rng, now, bit, from, middle);
      else this.#fill(node, rng, now, bit, middle, to);
      if (one) from = middle;
      else to = middle;
    }
    this.#measureSize(node, rng, now);
  }

  /** The contacts of one bucket, from the positions of those who may be in it. */
  #fill(node: StackNode, rng: Rng, now: number, bucket: number, from: number, to: number): void {
    const capacity = FAR_CAPACITIES[bucket] ?? K;
    const met = this.#sample(rng, from, to, this.#candidates[bucket] ?? capacity);
    const picked = this.#picked;
    if (met > capacity) this.#nearestFirst(node.host, met);
    const count = Math.min(met, capacity);
    const ratios = bucket < FAR_CAPACITIES.length ? SRTT_FAR : SRTT_NEAR;
    for (let i = 0; i < count; i++)
      this.#restore(node, rng, now, this.#order[picked[i] as number] as number, ratios);
  }

  /** A random order of `count` of the positions, all where there are no more, into `#picked`; how many. */
  #sample(rng: Rng, from: number, to: number, count: number): number {
    const size = to - from;
    const wanted = Math.min(size, count);
    const all = size < 2 * count;
    const room = all ? size : wanted;
    if (room > this.#picked.length) {
      this.#picked = grow(this.#picked, room * 2);
      this.#rtts = grow(this.#rtts, room * 2);
    }
    const picked = this.#picked;
    if (all) {
      for (let i = 0; i < size; i++) picked[i] = from + i;
      for (let i = 0; i < wanted; i++) {
        const other = i + randomBelow(rng, size - i);
        const position = picked[other] as number;
        picked[other] = picked[i] as number;
        picked[i] = position;
      }
      return wanted;
    }
    this.#draw++;
    for (let i = 0; i < wanted; ) {
      const position = from + randomBelow(rng, size);
      // BOUNDED: at least half of the positions are not taken.
      if (this.#marks[position] === this.#draw) continue;
      this.#marks[position] = this.#draw;
      picked[i++] = position;
    }
    return wanted;
  }

  /** Puts the first `count` of `#picked` in the order of their round trips from a host. */
  #nearestFirst(host: number, count: number): void {
    const picked = this.#picked;
    const rtts = this.#rtts;
    for (let i = 0; i < count; i++)
      rtts[i] = this.#network.baseRttMs(host, this.#order[picked[i] as number] as number);
    const order = Array.from({ length: count }, (_, i) => i);
    order.sort((a, b) => (rtts[a] as number) - (rtts[b] as number));
    const sorted = order.map((i) => picked[i] as number);
    picked.set(sorted);
  }

  #restore(node: StackNode, rng: Rng, now: number, host: number, ratios: readonly number[]): void {
    const { keys, ids } = this.#population;
    const at = host * ID_BYTES;
    copyBytes(this.#key, 0, keys, at, ID_BYTES);
    copyBytes(this.#id, 0, ids, at, ID_BYTES);
    this.#network.writeBoundEndpoint(host, this.#endpoint, 0);
    const seenAt = now - randomBelow(rng, AGE_MS_MAX);
    const srtt = Math.max(1, this.#network.baseRttMs(node.host, host) * drawn(ratios, rng));
    node.kademlia.restoreContact(
      seenAt,
      this.#key,
      this.#endpoint,
      srtt,
      srtt * drawn(RTTVAR, rng),
      this.#id,
    );
  }

  /** What lookups that refresh its buckets would have shown. */
  #measureSize(node: StackNode, rng: Rng, now: number): void {
    const { ids } = this.#population;
    const target = this.#id;
    const own = node.host * ID_BYTES;
    const found = this.#fractions;
    for (let i = 0; i < SIZE_LOOKUPS; i++) {
      const bit = i % SIZE_BUCKETS;
      const byte = bit >>> 3;
      const mask = 0xff >>> (bit & 7);
      rng.fill(target, byte, ID_BYTES - byte);
      copyBytes(target, 0, ids, own, byte);
      const flipped = (ids[own + byte] as number) ^ (0x80 >>> (bit & 7));
      target[byte] = (flipped & ~(mask >>> 1)) | ((target[byte] as number) & (mask >>> 1));
      found.length = 0;
      for (const host of this.#everybody.closest(target, K))
        found.push(fraction(target, ids, host * ID_BYTES));
      node.kademlia.restoreSize(now, found);
    }
  }

  /** First position of a range, which shares all bits before `bit`, whose id has that bit. */
  #firstWithBit(from: number, to: number, bit: number): number {
    const { ids } = this.#population;
    const byte = bit >>> 3;
    const mask = 0x80 >>> (bit & 7);
    let left = from;
    let right = to;
    while (left < right) {
      const middle = (left + right) >>> 1;
      const host = this.#order[middle] as number;
      if (((ids[host * ID_BYTES + byte] as number) & mask) === 0) left = middle + 1;
      else right = middle;
    }
    return left;
  }
}

/** A draw from a law given by its tenths. */
function drawn(tenths: readonly number[], rng: Rng): number {
  const at = (rng.u32() / 2 ** 32) * 10;
  const below = tenths[Math.floor(at)] as number;
  return below + ((tenths[Math.floor(at) + 1] as number) - below) * (at % 1);
}

/** XOR distance as a share of the id space, from its top 48 bits. */
function fraction(target: Uint8Array, ids: Uint8Array, at: number): number {
  let sum = 0;
  for (let i = 5; i >= 0; i--) sum = (sum + ((target[i] as number) ^ (ids[at + i] as number))) / 256;
  return sum;
}
