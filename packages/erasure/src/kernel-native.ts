/** The kernel of whoever lends one: machine code that this package does not bring (`GaloisPort`). Works on any arrays, without copies. */
import { multiply } from './field.ts';
import { type Kernel, type Plan, spend } from './kernel.ts';

/** Multiplies and adds over GF(2^8), 0x11d; `@molia/native-shard` has one. */
export interface GaloisPort {
  /**
   * Writes, or with `add` adds, `length` bytes at `offset` of `rows` targets from `columns` sources. `tables`: for every coefficient, row by row, 8 bytes,
   * its bit matrix as GF2P8AFFINEQB takes it; after all of them 32 bytes for each, its products with all low and with all high nibbles.
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

const MATRIX_BYTES = 8;
const NIBBLES_BYTES = 32;

interface NativePlan extends Plan {
  readonly tables: Uint8Array;
}

class NativeKernel implements Kernel<NativePlan> {
  readonly name = 'native';
  private readonly port: GaloisPort;
  private arenaLeft: number;

  constructor(port: GaloisPort, arenaBytes: number) {
    this.port = port;
    this.arenaLeft = arenaBytes;
  }

  /** Ordinary arrays, counted as the other kernels count theirs: a program fits everywhere or nowhere. */
  allocate(bytes: number): Uint8Array {
    this.arenaLeft = spend(this.arenaLeft, bytes);
    return new Uint8Array(bytes);
  }

  createPlan(rowsMax: number, columnsMax: number): NativePlan {
    const tables = new Uint8Array((MATRIX_BYTES + NIBBLES_BYTES) * rowsMax * columnsMax);
    return { rows: 0, columns: 0, tables };
  }

  setPlan(plan: NativePlan, coefficients: Uint8Array, rows: number, columns: number): void {
    plan.rows = rows;
    plan.columns = columns;
    const count = rows * columns;
    for (let i = 0; i < count; i++) {
      const factor = coefficients[i] as number;
      this.setMatrix(plan.tables, i * MATRIX_BYTES, factor);
      const at = count * MATRIX_BYTES + i * NIBBLES_BYTES;
      for (let nibble = 0; nibble < 16; nibble++) {
        plan.tables[at + nibble] = multiply(factor, nibble);
        plan.tables[at + 16 + nibble] = multiply(factor, nibble << 4);
      }
    }
  }

  run(
    plan: NativePlan,
    sources: readonly Uint8Array[],
    targets: readonly Uint8Array[],
    offset: number,
    length: number,
    add: boolean,
  ): void {
    this.port.run(plan.tables, plan.rows, plan.columns, sources, targets, offset, length, add);
  }

  /** Bit j of byte 7 - i says whether bit j of a byte counts for bit i of its product (Intel SDM, GF2P8AFFINEQB). */
  private setMatrix(tables: Uint8Array, at: number, factor: number): void {
    tables.fill(0, at, at + MATRIX_BYTES);
    for (let j = 0; j < 8; j++) {
      const product = multiply(factor, 1 << j);
      for (let i = 0; i < 8; i++) {
        if ((product & (1 << i)) !== 0) tables[at + 7 - i] = (tables[at + 7 - i] as number) | (1 << j);
      }
    }
  }
}

export function createNativeKernel(port: GaloisPort, arenaBytes: number): Kernel {
  return new NativeKernel(port, arenaBytes) as Kernel;
}
