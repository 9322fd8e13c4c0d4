import { expect, it } from 'vitest';
import { measureAllocation } from '../../../tools/gate.ts';

it('allocates nothing from datagram to datagram', { timeout: 120_000 }, async () => {
  const results = await measureAllocation(new URL('./gates/stack.gate.ts', import.meta.url));
  expect(results.length).toBe(2);
  for (const { name, bytesPerOperation } of results) expect(bytesPerOperation, name).toBeLessThan(0.05);
});
