/**
 * Blobs over the network: the engines of @molia/erasure fed from records (docs/spec/blobs.md). A stripe at a time, so
 * memory does not grow with the content. Shards are single copies on different nodes, pages and root ordinary records.
 */
import { randomBelow, toHex } from '@molia/core';
import { BlobEncoder, BlockKind, CODINGS, createBlock, pickSamples, planRepair } from '@molia/erasure';
import { nativeGalois } from '@molia/native-shard';
import { abortable, type BlobHost, inScope, Scope } from './blob-host.ts';
import { blobChunks, blobKeyInput, getInput, progressInput, putInput, statusInput } from './blob-inputs.ts';
import { placeShards, type Shard } from './blob-placement.ts';
import * as limits from './constants.ts';
import { short } from './context.ts';
import { dhtError } from './errors.ts';
import { StripeReader, writeManifest } from './stripe-reader.ts';
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
  const encoder = new BlobEncoder({
    coding,
    sealing: options.encrypt,
    rng: host.rng,
    galois: nativeGalois(),
  });
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
  const sums = { rebuilt: 0, lost: 0 };
  const status = await survey(host, reference, options, undefined, scope, async (reader, present) => {
    await mend(host, reader, present, sums, scope);
    // The others get as long a life as those that were rebuilt.
    const kept = present.map((state) => (state === 1 ? 2 : 0));
    await gather(kept, (i) => reader.renewOne(i, true), 1);
  });
  return { ...status, ...sums };
}

/**
 * One round of a steward: asks the holders of every shard to keep it for another time to live, which moves no shard, fetches one of each stripe
 * to see that the holders' word is good, and where something is missing or wrong does as `repairBlob`. `pace` is awaited before
 * each stripe with the shards that it has.
 */
export async function tendBlob(
  host: BlobHost,
  reference: Uint8Array,
  scope: Scope,
  pace: (shards: number) => Promise<void>,
): Promise<BlobRepair> {
  const sums = { rebuilt: 0, lost: 0 };
  const reader = await StripeReader.open(host, reference, scope);
  const tally = new Tally(reader);
  const { decoder } = reader;
  for (let stripe = 0; stripe < decoder.stripes; stripe++) {
    await pace(tally.shards);
    await reader.begin(stripe, 0, 0);
    let present = new Uint8Array(tally.shards).fill(2);
    await gather(present, (i, wide) => reader.renewOne(i, wide), limits.BLOB_ATTEMPTS);
    const spot = randomBelow(host.rng, tally.shards);
    if (present.includes(2) || !(await reader.fetchOne(spot, scope, true))) {
      await pace(tally.shards);
      present = await fetchAll(reader, scope, undefined);
      tally.add(present);
      await mend(host, reader, present, sums, scope);
    } else tally.add(present);
  }
  await reader.renewManifest();
  return { ...tally.status(), ...sums };
}

/** Rebuilds what is missing of the stripe at work, of which `present` (1 = fetched) is held, and stores it. */
async function mend(
  host: BlobHost,
  reader: StripeReader,
  present: Uint8Array,
  sums: { rebuilt: number; lost: number },
  scope: Scope,
): Promise<void> {
  const { decoder } = reader;
  const plan = planRepair(
    decoder,
    Array.from(present, (one) => (one === 1 ? 1 : 0)),
  );
  if (plan.margin < 0) sums.lost++;
  if (plan.rebuild.length === 0) return;
  const block = createBlock();
  const shards: Shard[] = Array.from(present, (_, i) => ({ key: decoder.shardHash(i), value: undefined }));
  for (const i of plan.rebuild) {
    reader.check(decoder.rebuild(i, block), 'a shard');
    shards[i] = { key: decoder.shardHash(i), value: block.bytes.slice(0, block.length) };
  }
  // Whoever sent other bytes for a shard of this blob gets none of it again.
  const liars = new Set(reader.wrong.map(({ holder }) => holder));
  await placeShards(host, shards, limits.TTL_SECS_DEFAULT, scope, liars);
  sums.rebuilt += plan.rebuild.length;
}

/** Asks for every entry that is 2 and makes it 1 when `take` succeeds, up to `attempts` times, all but the first wide. */
async function gather(
  present: Uint8Array,
  take: (index: number, wide: boolean) => Promise<boolean>,
  attempts: number,
): Promise<void> {
  // Whoever was placed on is among the nodes that the wide reads ask, however silent it was in between.
  for (let attempt = 0; attempt < attempts && present.includes(2); attempt++) {
    await Promise.all(
      Array.from(present, async (state, i) => {
        if (state === 2 && (await take(i, attempt > 0))) present[i] = 1;
      }),
    );
  }
}

/** Fetches `samples` shards of the stripe at work, default all: 0 not asked for, 1 there, 2 missing. */
async function fetchAll(
  reader: StripeReader,
  scope: Scope,
  samples: Uint8Array | undefined,
): Promise<Uint8Array<ArrayBuffer>> {
  const { data, parity } = reader.decoder;
  const present = new Uint8Array(data + parity).fill(samples === undefined ? 2 : 0);
  for (const i of samples ?? []) present[i] = 2;
  await gather(present, (i, wide) => reader.fetchOne(i, scope, wide), limits.BLOB_ATTEMPTS);
  return present;
}

/** What was found of the stripes so far. */
class Tally {
  readonly shards: number;
  readonly #reader: StripeReader;
  #checked = 0;
  #missing = 0;
  #readable = 0;
  #presentMin: number | undefined;

  constructor(reader: StripeReader) {
    this.#reader = reader;
    this.shards = reader.decoder.data + reader.decoder.parity;
  }

  /** `present` as of `fetchAll`. */
  add(present: Uint8Array): void {
    let [there, missing] = [0, 0];
    for (const state of present) {
      if (state === 1) there++;
      else if (state === 2) missing++;
    }
    this.#checked += there + missing;
    this.#missing += missing;
    this.#presentMin = Math.min(this.#presentMin ?? there, there);
    if (there >= this.#reader.decoder.data) this.#readable++;
  }

  status(): BlobStatus {
    const { length, data, parity, sealed, stripes } = this.#reader.decoder;
    return {
      length,
      data,
      parity,
      sealed,
      stripes,
      checked: this.#checked,
      missing: this.#missing,
      presentMin: this.#presentMin ?? this.shards,
      readable: this.#readable,
      wrong: this.#reader.wrong,
    };
  }
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
  const tally = new Tally(reader);
  const { decoder } = reader;
  const { stripes, length } = decoder;
  for (let stripe = 0; stripe < stripes; stripe++) {
    await reader.begin(stripe, 0, 0);
    const few = samples !== undefined && samples < tally.shards;
    const present = await fetchAll(reader, scope, few ? pickSamples(decoder, samples, host.rng) : undefined);
    tally.add(present);
    await each?.(reader, present);
    const bytes = Math.min(length, (stripe + 1) * decoder.stripeBytes);
    report(options, { bytes, bytesTotal: length, stripes: stripe + 1, startedAt });
  }
  if (each !== undefined) await reader.renewManifest();
  return tally.status();
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
