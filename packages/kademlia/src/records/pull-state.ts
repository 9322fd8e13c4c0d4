/** One pull of the puller: its chunks, window and round-trip estimate. Slots are made once and reused. */
import { Blake3Hasher, copyBytes, equalBytes, type Millis, NO_U8 } from '@molia/core';
import { CHUNK_BYTES_MAX, KEY_BYTES, VALUE_BYTES_MAX } from '@molia/wire';
import {
  CHUNK_TRIES_MAX,
  ENVELOPE_BYTES_MAX,
  PULL_BACKOFF_MAX,
  PULL_RTO_MS_INITIAL,
  PULL_RTO_MS_MAX,
  PULL_RTO_MS_MIN,
  PULL_RTT_RISE,
  PULL_RTT_RISE_MS,
  PULL_WINDOW_INITIAL,
  REORDERING,
} from './constants.ts';

/** Chunks of the largest value: 59. */
export const CHUNKS_MAX = Math.ceil(VALUE_BYTES_MAX / CHUNK_BYTES_MAX);

const WAITING = 0;
const IN_FLIGHT = 1;
const RECEIVED = 2;

/** What a pull is doing. */
export const PullPhase = { FREE: 0, RUNNING: 1, ENDED: 2 } as const;

export class PullState {
  phase: number = PullPhase.FREE;
  handle = -1;
  peer = -1;
  tag = 0;
  /** Announced bytes. */
  length = 0;
  startedAt: Millis = 0;
  outcome = 0;
  blame = false;
  elapsedMs = 0;
  buffer: Uint8Array | undefined = undefined;
  readonly hash = new Uint8Array(KEY_BYTES);
  envelope: Uint8Array = NO_U8;
  envelopeLength = 0;
  inFlight = 0;
  /** When the earliest chunk in flight is given up; meaningful while `inFlight` > 0. */
  deadline: Millis = 0;
  /** Nothing is sent before (the peer said it is busy). */
  pausedUntil: Millis = 0;

  private readonly hasher = new Blake3Hasher();
  private readonly digest = new Uint8Array(KEY_BYTES);
  private readonly states = new Uint8Array(CHUNKS_MAX);
  private readonly tries = new Uint8Array(CHUNKS_MAX);
  private readonly sentAt = new Float64Array(CHUNKS_MAX);
  /** The count of sends when a chunk was last sent: what came back tells of earlier ones that did not. */
  private readonly orders = new Int32Array(CHUNKS_MAX);
  private chunks = 0;
  private waiting = 0;
  /** Chunks hashed: a contiguous prefix. */
  private hashed = 0;
  private sends = 0;
  private highestAnswered = 0;
  /** Losses among sends up to here belong to one loss event. */
  private recovery = 0;
  private window = 0;
  /** Answers since the window last changed. */
  private answered = 0;
  private rttMin = 0;
  private srtt = 0;
  private rttvar = 0;
  private backoff = 1;

  begin(now: Millis, length: number, srttMs: number, buffer: Uint8Array): void {
    this.phase = PullPhase.RUNNING;
    this.length = length;
    this.startedAt = now;
    this.buffer = buffer;
    this.blame = false;
    this.inFlight = 0;
    this.pausedUntil = now;
    this.chunks = Math.ceil(length / CHUNK_BYTES_MAX);
    this.waiting = this.chunks;
    this.hashed = 0;
    this.sends = 0;
    this.highestAnswered = 0;
    this.recovery = 0;
    this.window = PULL_WINDOW_INITIAL;
    this.answered = 0;
    this.rttMin = 0;
    this.srtt = srttMs;
    this.rttvar = srttMs / 2;
    this.backoff = 1;
    this.states.fill(WAITING);
    this.tries.fill(0);
    this.hasher.reset();
  }

  keepEnvelope(bytes: Uint8Array, offset: number, length: number): void {
    if (this.envelope.length === 0 && length > 0) this.envelope = new Uint8Array(ENVELOPE_BYTES_MAX);
    copyBytes(this.envelope, 0, bytes, offset, length);
    this.envelopeLength = length;
  }

  /** RFC 6298 with our bounds, doubled for each timeout in a row. A small integer: a double would be boxed. */
  rtoMs(): number {
    const estimate = this.srtt === 0 ? PULL_RTO_MS_INITIAL : Math.ceil(this.srtt + 4 * this.rttvar) | 0;
    const bounded = Math.min(PULL_RTO_MS_MAX, Math.max(PULL_RTO_MS_MIN, estimate));
    return Math.min(PULL_RTO_MS_MAX, bounded * this.backoff);
  }

  /** Whether the window lets a chunk go out. */
  canSend(now: Millis): boolean {
    return this.waiting > 0 && this.inFlight < this.window && now >= this.pausedUntil;
  }

  /** Marks the first waiting chunk as sent and returns its index. Only after `canSend`. */
  send(now: Millis): number {
    let chunk = this.hashed;
    while (this.states[chunk] !== WAITING) chunk++;
    this.states[chunk] = IN_FLIGHT;
    this.tries[chunk] = (this.tries[chunk] as number) + 1;
    this.sentAt[chunk] = now;
    this.orders[chunk] = ++this.sends;
    const due = now + this.rtoMs();
    if (this.inFlight === 0 || due < this.deadline) this.deadline = due;
    this.inFlight++;
    this.waiting--;
    return chunk;
  }

  triesOf(chunk: number): number {
    return this.tries[chunk] as number;
  }

  isReceived(chunk: number): boolean {
    return this.states[chunk] === RECEIVED;
  }

  /** Bytes of a chunk. */
  chunkBytes(chunk: number): number {
    return Math.min(CHUNK_BYTES_MAX, this.length - chunk * CHUNK_BYTES_MAX);
  }

  /** Takes an asked-for chunk in; returns how many earlier ones are now known to be lost. */
  receive(now: Millis, chunk: number, bytes: Uint8Array, offset: number): number {
    const buffer = this.buffer as Uint8Array;
    copyBytes(buffer, chunk * CHUNK_BYTES_MAX, bytes, offset, this.chunkBytes(chunk));
    if (this.states[chunk] === IN_FLIGHT) this.inFlight--;
    else this.waiting--;
    this.states[chunk] = RECEIVED;
    if (++this.answered >= this.window) {
      this.answered = 0;
      if (this.window < CHUNKS_MAX) this.window++;
    }
    const order = this.orders[chunk] as number;
    if (order > this.highestAnswered) this.highestAnswered = order;
    // Karn: the answer to a repeated request says nothing about the round trip, and the backoff stays until one does.
    if (this.tries[chunk] === 1) {
      this.backoff = 1;
      this.sample((now - (this.sentAt[chunk] as number)) | 0, order);
    }
    while (this.hashed < this.chunks && this.states[this.hashed] === RECEIVED) {
      this.hasher.update(buffer, this.hashed * CHUNK_BYTES_MAX, this.chunkBytes(this.hashed));
      this.hashed++;
    }
    return this.loseBefore(this.highestAnswered - REORDERING, -1);
  }

  /** Gives up what is in flight for longer than the RTO; how many. */
  expire(now: Millis): number {
    const lost = this.loseBefore(-1, now - this.rtoMs());
    if (lost > 0) this.backoff = Math.min(PULL_BACKOFF_MAX, this.backoff * 2);
    return lost;
  }

  /** The peer is busy: half the window, and silence for one RTO. */
  yieldTo(now: Millis): void {
    this.shrink(this.sends);
    this.pausedUntil = now + this.rtoMs();
  }

  /** Whether some chunk was asked for as often as it may be, in vain. */
  isExhausted(): boolean {
    for (let chunk = this.hashed; chunk < this.chunks; chunk++) {
      if (this.states[chunk] === WAITING && (this.tries[chunk] as number) >= CHUNK_TRIES_MAX) return true;
    }
    return false;
  }

  /** All bytes are here and hashed. */
  isWhole(): boolean {
    return this.hashed === this.chunks;
  }

  matches(): boolean {
    this.hasher.digestInto(this.digest, 0);
    return equalBytes(this.digest, 0, this.hash, 0, KEY_BYTES);
  }

  /** Marks as lost what was sent up to order `orderMax` or up to instant `sentMax`, and finds the next deadline. */
  private loseBefore(orderMax: number, sentMax: Millis): number {
    let lost = 0;
    let oldest = -1;
    // BOUNDED: by CHUNKS_MAX.
    for (let chunk = this.hashed; chunk < this.chunks; chunk++) {
      if (this.states[chunk] !== IN_FLIGHT) continue;
      const order = this.orders[chunk] as number;
      const sent = this.sentAt[chunk] as number;
      if (order <= orderMax || sent <= sentMax) {
        this.states[chunk] = WAITING;
        this.inFlight--;
        this.waiting++;
        lost++;
        this.shrink(order);
      } else if (oldest < 0 || sent < oldest) oldest = sent;
    }
    if (oldest >= 0) this.deadline = oldest + this.rtoMs();
    return lost;
  }

  /** Halves the window once for all that went wrong in one window. */
  private shrink(order: number): void {
    if (order <= this.recovery) return;
    this.recovery = this.sends;
    this.answered = 0;
    this.window = Math.max(1, this.window >> 1);
  }

  private sample(rttMs: number, order: number): void {
    const rtt = Math.max(1, rttMs);
    if (this.rttMin === 0 || rtt < this.rttMin) this.rttMin = rtt;
    if (rtt > PULL_RTT_RISE * this.rttMin + PULL_RTT_RISE_MS) this.shrink(order);
    if (this.srtt === 0) {
      this.srtt = rtt;
      this.rttvar = rtt / 2;
      return;
    }
    this.rttvar += (Math.abs(this.srtt - rtt) - this.rttvar) / 4;
    this.srtt += (rtt - this.srtt) / 8;
  }
}
