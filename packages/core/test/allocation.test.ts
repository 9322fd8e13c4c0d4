import { describe, expect, it } from 'vitest';
import { exceeding, measureAllocation } from '../../../tools/gate.ts';

const TIMEOUT_MS = 120_000;

describe('the allocation gate', () => {
  it(
    'sees one small object per operation, one in a hundred, and memory outside the heap',
    async () => {
      const results = await measureAllocation(new URL('./gates/self.gate.ts', import.meta.url));
      const bytes = new Map(results.map((result) => [result.name, result.bytesPerOperation]));
      expect(bytes.get('clean')).toBeLessThan(0.05);
      expect(bytes.get('one small object per operation')).toBeGreaterThanOrEqual(16);
      expect(bytes.get('one small object per operation')).toBeLessThan(64);
      expect(bytes.get('one small object in a hundred operations')).toBeGreaterThanOrEqual(0.16);
      expect(bytes.get('one kilobyte outside the heap per operation')).toBeGreaterThanOrEqual(1024);
      expect(exceeding(results)).toHaveLength(3);
    },
    TIMEOUT_MS,
  );

  it(
    'finds no allocation in what runs for each packet',
    async () => {
      const results = await measureAllocation(new URL('./gates/core.gate.ts', import.meta.url));
      expect(results.length).toBeGreaterThanOrEqual(10);
      expect(exceeding(results)).toEqual([]);
    },
    TIMEOUT_MS,
  );
});
