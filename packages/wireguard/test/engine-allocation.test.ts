import { expect, it } from 'vitest';
import { exceeding, measureAllocation } from '../../../tools/gate.ts';

it('seals, opens and drops data packets without allocating', { timeout: 120_000 }, async () => {
  const results = await measureAllocation(new URL('./gates/engine.gate.ts', import.meta.url));
  expect(results.length).toBeGreaterThan(0);
  expect(exceeding(results)).toEqual([]);
});
