/**
 * Swizzle-clogging, after FoundationDB's simulation testing: the links of some hosts stop one by one and come back one by
 * one in another order, so that every mixture of those that hear and those that do not occurs on the way.
 */
import type { Simulator } from './simulator.ts';

export interface SwizzleOptions {
  /** Mean time between two stops, and between two returns; exponential. */
  readonly stepMs: number;
  /** From the last stop to the first return. */
  readonly holdMs: number;
}

/**
 * Plans it from now on, by the script's chance; milliseconds until the last host is back. A host that was stopped or
 * started again meanwhile is left as it is then.
 */
export function swizzle(sim: Simulator, hosts: readonly number[], options: SwizzleOptions): number {
  let at = 0;
  const oneByOne = (mute: boolean): void => {
    for (const host of shuffled(sim, hosts)) {
      at += sim.generators.exponential(sim.script, options.stepMs);
      sim.call(at, () => sim.setMute(host, mute));
    }
  };
  oneByOne(true);
  at += options.holdMs;
  oneByOne(false);
  return at;
}

/** A copy in random order (Fisher and Yates). */
function shuffled(sim: Simulator, hosts: readonly number[]): number[] {
  const out = [...hosts];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(sim.generators.unit(sim.script) * (i + 1));
    const host = out[i] as number;
    out[i] = out[j] as number;
    out[j] = host;
  }
  return out;
}
