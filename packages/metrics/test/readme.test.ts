import { readFileSync } from 'node:fs';
import * as core from '@molia/core';
import { expect, it } from 'vitest';
import * as metrics from '../src/index.ts';

it('runs the example of the README', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  const code = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] as string;
  expect(code.trim().split('\n').length).toBeLessThanOrEqual(15);
  const body = code
    .replaceAll(/import \{ (.*) \} from '(.*)';/g, 'const { $1 } = modules["$2"];')
    .replaceAll(' as const', '');
  const printed: string[] = [];
  const run = new Function('modules', 'console', body) as (modules: object, console: object) => void;
  run({ '@molia/core': core, '@molia/metrics': metrics }, { log: (text: string) => printed.push(text) });
  expect(printed[0]).toContain('molia_wireguard_datagrams_in_total 3\n');
  expect(printed[1]).toBe('peer 203.0.x.x left');
});
