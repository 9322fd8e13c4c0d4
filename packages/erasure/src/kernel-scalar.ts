/**
 * The portable kernel: four targets at once by tables of 256 words, each word the products of a byte with four
 * coefficients.
 */
import { multiply } from './field.ts';
import { type Kernel, type Plan, spend } from './kernel.ts';

/** Targets of one pass: the bytes of a word. */
const LANES = 4;
/** Ours: bytes of a target that one pass collects: words that stay in the first-level cache. */
const BLOCK_BYTES = 1024;

interface ScalarPlan extends Plan {
  readonly tables: Uint32Array;
}

class ScalarKernel implements Kernel<ScalarPlan> {
  readonly name = 'scalar';
  private arenaLeft: number;
  private readonly words = new Uint32Array(BLOCK_BYTES);

  constructor(arenaBytes: number) {
    this.arenaLeft = arenaBytes;
  }

  /** Ordinary arrays, counted as the other kernels count theirs: a program fits everywhere or nowhere. */
  allocate(bytes: number): Uint8Array {
    this.arenaLeft = spend(this.arenaLeft, bytes);
    return new Uint8Array(bytes);
  }

  createPlan(rowsMax: number, columnsMax: number): ScalarPlan {
    return { rows: 0, columns: 0, tables: new Uint32Array(Math.ceil(rowsMax / LANES) * columnsMax * 256) };
  }

  setPlan(plan: ScalarPlan, coefficients: Uint8Array, rows: number, columns: number): void {
    plan.rows = rows;
    plan.columns = columns;
    let at = 0;
    for (let row = 0; row < rows; row += LANES) {
      const lanes = Math.min(LANES, rows - row);
      for (let column = 0; column < columns; column++) {
        for (let byte = 0; byte < 256; byte++) {
          let word = 0;
          for (let lane = 0; lane < lanes; lane++) {
            const factor = coefficients[(row + lane) * columns + column] as number;
            word |= multiply(factor, byte) << (8 * lane);
          }
          plan.tables[at++] = word;
        }
      }
    }
  }

  run(
    plan: ScalarPlan,
    sources: readonly Uint8Array[],
    targets: readonly Uint8Array[],
    offset: number,
    length: number,
    add: boolean,
  ): void {
    const end = offset + length;
    for (let at = offset; at < end; at += BLOCK_BYTES) {
      const bytes = Math.min(BLOCK_BYTES, end - at);
      for (let row = 0; row < plan.rows; row += LANES) {
        this.words.fill(0, 0, bytes);
        const tables = row * 64 * plan.columns;
        for (let column = 0; column < plan.columns; column++) {
          this.collect(plan.tables, tables + 256 * column, sources[column] as Uint8Array, at, bytes);
        }
        const lanes = Math.min(LANES, plan.rows - row);
        for (let lane = 0; lane < lanes; lane++) {
          this.place(targets[row + lane] as Uint8Array, at, bytes, 8 * lane, add);
        }
      }
    }
  }

  private collect(tables: Uint32Array, table: number, source: Uint8Array, at: number, bytes: number): void {
    const words = this.words;
    for (let i = 0; i < bytes; i++) {
      words[i] = (words[i] as number) ^ (tables[table + (source[at + i] as number)] as number);
    }
  }

  private place(target: Uint8Array, at: number, bytes: number, shift: number, add: boolean): void {
    const words = this.words;
    if (add)
      for (let i = 0; i < bytes; i++)
        target[at + i] = (target[at + i] as number) ^ ((words[i] as number) >>> shift);
    else for (let i = 0; i < bytes; i++) target[at + i] = (words[i] as number) >>> shift;
  }
}

export function createScalarKernel(arenaBytes: number): Kernel {
  return new ScalarKernel(arenaBytes) as Kernel;
}
