/**
 * What round trips say about whom to wait for, and how long (docs/spec/routing.md). A contact that was measured is waited
 * for by its own round trips (RFC 6298), a stranger by what first round trips to strangers took lately: a histogram of
 * eight classes an octave that forgets half of itself whenever it is full.
 */
import type { Millis, Rng } from '@molia/core';
import {
  RTO_JITTER,
  RTO_MS_MAX,
  RTO_MS_MIN,
  RTT_SAMPLES,
  SRTT_GAIN,
  SRTT_MS_UNKNOWN,
  STRANGER_DEAD,
  STRANGER_LATE,
} from './constants.ts';
import type { Contacts } from './contacts.ts';

const CLASSES_OCTAVE = 8;
/** Up to 2^13 ms. */
const CLASSES = 13 * CLASSES_OCTAVE;

export class RoundTrips {
  /** Smoothed over everybody, milliseconds. */
  smoothed = SRTT_MS_UNKNOWN / 2;
  /** The SRTT assumed of a stranger: the median. */
  stranger = SRTT_MS_UNKNOWN;
  private strangerLate = RTO_MS_MAX / 2;
  private strangerDead = RTO_MS_MAX;
  private readonly contacts: Contacts;
  private readonly rng: Rng;
  /** 0 = by each contact's own round trips. */
  private readonly fixedTimeoutMs: number;
  private readonly counts = new Int32Array(CLASSES);
  private counted = 0;
  private total = 0;

  constructor(contacts: Contacts, rng: Rng, fixedTimeoutMs = 0) {
    this.fixedTimeoutMs = fixedTimeoutMs;
    this.contacts = contacts;
    this.rng = rng;
  }

  /** Counts one answer after `ms` (at least 1: the clock has no finer grain). */
  sample(row: number, ms: Millis): void {
    const rtt = ms < 1 ? 1 : ms;
    if (this.contacts.srtt[row] === 0) this.meet(rtt);
    this.contacts.sampleRtt(row, rtt);
    this.smoothed = this.total === 0 ? rtt : this.smoothed * (1 - SRTT_GAIN) + rtt * SRTT_GAIN;
    this.total++;
  }

  /** Milliseconds after which a request to a contact is late: its RTO. */
  lateMs(row: number): Millis {
    if (this.fixedTimeoutMs > 0) return this.fixedTimeoutMs;
    return Math.ceil(this.rto(row));
  }

  /** Milliseconds after which it is dead: time for a second request, sent when the first was late; jittered upwards. */
  deadMs(row: number): Millis {
    if (this.fixedTimeoutMs > 0) return this.fixedTimeoutMs;
    const srtt = this.contacts.srtt[row] as number;
    let dead = this.strangerDead;
    if (srtt > 0)
      dead = Math.min(
        this.rto(row) + srtt + 2 * (this.contacts.rttvar[row] as number),
        Math.max(dead, 2 * srtt),
      );
    dead = Math.min(Math.max(dead, 2 * RTO_MS_MIN), RTO_MS_MAX);
    return Math.ceil(dead * (1 + RTO_JITTER * (this.rng.u32() / 0x1_0000_0000)));
  }

  private rto(row: number): number {
    const srtt = this.contacts.srtt[row] as number;
    if (srtt === 0) return this.strangerLate;
    const rto = srtt + 4 * (this.contacts.rttvar[row] as number);
    return Math.max(Math.min(rto, Math.max(this.strangerLate, 1.5 * srtt)), RTO_MS_MIN);
  }

  /** First round trip to somebody. */
  private meet(rtt: number): void {
    const { counts } = this;
    if (this.counted >= RTT_SAMPLES) {
      this.counted = 0;
      for (let i = 0; i < CLASSES; i++) {
        const half = (counts[i] as number) >> 1;
        counts[i] = half;
        this.counted += half;
      }
    }
    const at = Math.min(Math.floor(Math.log2(rtt) * CLASSES_OCTAVE), CLASSES - 1);
    counts[at] = (counts[at] as number) + 1;
    this.counted++;
    // The first few at once, then every eighth.
    if (this.counted >= 8 && this.counted > 16 && this.counted % 8 !== 0) return;
    this.stranger = this.quantile(0.5);
    if (this.counted < 8) return;
    this.strangerLate = Math.max(this.quantile(STRANGER_LATE), RTO_MS_MIN);
    this.strangerDead = this.quantile(STRANGER_DEAD);
  }

  /** Upper edge of the class in which the quantile lies. */
  private quantile(share: number): number {
    let left = Math.ceil(this.counted * share);
    let at = 0;
    for (; at < CLASSES - 1; at++) {
      left -= this.counts[at] as number;
      if (left <= 0) break;
    }
    return 2 ** ((at + 1) / CLASSES_OCTAVE);
  }
}
