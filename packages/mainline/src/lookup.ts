/**
 * One iterative search: candidates ordered by distance, at most ALPHA requests under way, ended when the nearest that answer are
 * settled. A lookup of values goes on to everybody within the expected distance of the 20th node, and further until those found lie in
 * as many subnets as they usually do, so that ids made to lie nearer than the honest ones ("vertical Sybils") cannot push those out.
 */
import { ENDPOINT_BYTES, equalBytes, NONE } from '@molia/core';
import { CANDIDATES_MAX, NODE_ID_BYTES, STORE_NODES_MAX, TOKEN_BYTES_MAX } from './constants.ts';
import { addressBytes, addressKey, compareIdDistance, idDistance, isSecureId } from './node-id.ts';

export const CandidateState = { NEW: 0, ASKED: 1, LATE: 2, ANSWERED: 3, FAILED: 4 } as const;

const SUBNETS = 64;

export class Lookup {
  readonly target = new Uint8Array(NODE_ID_BYTES);
  readonly ids = new Uint8Array(CANDIDATES_MAX * NODE_ID_BYTES);
  readonly endpoints = new Uint8Array(CANDIDATES_MAX * ENDPOINT_BYTES);
  /** Distances to the target (shares of the id space, exact to 48 bits), and a mix of each address that rules most others out. */
  private readonly distances = new Float64Array(CANDIDATES_MAX);
  private readonly addressKeys = new Int32Array(CANDIDATES_MAX);
  readonly tokens = new Uint8Array(CANDIDATES_MAX * TOKEN_BYTES_MAX);
  /** 0 = it gave none. */
  readonly tokenLengths = new Uint8Array(CANDIDATES_MAX);
  readonly states = new Uint8Array(CANDIDATES_MAX);
  readonly secure = new Uint8Array(CANDIDATES_MAX);
  /** 0 to 63: the /6 of an IPv4 address; of an IPv6 one, its /32 by a hash. */
  readonly subnets = new Uint8Array(CANDIDATES_MAX);
  /** Whether it returned a value. */
  readonly hasValue = new Uint8Array(CANDIDATES_MAX);
  /** Candidates by distance, nearest first. */
  readonly order = new Int16Array(CANDIDATES_MAX);
  count = 0;
  /** Answering nodes to settle, and the distance (share of the id space) to search completely. */
  breadth = 0;
  completeTo = 0;
  /** Subnets that the settled nodes shall lie in, where `completeTo` is known. */
  subnetsMin = 0;
  /** How many are settled so far in a walk along `order`, and the subnets of those. */
  private settled = 0;
  private subnetCount = 0;
  private readonly seenSubnets = new Uint8Array(SUBNETS);
  /** Requests that are under way and not late; and late ones. */
  inFlight = 0;
  late = 0;
  queried = 0;
  answered = 0;

  start(target: Uint8Array, at: number, breadth: number, completeTo: number, subnetsMin: number): void {
    this.target.set(target.subarray(at, at + NODE_ID_BYTES));
    this.count = 0;
    this.breadth = breadth;
    this.completeTo = completeTo;
    this.subnetsMin = subnetsMin;
    this.inFlight = 0;
    this.late = 0;
    this.queried = 0;
    this.answered = 0;
  }

  /** Adds a node that somebody named; its index, or `NONE` when it is known, too far or its address is used by another. */
  add(id: Uint8Array, idAt: number, endpoint: Uint8Array, at: number): number {
    const distance = idDistance(id, idAt, this.target, 0);
    const place = this.placeOf(distance, id, idAt);
    // Most of what an answer names is known: the same id has the same place.
    if (place < 0 || place === CANDIDATES_MAX) return NONE;
    const length = addressBytes(endpoint, at);
    const key = addressKey(endpoint, at, length);
    for (let i = 0; i < this.count; i++) {
      if (this.addressKeys[i] !== key) continue;
      if (equalBytes(this.endpoints, i * ENDPOINT_BYTES, endpoint, at, length)) return NONE;
    }
    let index = this.count;
    if (this.count === CANDIDATES_MAX) {
      index = this.order[this.count - 1] as number;
      const state = this.states[index];
      if (state === CandidateState.ASKED || state === CandidateState.LATE) return NONE;
    } else this.count++;
    for (let i = this.count - 1; i > place; i--) this.order[i] = this.order[i - 1] as number;
    this.order[place] = index;
    this.ids.set(id.subarray(idAt, idAt + NODE_ID_BYTES), index * NODE_ID_BYTES);
    this.endpoints.set(endpoint.subarray(at, at + ENDPOINT_BYTES), index * ENDPOINT_BYTES);
    this.distances[index] = distance;
    this.addressKeys[index] = key;
    this.tokenLengths[index] = 0;
    this.hasValue[index] = 0;
    this.states[index] = CandidateState.NEW;
    this.subnets[index] = subnetOf(endpoint, at);
    this.secure[index] = isSecureId(id, idAt, endpoint, at) ? 1 : 0;
    return index;
  }

  /** Voids a candidate's address: another node lives there. */
  forgetAddress(index: number): void {
    this.endpoints.fill(0, index * ENDPOINT_BYTES, (index + 1) * ENDPOINT_BYTES);
    this.addressKeys[index] = 0;
  }

  setToken(index: number, bytes: Uint8Array, at: number, length: number): void {
    if (at < 0 || length > TOKEN_BYTES_MAX) return;
    this.tokens.set(bytes.subarray(at, at + length), index * TOKEN_BYTES_MAX);
    this.tokenLengths[index] = length;
  }

  /** The next candidate to ask, or `NONE`: none is due, or the lookup is over. */
  next(): number {
    this.beginWalk();
    for (let i = 0; i < this.count; i++) {
      const c = this.order[i] as number;
      if (this.isBeyond(c)) return NONE;
      const state = this.states[c];
      if (state === CandidateState.NEW) return c;
      if ((state === CandidateState.ANSWERED || state === CandidateState.ASKED) && this.secure[c] === 1)
        this.settle(c);
    }
    return NONE;
  }

  /** Whether nothing more is worth waiting for. Call when `next` returned `NONE`. */
  get isOver(): boolean {
    if (this.late > 0 && this.answered < Math.min(4, this.breadth)) return false;
    if (this.inFlight === 0) return true;
    // Requests to candidates that nearer answers have pushed out of reach need no waiting for.
    if (this.answered < this.breadth) return false;
    this.beginWalk();
    for (let i = 0; i < this.count; i++) {
      const c = this.order[i] as number;
      if (this.isBeyond(c)) return true;
      if (this.states[c] === CandidateState.ASKED) return false;
      if (this.states[c] === CandidateState.ANSWERED && this.secure[c] === 1) this.settle(c);
    }
    return false;
  }

  /** Indices of the nodes to write to, nearest first: they answered, gave a token and have a right to their id. */
  holders(withToken: boolean): number[] {
    const found: number[] = [];
    this.beginWalk();
    for (let i = 0; i < this.count; i++) {
      const c = this.order[i] as number;
      if (this.isBeyond(c)) break;
      if (this.states[c] !== CandidateState.ANSWERED || this.secure[c] === 0) continue;
      this.settle(c);
      if (!withToken || this.tokenLengths[c] !== 0) found.push(c);
    }
    return found;
  }

  /** Where in `order` an id belongs; negative when it is there already. */
  private placeOf(distance: number, id: Uint8Array, idAt: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const c = this.order[middle] as number;
      let difference = distance - (this.distances[c] as number);
      if (difference === 0)
        difference = compareIdDistance(this.target, 0, id, idAt, this.ids, c * NODE_ID_BYTES);
      if (difference === 0) return -1;
      if (difference < 0) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private beginWalk(): void {
    this.settled = 0;
    this.subnetCount = 0;
    this.seenSubnets.fill(0);
  }

  private settle(c: number): void {
    this.settled++;
    const subnet = this.subnets[c] as number;
    if (this.seenSubnets[subnet] === 0) this.subnetCount++;
    this.seenSubnets[subnet] = 1;
  }

  private isBeyond(c: number): boolean {
    if (this.settled < this.breadth) return false;
    if (this.settled >= STORE_NODES_MAX || this.completeTo === 0) return true;
    return (this.distances[c] as number) > this.completeTo && this.subnetCount >= this.subnetsMin;
  }
}

function subnetOf(endpoint: Uint8Array, at: number): number {
  if (endpoint[at] === 4) return (endpoint[at + 1] as number) >>> 2;
  return addressKey(endpoint, at + 1, 4) & (SUBNETS - 1);
}
