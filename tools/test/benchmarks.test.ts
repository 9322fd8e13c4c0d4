/** docs/benchmarks/README.md is what the committed figures say, and each figure is a median of several runs. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { render } from '../generate-benchmarks.mjs';
import { render as renderSimulated } from '../generate-simulated.mjs';
import { root } from './repository.ts';

const dir = join(root, 'docs/benchmarks');

test('the page of benchmarks is fresh (node tools/generate-benchmarks.mjs)', () => {
  expect(readFileSync(join(dir, 'README.md'), 'utf8')).toBe(render());
});

test('the page of simulations is fresh (node tools/generate-simulated.mjs)', () => {
  expect(readFileSync(join(dir, 'simulated/README.md'), 'utf8')).toBe(renderSimulated());
});

test('pages of plots are small, and load nothing', () => {
  const simulated = join(dir, 'simulated');
  for (const file of readdirSync(simulated).filter((f) => f.endsWith('.html'))) {
    const html = readFileSync(join(simulated, file), 'utf8');
    expect(html.length, file).toBeLessThan(300_000);
    expect(html, file).not.toMatch(/<script|src=|@import|url\(/);
  }
});

test('comparisons between networks rest on at least three runs', () => {
  const few: string[] = [];
  for (const file of readdirSync(dir).filter((f) => /^(network|rpc|mainline)\.json$/.test(f))) {
    const { tables } = JSON.parse(readFileSync(join(dir, file), 'utf8')) as {
      tables: { title: string; rows: { name: string; runs?: unknown[] }[] }[];
    };
    for (const { title, rows } of tables)
      for (const row of rows) if ((row.runs ?? []).length < 3) few.push(`${file}: ${title}: ${row.name}`);
  }
  expect(few).toEqual([]);
});
