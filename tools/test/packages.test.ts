/**
 * Every published package as its users get it: packed, checked (publint, arethetypeswrong), installed into an empty
 * project, imported and type-checked there.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { manifest, publishedDirs, root, run } from './repository.ts';

const work = mkdtempSync(join(tmpdir(), 'molia-pack-'));
let tarballs: string[] = [];

beforeAll(() => {
  for (const dir of publishedDirs) {
    const { status, output } = run('pnpm', ['pack', '--pack-destination', work], join(root, dir));
    if (status !== 0) throw new Error(`packing ${dir} failed:\n${output}`);
  }
  tarballs = readdirSync(work).filter((f) => f.endsWith('.tgz'));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('published packages', () => {
  test('all of them pack', () => {
    expect(tarballs.length).toBe(publishedDirs.length);
  });

  test('exports and types are right for ESM users', () => {
    const problems: string[] = [];
    for (const file of tarballs) {
      const lint = run('publint', ['--strict', join(work, file)]);
      if (lint.status !== 0) problems.push(lint.output);
      if (/^molia-\d/.test(file)) continue; // a program: no entry point to check
      const types = run('attw', [join(work, file), '--profile', 'esm-only', '-q']);
      if (types.status !== 0) problems.push(types.output);
    }
    expect(problems).toEqual([]);
  });

  test('they install into an empty project, import, type-check, and the program starts', () => {
    const project = join(work, 'project');
    const files = Object.fromEntries(
      publishedDirs.map((dir) => {
        const { name, version } = manifest(dir);
        return [name, `file:../${name.replace('@', '').replace('/', '-')}-${version}.tgz`];
      }),
    );
    run('mkdir', ['-p', project]);
    // Overrides make the packages' own dependencies on each other resolve to the same tarballs.
    writeFileSync(
      join(project, 'package.json'),
      JSON.stringify({ private: true, type: 'module', dependencies: files, overrides: files }),
    );
    const install = run(
      'npm',
      ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'],
      project,
    );
    expect(install.status === 0 ? '' : install.output).toBe('');

    const entries = publishedDirs
      .map(manifest)
      .filter((m) => !m.bin)
      .flatMap((m) =>
        Object.keys(m.exports ?? {})
          .filter((key) => !key.endsWith('.json'))
          .map((key) => m.name + key.slice(1)),
      );
    expect(entries.length).toBeGreaterThanOrEqual(publishedDirs.length - 1);
    const lines = entries.map((entry, i) => `import * as m${i} from '${entry}';`);
    const use = `console.log([${entries.map((_, i) => `Object.keys(m${i}).length > 0`).join(', ')}].every(Boolean));`;
    writeFileSync(join(project, 'use.mjs'), [...lines, use].join('\n'));
    const imported = run(process.execPath, ['use.mjs'], project);
    expect(imported.output.trim()).toBe('true');

    writeFileSync(
      join(project, 'use.ts'),
      [...lines, `export const all = [${entries.map((_, i) => `m${i}`).join(', ')}];`].join('\n'),
    );
    const options = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--skipLibCheck',
      'false',
    ];
    const typed = run('tsc', [...options, '--types', '', '--lib', 'es2023,dom', 'use.ts'], project);
    expect(typed.status === 0 ? '' : typed.output).toBe('');

    const program = run(join(project, 'node_modules/.bin/molia'), ['version', '--json'], project);
    expect(JSON.parse(program.output)).toMatchObject({ v: 1 });
  });
});
