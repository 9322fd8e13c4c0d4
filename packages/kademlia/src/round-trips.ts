/**
 * What recent round trips say about strangers: the P90 stands in for the SRTT of a contact never measured
 * (docs/spec/routing.md), and the smoothed mean paces α.
 */
import type { Millis, Rng } from '@molia/core';
import {
  LATE_SRTT,
  RTO_JITTER,
  RTO_MS_MAX,
  RTO_MS_MIN,
  RTT_SAMPLES,
  SRTT_GAIN,
  SRTT_MS_UNKNOWN,
} from './constants.ts';
import type { Contacts } from './contacts.ts';

export class RoundTrips {
  /** Smoothed over everybody, milliseconds. */
  smoothed = SRTT_MS_UNKNOWN / 2;
  /** P90 of the recent ones: the SRTT assumed of a stranger. */
  stranger = SRTT_MS_UNKNOWN;
  private readonly contacts: Contacts;
  private readonly rng: Rng;
  /** 0 = by each contact's own round trips. */
  private readonly fixedTimeoutMs: number;
  private readonly ring = new Float64Array(RTT_SAMPLES);
  private readonly sorted = new Float64Array(RTT_SAMPLES);
  private total = 0;

  constructor(contacts: Contacts, rng: Rng, fixedTimeoutMs = 0) {
    this.fixedTimeoutMs = fixedTimeoutMs;
    this.contacts = contacts;
    this.rng = rng;
  }

  /** Counts one answer after `ms` (at least 1: the clock has no finer grain). */
  sample(row: number, ms: Millis): void {
    const rtt = ms < 1 ? 1 : ms;
    this.contacts.sampleRtt(row, rtt);
    this.smoothed = this.total === 0 ? rtt : this.smoothed * (1 - SRTT_GAIN) + rtt * SRTT_GAIN;
    this.ring[this.total % RTT_SAMPLES] = rtt;
    this.total++;
    // The first few at once, then every eighth: a sort of 64 costs about a microsecond.
    if (this.total < 8 || this.total % 8 === 0) this.stranger = this.p90();
  }

  /** Milliseconds after which a request to a contact is late. */
  lateMs(row: number): Millis {
    if (this.fixedTimeoutMs > 0) return this.fixedTimeoutMs;
    return Math.ceil(this.srttOf(row) * LATE_SRTT);
  }

  /** Milliseconds after which it is dead: RTO clamped, then jittered upwards. */
  deadMs(row: number): Millis {
    if (this.fixedTimeoutMs > 0) return this.fixedTimeoutMs;
    const measured = this.contacts.srtt[row] as number;
    const srtt = this.srttOf(row);
    const rttvar = measured > 0 ? (this.contacts.rttvar[row] as number) : srtt / 2;
    const rto = Math.min(Math.max(srtt + 4 * rttvar, RTO_MS_MIN), RTO_MS_MAX);
    return Math.ceil(rto * (1 + RTO_JITTER * (this.rng.u32() / 0x1_0000_0000)));
  }

  /** Self-measured, else the stranger's. */
  srttOf(row: number): number {
    const measured = this.contacts.srtt[row] as number;
    return measured > 0 ? measured : this.stranger;
  }

  private p90(): number {
    const count = Math.min(this.total, RTT_SAMPLES);
    const { sorted } = this;
    for (let i = 0; i < count; i++) {
      const value = this.ring[i] as number;
      let at = i;
      while (at > 0 && (sorted[at - 1] as number) > value) {
        sorted[at] = sorted[at - 1] as number;
        at--;
      }
      sorted[at] = value;
    }
    return sorted[Math.min(count - 1, Math.floor(count * 0.9))] as number;
  }
}
