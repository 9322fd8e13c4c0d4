/** Round-trip times between places: a measured matrix, or one made up from a plane. */
import type { Rng } from '@molia/core';

/** A symmetric matrix of round-trip times. */
export class LatencyMatrix {
  readonly rows: number;
  readonly #tenthsMs: Uint16Array;

  /** `tenthsMs`: rows × rows, in units of 0.1 ms. Throws RangeError unless it is square. */
  constructor(tenthsMs: Uint16Array) {
    const rows = Math.round(Math.sqrt(tenthsMs.length));
    if (rows === 0 || rows * rows !== tenthsMs.length)
      throw new RangeError(`a latency matrix must be square, not of ${tenthsMs.length} cells`);
    this.rows = rows;
    this.#tenthsMs = tenthsMs;
  }

  /** From the unpacked bytes of a data file: little-endian 16-bit integers, row by row, 0.1 ms. Throws RangeError. */
  static of(bytes: Uint8Array): LatencyMatrix {
    const cells = new Uint16Array(bytes.length >>> 1);
    for (let i = 0; i < cells.length; i++)
      cells[i] = (bytes[2 * i] as number) | ((bytes[2 * i + 1] as number) << 8);
    return new LatencyMatrix(cells);
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

  /** Milliseconds there and back; 0 within a row. */
  rttMs(a: number, b: number): number {
    return (this.#tenthsMs[a * this.rows + b] as number) / 10;
  }

  /** One way, microseconds. */
  oneWayUs(a: number, b: number): number {
    return (this.#tenthsMs[a * this.rows + b] as number) * 50;
  }
}
