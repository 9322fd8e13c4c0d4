/** Programs of the `mainline` suite: whatever they are written in, they take a line of JSON and answer with one. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

/** A request that takes longer has failed. */
const REQUEST_MS_MAX = 120_000;

/** Latencies in milliseconds; null = failed. */
export interface Stored {
  readonly putMs: readonly (number | null)[];
  readonly getMs: readonly (number | null)[];
}

export interface Rate {
  readonly done: number;
  readonly failed: number;
  readonly seconds: number;
}

/** What a program is asked to do; a program knows those of its part only. */
export type Request =
  /** Starts so many serving nodes, the first ports of which are known to all; their UDP ports. */
  | { readonly do: 'serve'; readonly count: number; readonly ports: readonly number[] }
  /** Starts two nodes, one to write and one to read, that join through ports of the loopback address. */
  | { readonly do: 'join'; readonly ports: readonly number[] }
  /** CPU time of the process, microseconds, by its own account. */
  | { readonly do: 'cpu' }
  /** Queries that the serving nodes have received. */
  | { readonly do: 'queries' }
  /** Immutable values put one after another by one node, then read by the other. */
  | { readonly do: 'store'; readonly count: number; readonly valueBytes: number }
  /** Searches for targets under which nothing is stored, to convergence. */
  | { readonly do: 'lookups'; readonly inFlight: number; readonly seconds: number }
  /** Raw queries to a port. */
  | {
      readonly do: 'ask';
      readonly port: number;
      readonly method: string;
      readonly inFlight: number;
      readonly seconds: number;
    };

export class Program {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting: { resolve(value: unknown): void; reject(error: Error): void }[] = [];
  readonly #name: string;

  constructor(name: string, command: string, args: readonly string[]) {
    this.#name = name;
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.#child.stdout }).on('line', (line) => {
      const { result, error } = JSON.parse(line) as { result?: unknown; error?: string };
      const waiting = this.#waiting.shift();
      if (error === undefined) waiting?.resolve(result);
      else waiting?.reject(new Error(`${name}: ${error}`));
    });
    this.#child.once('error', (cause) => this.#fail(cause.message));
    this.#child.once('exit', (code) => this.#fail(`the process ended (${code})`));
  }

  async ask(request: Request): Promise<unknown> {
    const answer = new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), REQUEST_MS_MAX);
    return answer.finally(() => clearTimeout(timer));
  }

  /** A program ends with its input. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => this.#child.once('exit', () => resolve()));
    this.#child.stdin.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  }

  #fail(reason: string): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(`${this.#name}: ${reason}`));
  }
}

/** The other side, for programs in TypeScript: answers requests one after another, ends with its input. */
export function answerRequests(
  handle: (request: Request) => Promise<unknown>,
  close: () => Promise<void>,
): void {
  let last: Promise<void> = Promise.resolve();
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      last = last
        .then(() => handle(JSON.parse(line) as Request))
        .then(
          (result) => say({ result: result ?? null }),
          (error: Error) => say({ error: error.stack ?? String(error) }),
        );
    })
    .on('close', () => {
      void last.then(close).then(() => process.exit(0));
    });
}

function say(answer: object): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
