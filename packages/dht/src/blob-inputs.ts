/** Arguments of the blob methods, checked at once. */
import { fromHex } from '@molia/core';
import { CODINGS } from '@molia/erasure';
import * as limits from './constants.ts';
import { rangeError, typeError } from './errors.ts';
import { intInput, operationInput, optionsInput } from './inputs.ts';
import type {
  BlobOptions,
  BlobSource,
  BlobStatusOptions,
  GetBlobOptions,
  OperationOptions,
  PutBlobOptions,
} from './types.ts';

const BLOB: { [K in keyof BlobOptions]-?: BlobOptions[K] | undefined } = {
  signal: undefined,
  onProgress: undefined,
};
const SEALINGS = ['none', 'convergent', 'random'] as const;
const REFERENCE = /^(?:[0-9a-f]{64}){1,2}$/;
const HALF_DIGITS = 64;
const SHARDS_MAX = 255;

type Checked<T> = Readonly<Omit<T, keyof BlobOptions>> & BlobOptions;

/** Options without any beside those of all blob methods. */
export function progressInput(name: string, options: BlobOptions | undefined): BlobOptions {
  return checked(name, BLOB, options);
}

export function putInput(options: PutBlobOptions | undefined): Checked<{
  coding: NonNullable<PutBlobOptions['coding']>;
  encrypt: (typeof SEALINGS)[number];
  ttlSec: number;
}> {
  const defaults = {
    ...BLOB,
    coding: '10:4' as NonNullable<PutBlobOptions['coding']>,
    encrypt: 'none' as (typeof SEALINGS)[number],
    ttlSec: limits.TTL_SECS_DEFAULT as number,
  };
  const resolved = checked('putBlob', defaults, options);
  intInput('putBlob.ttlSec', resolved.ttlSec, limits.TTL_SECS_MIN, limits.TTL_SECS_MAX);
  const { coding } = resolved;
  if (typeof coding === 'object' && coding !== null) {
    intInput('putBlob.coding.data', coding.data, 1, SHARDS_MAX - 1);
    intInput('putBlob.coding.parity', coding.parity, 1, SHARDS_MAX - coding.data);
  } else if (!Object.hasOwn(CODINGS, String(coding))) {
    const known = Object.keys(CODINGS).join(', ');
    throw rangeError(
      'INVALID_ARGUMENT',
      `putBlob.coding: expected ${known} or { data, parity }, found ${coding}`,
    );
  }
  if (!SEALINGS.includes(resolved.encrypt)) {
    throw rangeError(
      'INVALID_ARGUMENT',
      `putBlob.encrypt: expected ${SEALINGS.join(', ')}, found ${resolved.encrypt}`,
    );
  }
  return resolved;
}

export function getInput(options: GetBlobOptions | undefined): Checked<{ range: GetBlobOptions['range'] }> {
  const resolved = checked('getBlob', { ...BLOB, range: undefined as GetBlobOptions['range'] }, options);
  const { range } = resolved;
  if (range === undefined) return resolved;
  const { start, end } = optionsInput(
    'getBlob.range',
    { start: 0, end: undefined as number | undefined },
    range,
  );
  intInput('getBlob.range.start', start, 0, Number.MAX_SAFE_INTEGER);
  if (end !== undefined) intInput('getBlob.range.end', end, start, Number.MAX_SAFE_INTEGER);
  return resolved;
}

export function statusInput(
  options: BlobStatusOptions | undefined,
): Checked<{ samples: number | undefined }> {
  const resolved = checked('blobStatus', { ...BLOB, samples: undefined as number | undefined }, options);
  if (resolved.samples !== undefined) intInput('blobStatus.samples', resolved.samples, 1, SHARDS_MAX);
  return resolved;
}

/** The reference that a blob's key is: 32 or 64 bytes. */
export function blobKeyInput(key: string): Uint8Array {
  if (typeof key !== 'string' || !REFERENCE.test(key)) {
    throw rangeError(
      'INVALID_KEY',
      'key: expected the 64 or 128 lower-case hex digits that putBlob returned',
    );
  }
  const bytes = new Uint8Array(key.length / 2);
  for (let at = 0; at < key.length; at += HALF_DIGITS) {
    bytes.set(fromHex(key.slice(at, at + HALF_DIGITS)), at / 2);
  }
  return bytes;
}

/** The source's bytes, chunk by chunk; a reader that stops early cancels it. Throws TypeError for what is no source. */
export function blobChunks(source: BlobSource): AsyncIterable<Uint8Array> {
  if (source instanceof Uint8Array) return one(source);
  if (source instanceof Blob) return chunks(source.stream() as ReadableStream<Uint8Array>);
  if (source instanceof ReadableStream) return chunks(source);
  if (typeof (source as Partial<AsyncIterable<Uint8Array>> | null)?.[Symbol.asyncIterator] === 'function') {
    return checkedChunks(source as AsyncIterable<Uint8Array>);
  }
  throw typeError(
    'INVALID_ARGUMENT',
    'source: expected a Uint8Array, a Blob, a ReadableStream or an async iterable of Uint8Array',
  );
}

async function* one(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Not every browser iterates its streams. */
async function* chunks(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      ended = done;
      if (done) return;
      yield checkedChunk(value);
    }
  } finally {
    if (!ended) await reader.cancel().catch(() => {});
    reader.releaseLock();
  }
}

async function* checkedChunks(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) yield checkedChunk(chunk);
}

function checkedChunk(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw typeError('INVALID_ARGUMENT', `source: expected chunks of Uint8Array, found ${typeof chunk}`);
}

function checked<T extends object>(name: string, defaults: T, options: object | undefined): Checked<T> {
  const resolved = optionsInput<T>(name, defaults, options as never);
  operationInput(name, resolved as OperationOptions);
  return resolved as Checked<T>;
}
