/** Time as a parameter of the stack: the daemon gives it the process clock, tests a virtual one. */
import type { Millis } from '@molia/core';

export interface Clock {
  /** Unix milliseconds at `now()` = 0. */
  readonly wallMsAtZero: number;
  /** Integer milliseconds since the clock was made; never goes back. */
  now(): Millis;
  /** One timer; the stack never has more than one. */
  setTimer(callback: () => void, delayMs: number): unknown;
  clearTimer(timer: unknown): void;
  /** Runs `callback` after the I/O that is pending now. */
  defer(callback: () => void): void;
}

/** The clock of this process. */
export function createProcessClock(): Clock {
  const zero = performance.now();
  return {
    wallMsAtZero: Date.now(),
    now: () => Math.floor(performance.now() - zero),
    setTimer: (callback, delayMs) => setTimeout(callback, delayMs),
    clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
    defer: (callback) => {
      setImmediate(callback);
    },
  };
}

/** Running time lags behind the clock by this much at most: less than any lifetime of a session or a record notices. */
const LAG_MS_MAX = 30_000;
/** It makes up one millisecond of its lag in so many. */
const CATCH_UP = 8;

/**
 * The engines' time: the clock without what the process missed. A process that was stopped, or starved by others, would else find
 * that everything it waited for is overdue, while the answers lie in its sockets or their senders, on the same
 * machine, were stopped too. Never goes back; the lag is bounded and made up for afterwards, so that wall time stays right.
 */
export class RunningTime {
  #lagMs = 0;
  #last: Millis = 0;
  #caughtUpAt: Millis = 0;

  /** The running time when the clock says `clock`. */
  at(clock: Millis): Millis {
    if (this.#lagMs > 0) this.#catchUp(clock);
    // Right after a stall it stands still: whoever was to answer gets a moment to run as well.
    const now = clock - this.#lagMs;
    if (now > this.#last) this.#last = now;
    return this.#last;
  }

  /** What the clock says when the running time will be `at`, if nothing is missed until then. */
  clockAt(at: Millis): Millis {
    return at + this.#lagMs;
  }

  /** At `clock` so many milliseconds had been missed; false when it lags as far behind as it may. */
  miss(clock: Millis, ms: number): boolean {
    const lag = Math.min(this.#lagMs + ms, LAG_MS_MAX);
    if (lag === this.#lagMs) return false;
    if (this.#lagMs === 0) this.#caughtUpAt = clock;
    this.#lagMs = lag;
    return true;
  }

  #catchUp(clock: Millis): void {
    const ms = Math.floor((clock - this.#caughtUpAt) / CATCH_UP);
    this.#caughtUpAt += ms * CATCH_UP;
    this.#lagMs = Math.max(0, this.#lagMs - ms);
  }
}
