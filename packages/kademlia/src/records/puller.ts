/**
 * The puller: fetches large values by FETCH_CHUNK (docs/spec/wire.md) as a sans-IO machine. Every chunk
 * exchange is a stateless request and answer; the puller keeps the window (additive increase, multiplicative
 * decrease on RTT and loss), retries, hashes as the bytes become contiguous, and hands out only what matched the
 * announced length and hash. Allocates when a pull starts, never per chunk.
 *
 * Use one puller for values that others ask us to store and another for our own reads, so that neither starves the
 * other.
 */
import {
  type Counters,
  copyBytes,
  createCounters,
  FixedQueue,
  HandleTable,
  IDLE,
  type Millis,
  NONE,
  resolveOptions,
  type Verdict,
} from '@molia/core';
import { CHUNK_BYTES_MAX, KEY_BYTES, VALUE_BYTES_MAX } from '@molia/wire';
import {
  ENVELOPE_BYTES_MAX,
  PULL_BUFFERS_KEPT,
  PULL_BYTES_MAX,
  PULL_CHUNKS_MAX,
  PULL_MS_MAX,
  PULLS_MAX,
  PULLS_PER_PEER_MAX,
} from './constants.ts';
import { PullPhase, PullState } from './pull-state.ts';

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

/** Negative verdicts of `handleChunk` and `handleError`; 0 = taken. */
export const PullDrop = {
  /** No such pull (any more). */
  UNKNOWN: -1,
  /** From another peer than the one that is pulled from. */
  FOREIGN: -2,
  /** A chunk that was received already. */
  DUPLICATE: -3,
  /** A chunk that was never asked for. */
  UNASKED: -4,
  /** It ended the pull: LIED or MISMATCH. */
  BAD: -5,
} as const;

const COUNTERS = [
  'complete',
  'timeout',
  'notFound',
  'unreachable',
  'cancelled',
  'mismatch',
  'lied',
  'started',
  'refused',
  'chunksAsked',
  'chunksTaken',
  'chunksRepeated',
  'chunksDropped',
  'bytesTaken',
] as const;
const STARTED = 7;
const REFUSED = 8;
const ASKED = 9;
const CHUNK_TAKEN = 10;
const REPEATED = 11;
const DROPPED = 12;
const BYTES_TAKEN = 13;

const NOTHING = new Uint8Array(0);

/** A FETCH_CHUNK to send now; one reused object. */
export class ChunkRequest {
  pull = -1;
  /** Peer handle given to `start`. */
  peer = -1;
  /** 32 bytes, borrowed. */
  hash: Uint8Array = NOTHING;
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
  bytes: Uint8Array = NOTHING;
  offset = 0;
  length = 0;
  /** What `start` was given beside: the detached record. Borrowed until the next `pollDone`. */
  envelope: Uint8Array = NOTHING;
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
  /** A pull ends after this long, whatever its progress. */
  readonly pullMsMax?: number;
}

const DEFAULTS: Readonly<Required<PullerOptions>> = Object.freeze({
  pullsMax: PULLS_MAX,
  pullsPerPeerMax: PULLS_PER_PEER_MAX,
  bytesMax: PULL_BYTES_MAX,
  chunksMax: PULL_CHUNKS_MAX,
  pullMsMax: PULL_MS_MAX,
});

export class Puller {
  readonly counters: Counters = createCounters(COUNTERS);
  private readonly limits: Readonly<Required<PullerOptions>>;
  private readonly handles: HandleTable;
  private readonly pulls: PullState[] = [];
  private readonly buffers: Uint8Array[] = [];
  private readonly ended: FixedQueue;
  /** The pull whose bytes the last `pollDone` lent out, by slot. */
  private lent = NONE;
  private running = 0;
  private bytes = 0;
  private inFlight = 0;
  /** The slot whose turn it is. */
  private turn = 0;

  /** Throws TypeError or RangeError. */
  constructor(options: PullerOptions = {}) {
    this.limits = resolveOptions('puller', DEFAULTS, options, {
      pullsMax: [1, 4096],
      pullsPerPeerMax: [1, 4096],
      bytesMax: [VALUE_BYTES_MAX, 2 ** 30],
      chunksMax: [1, 2 ** 16],
      pullMsMax: [1, 600_000],
    });
    this.handles = new HandleTable(this.limits.pullsMax);
    this.ended = new FixedQueue(this.limits.pullsMax);
  }

  /** Pulls under way. */
  get count(): number {
    return this.running;
  }

  /**
   * Starts to pull `length` bytes (1 to 65,536) with this hash from `peer`. `envelope` (at most 1200 bytes) is copied
   * and handed back by `pollDone`, as is `tag`. `srttMs`: what is known of the peer's round trip, 0 = nothing.
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
  ): number {
    const sizes = length >= 1 && length <= VALUE_BYTES_MAX && envelopeLength <= ENVELOPE_BYTES_MAX;
    if (!sizes || this.bytes + length > this.limits.bytesMax) return this.refuse();
    if (this.countOf(peer) >= this.limits.pullsPerPeerMax) return this.refuse();
    const handle = this.handles.alloc();
    if (handle === NONE) return this.refuse();
    const slot = this.handles.index(handle);
    while (this.pulls.length <= slot) this.pulls.push(new PullState());
    const pull = this.pulls[slot] as PullState;
    pull.handle = handle;
    pull.peer = peer;
    pull.tag = tag;
    copyBytes(pull.hash, 0, hash, hashOffset, KEY_BYTES);
    pull.keepEnvelope(envelope, envelopeOffset, envelopeLength);
    pull.begin(now, length, srttMs, this.buffers.pop() ?? new Uint8Array(VALUE_BYTES_MAX));
    this.running++;
    this.bytes += length;
    this.counters.add(STARTED, 1);
    return handle;
  }

  /** The next request to send; put `pull` into the header's stream field, so that the answer finds its way. */
  pollRequest(now: Millis, out: ChunkRequest): boolean {
    const count = this.pulls.length;
    if (this.running === 0 || this.inFlight >= this.limits.chunksMax) return false;
    for (let i = 0; i < count; i++) {
      const slot = this.turn;
      this.turn = slot + 1 === count ? 0 : slot + 1;
      const pull = this.pulls[slot] as PullState;
      if (pull.phase !== PullPhase.RUNNING || !pull.canSend(now)) continue;
      const chunk = pull.send(now);
      this.inFlight++;
      this.counters.add(ASKED, 1);
      if (pull.triesOf(chunk) > 1) this.counters.add(REPEATED, 1);
      out.pull = pull.handle;
      out.peer = pull.peer;
      out.hash = pull.hash;
      out.hashOffset = 0;
      out.offset = chunk * CHUNK_BYTES_MAX;
      out.length = pull.chunkBytes(chunk);
      return true;
    }
    return false;
  }

  /** A FETCH_CHUNK_RESPONSE from `peer`; 0 = taken, else a `PullDrop`. Copies the bytes. */
  handleChunk(
    now: Millis,
    handle: number,
    peer: number,
    chunkOffset: number,
    total: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): Verdict {
    const pull = this.find(handle);
    if (pull === undefined) return this.drop(PullDrop.UNKNOWN);
    if (pull.peer !== peer) return this.drop(PullDrop.FOREIGN);
    const chunk = chunkOffset / CHUNK_BYTES_MAX;
    const sound =
      total === pull.length && chunkOffset < total && chunkOffset >= 0 && chunkOffset % CHUNK_BYTES_MAX === 0;
    if (!sound || length !== pull.chunkBytes(chunk)) {
      this.end(now, pull, PullOutcome.LIED, true);
      return PullDrop.BAD;
    }
    if (pull.isReceived(chunk)) return this.drop(PullDrop.DUPLICATE);
    if (pull.triesOf(chunk) === 0) return this.drop(PullDrop.UNASKED);
    const before = pull.inFlight;
    pull.receive(now, chunk, bytes, offset);
    this.inFlight += pull.inFlight - before;
    this.counters.add(CHUNK_TAKEN, 1);
    this.counters.add(BYTES_TAKEN, length);
    if (pull.isWhole()) {
      if (!pull.matches()) {
        this.end(now, pull, PullOutcome.MISMATCH, true);
        return PullDrop.BAD;
      }
      this.end(now, pull, PullOutcome.COMPLETE, false);
    } else if (pull.isExhausted()) this.end(now, pull, PullOutcome.TIMEOUT, false);
    return 0;
  }

  /** The peer answered with an ERROR: NOT_FOUND (any that is final) ends the pull, `busy` counts as a loss. */
  handleError(now: Millis, handle: number, peer: number, busy: boolean): Verdict {
    const pull = this.find(handle);
    if (pull === undefined) return this.drop(PullDrop.UNKNOWN);
    if (pull.peer !== peer) return this.drop(PullDrop.FOREIGN);
    if (busy) pull.yieldTo(now);
    else this.end(now, pull, PullOutcome.NOT_FOUND, false);
    return 0;
  }

  /** The session storey gave the peer up: its pulls end UNREACHABLE. */
  handlePeerUnreachable(now: Millis, peer: number): void {
    for (let slot = 0; slot < this.pulls.length; slot++) {
      const pull = this.pulls[slot] as PullState;
      if (pull.phase === PullPhase.RUNNING && pull.peer === peer) {
        this.end(now, pull, PullOutcome.UNREACHABLE, false);
      }
    }
  }

  /** `pollDone` still reports it. `false`: no such pull is under way. */
  cancel(now: Millis, handle: number): boolean {
    const pull = this.find(handle);
    if (pull === undefined) return false;
    this.end(now, pull, PullOutcome.CANCELLED, false);
    return true;
  }

  handleTimeout(now: Millis): void {
    for (let slot = 0; slot < this.pulls.length; slot++) {
      const pull = this.pulls[slot] as PullState;
      if (pull.phase !== PullPhase.RUNNING) continue;
      if (pull.inFlight > 0 && now >= pull.deadline) {
        const before = pull.inFlight;
        pull.expire(now);
        this.inFlight += pull.inFlight - before;
      }
      if (now - pull.startedAt >= this.limits.pullMsMax || pull.isExhausted()) {
        this.end(now, pull, PullOutcome.TIMEOUT, false);
      }
    }
  }

  /** Until `handleTimeout` or `pollRequest` has something to do; 0 = now. */
  nextDelay(now: Millis): number {
    if (this.ended.length > 0) return 0;
    let delay = IDLE;
    if (this.running === 0) return delay;
    const room = this.inFlight < this.limits.chunksMax;
    for (let slot = 0; slot < this.pulls.length; slot++) {
      const pull = this.pulls[slot] as PullState;
      if (pull.phase !== PullPhase.RUNNING) continue;
      if (room && pull.canSend(now)) return 0;
      delay = Math.min(delay, pull.startedAt + this.limits.pullMsMax - now);
      if (pull.inFlight > 0) delay = Math.min(delay, pull.deadline - now);
      if (pull.pausedUntil > now) delay = Math.min(delay, pull.pausedUntil - now);
    }
    return Math.max(0, Math.ceil(delay));
  }

  /** Finished pulls, each once. `false` = none. Takes back what the last call lent out. */
  pollDone(out: PullDone): boolean {
    if (this.lent !== NONE) {
      this.release(this.pulls[this.lent] as PullState);
      this.lent = NONE;
      out.bytes = NOTHING;
      out.envelope = NOTHING;
    }
    if (this.ended.length === 0) return false;
    const slot = this.ended.pop();
    const pull = this.pulls[slot] as PullState;
    this.lent = slot;
    out.pull = pull.handle;
    out.peer = pull.peer;
    out.outcome = pull.outcome;
    out.blame = pull.blame;
    const complete = pull.outcome === PullOutcome.COMPLETE;
    out.bytes = complete ? (pull.buffer as Uint8Array) : NOTHING;
    out.offset = 0;
    out.length = complete ? pull.length : 0;
    out.envelope = pull.envelope;
    out.envelopeOffset = 0;
    out.envelopeLength = pull.envelopeLength;
    out.tag = pull.tag;
    out.elapsedMs = pull.elapsedMs;
    return true;
  }

  private find(handle: number): PullState | undefined {
    const slot = this.handles.index(handle);
    if (slot < 0) return undefined;
    const pull = this.pulls[slot] as PullState;
    return pull.phase === PullPhase.RUNNING ? pull : undefined;
  }

  private countOf(peer: number): number {
    let count = 0;
    for (let slot = 0; slot < this.pulls.length; slot++) {
      const pull = this.pulls[slot] as PullState;
      if (pull.phase === PullPhase.RUNNING && pull.peer === peer) count++;
    }
    return count;
  }

  private refuse(): number {
    this.counters.add(REFUSED, 1);
    return NONE;
  }

  private drop(verdict: Verdict): Verdict {
    this.counters.add(DROPPED, 1);
    return verdict;
  }

  private end(now: Millis, pull: PullState, outcome: number, blame: boolean): void {
    pull.phase = PullPhase.ENDED;
    pull.outcome = outcome;
    pull.blame = blame;
    pull.elapsedMs = now - pull.startedAt;
    this.inFlight -= pull.inFlight;
    this.bytes -= pull.length;
    this.running--;
    this.counters.add(outcome, 1);
    this.ended.push(this.handles.index(pull.handle));
  }

  private release(pull: PullState): void {
    if (pull.buffer !== undefined && this.buffers.length < PULL_BUFFERS_KEPT) this.buffers.push(pull.buffer);
    pull.buffer = undefined;
    pull.phase = PullPhase.FREE;
    this.handles.free(pull.handle);
  }
}
