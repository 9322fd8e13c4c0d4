/**
 * The fast kernel: WebAssembly SIMD (sources in `wasm/`, committed compiled in `gen/`, with and without relaxed SIMD).
 * Shards that `allocate` gave out are worked on where they are. Others pass through a stage in the module's memory:
 * arrays of up to 64 KiB that are used whole cost nothing but the copy, of others a view of 96 bytes for every 64 KiB.
 */
import { instantiateWasm } from '@molia/core';
import { multiply } from './field.ts';
import { GALOIS_RELAXED_WASM } from './gen/galois-relaxed-wasm.ts';
import { GALOIS_WASM } from './gen/galois-wasm.ts';
import { type Kernel, type KernelName, type Plan, padded, spend } from './kernel.ts';

type Pass = (
  sources: number,
  count: number,
  targets: number,
  tables: number,
  length: number,
  add: number,
) => void;

/** Passes by the number of their targets that are sums of products; `sum`: one more is the plain sum. */
interface Passes {
  readonly sum: readonly Pass[];
  readonly rows: readonly Pass[];
}

const PAGE_BYTES = 65536;
/** Products of one coefficient with all low and with all high nibbles. */
const TABLE_BYTES = 32;
/** A pass handles this many bytes of every shard at once. */
const STEP_BYTES = 32;
/** Targets of one pass beside the plain sum, and without it. */
const ROWS_WITH_SUM_MAX = 3;
const ROWS_MAX = 4;
/** Ours: bytes of a shard that are staged at once. */
const STAGE_BYTES = 65536;
/** Ours: a line more than a power of two, so that the shards of a stripe lie in different sets of the caches. */
const SLOT_BYTES = STAGE_BYTES + 64;
/** Ours: up to this length a loop over bytes beats a view. */
const LOOP_BYTES_MAX = 64;
/** Addresses of at most 256 sources and 256 targets. */
const SOURCES_AT = 0;
const TARGETS_AT = 1024;
const LISTS_BYTES = 2048;
/** What `padded` adds to a plan at most. */
const PLAN_SLACK_BYTES = 128;

interface WasmPlan extends Plan {
  /** Address of its tables. */
  readonly at: number;
  /** The first row is all ones. */
  sum: boolean;
}

/** Memory that a kernel needs. */
export interface WasmKernelRoom {
  /** Sources and targets of one run together. */
  readonly shards: number;
  /** Coefficients of all plans together. */
  readonly coefficients: number;
  readonly plans: number;
  readonly arenaBytes: number;
}

class WasmKernel implements Kernel<WasmPlan> {
  readonly name: KernelName;
  private readonly passes: Passes;
  private readonly bytes: Uint8Array;
  private readonly words: Uint32Array;
  private readonly buffer: ArrayBufferLike;
  private readonly slots: number;
  private readonly views: (Uint8Array | undefined)[];
  private free: number;
  private arenaLeft: number;

  constructor(name: KernelName, passes: Passes, memory: WebAssembly.Memory, room: WasmKernelRoom) {
    this.name = name;
    this.passes = passes;
    this.buffer = memory.buffer;
    this.bytes = new Uint8Array(memory.buffer);
    this.words = new Uint32Array(memory.buffer);
    this.slots = LISTS_BYTES;
    this.views = new Array<Uint8Array | undefined>(room.shards).fill(undefined);
    this.free = LISTS_BYTES + room.shards * SLOT_BYTES;
    this.arenaLeft = room.arenaBytes;
  }

  allocate(bytes: number): Uint8Array {
    this.arenaLeft = spend(this.arenaLeft, bytes);
    const view = new Uint8Array(this.buffer, this.free, bytes);
    this.free += padded(bytes);
    return view;
  }

  createPlan(rowsMax: number, columnsMax: number): WasmPlan {
    const at = this.free;
    this.free += padded(rowsMax * columnsMax * TABLE_BYTES);
    return { at, rows: 0, columns: 0, sum: false };
  }

  setPlan(plan: WasmPlan, coefficients: Uint8Array, rows: number, columns: number): void {
    plan.rows = rows;
    plan.columns = columns;
    plan.sum = true;
    for (let column = 0; column < columns; column++) plan.sum &&= coefficients[column] === 1;
    let at = plan.at;
    let row = plan.sum ? 1 : 0;
    let count = Math.min(rows - row, plan.sum ? ROWS_WITH_SUM_MAX : ROWS_MAX);
    while (count > 0) {
      for (let column = 0; column < columns; column++) {
        for (let k = 0; k < count; k++) {
          this.setTable(at, coefficients[(row + k) * columns + column] as number);
          at += TABLE_BYTES;
        }
      }
      row += count;
      count = Math.min(rows - row, ROWS_MAX);
    }
  }

  run(
    plan: WasmPlan,
    sources: readonly Uint8Array[],
    targets: readonly Uint8Array[],
    offset: number,
    length: number,
    add: boolean,
  ): void {
    const resident = this.areResident(sources, plan.columns) && this.areResident(targets, plan.rows);
    let done = 0;
    if (resident) {
      done = length - (length % STEP_BYTES);
      for (let i = 0; i < plan.columns; i++)
        this.setSource(i, (sources[i] as Uint8Array).byteOffset + offset);
      for (let i = 0; i < plan.rows; i++) this.setTarget(i, (targets[i] as Uint8Array).byteOffset + offset);
      this.pass(plan, done, add);
    }
    while (done < length) {
      const bytes = Math.min(STAGE_BYTES, length - done);
      this.runStaged(plan, sources, targets, offset + done, bytes, add);
      done += bytes;
    }
  }

  private areResident(arrays: readonly Uint8Array[], count: number): boolean {
    for (let i = 0; i < count; i++) if ((arrays[i] as Uint8Array).buffer !== this.buffer) return false;
    return true;
  }

  private runStaged(
    plan: WasmPlan,
    sources: readonly Uint8Array[],
    targets: readonly Uint8Array[],
    offset: number,
    length: number,
    add: boolean,
  ): void {
    const { columns, rows } = plan;
    for (let i = 0; i < columns; i++) {
      this.setSource(i, this.slotAt(i));
      this.copyIn(i, sources[i] as Uint8Array, offset, length);
    }
    for (let i = 0; i < rows; i++) {
      this.setTarget(i, this.slotAt(columns + i));
      if (add) this.copyIn(columns + i, targets[i] as Uint8Array, offset, length);
    }
    // What lies beyond `length` in the slots is stale and computed with; it is never copied out.
    this.pass(plan, Math.ceil(length / STEP_BYTES) * STEP_BYTES, add);
    for (let i = 0; i < rows; i++) this.copyOut(columns + i, targets[i] as Uint8Array, offset, length);
  }

  private pass(plan: WasmPlan, length: number, add: boolean): void {
    const { columns, rows } = plan;
    const adding = add ? 1 : 0;
    let tables = plan.at;
    let row = 0;
    if (plan.sum) {
      const count = Math.min(rows - 1, ROWS_WITH_SUM_MAX);
      (this.passes.sum[count] as Pass)(SOURCES_AT, columns, TARGETS_AT, tables, length, adding);
      tables += count * columns * TABLE_BYTES;
      row = 1 + count;
    }
    while (row < rows) {
      const count = Math.min(rows - row, ROWS_MAX);
      (this.passes.rows[count] as Pass)(SOURCES_AT, columns, TARGETS_AT + 4 * row, tables, length, adding);
      tables += count * columns * TABLE_BYTES;
      row += count;
    }
  }

  private setSource(index: number, address: number): void {
    this.words[(SOURCES_AT >> 2) + index] = address;
  }

  private setTarget(index: number, address: number): void {
    this.words[(TARGETS_AT >> 2) + index] = address;
  }

  private setTable(at: number, factor: number): void {
    for (let nibble = 0; nibble < 16; nibble++) {
      this.bytes[at + nibble] = multiply(factor, nibble);
      this.bytes[at + 16 + nibble] = multiply(factor, nibble << 4);
    }
  }

  private slotAt(slot: number): number {
    return this.slots + slot * SLOT_BYTES;
  }

  private copyIn(slot: number, array: Uint8Array, offset: number, length: number): void {
    const at = this.slotAt(slot);
    if (length <= LOOP_BYTES_MAX) {
      for (let i = 0; i < length; i++) this.bytes[at + i] = array[offset + i] as number;
    } else if (offset === 0 && length === array.length) {
      this.bytes.set(array, at);
    } else {
      this.bytes.set(array.subarray(offset, offset + length), at);
    }
  }

  private copyOut(slot: number, array: Uint8Array, offset: number, length: number): void {
    const at = this.slotAt(slot);
    if (length <= LOOP_BYTES_MAX) {
      for (let i = 0; i < length; i++) array[offset + i] = this.bytes[at + i] as number;
      return;
    }
    let view = this.views[slot];
    if (view === undefined || view.length !== length) {
      view = this.bytes.subarray(at, at + length);
      this.views[slot] = view;
    }
    array.set(view, offset);
  }
}

function planBytes(room: WasmKernelRoom): number {
  return room.coefficients * TABLE_BYTES + room.plans * PLAN_SLACK_BYTES;
}

/**
 * A kernel with a memory of its own, or `undefined` where the platform takes no such module.
 * Throws RangeError when `room` is more than a WebAssembly memory holds (4 GiB) or than the machine has.
 */
export function createWasmKernel(name: KernelName, room: WasmKernelRoom): Kernel | undefined {
  if (typeof WebAssembly === 'undefined') return undefined;
  const total = LISTS_BYTES + room.shards * SLOT_BYTES + planBytes(room) + room.arenaBytes;
  const pages = Math.ceil(total / PAGE_BYTES);
  if (pages > 65536)
    throw new RangeError(`arenaBytes: WebAssembly addresses 4 GiB, ${total} bytes are asked for`);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const base64 = name === 'wasm-relaxed' ? GALOIS_RELAXED_WASM : GALOIS_WASM;
  const exports = instantiateWasm(base64, { env: { memory } }) as unknown as Record<string, Pass> | undefined;
  if (exports === undefined) return undefined;
  const { sum0, sum1, sum2, sum3, rows1, rows2, rows3, rows4 } = exports as Record<string, Pass>;
  const passes = {
    sum: [sum0, sum1, sum2, sum3],
    rows: [sum0, rows1, rows2, rows3, rows4],
  } as unknown as Passes;
  return new WasmKernel(name, passes, memory, room) as Kernel;
}
