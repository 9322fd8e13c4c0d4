/** `molia blob put|get|status|repair`: content of any length through the daemon, with a progress bar on a terminal. */
import { once } from 'node:events';
import { createReadStream, createWriteStream, renameSync, statSync, unlinkSync } from 'node:fs';
import { MoliaError } from '@molia/core';
import { Header } from '../control-protocol.ts';
import { reason } from '../datadir.ts';
import { cliError, misuse } from '../errors.ts';
import { humanBytes } from '../output.ts';
import type { Context } from '../program.ts';
import { ProgressBar } from '../progress-bar.ts';
import { controlOf, nodes } from './verb-io.ts';

type Line = Record<string, unknown>;

export async function put(context: Context, file: string): Promise<void> {
  const { output, options } = context;
  const source = file === '-' ? { chunks: process.stdin, bytes: undefined } : openFile(file);
  const { coding, encrypt, ttl } = options as Record<string, string | number | undefined>;
  const lines = controlOf(context).lines('PUT', 'blobs', {
    query: { coding, encrypt, ttl },
    body: source.chunks as AsyncIterable<Uint8Array>,
  });
  const done = await follow(context, lines, source.bytes).finally(() => {
    // Else a terminal that nobody types on any more would keep us.
    if (file === '-') process.stdin.destroy();
  });
  const { key, bytes, stripes, shards, holdersMin, elapsedMs } = done;
  output.emit({ key, bytes, stripes, shards, holdersMin, elapsedMs }, String(key));
  const size = humanBytes(Number(bytes));
  output.talk(`${size} in ${shards} shards, those of a stripe on ${nodes(holdersMin)}`);
}

export async function get(context: Context, text: string): Promise<void> {
  const { output, options } = context;
  const key = blobKey(text);
  const file = options['output'] as string | undefined;
  if (output.json && file === undefined) {
    throw misuse('INVALID_ARGUMENT', 'a blob does not go into a JSON line: write it to a file with -o');
  }
  const { start, end } = options as Record<string, number | undefined>;
  const { pieces, headers } = await controlOf(context).stream('GET', `blobs/${key}`, {
    query: { start, end },
  });
  const bytesTotal = Number(headers[Header.LENGTH]);
  const bar = new ProgressBar(output.json);
  const startedAt = performance.now();
  let bytes = 0;
  const counted = (async function* () {
    for await (const piece of pieces) {
      yield piece;
      bytes += piece.length;
      bar.draw({ bytes, bytesTotal, elapsedMs: performance.now() - startedAt });
    }
  })();
  try {
    if (file === undefined) for await (const piece of counted) await output.raw(piece);
    else await writeFile(file, counted);
  } finally {
    bar.end();
  }
  if (output.json) output.emit({ key, bytes, file }, '');
  output.talk(`${humanBytes(bytes)}, verified`);
}

export async function status(context: Context, text: string): Promise<void> {
  const { output, options } = context;
  const key = blobKey(text);
  const samples = options['samples'] as number | undefined;
  const lines = controlOf(context).lines('GET', `blob-status/${key}`, { query: { samples } });
  const { event: _event, v: _v, ...done } = await follow(context, lines, undefined);
  const { bytes, data, parity, stripes, checked, missing, presentMin } = done;
  const found = `${Number(checked) - Number(missing)} of ${checked} shards found`;
  const worst = stripes === 0 ? '' : `, at least ${presentMin} of each stripe (${data} are needed)`;
  output.emit(
    { key, ...done },
    `${humanBytes(Number(bytes))}, ${stripes} stripes of ${data}:${parity}: ${found}${worst}`,
  );
  // A sample of fewer shards than a stripe needs proves nothing either way but what is missing from it.
  const asked = samples ?? Number(data) + Number(parity);
  const enough = asked >= Number(data) ? Number(done['readable']) === stripes : missing === 0;
  if (!enough) throw unreadable('at least one stripe may have too few shards to be read');
}

export async function repair(context: Context, text: string): Promise<void> {
  const { output } = context;
  const key = blobKey(text);
  const lines = controlOf(context).lines('POST', `blob-repair/${key}`);
  const { event: _event, v: _v, ...done } = await follow(context, lines, undefined);
  output.emit(
    { key, ...done },
    `${done['missing']} of ${done['checked']} shards were missing, ${done['rebuilt']} rebuilt`,
  );
  if (Number(done['lost']) > 0) throw unreadable(`${done['lost']} stripes are beyond repair`);
}

function unreadable(message: string): Error {
  return new MoliaError('NOT_FOUND', message, { hint: 'ask who put the blob to put it again' });
}

/** Draws the progress lines; resolves with the line that ends them. */
async function follow(
  { output }: Context,
  lines: AsyncIterable<Line>,
  bytesKnown: number | undefined,
): Promise<Line> {
  const bar = new ProgressBar(output.json);
  try {
    for await (const line of lines) {
      if (line['event'] === 'done') return line;
      const { bytes, bytesTotal, elapsedMs } = line;
      const total = (bytesTotal as number | null) ?? bytesKnown;
      bar.draw({ bytes: Number(bytes), bytesTotal: total, elapsedMs: Number(elapsedMs) });
    }
  } finally {
    bar.end();
  }
  throw cliError('CONTROL_UNAVAILABLE', 'the daemon went away in the middle of its answer');
}

/** 64 hex digits, or 128 of an encrypted blob, in lower case. */
export function blobKey(text: string): string {
  if (/^(?:[0-9a-f]{64}){1,2}$/i.test(text)) return text.toLowerCase();
  throw misuse('INVALID_KEY', 'key: expected the 64 or 128 hexadecimal digits that `molia blob put` printed');
}

function openFile(file: string): { chunks: AsyncIterable<Uint8Array>; bytes: number } {
  try {
    const info = statSync(file);
    if (info.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    return { chunks: readFile(file), bytes: info.size };
  } catch (error) {
    throw unreadableFile(file, error as NodeJS.ErrnoException);
  }
}

async function* readFile(file: string): AsyncGenerator<Uint8Array> {
  try {
    yield* createReadStream(file) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw unreadableFile(file, error as NodeJS.ErrnoException);
  }
}

function unreadableFile(file: string, error: NodeJS.ErrnoException): Error {
  if (error.code === 'ENOENT') return cliError('FILE_NOT_FOUND', `${file} does not exist`);
  const why = error.code === 'EISDIR' ? 'it is a directory' : reason(error.code);
  return cliError('FILE_UNREADABLE', `${file} cannot be read (${why})`, { cause: error });
}

/** Writes pieces to a file, whole or not at all. */
async function writeFile(file: string, pieces: AsyncIterable<Uint8Array>): Promise<void> {
  const temporary = `${file}.${process.pid}.part`;
  const stream = createWriteStream(temporary);
  let failed: Error | undefined;
  const broken = new Promise<never>((_, reject) => {
    stream.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'ENOENT' ? 'its directory does not exist' : reason(error.code);
      failed = cliError('FILE_UNREADABLE', `${file} cannot be written (${why})`, { cause: error });
      reject(failed);
    });
  });
  broken.catch(() => undefined);
  try {
    for await (const piece of pieces) {
      if (!stream.write(piece)) await Promise.race([once(stream, 'drain'), broken]);
      if (failed !== undefined) throw failed;
    }
    await Promise.race([new Promise<void>((resolve) => stream.end(resolve)), broken]);
    renameSync(temporary, file);
  } catch (error) {
    stream.destroy();
    try {
      unlinkSync(temporary);
    } catch {
      // Never made.
    }
    throw error;
  }
}
