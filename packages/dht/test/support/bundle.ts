/** Bundles a TypeScript entry from its sources, so that a child process of plain Node can run it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));

/** Path of the bundle, and how to remove it. It lies inside the package, so that native modules resolve from there. */
export function bundleSource(source: string): { file: string; remove: () => void } {
  const folder = mkdtempSync(join(PACKAGE, 'node_modules', '.molia-test-'));
  const file = join(folder, 'entry.mjs');
  buildSync({
    stdin: { contents: source, resolveDir: join(PACKAGE, 'test'), loader: 'ts' },
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    conditions: ['molia-src'],
    external: ['sodium-native'],
    logLevel: 'error',
  });
  return { file, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
