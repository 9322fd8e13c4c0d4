/**
 * Keeps pinned keys alive: visits each in turn, states records again and tends blobs (docs/spec/blobs.md, steward). One key at a
 * time and no faster than its budget, so that however much is pinned, the network sees a trickle. What is pinned survives
 * a restart where there is a data directory.
 */
import { fromHex, type MoliaError, toHex } from '@molia/core';
import { BlobDecoder } from '@molia/erasure';
import { EventKind, Outcome } from '@molia/kademlia';
import { nativeGalois } from '@molia/native-shard';
import { RecordType } from '@molia/wire';
import { abortable, type BlobHost, patiently, Scope } from './blob-host.ts';
import { blobKeyInput } from './blob-inputs.ts';
import { tendBlob } from './blobs.ts';
import type { Call } from './call.ts';
import { callOptions } from './call-options.ts';
import * as limits from './constants.ts';
import { type Context, foundRecord, outcomeError, short } from './context.ts';
import { dhtError } from './errors.ts';
import type { ResolvedOptions } from './node-options.ts';
import { PinFile, type SavedPin } from './pin-file.ts';
import type { NodeEvent, PinInfo, StewardStats } from './types.ts';

interface Pin extends SavedPin {
  dueAt: number;
  missing: number;
  rebuilt: number;
  lost: number;
  state: PinInfo['state'];
}

/** Throws MoliaError STORE_UNUSABLE, STORE_VERSION when the list of a data directory cannot be read. */
export function openSteward(
  host: BlobHost,
  options: ResolvedOptions,
  emit: (event: NodeEvent) => void,
): Steward {
  const { dataDir, limits: bounds } = options;
  return new Steward(host, new PinFile(dataDir), bounds.stewardSecs * 1000, emit);
}

export class Steward {
  readonly #host: BlobHost;
  readonly #file: PinFile;
  readonly #periodMs: number;
  readonly #emit: (event: NodeEvent) => void;
  readonly #pins = new Map<string, Pin>();
  readonly #sums = { rounds: 0, failures: 0, rebuilt: 0 };
  #scope = new Scope();
  /** The key at work. */
  #visiting: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped: Error | undefined;

  /** `periodMs`: a key is visited so often. */
  constructor(host: BlobHost, file: PinFile, periodMs: number, emit: (event: NodeEvent) => void) {
    this.#host = host;
    this.#file = file;
    this.#periodMs = periodMs;
    this.#emit = emit;
    for (const saved of file.load()) {
      const dueAt = Math.min(saved.checkedUnix * 1000 + this.#jittered(periodMs), Date.now() + periodMs);
      this.#pins.set(saved.key, { ...saved, dueAt, missing: 0, rebuilt: 0, lost: 0, state: 'waiting' });
    }
  }

  start(): void {
    this.#schedule();
  }

  /** Rejects what runs with `error`; resolves when nothing is being written. */
  async stop(error: Error): Promise<void> {
    this.#stopped = error;
    clearTimeout(this.#timer);
    this.#scope.fail(error);
    await this.#file.settled();
  }

  /** `MoliaNode.pin`. */
  pin(key: string, options: { signal?: AbortSignal } | undefined): Promise<PinInfo> {
    const { signal } = callOptions('pin', { signal: undefined as AbortSignal | undefined }, options);
    return this.#pin(keyInput(key), signal);
  }

  async #pin(key: Uint8Array, signal: AbortSignal | undefined): Promise<PinInfo> {
    const text = toHex(key);
    const known = this.#pins.get(text);
    if (known !== undefined) return infoOf(known);
    if (this.#pins.size >= limits.PINS_MAX) {
      throw dhtError('BUSY', `${limits.PINS_MAX} keys are pinned already`, { hint: 'unpin some' });
    }
    const scope = new Scope();
    const release = abortable('pin', signal, scope);
    try {
      const { type, value } = await this.#read(key, scope);
      const isBlob =
        type === RecordType.IMMUTABLE && new BlobDecoder(key, nativeGalois()).handleRoot(value) >= 0;
      const nowUnix = Math.floor(Date.now() / 1000);
      const pin: Pin = {
        key: text,
        kind: isBlob ? 'blob' : 'record',
        addedUnix: nowUnix,
        checkedUnix: 0,
        dueAt: Date.now(),
        missing: 0,
        rebuilt: 0,
        lost: 0,
        state: 'waiting',
      };
      this.#pins.set(text, pin);
      await this.#save();
      this.#schedule();
      return infoOf(pin);
    } finally {
      release();
    }
  }

  /** `MoliaNode.unpin`. */
  unpin(key: string): Promise<boolean> {
    return this.#unpin(keyInput(key));
  }

  async #unpin(key: Uint8Array): Promise<boolean> {
    const text = toHex(key);
    if (!this.#pins.delete(text)) return false;
    if (this.#visiting === text) {
      this.#scope.fail(dhtError('ABORTED', `pin ${short(key)}: unpinned`));
      this.#scope = new Scope();
    }
    await this.#save();
    return true;
  }

  list(): PinInfo[] {
    return [...this.#pins.values()].map(infoOf);
  }

  stats(): StewardStats {
    const alive = [...this.#pins.values()].filter(({ state }) => state === 'alive').length;
    return { pins: this.#pins.size, alive, ...this.#sums };
  }

  #schedule(): void {
    if (this.#stopped !== undefined || this.#visiting !== undefined) return;
    clearTimeout(this.#timer);
    const next = this.#next();
    if (next === undefined) return;
    const wait = Math.min(Math.max(next.dueAt - Date.now(), 0), limits.STEWARD_PERIOD_MS);
    this.#timer = setTimeout(() => void this.#visitNext(), wait);
    // Other handles say whether the process goes on.
    this.#timer.unref();
  }

  #next(): Pin | undefined {
    let next: Pin | undefined;
    for (const pin of this.#pins.values()) if (next === undefined || pin.dueAt < next.dueAt) next = pin;
    return next;
  }

  async #visitNext(): Promise<void> {
    const pin = this.#next();
    if (pin === undefined || pin.dueAt > Date.now()) return this.#schedule();
    this.#visiting = pin.key;
    const scope = this.#scope;
    try {
      await this.#visit(pin, scope);
      this.#sums.rounds++;
      pin.checkedUnix = Math.floor(Date.now() / 1000);
      pin.dueAt = Date.now() + this.#jittered(this.#periodMs);
    } catch (error) {
      if (this.#stopped !== undefined) return;
      this.#sums.failures++;
      pin.dueAt = Date.now() + this.#jittered(Math.min(limits.STEWARD_RETRY_MS, this.#periodMs));
      this.#failed(pin, error as MoliaError);
    } finally {
      this.#visiting = undefined;
    }
    if (this.#pins.has(pin.key))
      await this.#save().catch((error: Error) => this.#alert('PINS_UNSAVED', error));
    this.#schedule();
  }

  async #visit(pin: Pin, scope: Scope): Promise<void> {
    const key = fromHex(pin.key);
    if (pin.kind === 'record') {
      await this.#restate(key, scope);
      pin.state = 'alive';
      return;
    }
    const round = await tendBlob(this.#host, key, scope, (shards) =>
      scope.pause((shards * 1000) / limits.STEWARD_SHARDS_PER_SECOND),
    );
    pin.missing = round.missing;
    pin.rebuilt += round.rebuilt;
    pin.lost = round.lost;
    this.#sums.rebuilt += round.rebuilt;
    pin.state = round.lost > 0 ? 'hurt' : 'alive';
    if (round.lost > 0) {
      const message = `pinned blob ${short(key)}: ${round.lost} stripes have too few shards to read`;
      this.#emit({ type: 'alert', code: 'PIN_HURT', message, hint: 'ask who put it to put it again' });
    }
  }

  #failed(pin: Pin, error: MoliaError): void {
    const missing = error.code === 'NOT_FOUND';
    if (missing && pin.state !== 'missing') this.#alert('PIN_MISSING', error);
    pin.state = missing ? 'missing' : 'waiting';
  }

  #alert(code: string, { message }: Error): void {
    if (this.#stopped === undefined) this.#emit({ type: 'alert', code, message });
  }

  /** The record as the network has it now, to everybody who should hold it. */
  async #restate(key: Uint8Array, scope: Scope): Promise<void> {
    const { context } = this.#host;
    const { record } = await this.#read(key, scope);
    await patiently(this.#host, `pin ${short(key)}`, scope, (call) =>
      context.operations.run(call, {
        start: (now, budgetMs) => context.shard.kademlia.store(now, record, { budgetMs, own: false }),
        done: (event) => {
          if (event.a === 0) throw outcomeError(`pin ${short(key)}`, event);
        },
      }),
    );
  }

  #read(key: Uint8Array, scope: Scope): Promise<{ type: number; value: Uint8Array; record: Uint8Array }> {
    const { context } = this.#host;
    return patiently(this.#host, `pin ${short(key)}`, scope, (call) => readEncoded(context, key, call));
  }

  #save(): Promise<void> {
    const saved = [...this.#pins.values()].map(({ key, kind, addedUnix, checkedUnix }) => {
      return { key, kind, addedUnix, checkedUnix };
    });
    return this.#file.save(saved);
  }

  #jittered(ms: number): number {
    return ms * (0.75 + (this.#host.rng.u32() / 2 ** 32) * 0.5);
  }
}

/** The half of a blob's key that is the key of its root. */
function keyInput(key: string): Uint8Array {
  return blobKeyInput(key).subarray(0, 32);
}

function infoOf({ key, kind, addedUnix, checkedUnix, state, missing, rebuilt, lost }: Pin): PinInfo {
  return { key, kind, addedUnix, checkedUnix, state, missing, rebuilt, lost };
}

/** The best record of a key, encoded whole, tombstones included. */
async function readEncoded(
  context: Context,
  key: Uint8Array,
  call: Call,
): Promise<{ type: number; value: Uint8Array; record: Uint8Array }> {
  await context.awaitContacts(call);
  let record: Uint8Array | undefined;
  return context.operations.run(call, {
    start: (now, budgetMs) => context.shard.kademlia.findValue(now, key, { budgetMs }),
    found: (event) => {
      if (event.kind === EventKind.VALUE)
        record = event.bytes.slice(event.offset, event.offset + event.length);
    },
    done: (event) => {
      const found = record === undefined ? undefined : foundRecord(record, 0, record.length);
      if (record === undefined || found === undefined) {
        const code = event.code === Outcome.OK ? Outcome.NOT_FOUND : event.code;
        throw outcomeError(`pin ${short(key)}`, { ...event, code });
      }
      return { type: found.type, value: found.value, record };
    },
  });
}
