/** What the blob operations need of the node that runs them. */
import type { Rng } from '@molia/core';
import type { Call } from './call.ts';
import { BLOB_PATIENCE_MS, BLOB_PAUSE_MS_MIN } from './constants.ts';
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

  /** Resolves after so long; rejects when the scope fails first. */
  pause(ms: number): Promise<void> {
    let end: (error: Error) => void = () => {};
    const paused = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      end = (error) => {
        clearTimeout(timer);
        reject(error);
      };
    });
    return this.run({ fail: end }, () => paused);
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

/**
 * Runs one request, and again while hardly anybody answers it: that says nothing of what was asked for, only that the network or this
 * machine stood still. Rejects as `work` does, with what the last try said.
 */
export async function patiently<T>(
  host: BlobHost,
  what: string,
  scope: Scope,
  work: (call: Call) => Promise<T>,
): Promise<T> {
  const { shard } = host.context;
  // By the engines' time: a stall is nothing to be waited out twice.
  const giveUpAt = shard.now() + BLOB_PATIENCE_MS;
  const hadContacts = shard.kademlia.contactCount > 0;
  for (let pauseMs = BLOB_PAUSE_MS_MIN; ; pauseMs *= 2) {
    let silent = false;
    try {
      return await host.call(what, scope, (call) =>
        work(call).finally(() => {
          silent = call.asked > 0 && call.answered * 2 < call.asked;
        }),
      );
    } catch (error) {
      // Whoever knew nobody from the start is alone; whoever lost everybody at once was most likely held up.
      if (isMoliaError(error, 'NO_PEERS')) silent = hadContacts;
      if (!silent || scope.error !== undefined || isMoliaError(error, 'CLOSED')) throw error;
      if (shard.now() + pauseMs > giveUpAt) throw error;
    }
    await scope.pause(pauseMs);
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
