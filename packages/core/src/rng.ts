/** Randomness as a port, so that a simulation replays from its seed. */
export interface Rng {
  /** A uniform integer in [0, 2^32). */
  u32(): number;
  /** Fills `length` bytes of `out` at `offset`. */
  fill(out: Uint8Array, offset: number, length: number): void;
}
