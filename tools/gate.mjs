// Allocation gate: measures how many bytes of heap an operation leaves behind, exact to one object.
//
//   node tools/gate.mjs packages/core/test/gates/timers.gate.ts
//
// A gate file exports `operations: { name, setup(): () => void, bytesMax?, operationsMax? }[]` (types in gate.ts).
// TypeScript is bundled first (condition molia-src), then a child runs it with a young generation too large to be
// scavenged inside a window. Prints one JSON line and exits with 1 when an operation exceeds its `bytesMax`.
import { spawnSync } from 'node:child_process';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundle } from './bundle.mjs';

const HERE = dirname(fileURLToPath(import.meta.url));
// Both semi-space flags are needed: the minimum alone is capped at 16 MB.
const FLAGS = ['--expose-gc', '--min-semi-space-size=64', '--max-semi-space-size=64'];
function main(argument) {
  if (argument === undefined) throw new Error('usage: node tools/gate.mjs <file.gate.ts>');
  const file = resolve(argument.startsWith('file:') ? fileURLToPath(argument) : argument);
  const bundled = bundle(file);
  try {
    const child = spawnSync(process.execPath, [...FLAGS, join(HERE, 'gate-child.mjs'), bundled.path], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (child.status !== 0) throw new Error(`the measuring process failed (${child.signal ?? child.status})`);
    process.stdout.write(child.stdout);
    const results = JSON.parse(child.stdout);
    return results.every((result) => result.bytesPerOperation <= result.bytesMax) ? 0 : 1;
  } finally {
    bundled.remove();
  }
}

process.exitCode = main(process.argv[2]);
