import { expect, it } from 'vitest';
import { exceeding, measureAllocation } from '../../../tools/gate.ts';

it('nothing that runs for each packet allocates', { timeout: 120_000 }, async () => {
  const results = await measureAllocation(new URL('./gates/wire.gate.ts', import.meta.url));
  expect(results).toHaveLength(11);
  expect(exceeding(results)).toEqual([]);
});
