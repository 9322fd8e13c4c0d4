// Bundles a TypeScript file with the packages' sources (condition molia-src), for what runs outside the tests' own
// process: gates and worker threads.
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { buildSync } from 'esbuild';

/** These stay outside a bundle: they load native code relative to their own files. */
const NATIVE = ['sodium-native', 'node-datachannel'];

/** The nearest folder above a file that holds node_modules: what a bundle leaves outside resolves from there. */
function modulesFolder(file) {
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder)) {
    const candidate = join(folder, 'node_modules');
    if (existsSync(candidate)) return candidate;
  }
  throw new Error(`no node_modules above ${file}: run the install first`);
}

/** Bundles `file`; the bundle's path, and what removes it. */
export function bundle(file) {
  const cache = join(modulesFolder(file), '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'bundle-'));
  const path = join(folder, `${basename(file).replace(/\.[^.]+$/, '')}.mjs`);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    buildSync({
      entryPoints: [file],
      outfile: path,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'es2022',
      conditions: ['molia-src'],
      external: NATIVE,
      // A bundled CommonJS dependency asks for Node's own modules by require.
      banner: {
        js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
      },
      logLevel: 'error',
    });
  } catch (error) {
    remove();
    throw error;
  }
  return { path, remove };
}
