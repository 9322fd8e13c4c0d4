/** Round-trip times between places: a measured matrix, a trace of matrices, or one made up from a plane. */
import type { Rng } from '@molia/core';

/** How the cells of a matrix are to be read. */
export interface LatencyOptions {
  /** Milliseconds of one step of a cell; 0.1 unless told. */
  readonly unitMs?: number;
  /** Matrices one after the other, taken in turn for `sliceMs` each; 1 unless told. */
  readonly slices?: number;
  readonly sliceMs?: number;
}

/** Round-trip times from row to column, which may differ from those back, and may change with time. */
export class LatencyMatrix {
  readonly rows: number;
  /** Slice by slice, row by row; borrowed. 0 = the same place, or not measured. */
  readonly cells: Uint16Array;
  readonly options: Required<LatencyOptions>;
  readonly #halfUnitUs: number;
  /** Least of all slices and both directions; `cells` when there is one slice. */
  readonly #least: Uint16Array;

  /** Throws RangeError unless each slice is square. */
  constructor(cells: Uint16Array, options: LatencyOptions = {}) {
    const { unitMs = 0.1, slices = 1, sliceMs = Number.POSITIVE_INFINITY } = options;
    const rows = Math.round(Math.sqrt(cells.length / slices));
    if (rows === 0 || rows * rows * slices !== cells.length)
      throw new RangeError(`a latency matrix must be square, not of ${cells.length / slices} cells`);
    if (!(slices === 1 || sliceMs > 0)) throw new RangeError('sliceMs must be above 0');
    this.rows = rows;
    this.cells = cells;
    this.options = { unitMs, slices, sliceMs };
    this.#halfUnitUs = unitMs * 500;
    this.#least = slices === 1 ? cells : least(cells, rows);
  }

  /** From the unpacked bytes of a data file: little-endian 16-bit integers, slice by slice, row by row. Throws RangeError. */
  static of(bytes: Uint8Array, options: LatencyOptions = {}): LatencyMatrix {
    const cells = new Uint16Array(bytes.length >>> 1);
    for (let i = 0; i < cells.length; i++)
      cells[i] = (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8);
    return new LatencyMatrix(cells, options);
  }

  /** Places strewn evenly over a rectangle of twice `spanMs` by `spanMs`, 2 ms apart at least. For tests and examples. */
  static plane(rows: number, spanMs: number, rng: Rng): LatencyMatrix {
    const x = Float64Array.from({ length: rows }, () => (rng.u32() / 2 ** 32) * 2 * spanMs);
    const y = Float64Array.from({ length: rows }, () => (rng.u32() / 2 ** 32) * spanMs);
    const cells = new Uint16Array(rows * rows);
    for (let a = 0; a < rows; a++) {
      for (let b = 0; b < rows; b++) {
        if (a === b) continue;
        const away = Math.hypot((x[a] as number) - (x[b] as number), (y[a] as number) - (y[b] as number));
        cells[a * rows + b] = Math.round(10 * (2 + away));
      }
    }
    return new LatencyMatrix(cells);
  }

  /** The slice that holds at an instant, microseconds. */
  sliceAt(us: number): number {
    const { slices, sliceMs } = this.options;
    return slices === 1 ? 0 : Math.floor(us / (sliceMs * 1000)) % slices;
  }

  /** Milliseconds there and back; 0 within a row. */
  rttMs(a: number, b: number, slice = 0): number {
    return (this.oneWayUs(a, b, slice) + this.oneWayUs(b, a, slice)) / 1000;
  }

  /** One way, microseconds: half of what was measured from `a`, the least of all slices where a slice has nothing. */
  oneWayUs(a: number, b: number, slice = 0): number {
    const cell = this.cells[(slice * this.rows + a) * this.rows + b] as number;
    return cell === 0 ? this.leastUs(a, b) : Math.round(cell * this.#halfUnitUs);
  }

  /** The least that `oneWayUs` ever is between two rows, in either direction. */
  leastUs(a: number, b: number): number {
    const there = this.#least[a * this.rows + b] as number;
    const back = this.#least[b * this.rows + a] as number;
    return Math.round(Math.min(there, back) * this.#halfUnitUs);
  }
}

/** By pair, the least that was measured in any slice and direction; a pair never measured takes the least of all. */
function least(cells: Uint16Array, rows: number): Uint16Array {
  const out = new Uint16Array(rows * rows).fill(0xffff);
  let smallest = 0xffff;
  for (let i = 0; i < cells.length; i++) {
    const cell = cells[i] as number;
    if (cell === 0) continue;
    const a = Math.floor(i / rows) % rows;
    const b = i % rows;
    smallest = Math.min(smallest, cell);
    out[a * rows + b] = Math.min(out[a * rows + b] as number, cell);
    out[b * rows + a] = Math.min(out[b * rows + a] as number, cell);
  }
  if (smallest === 0xffff) throw new RangeError('a trace of latencies needs a measurement');
  for (let a = 0; a < rows; a++) {
    for (let b = 0; b < rows; b++) {
      const at = a * rows + b;
      if (a === b) out[at] = 0;
      else if (out[at] === 0xffff) out[at] = smallest;
    }
  }
  return out;
}
