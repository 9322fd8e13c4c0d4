/** docs/errors.md is what the sources say, and every code is provoked by some test. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { errorCodes, errorsPage, page } from '../generate-errors.mjs';
import { root, trackedFiles } from './repository.ts';

test('the page of errors is fresh (node tools/generate-errors.mjs)', async () => {
  expect(readFileSync(page, 'utf8')).toBe(await errorsPage());
});

test('every error code is provoked by a test', async () => {
  const tests = trackedFiles().filter((file) => /^(packages|apps)\/[^/]+\/test\/.*\.test\.ts$/.test(file));
  const text = tests.map((file) => readFileSync(join(root, file), 'utf8')).join('\n');
  const codes = Object.values(await errorCodes()).flat();
  expect(codes.map(([code]) => code).filter((code) => !new RegExp(`\\b${code}\\b`).test(text))).toEqual([]);
});
