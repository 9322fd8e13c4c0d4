/** Runs the built command line as child processes, each with a home and a data directory of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const binary = fileURLToPath(new URL('../bin/molia.js', import.meta.url));
export const root = fileURLToPath(new URL('../../..', import.meta.url));

if (!existsSync(new URL('../dist/cli.js', import.meta.url))) {
  throw new Error('apps/node is not built: run `npm run build` first');
}

/** A directory that `cleanUp` removes. */
export function temporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'molia-test-'));
  directories.push(path);
  return path;
}

const directories: string[] = [];
const children = new Set<ChildProcess>();

/** Ends every process and removes every directory of this file; for `afterAll`. */
export async function cleanUp(): Promise<void> {
  await Promise.all([...children].map((child) => endOf(child, 'SIGKILL')));
  for (const path of directories.splice(0)) rmSync(path, { recursive: true, force: true });
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stdoutBytes: Buffer;
  readonly stderr: string;
}

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: Uint8Array | string;
  readonly cwd?: string;
}

/** The environment of a fresh machine: nothing of ours set, an empty home. */
export function cleanEnvironment(env: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(MOLIA_|NODE_|npm_|VITEST)/.test(name));
  return { ...Object.fromEntries(own), HOME: home(), NO_COLOR: '1', ...env };
}

let homeDirectory: string | undefined;
function home(): string {
  homeDirectory ??= temporaryDirectory();
  return homeDirectory;
}

/** `molia ...args` to its end. */
export async function molia(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = spawn(process.execPath, [binary, ...args], {
    env: cleanEnvironment(options.env),
    cwd: options.cwd ?? root,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  children.add(child);
  const [stdout, stderr]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.stdin.on('error', () => undefined); // it may end before it read everything
  child.stdin.end(options.input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  children.delete(child);
  const stdoutBytes = Buffer.concat(stdout);
  return { code, stdout: stdoutBytes.toString(), stdoutBytes, stderr: Buffer.concat(stderr).toString() };
}

export interface Running {
  readonly child: ChildProcess;
  /** The object of the `started` line. */
  readonly started: Readonly<Record<string, unknown>>;
  readonly dataDir: string;
  /** Everything on stderr so far. */
  stderr(): string;
}

/** `molia start --json` up to its `started` line. Rejects with its stderr when it ends before. */
export async function startDaemon(
  dataDir: string,
  args: readonly string[] = [],
  options: { env?: Readonly<Record<string, string>>; verb?: readonly string[] } = {},
): Promise<Running> {
  const verb = options.verb ?? ['start', '--listen', '127.0.0.1:0'];
  const child = spawn(process.execPath, [binary, ...verb, '--json', '--data-dir', dataDir, ...args], {
    env: cleanEnvironment(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  child.once('close', () => children.delete(child));
  let stderr = '';
  let stdout = '';
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
      const end = stdout.indexOf('\n');
      if (end >= 0) resolve(stdout.slice(0, end));
    });
    child.once('close', (code) => reject(new Error(`molia start ended with ${code}: ${stdout}${stderr}`)));
  });
  const started = JSON.parse(line) as Record<string, unknown>;
  if (started['event'] !== 'started') throw new Error(`molia ${verb[0]} did not start: ${line} ${stderr}`);
  return { child, started, dataDir, stderr: () => stderr };
}

/** Sends the signal and waits for the exit; resolves with code or signal name. */
export async function endOf(child: ChildProcess, signal?: NodeJS.Signals): Promise<number | string | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode;
  const closed = once(child, 'close');
  if (signal !== undefined) child.kill(signal);
  const [code, by] = (await closed) as [number | null, string | null];
  return code ?? by;
}

/** Waits until `condition` holds, at most `msMax`. */
export async function eventually(
  what: string,
  msMax: number,
  condition: () => Promise<boolean> | boolean,
): Promise<void> {
  const deadline = performance.now() + msMax;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${msMax} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}
