/** Sums of products over GF(2^8) by AVX2, AVX-512 and GFNI, for codes that take them through a port of their own. */
import { native } from './native.ts';

/** Widest first; bits of `GaloisLevel` in native/galois.h. */
const LEVELS = [
  ['avx512-gfni', 4],
  ['avx2-gfni', 2],
  ['avx2', 1],
] as const;

export type NativeGaloisName = (typeof LEVELS)[number][0];

/** What the addon multiplies with. */
export interface NativeGalois {
  readonly name: NativeGaloisName;
  /**
   * Writes, or with `add` adds, `length` bytes at `offset` of `rows` targets from `columns` sources, at most 255 each. `tables`: for every coefficient, row by
   * row, its bit matrix for GF2P8AFFINEQB (8 bytes), and after all of them for each its products with the low and with the high nibbles (32 bytes).
   * Throws RangeError when an array is too short.
   */
  run(
    tables: Uint8Array,
    rows: number,
    columns: number,
    sources: readonly Uint8Array[],
    targets: readonly Uint8Array[],
    offset: number,
    length: number,
    add: boolean,
  ): void;
}

/** The fastest way that this processor has, or the one named; undefined without addon or without such instructions. */
export function nativeGalois(name?: NativeGaloisName): NativeGalois | undefined {
  const addon = native();
  const levels = addon?.galoisLevels() ?? 0;
  const found = LEVELS.find(([known, bit]) => (levels & bit) !== 0 && (name === undefined || known === name));
  if (addon === undefined || found === undefined) return undefined;
  const [level, bit] = found;
  return {
    name: level,
    run(tables, rows, columns, sources, targets, offset, length, add) {
      if (addon.galois(bit, tables, rows, columns, sources, targets, offset, length, add)) return;
      throw new RangeError('an array is shorter than what is to be read or written, or is no Uint8Array');
    },
  };
}
