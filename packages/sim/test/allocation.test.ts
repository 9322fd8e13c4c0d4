import { describe, expect, it } from 'vitest';
import { exceeding, measureAllocation } from '../../../tools/gate.ts';

describe('a simulation in steady state', () => {
  it('allocates nothing for an event', async () => {
    const results = await measureAllocation(new URL('./gates/sim.gate.ts', import.meta.url));
    expect(results).toHaveLength(2);
    expect(exceeding(results)).toEqual([]);
  }, 120_000);
});
