/** What the repository checks share: where it is, what git knows of it, and how to start its tools. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const packageNames: readonly string[] = readdirSync(join(root, 'packages'));

export interface Manifest {
  name: string;
  version: string;
  license?: string;
  private?: boolean;
  bin?: Record<string, string>;
  exports?: Record<string, unknown>;
  dependencies?: Record<string, string>;
}

export function manifest(dir: string): Manifest {
  return JSON.parse(readFileSync(join(root, dir, 'package.json'), 'utf8')) as Manifest;
}

/** Directories of everything that is published. */
export const publishedDirs: readonly string[] = [
  ...packageNames.map((p) => `packages/${p}`),
  'apps/node',
].filter((dir) => !manifest(dir).private);

/** Files that git tracks, plus new ones it does not ignore. */
export function trackedFiles(): string[] {
  const r = run('git', ['ls-files', '--cached', '--others', '--exclude-standard'], root);
  return r.output.split('\n').filter(Boolean);
}

/** Runs a command to its end; `output` is stdout and stderr together. */
export function run(
  command: string,
  argv: string[],
  cwd: string = root,
  extra: Record<string, string> = {},
): { status: number | null; output: string } {
  const bins = [join(root, 'tools/pnpm/node_modules/.bin'), join(root, 'node_modules/.bin')];
  const path = [...bins, process.env['PATH']].join(delimiter);
  const env: NodeJS.ProcessEnv = { ...process.env, ...extra, PATH: path, NO_COLOR: '1' };
  for (const name of Object.keys(env))
    if (/^(npm_(?!config_nodedir$)|VITEST|NODE_ENV$)/i.test(name)) delete env[name];
  const r = spawnSync(command, argv, { cwd, env, encoding: 'utf8', maxBuffer: 1 << 27 });
  return { status: r.status, output: `${r.stdout ?? ''}${r.stderr ?? ''}${r.error ? r.error.message : ''}` };
}
