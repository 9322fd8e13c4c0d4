import { expect, test } from 'vitest';
import { exceeding, measureAllocation } from '../../../tools/gate.ts';

test('a server answers queries without leaving anything behind', async () => {
  const results = await measureAllocation(new URL('./gates/server.gate.ts', import.meta.url));
  expect(results.length).toBe(4);
  expect(exceeding(results)).toEqual([]);
}, 120_000);
