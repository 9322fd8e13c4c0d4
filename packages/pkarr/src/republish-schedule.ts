/**
 * When each of many packets is written again, as an engine: no clock, timer or promise. A packet is due so early that one round
 * may fail altogether and it is still there with the wanted probability; never later than `intervalSecondsMax`, because BEP 44 lets
 * nodes forget after two hours and asks for a write every hour.
 */
import { type GivenOptions, IDLE, type Millis, type Rng, randomBelow, resolveOptions } from '@molia/core';
import { readableProbability, secondsUntilLoss } from './survival.ts';

const DEFAULTS = Object.freeze({
  /** Rounds are at most so far apart. */
  intervalSecondsMax: 3600 as number,
  /** And no closer than this, however few nodes hold a packet. */
  intervalSecondsMin: 900 as number,
  /** Wanted bound of the chance that a packet is lost before the round after the next. */
  lossMax: 1e-6 as number,
  /** Wait after a failure; doubles with each, up to `intervalSecondsMin`. */
  retrySeconds: 30 as number,
  /** Rounds that run at a time. */
  concurrencyMax: 8 as number,
  keysMax: 100_000 as number,
});

export type ScheduleOptions = GivenOptions<typeof DEFAULTS>;

/** What is known of one key. */
export interface KeyState {
  /** Nodes that confirmed the last write; 0 = none yet. */
  readonly copies: number;
  /** Failures since then. */
  readonly failures: number;
  /** When it is due, in the engine's time. */
  readonly dueAt: Millis;
  /** Chance that it can still be read at the next round, and if that one fails, at the one after. */
  readonly probability: number;
  readonly probabilityAfterMiss: number;
}

interface Entry {
  copies: number;
  failures: number;
  dueAt: Millis;
  intervalSeconds: number;
  isRunning: boolean;
}

export class RepublishSchedule {
  readonly #options: Readonly<typeof DEFAULTS>;
  readonly #rng: Rng;
  readonly #entries = new Map<string, Entry>();
  #running = 0;

  /** Throws TypeError or RangeError for options. */
  constructor(rng: Rng, options?: ScheduleOptions) {
    this.#rng = rng;
    const o = resolveOptions('republisher', DEFAULTS, options, {
      intervalSecondsMax: [1, 604_800],
      intervalSecondsMin: [1, 604_800],
      retrySeconds: [1, 86_400],
      concurrencyMax: [1, 1024],
      keysMax: [1, 1_000_000],
    });
    if (o.intervalSecondsMin > o.intervalSecondsMax)
      throw new RangeError('republisher.intervalSecondsMin may not be above intervalSecondsMax');
    if (!(o.lossMax > 0 && o.lossMax < 1))
      throw new RangeError(`republisher.lossMax is a probability between 0 and 1, not ${o.lossMax}`);
    this.#options = o;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Takes up a key, due at once; `false` when there are `keysMax` already. Known keys stay as they are. */
  add(now: Millis, key: string): boolean {
    if (this.#entries.has(key)) return true;
    if (this.#entries.size >= this.#options.keysMax) return false;
    this.#entries.set(key, { copies: 0, failures: 0, dueAt: now, intervalSeconds: 0, isRunning: false });
    return true;
  }

  /** Lets go of a key. A round that runs for it may end or not. */
  remove(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry?.isRunning) this.#running--;
    return this.#entries.delete(key);
  }

  /** The key that is due for the longest time, which then runs until `succeeded` or `failed`; `undefined`: none, or enough run. */
  pollDue(now: Millis): string | undefined {
    if (this.#running >= this.#options.concurrencyMax) return undefined;
    const next = this.#next();
    if (next === undefined || next[1].dueAt > now) return undefined;
    next[1].isRunning = true;
    this.#running++;
    return next[0];
  }

  /** Milliseconds until `pollDue` has something: 0 = now, `IDLE` = nothing before a round ends. */
  nextDelay(now: Millis): number {
    if (this.#running >= this.#options.concurrencyMax) return IDLE;
    const next = this.#next();
    return next === undefined ? IDLE : Math.min(IDLE, Math.max(0, next[1].dueAt - now));
  }

  /** A round wrote the packet to `copies` nodes. */
  succeeded(now: Millis, key: string, copies: number): void {
    const entry = this.#finish(key);
    if (entry === undefined) return;
    const { intervalSecondsMin, intervalSecondsMax, lossMax } = this.#options;
    // Half of the time after which it would be lost: one round may be missed.
    const half = secondsUntilLoss(copies, lossMax) / 2;
    const seconds = Math.min(intervalSecondsMax, Math.max(intervalSecondsMin, half));
    entry.copies = copies;
    entry.failures = 0;
    // Up to a tenth earlier, so that keys that were added together do not stay together.
    entry.dueAt = now + Math.floor(seconds * (900 + randomBelow(this.#rng, 101)));
    entry.intervalSeconds = seconds;
  }

  /** A round failed. */
  failed(now: Millis, key: string): void {
    const entry = this.#finish(key);
    if (entry === undefined) return;
    const { retrySeconds, intervalSecondsMin } = this.#options;
    const seconds = Math.min(
      Math.max(retrySeconds, intervalSecondsMin),
      retrySeconds * 2 ** Math.min(20, entry.failures),
    );
    entry.failures++;
    entry.dueAt = now + Math.floor(seconds * (900 + randomBelow(this.#rng, 101)));
  }

  state(key: string): KeyState | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const { copies, failures, dueAt, intervalSeconds } = entry;
    return {
      copies,
      failures,
      dueAt,
      probability: readableProbability(copies, intervalSeconds),
      probabilityAfterMiss: readableProbability(copies, 2 * intervalSeconds),
    };
  }

  #finish(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || !entry.isRunning) return undefined;
    entry.isRunning = false;
    this.#running--;
    return entry;
  }

  /** BOUNDED: by keysMax; called once a round, which takes thousands of times longer. */
  #next(): readonly [string, Entry] | undefined {
    let best: readonly [string, Entry] | undefined;
    for (const pair of this.#entries)
      if (!pair[1].isRunning && (best === undefined || pair[1].dueAt < best[1].dueAt)) best = pair;
    return best;
  }
}
