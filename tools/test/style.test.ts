/** Lint, format, types and dead code, with the tools' own words when something is off. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { root, run } from './repository.ts';

const clean = (command: string, argv: string[], cwd = root) => {
  const { status, output } = run(command, argv, cwd);
  expect(status === 0 ? '' : output).toBe('');
};

describe('style', () => {
  test('lint and format are clean', () => clean('biome', ['ci', '.']));
  test('every package and its tests typecheck', () =>
    clean('turbo', ['run', 'typecheck', '--output-logs=errors-only']));
  test('the repository tools typecheck', () => clean('tsc', ['-p', 'tools/tsconfig.json']));
  test('no file, export or dependency is unused', () => clean('knip', ['--no-progress']));
  test('the protocol files are well formed', () => {
    const proto = join(root, 'proto');
    const buf = join(root, 'packages/wire/node_modules/.bin/buf');
    clean(buf, ['lint'], proto);
    clean(buf, ['format', '-d', '--exit-code'], proto);
  });
});
