/**
 * Runs engine operations for callers: at most so many at once, the rest in line, each tied to its call. The engine
 * reports by handle; here the handle becomes a promise again.
 */
import { NONE } from '@molia/core';
import { EventKind, type KademliaEvent } from '@molia/kademlia';
import type { Call } from './call.ts';
import { dhtError } from './errors.ts';
import type { Shard } from './shard.ts';

/** One engine operation. Both callbacks get the engine's reused slot: copy what is kept. */
export interface OperationSpec<T> {
  /** Calls the engine; `NONE` = it is full, tried again when another operation ends. */
  start(now: number, budgetMs: number): number;
  /** VALUE, PROVIDER, EQUIVOCATION. */
  found?(event: KademliaEvent): void;
  /** DONE: the result, or throws the error. */
  done(event: KademliaEvent): T;
}

interface Task {
  readonly spec: OperationSpec<unknown>;
  readonly call: Call;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
  op: number;
  over: boolean;
}

export class Operations {
  readonly #shard: Shard;
  readonly #runningMax: number;
  readonly #queuedMax: number;
  readonly #running = new Map<number, Task>();
  #queue: Task[] = [];
  #head = 0;
  #starting = false;
  #closed: Error | undefined;

  constructor(shard: Shard, runningMax: number, queuedMax: number) {
    this.#shard = shard;
    this.#runningMax = runningMax;
    this.#queuedMax = queuedMax;
  }

  get running(): number {
    return this.#running.size;
  }

  get queued(): number {
    return this.#queue.length - this.#head;
  }

  /** Rejects with what `done` throws, with the failure of the call, or when the line is full. */
  run<T>(call: Call, spec: OperationSpec<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed !== undefined) throw this.#closed;
      call.check();
      if (this.queued >= this.#queuedMax) {
        throw dhtError('BUSY', `${this.queued} operations are waiting already`, {
          hint: 'wait for earlier operations before starting more',
        });
      }
      const task: Task = {
        spec,
        call,
        resolve: resolve as (value: never) => void,
        reject,
        op: NONE,
        over: false,
      };
      this.#queue.push(task);
      call.whileRunning((error) => this.#abandon(task, error));
      this.#startNext();
      this.#shard.pump();
    });
  }

  /** Feeds one event of the engine. */
  handle(event: KademliaEvent): void {
    const task = this.#running.get(event.op);
    if (task === undefined) {
      if (event.kind === EventKind.SETTLED) this.#startNext();
      return;
    }
    if (event.kind === EventKind.PROGRESS) {
      task.call.progress(event);
    } else if (event.kind === EventKind.DONE) {
      this.#running.delete(event.op);
      this.#settle(task, event);
      this.#startNext();
    } else if (event.kind !== EventKind.SETTLED) {
      task.spec.found?.(event);
    }
  }

  /** Fails everything that runs or waits, and whatever comes. */
  close(error: Error): void {
    this.#closed = error;
    for (const task of [...this.#queue.slice(this.#head), ...this.#running.values()]) task.call.fail(error);
    this.#queue = [];
    this.#head = 0;
  }

  #settle(task: Task, event: KademliaEvent): void {
    if (task.over) return;
    task.over = true;
    task.call.whileRunning(undefined);
    try {
      task.resolve(task.spec.done(event) as never);
    } catch (error) {
      task.reject(error);
    }
  }

  #abandon(task: Task, error: Error): void {
    if (task.over) return;
    task.over = true;
    task.reject(error);
    if (task.op === NONE) return;
    this.#running.delete(task.op);
    this.#shard.kademlia.cancel(this.#shard.now(), task.op);
    this.#startNext();
    this.#shard.pump();
  }

  #startNext(): void {
    // An engine that answers at once from its own store would otherwise come back here for every waiting task.
    if (this.#starting) return;
    this.#starting = true;
    const now = this.#shard.now();
    while (this.#running.size < this.#runningMax && this.#head < this.#queue.length) {
      const task = this.#queue[this.#head] as Task;
      if (!task.over) {
        const op = this.#startTask(task, now);
        if (op === NONE && !task.over) break;
      }
      this.#head++;
    }
    if (this.#head > 64 && this.#head * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    this.#starting = false;
  }

  #startTask(task: Task, now: number): number {
    try {
      task.op = task.spec.start(now, task.call.remainingMs);
    } catch (error) {
      task.over = true;
      task.call.whileRunning(undefined);
      task.reject(error);
      return NONE;
    }
    if (task.op !== NONE) this.#running.set(task.op, task);
    return task.op;
  }
}
