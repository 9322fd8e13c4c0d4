import { expect, it } from 'vitest';
import { exceeding, measureAllocation } from '../../../../tools/gate.ts';

it('records are read, kept and pulled without allocating', { timeout: 120_000 }, async () => {
  const results = await measureAllocation(new URL('../gates/records.gate.ts', import.meta.url));
  expect(exceeding(results)).toEqual([]);
});
