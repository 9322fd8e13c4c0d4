import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { crosscheck } from '../src/suites/crosscheck.ts';

const dist = fileURLToPath(new URL('../dist', import.meta.url));

// What a get asks depends on who answers first in real time: the bench suite compares that, on a quiet machine.
it('the simulator and real processes over loopback ask as many nodes a search, within a tenth', async () => {
  const { find, get } = await crosscheck({ nodes: 24, lookups: 60, seed: 3, folder: dist }, () => {});
  expect(find.real).toBeGreaterThan(10);
  expect(find.ratio).toBeGreaterThan(0.9);
  expect(find.ratio).toBeLessThan(1.1);
  expect(get.real).toBeGreaterThan(0.9);
});
