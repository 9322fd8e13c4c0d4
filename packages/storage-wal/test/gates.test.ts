import { describe, expect, it } from 'vitest';
import { exceeding, measureAllocation } from '../../../tools/gate.ts';

describe('hot paths', () => {
  it('leave nothing behind in steady state', async () => {
    const results = await measureAllocation(new URL('./gates/store.gate.ts', import.meta.url));
    expect(results.length).toBe(6);
    expect(exceeding(results)).toEqual([]);
  }, 120_000);
});
