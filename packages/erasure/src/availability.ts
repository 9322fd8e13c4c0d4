/**
 * What a code survives, how a holder's loss is repaired, and how few shards must be asked for to trust that the rest
 * is there: pure functions over counts and probabilities.
 */
import { intInRange, type Rng, randomBelow } from '@molia/core';
import { type Coding, checkCoding } from './reed-solomon.ts';

/** Codes with a name. Their storage costs 1.4, 1.5 and 2 times the data. */
export const CODINGS = {
  /** For holders of proven age: beats three copies where each shard is there with a probability above 0.98. */
  '10:4': { data: 10, parity: 4 },
  /** For small networks: a stripe needs nine holders. */
  '6:3': { data: 6, parity: 3 },
  /** For holders that come and go: four nines at a probability of 0.8. */
  '10:10': { data: 10, parity: 10 },
} as const satisfies Record<string, Coding>;

/**
 * The probability that a stripe cannot be read when each shard is there with probability `available`, independently:
 * that fewer than `data` are. Throws RangeError for a probability outside 0 … 1.
 */
export function unavailability(coding: Coding, available: number): number {
  const { data, parity } = checkCoding(coding);
  checkProbability('available', available);
  if (available === 0 || available === 1) return 1 - available;
  const shards = data + parity;
  // Logarithms of the terms of the binomial distribution, each from the one before: the first may be below any double.
  const odds = Math.log(available) - Math.log1p(-available);
  let logarithm = shards * Math.log1p(-available);
  let sum = 0;
  for (let there = 0; there < data; there++) {
    sum += Math.exp(logarithm);
    logarithm += Math.log((shards - there) / (there + 1)) + odds;
  }
  return Math.min(1, sum);
}

/**
 * The probability that `samples` different shards, chosen at random, are all there although the stripe cannot be read:
 * the best that whoever withholds `parity + 1` shards can hope for. 0 from `data` samples on.
 */
export function missProbability(coding: Coding, samples: number): number {
  const { data, parity } = checkCoding(coding);
  intInRange('samples', samples, 0, data + parity);
  let probability = 1;
  for (let i = 0; i < samples; i++) probability *= Math.max(0, data - 1 - i) / (data + parity - i);
  return probability;
}

/** The fewest samples whose `missProbability` is at most `missMax`. */
export function samplesFor(coding: Coding, missMax: number): number {
  checkProbability('missMax', missMax);
  let samples = 0;
  while (missProbability(coding, samples) > missMax) samples++;
  return samples;
}

/** `samples` different shards of a stripe, all equally likely, in random order. */
export function pickSamples(coding: Coding, samples: number, rng: Rng): Uint8Array {
  const { data, parity } = checkCoding(coding);
  const shards = data + parity;
  intInRange('samples', samples, 0, shards);
  const order = Uint8Array.from({ length: shards }, (_, i) => i);
  for (let i = 0; i < samples; i++) {
    const j = i + randomBelow(rng, shards - i);
    const picked = order[j] as number;
    order[j] = order[i] as number;
    order[i] = picked;
  }
  return order.slice(0, samples);
}

/** What to do about one stripe. */
export interface RepairPlan {
  /** Shards that are still there. */
  readonly present: number;
  /** Losses that it survives from here; negative: it cannot be read. */
  readonly margin: number;
  /** Shards to rebuild, none when that is not possible. */
  readonly rebuild: readonly number[];
  /** Shards to read for it, exactly `data` of them when something is to be rebuilt; data shards first: they need no arithmetic. */
  readonly read: readonly number[];
}

/** The plan for a stripe whose shard i has `holders[i]` holders that answered. */
export function planRepair(coding: Coding, holders: ArrayLike<number>): RepairPlan {
  const { data, parity } = checkCoding(coding);
  const shards = data + parity;
  if (holders.length !== shards) {
    throw new RangeError(`holders: ${shards} entries are expected, not ${holders.length}`);
  }
  const there: number[] = [];
  const lost: number[] = [];
  for (let i = 0; i < shards; i++) ((holders[i] as number) > 0 ? there : lost).push(i);
  const possible = there.length >= data && lost.length > 0;
  return {
    present: there.length,
    margin: there.length - data,
    rebuild: possible ? lost : [],
    read: possible ? there.slice(0, data) : [],
  };
}

function checkProbability(name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw new RangeError(`${name}: a probability from 0 to 1, not ${value}`);
}
