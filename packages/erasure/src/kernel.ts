/** What computes sums of products over GF(2^8) for `reed-solomon.ts`, which checked all arguments. */

/** Which implementation runs: `wasm-relaxed` from Node 22 on and in current browsers, `scalar` without WebAssembly SIMD; `native` where a `GaloisPort` was given. */
export type KernelName = 'native' | 'wasm-relaxed' | 'wasm-simd' | 'scalar';

/** Coefficients made ready for one kernel: `rows` targets from `columns` sources. */
export interface Plan {
  rows: number;
  columns: number;
}

export interface Kernel<P extends Plan = Plan> {
  readonly name: KernelName;
  /** A new array of `bytes` in the memory that the kernel works in. Throws RangeError when that is used up. */
  allocate(bytes: number): Uint8Array;
  /** Room for up to `rowsMax` × `columnsMax` coefficients; all plans are made before the first `run`. */
  createPlan(rowsMax: number, columnsMax: number): P;
  /** Replaces what `plan` holds by `coefficients`, row by row. */
  setPlan(plan: P, coefficients: Uint8Array, rows: number, columns: number): void;
  /**
   * Writes `length` bytes at `offset` of the first `plan.rows` targets from the same range of the first
   * `plan.columns` sources. `add`: adds to what the targets hold.
   */
  run(
    plan: P,
    sources: readonly Uint8Array[],
    targets: readonly Uint8Array[],
    offset: number,
    length: number,
    add: boolean,
  ): void;
}

const LINE_BYTES = 64;

/** Room of an array: an odd number of cache lines, so that arrays of one size lie in different sets of the caches. */
export function padded(bytes: number): number {
  return (Math.ceil(bytes / LINE_BYTES) | 1) * LINE_BYTES;
}

/** What is left of an arena after an array of `bytes`. Throws RangeError when it does not suffice. */
export function spend(left: number, bytes: number): number {
  const room = padded(bytes);
  if (room > left) throw new RangeError(`arenaBytes: ${room} more bytes are asked for, ${left} are left`);
  return left - room;
}
