/**
 * Contacts that fell silent and left the table (docs/spec/routing.md, Upkeep): the only way back to the other half of a network
 * that was split. Bounded; chance decides who is forgotten, so that a sample of every age stays, no bucket takes more
 * than a fifth, and those lost in a mass silence, which is rarely their own doing, go last.
 */
import { type Millis, NONE, type Rng, randomBelow } from '@molia/core';
import {
  LOST_MASS_COUNT,
  LOST_MASS_MS,
  LOST_MASS_SHARE,
  LOST_MAX,
  LOST_PER_BUCKET_MAX,
} from './constants.ts';
import { ContactFlag, type Contacts } from './contacts.ts';

export class Lost {
  count = 0;
  private readonly contacts: Contacts;
  private readonly rng: Rng;
  private readonly rows = new Int32Array(LOST_MAX);
  private readonly lostAt = new Float64Array(LOST_MAX);
  private readonly mass = new Uint8Array(LOST_MAX);
  private readonly buckets = new Uint16Array(LOST_MAX);
  /** Losses since `windowAt`. */
  private inWindow = 0;
  private windowAt: Millis = 0;

  constructor(contacts: Contacts, rng: Rng) {
    this.contacts = contacts;
    this.rng = rng;
  }

  /** A contact left the table for its silence; `remaining` contacts are in it still. */
  add(now: Millis, row: number, bucket: number, remaining: number): void {
    const { contacts } = this;
    if (now - this.windowAt > LOST_MASS_MS) {
      this.windowAt = now;
      this.inWindow = 0;
    }
    this.inWindow++;
    const isMass =
      this.inWindow >= LOST_MASS_COUNT && this.inWindow >= (remaining + this.inWindow) * LOST_MASS_SHARE;
    if (isMass) this.markWindow();
    if (((contacts.flags[row] as number) & ContactFlag.LOST) !== 0) return;
    const at = this.place(bucket, isMass);
    if (at === NONE) return;
    contacts.hold(row);
    contacts.flags[row] = (contacts.flags[row] as number) | ContactFlag.LOST;
    this.rows[at] = row;
    this.lostAt[at] = now;
    this.buckets[at] = bucket;
    this.mass[at] = isMass ? 1 : 0;
  }

  /** It answered, or is not to be asked again; nothing when it is not among them. */
  remove(row: number): void {
    if (((this.contacts.flags[row] as number) & ContactFlag.LOST) === 0) return;
    for (let at = 0; at < this.count; at++) {
      if (this.rows[at] !== row) continue;
      this.forget(at);
      const last = --this.count;
      this.rows[at] = this.rows[last] as number;
      this.lostAt[at] = this.lostAt[last] as number;
      this.mass[at] = this.mass[last] as number;
      this.buckets[at] = this.buckets[last] as number;
      return;
    }
  }

  /** How long a contact has been lost, milliseconds; NONE when it is not among them. */
  age(now: Millis, row: number): Millis {
    if (((this.contacts.flags[row] as number) & ContactFlag.LOST) === 0) return NONE;
    for (let at = 0; at < this.count; at++)
      if (this.rows[at] === row) return now - (this.lostAt[at] as number);
    return NONE;
  }

  /** One of them by chance, NONE without any. */
  any(): number {
    return this.count === 0 ? NONE : (this.rows[randomBelow(this.rng, this.count)] as number);
  }

  /** Where the next one goes; NONE when only those of a mass silence could make room and it is none. */
  private place(bucket: number, isMass: boolean): number {
    let same = 0;
    for (let at = 0; at < this.count; at++) if (this.buckets[at] === bucket) same++;
    if (same < LOST_PER_BUCKET_MAX && this.count < LOST_MAX) return this.count++;
    let chosen = NONE;
    let seen = 0;
    for (let at = 0; at < this.count; at++) {
      if (same >= LOST_PER_BUCKET_MAX && this.buckets[at] !== bucket) continue;
      if (this.mass[at] === 1 && !isMass) continue;
      // The n-th candidate replaces the choice once in n: each is as likely.
      if (randomBelow(this.rng, ++seen) === 0) chosen = at;
    }
    if (chosen !== NONE) this.forget(chosen);
    return chosen;
  }

  private markWindow(): void {
    for (let at = 0; at < this.count; at++)
      if ((this.lostAt[at] as number) >= this.windowAt) this.mass[at] = 1;
  }

  private forget(at: number): void {
    const row = this.rows[at] as number;
    this.contacts.flags[row] = (this.contacts.flags[row] as number) & ~ContactFlag.LOST;
    this.contacts.release(row);
  }
}
