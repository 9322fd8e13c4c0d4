/** One WebAssembly kernel of the repository. */
export interface WasmKernel {
  readonly name: string;
  readonly entry: string;
  readonly generated: string;
  /** Pages of 64 KiB of its own memory; without, the host brings the memory. */
  readonly pages?: number;
  /** Compiled with relaxed SIMD. */
  readonly relaxed?: boolean;
}
export const kernels: readonly WasmKernel[];
/** The bytes of one kernel, compiled now. */
export function compileKernel(kernel: Pick<WasmKernel, 'entry' | 'pages' | 'relaxed'>): Promise<Uint8Array>;
/** The text of the committed module for `binary`. */
export function generatedSource(kernel: WasmKernel, binary: Uint8Array): string;
/** The text now committed, '' when there is none. */
export function committedSource(kernel: WasmKernel): string;
