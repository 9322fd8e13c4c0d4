// Allocation gate: measures how many bytes of heap an operation leaves behind, exact to one object.
//
//   node tools/gate.mjs packages/core/test/gates/timers.gate.ts
//
// A gate file exports `operations: { name, setup(): () => void, bytesMax?, operationsMax? }[]` (types in gate.ts).
// TypeScript is bundled first (condition molia-src), then a child runs it with a young generation too large to be
// scavenged inside a window. Prints one JSON line and exits with 1 when an operation exceeds its `bytesMax`.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const HERE = dirname(fileURLToPath(import.meta.url));
// Both semi-space flags are needed: the minimum alone is capped at 16 MB.
const FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];
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

function bundle(file, outfile) {
  buildSync({
    entryPoints: [file],
    outfile,
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
}

function main(argument) {
  if (argument === undefined) throw new Error('usage: node tools/gate.mjs <file.gate.ts>');
  const file = resolve(argument.startsWith('file:') ? fileURLToPath(argument) : argument);
  const cache = join(modulesFolder(file), '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'gate-'));
  try {
    const outfile = join(folder, `${basename(file).replace(/\.[^.]+$/, '')}.mjs`);
    bundle(file, outfile);
    const child = spawnSync(process.execPath, [...FLAGS, join(HERE, 'gate-child.mjs'), outfile], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.status !== 0) throw new Error(`the measuring process failed (${child.signal ?? child.status})`);
    process.stdout.write(child.stdout);
    const results = JSON.parse(child.stdout);
    return results.every((result) => result.bytesPerOperation <= result.bytesMax) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = main(process.argv[2]);
