/**
 * Blobs over the network: the engines of @molia/erasure fed from records (docs/spec/blobs.md). A stripe at a time, so
 * memory does not grow with the content. Shards are single copies on different nodes, pages and root ordinary records.
 */
import { TAKEN, toHex, type Verdict } from '@molia/core';
import {
  BlobDecoder,
  BlobDrop,
  BlobEncoder,
  BlockKind,
  CODINGS,
  createBlock,
  pickSamples,
  planRepair,
} from '@molia/erasure';
import { abortable, type BlobHost, inScope, isOver, patiently, Scope } from './blob-host.ts';
import { blobChunks, blobKeyInput, getInput, progressInput, putInput, statusInput } from './blob-inputs.ts';
import { placeShards, type Shard } from './blob-placement.ts';
import * as limits from './constants.ts';
import { short } from './context.ts';
import { dhtError } from './errors.ts';
import { readValue } from './reads.ts';
import type {
  BlobOptions,
  BlobRepair,
  BlobResult,
  BlobSource,
  BlobStatus,
  BlobStatusOptions,
  GetBlobOptions,
  PutBlobOptions,
} from './types.ts';
import { writeValue } from './writes.ts';

/** `MoliaNode.putBlob`. */
export function putBlob(host: BlobHost, source: BlobSource, options?: PutBlobOptions): Promise<BlobResult> {
  const resolved = putInput(options);
  const chunks = blobChunks(source);
  const total =
    source instanceof Uint8Array ? source.length : source instanceof Blob ? source.size : undefined;
  return inScope('putBlob', resolved.signal, (scope) => writeBlob(host, chunks, total, resolved, scope));
}

async function writeBlob(
  host: BlobHost,
  chunks: AsyncIterable<Uint8Array>,
  bytesTotal: number | undefined,
  options: ReturnType<typeof putInput>,
  scope: Scope,
): Promise<BlobResult> {
  const startedAt = performance.now();
  const { ttlSec } = options;
  const coding = typeof options.coding === 'string' ? CODINGS[options.coding] : options.coding;
  const encoder = new BlobEncoder({ coding, sealing: options.encrypt, rng: host.rng });
  const block = createBlock();
  let stripes = 0;
  let shardCount = 0;
  let holdersMin = Number.POSITIVE_INFINITY;
  const drain = async () => {
    const shards: Shard[] = [];
    while (encoder.pollBlock(block)) {
      if (block.kind === BlockKind.SHARD) {
        shards.push({ key: block.hash.slice(), value: block.bytes.subarray(0, block.length) });
        if (shards.length < coding.data + coding.parity) continue;
        holdersMin = Math.min(holdersMin, await placeShards(host, shards, ttlSec, scope));
        shardCount += shards.length;
        shards.length = 0;
        stripes++;
        report(options, { bytes: encoder.length, bytesTotal, stripes, startedAt });
      } else {
        await writeManifest(host, block.bytes, ttlSec, scope);
      }
    }
  };
  for await (const chunk of interruptible(chunks, scope)) {
    for (let at = 0; at < chunk.length; ) {
      at += encoder.handleChunk(chunk, at, chunk.length - at);
      await drain();
    }
  }
  encoder.handleEnd();
  await drain();
  return {
    key: toHex(encoder.reference.subarray(0, 32)) + hexOf(encoder.reference.subarray(32)),
    length: encoder.length,
    stripes,
    shards: shardCount,
    holdersMin: stripes === 0 ? 0 : holdersMin,
    elapsedMs: Math.round(performance.now() - startedAt),
  };
}

const hexOf = (bytes: Uint8Array): string => (bytes.length === 0 ? '' : toHex(bytes));

/** The chunks, until the scope fails: a source that hangs is left behind. */
async function* interruptible(
  chunks: AsyncIterable<Uint8Array>,
  scope: Scope,
): AsyncGenerator<Uint8Array, void> {
  const source = chunks[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await scope.race(source.next());
      ended = done === true;
      if (done) return;
      yield value;
    }
  } finally {
    // Not waited for: a source that hangs does not come back from this either.
    if (!ended) source.return?.().catch(() => {});
  }
}

async function writeManifest(
  host: BlobHost,
  bytes: Uint8Array,
  ttlSecs: number,
  scope: Scope,
): Promise<void> {
  await patiently(host, 'putBlob: manifest', scope, (call) =>
    writeValue(host.context, bytes, ttlSecs, 1, call),
  );
}

/** `MoliaNode.getBlob`. */
export function getBlob(host: BlobHost, key: string, options?: GetBlobOptions): ReadableStream<Uint8Array> {
  const reference = blobKeyInput(key);
  const resolved = getInput(options);
  const scope = new Scope();
  const release = abortable('getBlob', resolved.signal, scope);
  const pieces = readBlob(host, reference, resolved, scope);
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await pieces.next();
          if (!done) return controller.enqueue(value);
          controller.close();
          release();
        } catch (error) {
          release();
          throw error;
        }
      },
      async cancel(reason) {
        release();
        scope.fail(dhtError('ABORTED', 'getBlob: the stream was cancelled', { cause: reason }));
        await pieces.return(undefined);
      },
    },
    // The next stripe is fetched while this one is consumed.
    { highWaterMark: 1 },
  );
}

async function* readBlob(
  host: BlobHost,
  reference: Uint8Array,
  options: ReturnType<typeof getInput>,
  scope: Scope,
): AsyncGenerator<Uint8Array, void> {
  const startedAt = performance.now();
  const { range } = options;
  const reader = await StripeReader.open(host, reference, scope);
  const { decoder } = reader;
  if (!decoder.readable) {
    throw dhtError(
      'UNSUPPORTED',
      `getBlob ${short(reference)}: the blob is encrypted and the key lacks its second half`,
      {
        hint: 'give all 128 digits that putBlob returned',
      },
    );
  }
  const start = range?.start ?? 0;
  const end = range?.end ?? decoder.length;
  if (start > end || end > decoder.length) {
    throw new RangeError(`getBlob: range ${start} to ${end} leaves a blob of ${decoder.length} bytes`);
  }
  for (let at = start, stripes = 0; at < end; ) {
    const stripe = Math.floor(at / decoder.stripeBytes);
    const base = stripe * decoder.stripeBytes;
    const to = Math.min(end - base, decoder.contentOf(stripe));
    await reader.begin(stripe, at - base, to);
    await reader.fetch();
    const piece = new Uint8Array(base + to - at);
    decoder.read(piece, 0);
    at += piece.length;
    stripes++;
    report(options, { bytes: at - start, bytesTotal: end - start, stripes, startedAt });
    yield piece;
  }
}

/** `MoliaNode.blobStatus`. */
export function blobStatus(host: BlobHost, key: string, options?: BlobStatusOptions): Promise<BlobStatus> {
  const resolved = statusInput(options);
  const reference = blobKeyInput(key);
  return inScope('blobStatus', resolved.signal, (scope) =>
    survey(host, reference, resolved, resolved.samples, scope, undefined),
  );
}

/** `MoliaNode.repairBlob`. */
export function repairBlob(host: BlobHost, key: string, options?: BlobOptions): Promise<BlobRepair> {
  const resolved = progressInput('repairBlob', options);
  const reference = blobKeyInput(key);
  return inScope('repairBlob', resolved.signal, (scope) => repair(host, reference, resolved, scope));
}

async function repair(
  host: BlobHost,
  reference: Uint8Array,
  options: BlobOptions,
  scope: Scope,
): Promise<BlobRepair> {
  let [rebuilt, lost] = [0, 0];
  const status = await survey(host, reference, options, undefined, scope, async (reader, present) => {
    const { decoder } = reader;
    const plan = planRepair(decoder, present);
    if (plan.margin < 0) lost++;
    if (plan.rebuild.length === 0) return;
    const block = createBlock();
    const shards: Shard[] = Array.from(present, (_, i) => ({ key: decoder.shardHash(i), value: undefined }));
    for (const i of plan.rebuild) {
      reader.check(decoder.rebuild(i, block), 'a shard');
      shards[i] = { key: decoder.shardHash(i), value: block.bytes.slice(0, block.length) };
    }
    await placeShards(host, shards, limits.TTL_SECS_DEFAULT, scope);
    rebuilt += plan.rebuild.length;
  });
  return { ...status, rebuilt, lost };
}

/** Visits every stripe, fetches `samples` of its shards (default all), and hands over which are there. */
async function survey(
  host: BlobHost,
  reference: Uint8Array,
  options: BlobOptions,
  samples: number | undefined,
  scope: Scope,
  each: ((reader: StripeReader, present: Uint8Array) => Promise<void>) | undefined,
): Promise<BlobStatus> {
  const startedAt = performance.now();
  const reader = await StripeReader.open(host, reference, scope);
  const { decoder } = reader;
  const { data, parity, stripes, length, sealed } = decoder;
  const shards = data + parity;
  const count = Math.min(samples ?? shards, shards);
  let [checked, missing, readable, presentMin] = [0, 0, 0, count];
  for (let stripe = 0; stripe < stripes; stripe++) {
    await reader.begin(stripe, 0, 0);
    const chosen = pickSamples({ data, parity }, count, host.rng);
    const present = new Uint8Array(shards);
    // Whoever was placed on is among the nodes that the wide reads ask, however silent it was in between.
    for (let attempt = 0; attempt < limits.BLOB_ATTEMPTS; attempt++) {
      await Promise.all(
        Array.from(chosen, async (i) => {
          if (present[i] === 0 && (await reader.fetchOne(i, scope, attempt > 0))) present[i] = 1;
        }),
      );
    }
    const there = present.reduce((sum, one) => sum + one, 0);
    checked += count;
    missing += count - there;
    presentMin = Math.min(presentMin, there);
    if (there >= data) readable++;
    await each?.(reader, present);
    const bytes = Math.min(length, (stripe + 1) * decoder.stripeBytes);
    report(options, { bytes, bytesTotal: length, stripes: stripe + 1, startedAt });
  }
  if (each !== undefined) await reader.renewManifest();
  return { length, data, parity, sealed, stripes, checked, missing, presentMin, readable };
}

/** Ends the requests of a stripe that needs no more of them; nobody sees it. */
const SETTLED = new Error('the stripe is settled');

/** One blob's decoder, and how it gets its blocks. */
class StripeReader {
  readonly decoder: BlobDecoder;
  readonly #host: BlobHost;
  readonly #scope: Scope;
  readonly #name: string;

  private constructor(host: BlobHost, reference: Uint8Array, scope: Scope) {
    this.decoder = new BlobDecoder(reference);
    this.#host = host;
    this.#scope = scope;
    this.#name = `blob ${short(reference)}`;
  }

  static async open(host: BlobHost, reference: Uint8Array, scope: Scope): Promise<StripeReader> {
    const reader = new StripeReader(host, reference, scope);
    reader.check(reader.decoder.handleRoot(await reader.#block(reader.decoder.rootHash, scope)), 'the root');
    return reader;
  }

  /** Starts on a stripe, its page fetched when it is another. */
  async begin(stripe: number, from: number, to: number): Promise<void> {
    const { decoder } = this;
    const page = decoder.pageOf(stripe);
    if (!decoder.hasPage(page)) {
      this.check(decoder.handlePage(page, await this.#block(decoder.pageHash(page), this.#scope)), 'a page');
    }
    decoder.begin(stripe, from, to);
  }

  /**
   * Fetches what the range needs: its data shards, and one more whenever one fails, and one for each that is late, so that the
   * fastest `data` of them settle it. Rejects with NOT_FOUND when too few are there.
   */
  async fetch(): Promise<void> {
    const { decoder } = this;
    const scope = new Scope();
    const order = Array.from({ length: decoder.data + decoder.parity }, (_, i) => i);
    const waiting = [...order.filter((i) => decoder.needs(i)), ...order.filter((i) => !decoder.needs(i))];
    const first = order.filter((i) => decoder.needs(i)).length;
    const attempts = new Uint8Array(order.length);
    let running = 0;
    // Not the decoder's count: a shard that it holds may still be among those that run.
    let arrived = 0;
    let timer: NodeJS.Timeout | undefined;
    try {
      const settled = new Promise<void>((resolve, reject) => {
        const start = () => {
          const index = waiting.shift();
          if (index === undefined) return;
          running++;
          this.fetchOne(index, scope, attempts[index] !== 0).then((found) => {
            running--;
            if (found) arrived++;
            if (decoder.isReady) return resolve();
            attempts[index] = (attempts[index] as number) + 1;
            // Again at the end, and then more widely.
            if (!found && (attempts[index] as number) < limits.BLOB_ATTEMPTS) waiting.push(index);
            // One lost data shard needs as many others as the stripe has data; so whatever is not asked for yet is.
            if (!found) while (running + arrived < decoder.data && waiting.length > 0) start();
            if (running === 0) reject(this.#tooFew());
          }, reject);
        };
        for (let i = 0; i < first; i++) start();
        timer = setInterval(() => {
          const late = Math.max(1, running);
          for (let i = 0; i < late; i++) start();
        }, limits.BLOB_LATE_MS);
      });
      await this.#scope.run(scope, () => settled);
    } finally {
      clearInterval(timer);
      scope.fail(SETTLED);
    }
  }

  /** Fetches one shard; false when nobody has it, or only something else. `wide`: asks everybody it may have been placed on. */
  async fetchOne(index: number, scope: Scope, wide: boolean): Promise<boolean> {
    const { decoder } = this;
    const hash = decoder.shardHash(index);
    try {
      const bytes = await this.#block(hash, scope, wide);
      // Late, after the stripe was settled without it: the decoder may be at work on another.
      if (scope.error !== undefined) return false;
      const verdict = decoder.handleShard(index, bytes, 0, bytes.length);
      return verdict === TAKEN || verdict === BlobDrop.UNWANTED;
    } catch (error) {
      if (isOver(error, this.#scope)) throw error;
      return false;
    }
  }

  /** Stores root and pages again, which renews their time to live. */
  async renewManifest(): Promise<void> {
    const { decoder } = this;
    for (let page = 0; page < decoder.pages; page++) await this.#renew(decoder.pageHash(page));
    await this.#renew(decoder.rootHash);
  }

  /** Throws for a block that its maker got wrong. */
  check(verdict: Verdict, what: string): void {
    if (verdict >= 0) return;
    const newer = verdict === BlobDrop.VERSION;
    throw dhtError(
      'UNSUPPORTED',
      `${this.#name}: ${what} is ${newer ? 'of a version that this program does not know' : 'not that of a blob'}`,
      { hint: newer ? 'update this program' : 'check the key' },
    );
  }

  async #renew(hash: Uint8Array): Promise<void> {
    await writeManifest(
      this.#host,
      await this.#block(hash, this.#scope),
      limits.TTL_SECS_DEFAULT,
      this.#scope,
    );
  }

  #block(hash: Uint8Array, scope: Scope, wide = false): Promise<Uint8Array> {
    const { context } = this.#host;
    return patiently(this.#host, `${this.#name}: ${short(hash)}`, scope, (call) =>
      readValue(context, hash, call, wide),
    );
  }

  #tooFew(): Error {
    const { held, data } = this.decoder;
    return dhtError('NOT_FOUND', `${this.#name}: ${held} shards of a stripe were found, ${data} are needed`, {
      hint: 'too many of its holders are gone; ask who put it to put it again',
    });
  }
}

function report(
  options: BlobOptions,
  at: { bytes: number; bytesTotal: number | undefined; stripes: number; startedAt: number },
): void {
  const { startedAt, ...progress } = at;
  try {
    options.onProgress?.({ ...progress, elapsedMs: Math.round(performance.now() - startedAt) });
  } catch {
    // A broken listener is the caller's; the operation goes on.
  }
}
