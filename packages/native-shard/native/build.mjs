/**
 * Compiles the addon with the machine's C++ compiler: `node native/build.mjs [--quiet] [--sanitize]`. Nothing is fetched: the
 * Node-API headers are a dependency, and Node itself resolves the symbols when it loads the result. Where there is no
 * compiler, a prebuilt binary or node:dgram serves; that is no failure of an installation.
 *
 * CXX names the compiler, MOLIA_NATIVE=off leaves everything out.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const out = join(dirname(here), 'build/native-shard.node');
const quiet = process.argv.includes('--quiet');
const sanitize = process.argv.includes('--sanitize');
const say = (line) => quiet || console.log(line);

/**Never throws for a machine that cannot build. */
function build() {
  if (process.env.MOLIA_NATIVE === 'off') {
    rmSync(out, { force: true });
    return say('native-shard: left out (MOLIA_NATIVE=off)');
  }
  if (process.platform === 'win32') return say('native-shard: no addon for Windows yet; node:dgram serves');
  const sources = readdirSync(here)
    .filter((f) => f.endsWith('.cc'))
    .map((f) => join(here, f));
  const inputs = readdirSync(here).map((f) => join(here, f));
  if (!sanitize && existsSync(out) && inputs.every((f) => statSync(f).mtimeMs < statSync(out).mtimeMs))
    return say('native-shard: fresh');
  const headers = join(dirname(createRequire(import.meta.url).resolve('node-api-headers')), 'include');
  mkdirSync(dirname(out), { recursive: true });
  const draft = `${out}.${process.pid}`;
  const r = spawnSync(
    process.env.CXX ?? 'c++',
    [
      '-std=c++17',
      ...(sanitize ? ['-O1', '-g', '-fsanitize=address,undefined', '-fno-omit-frame-pointer'] : ['-O2']),
      '-Wall',
      '-Wextra',
      '-fPIC',
      '-fvisibility=hidden',
      '-DNAPI_VERSION=8',
      `-I${headers}`,
      ...(process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup', '-bundle'] : ['-shared']),
      ...sources,
      '-o',
      draft,
    ],
    { encoding: 'utf8' },
  );
  if (r.error || r.status !== 0) {
    rmSync(draft, { force: true });
    say(`native-shard: not built, node:dgram serves: ${r.error?.message ?? r.stderr}`);
    return;
  }
  // Whole or not at all: a process that has the old one loaded keeps it.
  renameSync(draft, out);
  say('native-shard: built');
}

build();
