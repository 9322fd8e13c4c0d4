/** Growth of slab columns: peers, contacts and timers live in typed arrays that double and never shrink. */

/** The column types of a slab. */
export type TypedArray =
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array;

/**
 * A column of the same type with `length` elements: the old ones, then zeros. Returns the given column when it is
 * already that long, so that growing a slab twice costs nothing.
 */
export function grow<T extends TypedArray>(column: T, length: number): T {
  if (length <= column.length) return column;
  const Column = column.constructor as new (length: number) => T;
  const grown = new Column(length);
  (grown as Uint8Array).set(column as Uint8Array);
  return grown;
}

/** `grow` for bytes, whose static type TypeScript would else widen. */
export function growU8(column: Uint8Array, length: number): Uint8Array {
  return grow(column, length);
}

/** `grow` for handles, indices and links. */
export function growI32(column: Int32Array, length: number): Int32Array {
  return grow(column, length);
}

/** `grow` for counters and words. */
export function growU32(column: Uint32Array, length: number): Uint32Array {
  return grow(column, length);
}

/** `grow` for instants and rates. */
export function growF64(column: Float64Array, length: number): Float64Array {
  return grow(column, length);
}

/** Columns without rows, for slabs that nothing was put into yet: an array of its own costs 190 bytes even when empty. */
export const NO_U8: Uint8Array = new Uint8Array(0);
export const NO_I32: Int32Array = new Int32Array(0);
export const NO_U32: Uint32Array = new Uint32Array(0);
export const NO_F64: Float64Array = new Float64Array(0);
