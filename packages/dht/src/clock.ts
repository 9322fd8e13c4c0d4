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
