/** One call of the public API: its deadline, its signal, its progress. Several engine operations may share it. */
import type { KademliaEvent } from '@molia/kademlia';
import { TIMEOUT_MS_DEFAULT } from './constants.ts';
import { dhtError } from './errors.ts';
import type { OperationOptions } from './types.ts';

export class Call {
  readonly startedAt = performance.now();
  readonly timeoutMs: number;
  readonly #what: string;
  readonly #options: OperationOptions;
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | undefined;
  #onFail: ((error: Error) => void) | undefined;
  #asked = 0;
  #answered = 0;

  /** Starts the clock. `what` names the call in errors: `get 0123…`. */
  constructor(what: string, options: OperationOptions, timeoutMs = TIMEOUT_MS_DEFAULT) {
    this.#what = what;
    this.#options = options;
    this.timeoutMs = options.timeoutMs ?? timeoutMs;
    const { signal } = options;
    if (signal?.aborted) {
      this.#aborted();
      return;
    }
    signal?.addEventListener('abort', this.#aborted, { once: true });
    this.#timer = setTimeout(this.#timedOut, this.timeoutMs);
  }

  get elapsedMs(): number {
    return Math.round((performance.now() - this.startedAt) * 1000) / 1000;
  }

  /** At least 1. */
  get remainingMs(): number {
    return Math.max(1, Math.ceil(this.timeoutMs - (performance.now() - this.startedAt)));
  }

  /** Throws when the call has failed already. */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** `promise`, unless the call fails first. What loses goes on without us. */
  race<T>(promise: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.whileRunning(reject);
      promise.then(resolve, reject);
    }).finally(() => this.whileRunning(undefined));
  }

  /** Who is told when the call fails; called at once when it has. One at a time. */
  whileRunning(onFail: ((error: Error) => void) | undefined): void {
    this.#onFail = onFail;
    if (this.#failure !== undefined) onFail?.(this.#failure);
  }

  /** Fails the call from outside (the node closes, an iteration is left). */
  fail(error: Error): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.finish();
    this.#onFail?.(error);
  }

  progress(event: KademliaEvent): void {
    this.#asked = event.a;
    this.#answered = event.b;
    const { onProgress } = this.#options;
    if (onProgress === undefined) return;
    try {
      onProgress({ asked: event.a, answered: event.b, closestBits: event.c, elapsedMs: this.elapsedMs });
    } catch {
      // A broken listener is the caller's; the operation goes on.
    }
  }

  get asked(): number {
    return this.#asked;
  }

  get answered(): number {
    return this.#answered;
  }

  /** Lets go of timer and signal. Idempotent. */
  finish(): void {
    clearTimeout(this.#timer);
    this.#options.signal?.removeEventListener('abort', this.#aborted);
  }

  readonly #timedOut = (): void => {
    this.fail(
      dhtError('TIMEOUT', `${this.#what}: no result within ${this.timeoutMs} ms`, {
        hint: 'raise timeoutMs, or check the connection',
      }),
    );
  };

  readonly #aborted = (): void => {
    this.fail(dhtError('ABORTED', `${this.#what}: aborted`, { cause: this.#options.signal?.reason }));
  };
}
