/** docs/benchmarks/README.md is what the committed figures say, and each figure is a median of several runs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { render } from '../generate-benchmarks.mjs';
import { root } from './repository.ts';

const dir = join(root, 'docs/benchmarks');

test('the page of benchmarks is fresh (node tools/generate-benchmarks.mjs)', () => {
  expect(readFileSync(join(dir, 'README.md'), 'utf8')).toBe(render());
});

test('comparisons between networks rest on at least three runs', () => {
  const few: string[] = [];
  for (const file of readdirSync(dir).filter((f) => /^(network|rpc)\.json$/.test(f))) {
    const { tables } = JSON.parse(readFileSync(join(dir, file), 'utf8')) as {
      tables: { title: string; rows: { name: string; runs?: unknown[] }[] }[];
    };
    for (const { title, rows } of tables)
      for (const row of rows) if ((row.runs ?? []).length < 3) few.push(`${file}: ${title}: ${row.name}`);
  }
  expect(few).toEqual([]);
});
