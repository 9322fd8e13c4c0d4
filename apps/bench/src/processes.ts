/** Forks measured processes and talks to them. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RateResult, StoreResult, Task } from './tasks.ts';

const here = dirname(fileURLToPath(import.meta.url));
const peersDir = join(dirname(here), 'peers');
/** A task that takes longer has failed. */
const TASK_MS_MAX = 300_000;

export interface Usage {
  readonly cpuMicros: number;
  readonly rssBytes: number;
}

export class Measured {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  readonly #up: Promise<unknown>;
  #next = 1;

  constructor(role: 'host' | 'client', driver: string) {
    this.#child = fork(join(here, 'main.js'), ['worker', role, driver, peersDir], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#up = this.#wait(0);
    this.#child.on('message', (m: { id: number; result?: unknown; error?: string }) => {
      const waiting = this.#waiting.get(m.id);
      this.#waiting.delete(m.id);
      if (m.error !== undefined) waiting?.reject(new Error(`${driver} ${role}: ${m.error}`));
      else waiting?.resolve(m.result);
    });
    this.#child.on('exit', (code) => {
      for (const { reject } of this.#waiting.values()) reject(new Error(`${driver} ${role} ended (${code})`));
      this.#waiting.clear();
    });
  }

  #wait(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async #ask(task: unknown, argument?: unknown): Promise<unknown> {
    await this.#up;
    const id = this.#next++;
    const answer = this.#wait(id);
    this.#child.send({ id, task, argument });
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), TASK_MS_MAX);
    return answer.finally(() => clearTimeout(timer));
  }

  async startHost(nodes: number): Promise<{ bootstrap: unknown; encrypted: boolean; rssBefore: number }> {
    return (await this.#ask('start', nodes)) as { bootstrap: unknown; encrypted: boolean; rssBefore: number };
  }
  async startClient(bootstrap: unknown): Promise<void> {
    await this.#ask('start', bootstrap);
  }
  async usage(): Promise<Usage> {
    return (await this.#ask('usage')) as Usage;
  }
  async run(task: Extract<Task, { kind: 'store' }>): Promise<StoreResult>;
  async run(task: Extract<Task, { kind: 'rate' }>): Promise<RateResult>;
  async run(task: Task): Promise<StoreResult | RateResult> {
    return (await this.#ask(task)) as StoreResult | RateResult;
  }
  /** Ends the process, kindly first. */
  async close(): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#ask('close').catch(() => {});
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  }
}

/** Installs the peers' packages by their lock file, once. */
export function installPeers(report: (line: string) => void): void {
  if (existsSync(join(peersDir, 'node_modules/.package-lock.json'))) return;
  report('installing the peers (once) …');
  const r = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: peersDir,
    encoding: 'utf8',
  });
  if (r.status !== 0) throw new Error(`npm ci in apps/bench/peers failed:\n${r.stdout}${r.stderr}`);
}
