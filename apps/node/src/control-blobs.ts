/** The control API's part for blobs: content streams in and out, progress comes as NDJSON lines. */
import type { BlobProgress, PutBlobOptions } from '@molia/dht';
import { found, mustHavePeers, numbers, type RouteContext, segment } from './control-arguments.ts';
import { Header } from './control-protocol.ts';
import type { ControlRequest, Route } from './control-server.ts';

export function createBlobRoutes(context: RouteContext): Record<string, Route> {
  const { node } = context;
  return {
    'PUT blobs': async (request) => {
      mustHavePeers(context);
      const { ttl, ...options } = putOptions(request);
      const { key, length, stripes, shards, holdersMin, elapsedMs } = await node.putBlob(request.stream(), {
        ...options,
        ...ttl,
        ...running(request),
      });
      await request.line({ event: 'done', key, bytes: length, stripes, shards, holdersMin, elapsedMs });
      return undefined;
    },
    'GET blobs': async (request) => {
      const key = segment(request, 0, 'key');
      let bytesTotal = 0;
      const range = numbers(request, { start: 'start', end: 'end' });
      const pieces = node
        .getBlob(key, {
          signal: request.signal,
          range: { start: 0, ...range },
          onProgress: (progress) => {
            bytesTotal = progress.bytesTotal ?? 0;
          },
        })
        .getReader();
      // The first piece before the head of the answer, so that a blob that is not there is an error like any other.
      const first = await found(context, () => pieces.read());
      return { stream: rest(first, pieces), headers: { [Header.LENGTH]: String(bytesTotal) } };
    },
    'GET blob-status': async (request) => {
      const key = segment(request, 0, 'key');
      const options = { ...numbers(request, { samples: 'samples' }), ...running(request) };
      const status = await found(context, () => node.blobStatus(key, options));
      const { length, data, parity, sealed, stripes, checked, missing, presentMin, readable } = status;
      const counts = { stripes, checked, missing, presentMin, readable };
      await request.line({ event: 'done', bytes: length, data, parity, sealed, ...counts });
      return undefined;
    },
    'POST blob-repair': async (request) => {
      const key = segment(request, 0, 'key');
      mustHavePeers(context);
      const repair = await found(context, () => node.repairBlob(key, running(request)));
      const { length, stripes, checked, missing, rebuilt, lost } = repair;
      await request.line({ event: 'done', bytes: length, stripes, checked, missing, rebuilt, lost });
      return undefined;
    },
  };
}

/** Options that end a blob operation with its request and report its progress as lines. */
function running(request: ControlRequest): { signal: AbortSignal; onProgress(progress: BlobProgress): void } {
  return {
    signal: request.signal,
    onProgress({ bytes, bytesTotal, stripes, elapsedMs }) {
      void request.line({ event: 'progress', bytes, bytesTotal: bytesTotal ?? null, stripes, elapsedMs });
    },
  };
}

/** The library checks what they are. */
function putOptions(request: ControlRequest): Pick<PutBlobOptions, 'coding' | 'encrypt'> & { ttl: object } {
  const { query } = request;
  const [coding, encrypt] = [query.get('coding'), query.get('encrypt')];
  return {
    ...(coding === null ? {} : { coding: coding as '10:4' }),
    ...(encrypt === null ? {} : { encrypt: encrypt as 'none' }),
    ttl: numbers(request, { ttl: 'ttlSec' }),
  };
}

type Piece = ReadableStreamReadResult<Uint8Array>;

async function* rest(
  first: Piece,
  pieces: ReadableStreamDefaultReader<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  try {
    for (let piece = first; !piece.done; piece = await pieces.read()) yield piece.value;
  } finally {
    await pieces.cancel().catch(() => undefined);
  }
}
