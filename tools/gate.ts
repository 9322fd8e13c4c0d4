/** Allocation gates for tests: `gate.mjs` with types. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** What a `test/gates/*.gate.ts` file exports a list of, as `operations`. */
export interface GateOperation {
  readonly name: string;
  /** Builds what the operation works on and returns it; the returned function runs some 10^5 to 10^6 times. */
  readonly setup: () => () => void;
  /** Bytes per operation that still pass: 0.05 unless told, which is zero with room for one stray object. */
  readonly bytesMax?: number;
  /** Operations of one measured window: 100,000 unless told, fewer for slow ones by themselves. */
  readonly operationsMax?: number;
}

export interface GateResult {
  readonly name: string;
  /** Heap and external bytes that one operation left behind; the least of at least five windows. */
  readonly bytesPerOperation: number;
  readonly bytesMax: number;
  readonly operations: number;
  /** Rough, from the warm-up: for orientation only. */
  readonly nanosecondsPerOperation: number;
}

/**
 * Measures every operation of a gate file in a child process (a second or so each).
 * `fileUrl`: `new URL('./gates/timers.gate.ts', import.meta.url)`. Rejects when the gate file fails.
 */
export function measureAllocation(fileUrl: URL | string): Promise<GateResult[]> {
  const tool = fileURLToPath(new URL('./gate.mjs', import.meta.url));
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [tool, String(fileUrl)], { encoding: 'utf8' }, (error, stdout, stderr) => {
      // Exit status 1 with a result means that an operation exceeded its bound: the test says which.
      if (stdout.startsWith('[')) resolve(JSON.parse(stdout) as GateResult[]);
      else reject(new Error(`allocation gate ${String(fileUrl)} failed: ${stderr || String(error)}`));
    });
  });
}

/** The operations that exceed their bound, as lines for a test's message; empty when all pass. */
export function exceeding(results: readonly GateResult[]): string[] {
  return results
    .filter((result) => !(result.bytesPerOperation <= result.bytesMax))
    .map(
      (result) => `${result.name}: ${result.bytesPerOperation.toFixed(3)} B/op, at most ${result.bytesMax}`,
    );
}
