/**
 * Systematic Reed-Solomon codes over GF(2^8): `data` shards and `parity` shards, any `data` of which give back the
 * rest. Works on the caller's arrays; an encode, an update or a reconstruction allocates nothing (`kernel-wasm.ts`
 * says for which arrays). The code is one of columns: byte k of every shard depends on byte k of the others alone, so
 * every method takes a range of bytes.
 */
import { intInRange } from '@molia/core';
import { SHARDS_MAX } from './constants.ts';
import { multiply } from './field.ts';
import type { Kernel, KernelName, Plan } from './kernel.ts';
import { createNativeKernel, type GaloisPort } from './kernel-native.ts';
import { createScalarKernel } from './kernel-scalar.ts';
import { createWasmKernel, type WasmKernelRoom } from './kernel-wasm.ts';
import { coefficient, invert } from './matrix.ts';

/** How many shards of data, and how many of parity are made of them. */
export interface Coding {
  readonly data: number;
  readonly parity: number;
}

/** Options of {@link createReedSolomon}. */
export interface ReedSolomonOptions extends Coding {
  /** Bytes that `allocate` may give out; default 0. */
  readonly arenaBytes?: number;
  /** Default: the fastest that runs here. Throws RangeError when the one asked for does not. */
  readonly kernel?: KernelName;
  /** Machine code that multiplies, used unless `kernel` names another. */
  readonly galois?: GaloisPort | undefined;
}

/** A code. One works for one caller at a time: it has scratch memory. */
export class ReedSolomon {
  readonly data: number;
  readonly parity: number;
  /** `data + parity`. */
  readonly shards: number;
  readonly kernel: KernelName;
  private readonly worker: Kernel;
  private readonly encoding: Plan;
  private readonly updating: Plan;
  private readonly recovering: Plan;
  private readonly sources: Uint8Array[];
  private readonly targets: Uint8Array[];
  private readonly coefficients: Uint8Array;
  /** The data shard that `updating` is set for. */
  private updated = -1;
  /** What `recovering` is set for: 1 = present, 2 = wanted. */
  private readonly pattern: Uint8Array;
  private patternSet = false;
  private readonly missing: Uint8Array;
  private readonly helpers: Uint8Array;
  private readonly square: Uint8Array;
  private readonly inverse: Uint8Array;

  /** @internal Use {@link createReedSolomon}. */
  constructor(coding: Coding, kernel: Kernel) {
    const { data, parity } = coding;
    const lost = Math.min(data, parity);
    this.data = data;
    this.parity = parity;
    this.shards = data + parity;
    this.kernel = kernel.name;
    this.worker = kernel;
    this.encoding = kernel.createPlan(parity, data);
    this.updating = kernel.createPlan(parity, 2);
    this.recovering = kernel.createPlan(parity, data);
    this.sources = new Array<Uint8Array>(Math.max(data, 2)).fill(NOTHING);
    this.targets = new Array<Uint8Array>(parity).fill(NOTHING);
    this.coefficients = new Uint8Array(parity * Math.max(data, 2));
    this.pattern = new Uint8Array(this.shards);
    this.missing = new Uint8Array(data);
    this.helpers = new Uint8Array(parity);
    this.square = new Uint8Array(lost * lost);
    this.inverse = new Uint8Array(lost * lost);
    for (let row = 0; row < parity; row++) {
      for (let column = 0; column < data; column++) {
        this.coefficients[row * data + column] = coefficient(data, row, column);
      }
    }
    kernel.setPlan(this.encoding, this.coefficients, parity, data);
  }

  /**
   * A new array of zeros in the memory that the kernel works in: shards there are not copied. It takes `bytes`,
   * rounded up to an odd number of lines of 64 bytes, and is never given back. Throws RangeError when `arenaBytes` are used up.
   */
  allocate(bytes: number): Uint8Array {
    return this.worker.allocate(intInRange('bytes', bytes, 0, Number.MAX_SAFE_INTEGER));
  }

  /**
   * Writes the range [`offset`, `offset + length`) of the parity shards, which are the last in `shards`, from that of
   * the data shards. No two shards may overlap. Throws RangeError for a wrong number of shards or a range that leaves one.
   */
  encode(shards: readonly Uint8Array[], offset: number, length: number): void {
    checkCount('shards', shards, this.shards);
    checkRange(offset, length);
    for (let i = 0; i < this.data; i++) this.sources[i] = checkShard('shards', shards, i, offset, length);
    for (let i = 0; i < this.parity; i++) {
      this.targets[i] = checkShard('shards', shards, this.data + i, offset, length);
    }
    this.run(this.encoding, offset, length, false);
  }

  /**
   * Brings the range of all `parity` shards up to date after data shard `index` changed there from `before` to
   * `after`: reads two shards instead of all. Throws RangeError as `encode`.
   */
  update(
    index: number,
    before: Uint8Array,
    after: Uint8Array,
    parity: readonly Uint8Array[],
    offset: number,
    length: number,
  ): void {
    intInRange('index', index, 0, this.data - 1);
    checkCount('parity', parity, this.parity);
    checkRange(offset, length);
    this.sources[0] = checkArray('before', before, offset, length);
    this.sources[1] = checkArray('after', after, offset, length);
    for (let i = 0; i < this.parity; i++) this.targets[i] = checkShard('parity', parity, i, offset, length);
    if (this.updated !== index) {
      for (let row = 0; row < this.parity; row++) {
        const factor = coefficient(this.data, row, index);
        this.coefficients[2 * row] = factor;
        this.coefficients[2 * row + 1] = factor;
      }
      this.worker.setPlan(this.updating, this.coefficients, this.parity, 2);
      this.updated = index;
    }
    this.run(this.updating, offset, length, true);
  }

  /**
   * Writes the range of the shards whose `wanted` is not 0, from that of shards whose `present` is not 0. Entries of
   * `shards` that are neither may be undefined. Both lists have an entry for each shard. False, and nothing written, when fewer
   * than `data` are present. Throws RangeError as `encode`, and for a shard both present and wanted.
   * The first call for a pattern of losses inverts a matrix (10:4: a few microseconds); more of the same do not.
   */
  reconstruct(
    shards: readonly (Uint8Array | undefined)[],
    present: ArrayLike<number>,
    wanted: ArrayLike<number>,
    offset: number,
    length: number,
  ): boolean {
    checkCount('shards', shards, this.shards);
    checkCount('present', present, this.shards);
    checkCount('wanted', wanted, this.shards);
    checkRange(offset, length);
    let available = 0;
    let asked = 0;
    let same = this.patternSet;
    for (let i = 0; i < this.shards; i++) {
      if (present[i] !== 0 && wanted[i] !== 0) throw new RangeError(`wanted[${i}]: that shard is present`);
      if (present[i] !== 0) available++;
      if (wanted[i] !== 0) asked++;
      const mark = present[i] !== 0 ? PRESENT : wanted[i] !== 0 ? WANTED : 0;
      if (this.pattern[i] !== mark) {
        this.pattern[i] = mark;
        same = false;
      }
    }
    this.patternSet = same;
    if (available < this.data) return false;
    if (asked === 0) return true;
    let column = 0;
    // The same choice as in `setRecovery`: data shards, then parity shards for those that are not there.
    for (let i = 0; i < this.shards && column < this.data; i++) {
      if (this.pattern[i] === PRESENT)
        this.sources[column++] = checkShard('shards', shards, i, offset, length);
    }
    let row = 0;
    for (let i = 0; i < this.shards; i++) {
      if (this.pattern[i] === WANTED) this.targets[row++] = checkShard('shards', shards, i, offset, length);
    }
    if (!same) {
      this.setRecovery(asked);
      this.patternSet = true;
    }
    this.run(this.recovering, offset, length, false);
    return true;
  }

  private run(plan: Plan, offset: number, length: number, add: boolean): void {
    this.worker.run(plan, this.sources, this.targets, offset, length, add);
    this.sources.fill(NOTHING);
    this.targets.fill(NOTHING);
  }

  /** Sets `recovering` for `pattern`: a row of coefficients over the sources for each wanted shard. */
  private setRecovery(asked: number): void {
    const { data, pattern, coefficients } = this;
    let lost = 0;
    for (let i = 0; i < data; i++) if (pattern[i] !== PRESENT) this.missing[lost++] = i;
    let helpers = 0;
    for (let i = 0; helpers < lost; i++) if (pattern[data + i] === PRESENT) this.helpers[helpers++] = i;
    for (let h = 0; h < lost; h++) {
      for (let m = 0; m < lost; m++) {
        this.square[h * lost + m] = coefficient(data, this.helpers[h] as number, this.missing[m] as number);
      }
    }
    invert(this.square, this.inverse, lost);
    coefficients.fill(0);
    let at = 0;
    for (let i = 0; i < this.shards; i++) {
      if (pattern[i] !== WANTED) continue;
      if (i < data) this.addDataRow(at, this.missing.indexOf(i), lost, 1);
      else this.addParityRow(at, i - data, lost);
      at += data;
    }
    this.worker.setPlan(this.recovering, coefficients, asked, data);
  }

  /** Adds `factor` times the row of missing data shard `m` (its number among the `lost`) at `at`. */
  private addDataRow(at: number, m: number, lost: number, factor: number): void {
    const { data, pattern, coefficients } = this;
    for (let h = 0; h < lost; h++) {
      const share = multiply(factor, this.inverse[m * lost + h] as number);
      let column = at;
      for (let j = 0; j < data; j++) {
        if (pattern[j] !== PRESENT) continue;
        const part = multiply(share, coefficient(data, this.helpers[h] as number, j));
        coefficients[column] = (coefficients[column] as number) ^ part;
        column++;
      }
      coefficients[column + h] = (coefficients[column + h] as number) ^ share;
    }
  }

  /** Adds the row of parity shard `row` at `at`, missing data replaced by what it is made of. */
  private addParityRow(at: number, row: number, lost: number): void {
    let column = at;
    for (let j = 0; j < this.data; j++) {
      if (this.pattern[j] !== PRESENT) continue;
      this.coefficients[column] = (this.coefficients[column] as number) ^ coefficient(this.data, row, j);
      column++;
    }
    for (let m = 0; m < lost; m++) {
      this.addDataRow(at, m, lost, coefficient(this.data, row, this.missing[m] as number));
    }
  }
}

const PRESENT = 1;
const WANTED = 2;
/** Stands where no caller's array is held. */
const NOTHING = /* @__PURE__ */ new Uint8Array(0);

function checkCount(name: string, list: ArrayLike<unknown>, count: number): void {
  if (list.length !== count)
    throw new RangeError(`${name}: ${count} entries are expected, not ${list.length}`);
}

function checkRange(offset: number, length: number): void {
  intInRange('offset', offset, 0, Number.MAX_SAFE_INTEGER);
  intInRange('length', length, 0, Number.MAX_SAFE_INTEGER);
}

function checkArray(name: string, array: Uint8Array | undefined, offset: number, length: number): Uint8Array {
  if (!(array instanceof Uint8Array)) throw new TypeError(`${name}: a Uint8Array is expected`);
  if (offset + length > array.length) {
    throw new RangeError(
      `${name}: [${offset}, ${offset}+${length}) leaves an array of ${array.length} bytes`,
    );
  }
  return array;
}

/** As `checkArray`, for one of several; the name is made only when it is needed. */
function checkShard(
  name: string,
  shards: readonly (Uint8Array | undefined)[],
  index: number,
  offset: number,
  length: number,
): Uint8Array {
  const shard = shards[index];
  if (shard instanceof Uint8Array && offset + length <= shard.length) return shard;
  return checkArray(`${name}[${index}]`, shard, offset, length);
}

/** `coding`, when both numbers are from 1 on and make at most 255 shards. Throws RangeError otherwise. */
export function checkCoding(coding: Coding): Coding {
  intInRange('data', coding.data, 1, SHARDS_MAX - 1);
  intInRange('parity', coding.parity, 1, SHARDS_MAX - coding.data);
  return coding;
}

/** A code with memory of its own: for 10:4, 0.9 MiB and `arenaBytes`. Throws RangeError for what it cannot be. */
export function createReedSolomon(options: ReedSolomonOptions): ReedSolomon {
  const { data, parity } = checkCoding(options);
  const arenaBytes = intInRange('arenaBytes', options.arenaBytes ?? 0, 0, 2 ** 32);
  const room: WasmKernelRoom = {
    shards: Math.max(data, 2) + parity,
    coefficients: parity * (2 * data + 2),
    plans: 3,
    arenaBytes,
  };
  const { galois, kernel: name } = options;
  const kernel = name === undefined ? fastestKernel(room, galois) : namedKernel(name, room, galois);
  return new ReedSolomon({ data, parity }, kernel);
}

function fastestKernel(room: WasmKernelRoom, galois: GaloisPort | undefined): Kernel {
  if (galois !== undefined) return createNativeKernel(galois, room.arenaBytes);
  return (
    createWasmKernel('wasm-relaxed', room) ??
    createWasmKernel('wasm-simd', room) ??
    createScalarKernel(room.arenaBytes)
  );
}

function namedKernel(name: KernelName, room: WasmKernelRoom, galois: GaloisPort | undefined): Kernel {
  if (name === 'native') {
    if (galois === undefined) throw new RangeError('kernel: native needs a galois port');
    return createNativeKernel(galois, room.arenaBytes);
  }
  if (name === 'scalar') return createScalarKernel(room.arenaBytes);
  if (name !== 'wasm-relaxed' && name !== 'wasm-simd') {
    throw new RangeError(
      `kernel: 'native', 'wasm-relaxed', 'wasm-simd' or 'scalar', not ${JSON.stringify(name)}`,
    );
  }
  const kernel = createWasmKernel(name, room);
  if (kernel === undefined) throw new RangeError(`kernel: ${name} does not run here`);
  return kernel;
}
