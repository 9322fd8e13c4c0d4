import { describe, expect, it } from 'vitest';
import { fuzz } from './fuzz.ts';

const RUNS = Number(process.env['MOLIA_FUZZ_RUNS'] ?? 20_000);
const SEED = Number(process.env['MOLIA_FUZZ_SEED'] ?? 7);
/** An input takes microseconds; a pause of the machine or a collection takes milliseconds; a hang takes for ever. */
const SLOW_MS = 1000;
/** Whatever the number of inputs, decoders keep nothing: what is left is the engine's report and the heap's slack. */
const HEAP_GROWTH_BYTES_MAX = 64 * 1024 * 1024;

describe('every decoder', () => {
  it(`answers ${RUNS} hostile inputs with a verdict: no throw, no hang, no growth`, {
    timeout: 60_000 + RUNS,
  }, () => {
    const before = process.memoryUsage().heapUsed;
    const report = fuzz(RUNS, SEED, SLOW_MS);
    const growth = process.memoryUsage().heapUsed - before;
    expect(report.inputs).toBe(RUNS);
    // Both outcomes are common: the inputs reach past the first check, and the checks refuse.
    expect(report.taken).toBeGreaterThan(RUNS / 20);
    expect(report.taken).toBeLessThan((RUNS * 19) / 20);
    expect(report.drops.size).toBeGreaterThan(40);
    expect(growth).toBeLessThan(HEAP_GROWTH_BYTES_MAX);
  });

  it('meets the same inputs again under the same seed', () => {
    const a = fuzz(2000, 99, SLOW_MS);
    const b = fuzz(2000, 99, SLOW_MS);
    expect(b.taken).toBe(a.taken);
    expect([...b.drops]).toEqual([...a.drops]);
  });
});
