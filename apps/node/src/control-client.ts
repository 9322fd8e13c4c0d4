/** The other end of the control API: one request a connection, errors as the daemon worded them. */
import { readFileSync } from 'node:fs';
import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http';
import { MoliaError } from '@molia/core';
import { API_PREFIX, Header } from './control-protocol.ts';
import { controlSocketPath, dataDirAt } from './datadir.ts';
import { cliError } from './errors.ts';
import { lockOwner } from './lock.ts';
import { drained } from './output.ts';

export interface Control {
  /** Path of the socket that is spoken to. */
  readonly socket: string;
  /** Pid of the daemon, as its lock says; undefined when no lock is held. */
  readonly pid: number | undefined;
  /** The JSON answer. */
  json(method: string, path: string, options?: CallOptions): Promise<Record<string, unknown>>;
  /** The raw body of the answer and its headers. */
  raw(method: string, path: string, options?: CallOptions): Promise<{ bytes: Uint8Array; headers: Headers }>;
  /** The raw body as it comes, and the headers; the pieces end with the error that broke them off, if one did. */
  stream(
    method: string,
    path: string,
    options?: CallOptions,
  ): Promise<{ pieces: AsyncGenerator<Uint8Array>; headers: Headers }>;
  /** NDJSON lines as they come. Leaving the loop cancels the request. */
  lines(method: string, path: string, options?: CallOptions): AsyncGenerator<Record<string, unknown>>;
}

type Headers = Readonly<Record<string, string | string[] | undefined>>;

interface CallOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  /** Bytes, or chunks of any length, sent while the answer comes. */
  readonly body?: Uint8Array | AsyncIterable<Uint8Array>;
}

/**
 * The daemon of a data directory. Nothing is sent yet.
 * @throws MoliaError DAEMON_NOT_RUNNING, CONTROL_DENIED
 */
export function connectControl(dataDir: string, configuredSocket: string | undefined): Control {
  const dir = dataDirAt(dataDir);
  const owner = lockOwner(dir);
  // The lock says where the daemon listens, should its TMPDIR differ from ours.
  const socket = owner?.socket || controlSocketPath(dataDir, configuredSocket);
  const token = readToken(dir.tokenFile, dataDir);
  const call = (method: string, path: string, options: CallOptions = {}): Promise<IncomingMessage> =>
    send(dataDir, socket, token, method, path, options);
  return {
    socket,
    pid: owner?.pid,
    async json(method, path, options) {
      return parse(await bytesOf(await call(method, path, options)));
    },
    async raw(method, path, options) {
      const answer = await call(method, path, options);
      return { bytes: await bytesOf(answer), headers: answer.headers };
    },
    async stream(method, path, options) {
      const answer = await call(method, path, options);
      return { pieces: piecesOf(answer), headers: answer.headers };
    },
    async *lines(method, path, options) {
      const answer = await call(method, path, options);
      try {
        for await (const line of linesOf(answer)) {
          const object = parse(line);
          if ('error' in object) throw remoteError(object['error']);
          yield object;
        }
      } finally {
        answer.destroy();
      }
    },
  };
}

function readToken(file: string, dataDir: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EACCES' || code === 'EPERM') {
      throw cliError('CONTROL_DENIED', `the control token ${file} cannot be read (permission denied)`);
    }
    throw notRunning(dataDir, error);
  }
}

function notRunning(dataDir: string, cause: unknown): Error {
  return cliError('DAEMON_NOT_RUNNING', `no daemon answers for ${dataDir}`, { cause });
}

async function send(
  dataDir: string,
  socketPath: string,
  token: string,
  method: string,
  path: string,
  options: CallOptions,
): Promise<IncomingMessage> {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined) query.set(name, String(value));
  }
  const body = options.body ?? new Uint8Array();
  // A daemon that refuses while we still send must not close before we have read why.
  const framing: Record<string, string | number> =
    body instanceof Uint8Array ? { 'content-length': body.length } : { connection: 'keep-alive' };
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({
      socketPath,
      method,
      path: `${API_PREFIX}${path}${query.size > 0 ? `?${query}` : ''}`,
      headers: { authorization: `Bearer ${token}`, ...framing },
      agent: false,
    });
    request.once('response', resolve);
    request.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') reject(notRunning(dataDir, error));
      else if (error.code === 'EACCES') {
        reject(
          cliError('CONTROL_DENIED', `the control socket ${socketPath} refuses us (permission denied)`, {
            cause: error,
          }),
        );
      } else {
        reject(brokenOff(error));
      }
    });
    if (body instanceof Uint8Array) request.end(body);
    else
      feed(request, body).catch((error: Error) => {
        reject(error);
        request.destroy(error);
      });
  });
  if (answer.statusCode === 200) return answer;
  const refusal = parse(await bytesOf(answer))['error'];
  answer.destroy(); // what of the body was not sent yet is not wanted
  throw remoteError(refusal);
}

/** Sends a body as it comes; stops when the daemon has answered and wants no more of it. */
async function feed(request: ClientRequest, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body) {
    if (request.destroyed) return;
    if (request.write(chunk)) continue;
    await drained(request);
  }
  request.end();
}

async function* piecesOf(answer: IncomingMessage): AsyncGenerator<Uint8Array> {
  const pieces = answer[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  try {
    for (;;) {
      const next = await pieces.next().catch((error: unknown) => {
        throw brokenOff(error);
      });
      if (next.done) break;
      yield next.value;
    }
    const error = answer.trailers[Header.ERROR];
    if (error !== undefined) throw remoteError(parse(decodeURIComponent(error)));
  } finally {
    answer.destroy();
  }
}

/** The daemon's error, as if it had been thrown here. */
function remoteError(error: unknown): Error {
  const { code, message, hint } = (error ?? {}) as Record<string, unknown>;
  if (typeof code !== 'string' || typeof message !== 'string') return notUnderstood();
  return new MoliaError(code, message, typeof hint === 'string' ? { hint } : {});
}

function notUnderstood(): Error {
  return cliError('CONTROL_UNAVAILABLE', 'the daemon gave an answer that is not understood', {
    hint: 'Run the same version of molia on both sides',
  });
}

function parse(bytes: Uint8Array | string): Record<string, unknown> {
  try {
    const object: unknown = JSON.parse(
      typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8'),
    );
    if (typeof object === 'object' && object !== null) return object as Record<string, unknown>;
  } catch {
    // Falls through.
  }
  throw notUnderstood();
}

async function bytesOf(answer: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of answer as AsyncIterable<Uint8Array>) chunks.push(chunk);
  } catch (error) {
    throw brokenOff(error);
  }
  return Buffer.concat(chunks);
}

function brokenOff(cause: unknown): Error {
  return cliError('CONTROL_UNAVAILABLE', 'the daemon went away in the middle of its answer', {
    cause,
    hint: 'See its log, and start it again with `molia start`',
  });
}

async function* linesOf(answer: IncomingMessage): AsyncGenerator<string> {
  let rest = '';
  answer.setEncoding('utf8');
  const chunks = answer[Symbol.asyncIterator]() as AsyncIterator<string>;
  for (;;) {
    const next = await chunks.next().catch((error: unknown) => {
      throw brokenOff(error);
    });
    if (next.done) break;
    const lines = `${rest}${next.value}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line !== '') yield line;
  }
  if (rest !== '') yield rest;
}
