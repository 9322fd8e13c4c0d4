/**
 * The puller: fetches large values by FETCH_CHUNK (protocol page, section 2) as a sans-IO machine. Every chunk
 * exchange is a stateless request and answer; the puller keeps the window (additive increase, multiplicative
 * decrease on RTT and loss), retries, hashes as the bytes become contiguous, and hands out only what matched the
 * announced length and hash.
 */
import type { Counters, Millis, Verdict } from '@molia/core';

/** How a pull ended. */
export const PullOutcome = {
  /** All bytes, hash and length as announced. */
  COMPLETE: 0,
  /** No answer within the retries or the time limit. */
  TIMEOUT: 1,
  /** The peer does not have it. */
  NOT_FOUND: 2,
  UNREACHABLE: 3,
  CANCELLED: 4,
  /** All chunks came and do not hash to what was announced: the peer's fault. */
  MISMATCH: 5,
  /** A chunk contradicts the announcement (total, offset or length): the peer's fault. */
  LIED: 6,
} as const;

/** A FETCH_CHUNK to send now; one reused object. */
export class ChunkRequest {
  pull = -1;
  /** Peer handle given to `start`. */
  peer = -1;
  /** 32 bytes, borrowed. */
  hash: Uint8Array = new Uint8Array(0);
  hashOffset = 0;
  offset = 0;
  /** Bytes wanted, at most 1120. */
  length = 0;
}

/** A finished pull; one reused object. */
export class PullDone {
  pull = -1;
  peer = -1;
  /** `PullOutcome`. */
  outcome = 0;
  /** The peer gave provably wrong answers. */
  blame = false;
  /** The value, only with COMPLETE. Borrowed until the next `pollDone`. */
  bytes: Uint8Array = new Uint8Array(0);
  offset = 0;
  length = 0;
  /** What `start` was given beside: the detached record. Borrowed until the next `pollDone`. */
  envelope: Uint8Array = new Uint8Array(0);
  envelopeOffset = 0;
  envelopeLength = 0;
  /** The caller's number from `start` (an operation, a correlation). */
  tag = 0;
  elapsedMs = 0;
}

export interface PullerOptions {
  /** Concurrent pulls. */
  readonly pullsMax?: number;
  readonly pullsPerPeerMax?: number;
  /** Announced bytes of all concurrent pulls. */
  readonly bytesMax?: number;
  /** Chunks in flight over all pulls. */
  readonly chunksMax?: number;
}

export declare class Puller {
  constructor(options?: PullerOptions);
  readonly counters: Counters;
  readonly count: number;
  /**
   * Starts to pull `length` bytes with this hash from `peer`. `envelope` (at most 1200 bytes) is copied and handed
   * back by `pollDone`, as is `tag`. `srttMs`: what is known of the peer's round trip, 0 = nothing.
   * Returns a pull handle, or NONE when a limit is reached.
   */
  start(
    now: Millis,
    peer: number,
    hash: Uint8Array,
    hashOffset: number,
    length: number,
    envelope: Uint8Array,
    envelopeOffset: number,
    envelopeLength: number,
    tag: number,
    srttMs: number,
  ): number;
  /** The next request to send; put `pull` into the header's stream field, so that the answer finds its way. */
  pollRequest(now: Millis, out: ChunkRequest): boolean;
  /** A FETCH_CHUNK_RESPONSE from `peer`. Late, doubled and foreign ones are dropped with a negative verdict. */
  handleChunk(
    now: Millis,
    pull: number,
    peer: number,
    chunkOffset: number,
    total: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict;
  /** The peer answered with an ERROR: NOT_FOUND ends the pull, `busy` counts as a loss. */
  handleError(now: Millis, pull: number, peer: number, busy: boolean): Verdict;
  /** The session storey gave the peer up: its pulls end UNREACHABLE. */
  handlePeerUnreachable(now: Millis, peer: number): void;
  cancel(now: Millis, pull: number): boolean;
  handleTimeout(now: Millis): void;
  nextDelay(now: Millis): number;
  /** Finished pulls, each once. `false` = none. */
  pollDone(out: PullDone): boolean;
}
