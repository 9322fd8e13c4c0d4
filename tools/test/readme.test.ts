/**
 * The documentation's examples, run as they stand: every ```ts block of every README and guide is bundled from source
 * and must run to its end; every `npx molia …` line of the front README runs against a daemon with a fresh data
 * directory. A block that is only a fragment is marked ```ts fragment.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { manifest, root, run, trackedFiles } from './repository.ts';

const work = mkdtempSync(join(tmpdir(), 'molia-readme-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const pages = trackedFiles().filter((f) => /(^README|\/README|^docs\/guides\/.*)\.md$/.test(f));
const blocks = pages.flatMap((file) =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/^```ts\n([\s\S]*?)^```/gm)].map((m, i) => ({
    file,
    name: `${file} example ${i + 1}`,
    code: m[1] as string,
  })),
);

describe('TypeScript examples', () => {
  test('exist for every package', () => {
    const packages = pages.filter((f) => /^packages\/[^/]+\/README/.test(f));
    expect(packages.filter((f) => !blocks.some((b) => b.file === f))).toEqual([]);
  });

  test('of a package fit fifteen lines', () => {
    const lines = (code: string) => code.split('\n').filter((line) => line.trim() !== '').length;
    const long = blocks.filter((b) => b.file.startsWith('packages/') && lines(b.code) > 15);
    expect(long.map((b) => b.name)).toEqual([]);
  });

  test.each(blocks)('$name runs', async ({ file, code }) => {
    const { build } = await import('esbuild');
    const out = join(work, `${file.replaceAll('/', '-')}-${blocks.findIndex((b) => b.code === code)}.mjs`);
    // Examples import packages by name; from the file's own directory they resolve as they would for its reader.
    await build({
      stdin: {
        contents: code,
        loader: 'ts',
        resolveDir: file.startsWith('packages/') ? join(root, file, '..') : join(root, 'apps/node'),
      },
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      conditions: ['molia-src'],
      external: ['sodium-native'],
      banner: {
        js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
      },
      outfile: out,
      alias: file.startsWith('packages/') ? selfAlias(file) : {},
      logLevel: 'silent',
    });
    const { status, output } = run(process.execPath, [out], work);
    expect(status === 0 ? '' : output).toBe('');
  });
});

/** A package cannot resolve its own name through node_modules. */
function selfAlias(file: string): Record<string, string> {
  const dir = file.slice(0, file.lastIndexOf('/'));
  const { name, exports } = manifest(dir);
  const entries = Object.entries(exports ?? {}).filter(([key]) => !key.endsWith('.json'));
  return Object.fromEntries(
    entries.map(([key, entry]) => [
      name + key.slice(1),
      join(root, dir, (entry as { 'molia-src': string })['molia-src']),
    ]),
  );
}

describe('the front README in a terminal', () => {
  const dataDir = join(work, 'data');
  const cli = join(root, 'apps/node/bin/molia.js');
  const own = { MOLIA_DATA_DIR: dataDir, MOLIA_LISTEN: '127.0.0.1:0' };
  let daemon: ChildProcess;

  beforeAll(async () => {
    daemon = spawn(process.execPath, [cli, 'start'], {
      env: { ...process.env, ...own, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const see = (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes('control.sock') || /molia .*put/.test(said)) resolve();
      };
      daemon.stdout?.on('data', see);
      daemon.stderr?.on('data', see);
      daemon.once('exit', (code) => reject(new Error(`the daemon ended (${code}):\n${said}`)));
    });
  });
  afterAll(async () => {
    const ended = new Promise((resolve) => daemon.once('exit', resolve));
    daemon.kill('SIGINT');
    await ended;
  });

  test('every `npx molia` line works as printed', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const lines = [...readme.matchAll(/^\$ npx molia (.+)$/gm)].map((m) => m[1] as string);
    expect(lines.length).toBeGreaterThanOrEqual(2);
    let lastKey = '';
    for (const line of lines) {
      if (/^(start|testnet)\b/.test(line)) continue; // run until Ctrl-C; the daemon above is one
      // The README shows a key of its own run; here the key that was just printed takes its place.
      const argv = line
        .replace(/\s+#.*$/, '')
        .replace(/\b[0-9a-f]{64}\b|<key>/, lastKey)
        .split(/\s+/);
      const pipe = argv.findIndex((a) => a === '>' || a === '|');
      const child = run(process.execPath, [cli, ...(pipe < 0 ? argv : argv.slice(0, pipe))], root, own);
      expect(child.status === 0 ? '' : `molia ${line}\n${child.output}`).toBe('');
      lastKey = /\b[0-9a-f]{64}\b/.exec(child.output)?.[0] ?? lastKey;
    }
  });
});
