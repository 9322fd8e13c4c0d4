/**
 * Threads that run one simulation together, over one piece of shared memory: they meet at barriers, agree on the next
 * instant, exchange mail (datagrams for hosts of another thread) and gather values. Every thread runs the same script; who
 * takes another turn of it than the others is told so at the next meeting instead of waiting for ever.
 *
 * A thread that fails says why in the shared memory and wakes the others, which end with the same message. Whoever starts
 * the threads tells `failCrew` when one dies without a word.
 */
import { fromHex, toHex } from '@molia/core';
import { CREW_MAX, GATHER_BYTES, MAIL_BYTES, SPINS } from './constants.ts';
import { Mail } from './mail.ts';

/** What one thread needs to take its place. Plain data: it may be posted to a worker. */
export interface CrewPlace {
  readonly memory: SharedArrayBuffer;
  /** 0 to `workers` - 1. */
  readonly worker: number;
}

/** The run ended because another thread of the crew failed, or took another turn. */
export class CrewError extends Error {
  override readonly name = 'CrewError';
}

/** Control words (32 bits). */
const Word = { WORKERS: 0, ARRIVED: 1, GENERATION: 2, FAILED: 3, FAILURE_BYTES: 4 } as const;
const WORDS = 16;
/** Why a thread comes to a meeting. */
const Turn = { RUN: 1, GATHER: 2, END: 3 } as const;
const turnNames = ['', 'runs', 'gathers', 'ends'];
/** What a thread shows at a meeting, in two sets of cells that take turns: a fast thread must not overwrite what a slow one still reads. */
const Cell = { TURN: 0, NEXT: 1, SIGNATURE: 2, MORE: 3 } as const;
const CELLS = 4;
const FAILURE_BYTES_MAX = 4096;
const Failure = { NONE: 0, WRITING: 1, WRITTEN: 2 } as const;

function layout(workers: number) {
  const cells = WORDS * 4;
  const failure = cells + 2 * CREW_MAX * CELLS * 8;
  const gather = failure + FAILURE_BYTES_MAX;
  const mail = gather + workers * GATHER_BYTES;
  return { cells, failure, gather, mail, end: mail + 2 * workers * workers * MAIL_BYTES };
}

/** Memory for a crew. Throws RangeError unless 1 ≤ workers ≤ 64. */
export function createCrewMemory(workers: number): SharedArrayBuffer {
  if (!(Number.isInteger(workers) && workers >= 1 && workers <= CREW_MAX))
    throw new RangeError(`a crew has 1 to ${CREW_MAX} workers, not ${workers}`);
  const memory = new SharedArrayBuffer(layout(workers).end);
  new Int32Array(memory)[Word.WORKERS] = workers;
  return memory;
}

/** Ends the run of every thread with this message, unless one has failed already. */
export function failCrew(memory: SharedArrayBuffer, message: string): void {
  const words = new Int32Array(memory, 0, WORDS);
  if (Atomics.compareExchange(words, Word.FAILED, Failure.NONE, Failure.WRITING) !== Failure.NONE) return;
  const text = new TextEncoder().encode(message).subarray(0, FAILURE_BYTES_MAX);
  new Uint8Array(memory, layout(words[Word.WORKERS] as number).failure).set(text);
  words[Word.FAILURE_BYTES] = text.length;
  Atomics.store(words, Word.FAILED, Failure.WRITTEN);
  Atomics.add(words, Word.GENERATION, 1);
  Atomics.notify(words, Word.GENERATION);
}

/** Runs a script as one thread of a crew; what it returns. When it throws, the others end too. */
export function joinCrew<Result>(place: CrewPlace, script: (crew: Crew) => Result): Result {
  const crew = new Crew(place);
  try {
    const result = script(crew);
    crew.end();
    return result;
  } catch (error) {
    failCrew(place.memory, String(error instanceof Error ? error.message : error));
    throw error;
  }
}

/** One thread's side of a crew. */
export class Crew {
  readonly workers: number;
  readonly worker: number;
  readonly mail: Mail;
  /** After `agree`: the earliest instant that any thread named, microseconds; Infinity = none. */
  readonly earliest = new Float64Array(1);
  /** Meetings so far. */
  meetings = 0;
  readonly #words: Int32Array;
  readonly #cells: Float64Array;
  readonly #failure: Uint8Array;
  readonly #gather: Uint8Array[];
  #set = 0;

  constructor(place: CrewPlace) {
    const { memory, worker } = place;
    this.#words = new Int32Array(memory, 0, WORDS);
    this.workers = this.#words[Word.WORKERS] as number;
    if (!(Number.isInteger(worker) && worker >= 0 && worker < this.workers))
      throw new RangeError(`worker must lie between 0 and ${this.workers - 1}, not be ${worker}`);
    this.worker = worker;
    const at = layout(this.workers);
    this.#cells = new Float64Array(memory, at.cells, 2 * CREW_MAX * CELLS);
    this.#failure = new Uint8Array(memory, at.failure, FAILURE_BYTES_MAX);
    this.#gather = Array.from(
      { length: this.workers },
      (_, i) => new Uint8Array(memory, at.gather + i * GATHER_BYTES, GATHER_BYTES),
    );
    this.mail = new Mail(memory, at.mail, this.workers, worker);
  }

  /**
   * Meets the others: hands over the mail, and finds the earliest of the instants that all name (see `earliest`).
   * `deliver` is called until all mail has come. `signature` is a hash of what the script did so far.
   */
  agree(nextUs: number, signature: number, deliver: () => void): void {
    let more: boolean;
    do {
      this.mail.flush();
      this.#show(Turn.RUN, nextUs, signature, this.mail.spilled ? 1 : 0);
      this.#meet();
      this.earliest[0] = this.#least();
      more = this.#anyMore();
      deliver();
      this.mail.turn();
      this.#set ^= 1;
    } while (more);
  }

  /** Everybody's value, by worker: all threads call it at the same place of the script. Plain data, typed bytes included. */
  gather<Value>(value: Value): Value[] {
    const texts = this.gatherBytes(new TextEncoder().encode(JSON.stringify(value, toPlain) ?? 'null'));
    return texts.map((bytes) => JSON.parse(new TextDecoder().decode(bytes), fromPlain) as Value);
  }

  /** Everybody's bytes, by worker: all threads call it at the same place of the script. */
  gatherBytes(mine: Uint8Array): Uint8Array[] {
    const lengths: number[] = [];
    const parts: Uint8Array[] = [];
    for (let done = 0; ; done += GATHER_BYTES) {
      (this.#gather[this.worker] as Uint8Array).set(mine.subarray(done, done + GATHER_BYTES));
      this.#show(Turn.GATHER, mine.length, 0, 0);
      this.#meet();
      for (let worker = 0; worker < this.workers; worker++) {
        const length = this.#cell(worker, Cell.NEXT);
        if (done === 0) {
          lengths.push(length);
          parts.push(new Uint8Array(length));
        }
        const from = (this.#gather[worker] as Uint8Array).subarray(
          0,
          Math.min(GATHER_BYTES, Math.max(0, length - done)),
        );
        if (from.length > 0) (parts[worker] as Uint8Array).set(from, done);
      }
      this.#set ^= 1;
      // Nobody may write its next part before all have read this one.
      this.#show(Turn.GATHER, mine.length, 0, 0);
      this.#meet();
      this.#set ^= 1;
      if (Math.max(...lengths) <= done + GATHER_BYTES) return parts;
    }
  }

  /** The script is at its end. */
  end(): void {
    this.#show(Turn.END, 0, 0, 0);
    this.#meet();
    this.#set ^= 1;
  }

  #show(turn: number, nextUs: number, signature: number, more: number): void {
    const at = (this.#set * CREW_MAX + this.worker) * CELLS;
    this.#cells[at + Cell.TURN] = turn;
    this.#cells[at + Cell.NEXT] = nextUs;
    this.#cells[at + Cell.SIGNATURE] = signature;
    this.#cells[at + Cell.MORE] = more;
  }

  #cell(worker: number, cell: number): number {
    return this.#cells[(this.#set * CREW_MAX + worker) * CELLS + cell] as number;
  }

  #least(): number {
    let least = Number.POSITIVE_INFINITY;
    for (let worker = 0; worker < this.workers; worker++)
      least = Math.min(least, this.#cell(worker, Cell.NEXT));
    return least;
  }

  #anyMore(): boolean {
    for (let worker = 0; worker < this.workers; worker++) if (this.#cell(worker, Cell.MORE) > 0) return true;
    return false;
  }

  /** Waits until all threads have come, and sees that they came for the same thing. */
  #meet(): void {
    const words = this.#words;
    this.meetings++;
    const generation = Atomics.load(words, Word.GENERATION);
    this.#throwIfFailed();
    if (Atomics.add(words, Word.ARRIVED, 1) === this.workers - 1) {
      Atomics.store(words, Word.ARRIVED, 0);
      Atomics.add(words, Word.GENERATION, 1);
      Atomics.notify(words, Word.GENERATION);
    } else {
      // Mostly the others come within microseconds: going to sleep costs more than that.
      for (let i = 0; i < SPINS && Atomics.load(words, Word.GENERATION) === generation; i++);
      while (Atomics.load(words, Word.GENERATION) === generation)
        Atomics.wait(words, Word.GENERATION, generation);
    }
    this.#throwIfFailed();
    for (let worker = 0; worker < this.workers; worker++) {
      const turn = this.#cell(worker, Cell.TURN);
      if (turn === this.#cell(this.worker, Cell.TURN)) continue;
      this.#diverged(`worker ${worker} ${turnNames[turn]}, worker ${this.worker} does not`);
    }
    for (let worker = 0; worker < this.workers; worker++) {
      if (this.#cell(worker, Cell.SIGNATURE) !== this.#cell(this.worker, Cell.SIGNATURE))
        this.#diverged(`worker ${worker} has done something else than worker ${this.worker}`);
    }
  }

  #diverged(what: string): never {
    const message = `the script took different ways in different workers: ${what}; what it does and draws must not depend on which hosts a worker owns`;
    throw new CrewError(message);
  }

  #throwIfFailed(): void {
    const words = this.#words;
    if (Atomics.load(words, Word.FAILED) === Failure.NONE) return;
    // BOUNDED: by the few instructions that the writer still has to take.
    while (Atomics.load(words, Word.FAILED) !== Failure.WRITTEN);
    const text = this.#failure.slice(0, words[Word.FAILURE_BYTES]);
    throw new CrewError(new TextDecoder().decode(text));
  }
}

/** JSON has neither bytes nor infinities; a member of this name does not occur otherwise. */
const SPECIAL = '\u0000';

function toPlain(_key: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return { [SPECIAL]: toHex(value) };
  if (typeof value === 'number' && !Number.isFinite(value))
    return { [SPECIAL]: value > 0 ? 1 : value < 0 ? -1 : 0 };
  return value;
}

function fromPlain(_key: string, value: unknown): unknown {
  const special = (value as Record<string, unknown> | null)?.[SPECIAL];
  if (special === undefined) return value;
  if (typeof special === 'string') return fromHex(special);
  return special === 0 ? Number.NaN : (special as number) * Number.POSITIVE_INFINITY;
}
