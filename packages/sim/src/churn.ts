/** Laws of coming and going: session lengths, the hours of a day, a crowd that comes at once. Milliseconds throughout. */
import type { Generators } from './random.ts';

/** How long a node stays. */
export interface SessionLaw {
  readonly name: string;
  /** One session, from the generator's chance. */
  draw(generators: Generators, generator: number): number;
}

const MINUTE = 60_000;

/** Nodes leave at a constant rate: `share` of them within `withinMs`. Throws RangeError unless 0 < share < 1. */
export function exponentialLeaving(share: number, withinMs: number): SessionLaw {
  if (!(share > 0 && share < 1)) throw new RangeError(`share must lie between 0 and 1, not be ${share}`);
  const mean = -withinMs / Math.log(1 - share);
  return {
    name: `exponential, ${share * 100} % leave within ${withinMs / 1000} s`,
    draw: (generators, generator) => generators.exponential(generator, mean),
  };
}

/** Weibull by shape and scale: below shape 1, who stayed long stays longer. */
export function weibullSessions(name: string, shape: number, scaleMs: number): SessionLaw {
  return { name, draw: (generators, generator) => generators.weibull(generator, shape, scaleMs) };
}

/** Sessions of KAD that a crawl saw begin (Steiner et al. as PeerfactSim.KOM quotes them): median 93 min. */
export const KAD_SESSIONS: SessionLaw = weibullSessions('KAD sessions', 0.61511, 169.5385 * MINUTE);
/** Times between two sessions of KAD, from the same source. */
export const KAD_PAUSES: SessionLaw = weibullSessions('KAD pauses', 0.47648, 413.6765 * MINUTE);

/** Factor on a rate of arrivals: a sine over 24 h, highest after 18 h; `swing` 0 to 1. */
export function dailyFactor(nowMs: number, swing: number): number {
  const hours = nowMs / (60 * MINUTE);
  return 1 + swing * Math.cos(((hours - 18) / 24) * 2 * Math.PI);
}

/** Arrivals of a flash crowd: `count` instants after `startMs`, most at once, the rest thinning out with mean `tailMs`. */
export function flashCrowd(
  generators: Generators,
  generator: number,
  count: number,
  startMs: number,
  tailMs: number,
): Float64Array {
  return Float64Array.from(
    { length: count },
    () => startMs + generators.exponential(generator, tailMs),
  ).sort();
}
