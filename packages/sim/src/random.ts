/**
 * Randomness of a simulation: one generator for each host, as columns, so that what one host draws never shifts what
 * another draws, and the laws that the models need. The generator is xoshiro128** 1.1 (Blackman and Vigna, public domain),
 * as core's seeded generator is.
 */
import { createSeededRng, grow, type Rng } from '@molia/core';

const INITIAL = 64;

/** Generators by index. Their states are drawn from one seed in the order of indices. */
export class Generators {
  readonly drawn = new Float64Array(1);
  #states: Int32Array = new Int32Array(INITIAL * 4);
  #count = 0;
  readonly #seeds: Rng;

  constructor(seed: number) {
    this.#seeds = createSeededRng(seed);
  }

  /** One more generator; its index. */
  add(): number {
    const at = this.#count * 4;
    if (at === this.#states.length) this.#states = grow(this.#states, at * 2);
    // The all-zero state is the generator's one fixed point.
    for (let i = 0; i < 4; i++) this.#states[at + i] = this.#seeds.u32() | (i === 0 ? 1 : 0);
    return this.#count++;
  }

  /** A word of a generator's state, without drawing: two that have drawn differently show different ones. */
  trace(index: number): number {
    return this.#states[index * 4] as number;
  }

  /** A uniform integer in [0, 2^32). */
  u32(index: number): number {
    return this.#step(index) >>> 0;
  }

  /** Sets `drawn` to a value uniform in (0, 1): for hot paths, where a result that is no small integer may cost a heap number. */
  draw(index: number): void {
    this.drawn[0] = ((this.#step(index) >>> 0) + 0.5) / 0x1_0000_0000;
  }

  #step(index: number): number {
    const s = this.#states;
    const at = index * 4;
    const s1 = s[at + 1] as number;
    const product = Math.imul(s1, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9);
    const s2 = (s[at + 2] as number) ^ (s[at] as number);
    const s3 = (s[at + 3] as number) ^ s1;
    s[at + 1] = s1 ^ s2;
    s[at] = (s[at] as number) ^ s3;
    s[at + 2] = s2 ^ (s1 << 9);
    s[at + 3] = (s3 << 11) | (s3 >>> 21);
    return result | 0;
  }

  /** Uniform in (0, 1), never an end. */
  unit(index: number): number {
    this.draw(index);
    return this.drawn[0] as number;
  }

  /** Exponential with the given mean. */
  exponential(index: number, mean: number): number {
    return -mean * Math.log(this.unit(index));
  }

  /** Standard normal (Box and Muller 1958; the second value is not used, so that a draw always costs two words). */
  normal(index: number): number {
    const radius = Math.sqrt(-2 * Math.log(this.unit(index)));
    return radius * Math.cos(2 * Math.PI * this.unit(index));
  }

  /** Log-normal by its median and the standard deviation of its logarithm. */
  logNormal(index: number, median: number, sigma: number): number {
    return median * Math.exp(sigma * this.normal(index));
  }

  /** Weibull by inversion. */
  weibull(index: number, shape: number, scale: number): number {
    return scale * (-Math.log(this.unit(index))) ** (1 / shape);
  }
}

/** The generator of one index as core's port, for an engine. */
export function rngOf(generators: Generators, index: number): Rng {
  return {
    u32: () => generators.u32(index),
    fill(out, offset, length) {
      for (let i = 0; i < length; i += 4) {
        const word = generators.u32(index);
        const end = Math.min(4, length - i);
        for (let b = 0; b < end; b++) out[offset + i + b] = word >>> (b * 8);
      }
    },
  };
}
