import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as dht from '../src/index.ts';

it('runs the example of the README', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] as string;
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(15);
  const body = code.replace(/import \{ (.*) \} from '@molia\/dht';/, 'const { $1 } = dht;');
  const printed: unknown[][] = [];
  const AsyncFunction = (async () => {}).constructor as new (
    ...names: string[]
  ) => (dht: object, console: object) => Promise<void>;
  await new AsyncFunction('dht', 'console', body)(dht, { log: (...parts: unknown[]) => printed.push(parts) });
  expect(printed[0]?.[2]).toBeGreaterThan(4);
  expect(printed[1]).toEqual(['hello']);
});
