/** What engines draw from an `Rng` besides words and bytes. */
import type { Rng } from './rng.ts';

/** A uniform integer in `[0, bound)`, `bound` from 1 to 2^32. Throws RangeError outside. */
export function randomBelow(rng: Rng, bound: number): number {
  if (!(bound >= 1 && bound <= 2 ** 32)) throw new RangeError(`bound must be from 1 to 2^32, not ${bound}`);
  // Rejects the incomplete last cycle, else small values would come more often. BOUNDED: by a chance below 1/2 a draw.
  const limit = 2 ** 32 - (2 ** 32 % bound);
  let word = rng.u32();
  while (word >= limit) word = rng.u32();
  return word % bound;
}
