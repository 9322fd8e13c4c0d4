/** What each rule of lookups is worth: the same run with that one rule turned off. */
import type { Tuning } from '@molia/kademlia';

export const ABLATIONS: Readonly<Record<string, Partial<Tuning>>> = Object.freeze({
  /** Buckets of K, oldest first. */
  proximity: { proximity: false },
  /** α = 3 for everything. */
  parallel: { alphaMin: 3, alphaStart: 3, alphaMax: 3, alphaReads: 3 },
  /** One timeout of 1 s for all. */
  timeouts: { fixedTimeoutMs: 1_000 },
  /** No second request before the first is dead. */
  resend: { resend: false },
  /** α at a time to the end. */
  endgame: { endgame: false },
  /** Any number of contacts of one network. */
  diversity: { diversity: false },
  /** No store before the search has ended. */
  'early-stores': { earlyStores: false },
});
