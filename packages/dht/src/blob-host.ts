/** What the blob operations need of the node that runs them. */
import type { Rng } from '@molia/core';
import type { Call } from './call.ts';
import type { Context } from './context.ts';
import { dhtError, isMoliaError } from './errors.ts';

export interface BlobHost {
  readonly context: Context;
  readonly rng: Rng;
  /** Runs one request with its own time limit, as long as `scope` goes on. */
  call<T>(what: string, scope: Scope, work: (call: Call) => Promise<T>): Promise<T>;
}

interface Failing {
  fail(error: Error): void;
}

/**
 * Everything that one blob operation has under way, requests and parts of it: what fails the scope fails them all. A signal has one
 * listener for all of them.
 */
export class Scope implements Failing {
  readonly #running = new Set<Failing>();
  #error: Error | undefined;
  #onFail: ((error: Error) => void) | undefined;

  /** Why it is over; `undefined` while it goes on. */
  get error(): Error | undefined {
    return this.#error;
  }

  fail(error: Error): void {
    if (this.#error !== undefined) return;
    this.#error = error;
    for (const running of this.#running) running.fail(error);
    this.#running.clear();
    this.#onFail?.(error);
  }

  /** Runs a part, which fails when the scope does. */
  async run<T>(part: Failing, work: () => Promise<T>): Promise<T> {
    if (this.#error !== undefined) throw this.#error;
    this.#running.add(part);
    try {
      return await work();
    } finally {
      this.#running.delete(part);
    }
  }

  /** `promise`, unless the scope fails first; one at a time. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#onFail = reject;
      if (this.#error !== undefined) reject(this.#error);
      promise.then(resolve, reject);
    }).finally(() => {
      this.#onFail = undefined;
    });
  }
}

/** Runs a whole operation, which `signal` ends. */
export async function inScope<T>(
  what: string,
  signal: AbortSignal | undefined,
  work: (scope: Scope) => Promise<T>,
): Promise<T> {
  const scope = new Scope();
  const release = abortable(what, signal, scope);
  try {
    return await work(scope);
  } finally {
    release();
  }
}

/** Fails `scope` when `signal` fires; what it returns lets go of the signal. */
export function abortable(what: string, signal: AbortSignal | undefined, scope: Scope): () => void {
  const abort = () => scope.fail(dhtError('ABORTED', `${what}: aborted`, { cause: signal?.reason }));
  if (signal?.aborted === true) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}

/** Whether an error ends the whole operation, and not only one of its requests. */
export function isOver(error: unknown, scope: Scope): boolean {
  return scope.error !== undefined || isMoliaError(error, 'CLOSED') || isMoliaError(error, 'NO_PEERS');
}
