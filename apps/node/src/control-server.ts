/**
 * HTTP server of the daemon: the control API on the local socket (bearer token, constant-time comparison) and the
 * three open paths `/livez`, `/readyz`, `/metrics`, which a TCP listener serves alone. Bodies, connections and time
 * are bounded; a client that goes away aborts what it asked for.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { dirname } from 'node:path';
import {
  API_PREFIX,
  BODY_BYTES_MAX,
  CONNECTIONS_MAX,
  CONTENT_JSON,
  CONTENT_NDJSON,
  CONTENT_RAW,
  DRAIN_MS_MAX,
  Header,
  REQUEST_MS_MAX,
  statusOf,
} from './control-protocol.ts';
import { prepareSocketDir, reason } from './datadir.ts';
import { cliError, misuse, plainError } from './errors.ts';
import { drained, type JsonObject, jsonLine } from './output.ts';

/** One request as a route sees it. */
export interface ControlRequest {
  readonly query: URLSearchParams;
  /** Path segments behind the route's name, decoded. */
  readonly segments: readonly string[];
  /** Fires when the client goes away or the daemon stops. */
  readonly signal: AbortSignal;
  /** The whole body; rejects with VALUE_TOO_LARGE beyond `bytesMax`. */
  body(bytesMax?: number): Promise<Uint8Array>;
  /** The body as it comes, of any length. */
  stream(): AsyncIterable<Uint8Array>;
  /** Sends one NDJSON line; the answer then ends when the route resolves. Waits for a slow reader. */
  line(object: JsonObject): Promise<void>;
}

/** What a route answers; `undefined` after it sent lines. */
type ControlAnswer =
  | { readonly json: JsonObject }
  | { readonly raw: Uint8Array; readonly headers: Readonly<Record<string, string>> }
  | { readonly stream: AsyncIterable<Uint8Array>; readonly headers: Readonly<Record<string, string>> }
  | undefined;

export type Route = (request: ControlRequest) => Promise<ControlAnswer>;

/** The open paths, as text. */
interface Probes {
  ready(): boolean;
  metrics(): string;
  readonly metricsContentType: string;
}

export interface ControlServerOptions {
  /** By `METHOD name`, as in `GET values`: the first segment behind /v1/. Empty: only the open paths. */
  readonly routes: Readonly<Record<string, Route>>;
  readonly token: string;
  readonly probes: Probes;
  /** Called for errors of code INTERNAL, with their stack. */
  readonly onInternalError: (error: unknown) => void;
  /** Called once a request is answered: name of the route and HTTP status. */
  readonly onAnswer: (route: string, status: number) => void;
}

export interface ControlServer {
  /** Where it listens: the socket's path or HOST:PORT. */
  readonly address: string;
  /** Stops to accept, gives requests that run a moment, then aborts them. */
  close(): Promise<void>;
}

/** Serves everything on a local socket. The socket file is ours alone (0600) and is removed on close. */
export async function serveSocket(path: string, options: ControlServerOptions): Promise<ControlServer> {
  const pipe = process.platform === 'win32';
  if (!pipe) await clearSocket(path);
  const { server, close } = createHttp(options);
  await listen(server, () => server.listen(path), `control socket ${path}`);
  if (!pipe) chmodSync(path, 0o600);
  return {
    address: path,
    async close() {
      await close();
      if (!pipe) removeQuietly(path);
    },
  };
}

/** Serves the open paths on TCP. `hostPort` as in `127.0.0.1:9464`; port 0 picks a free one. */
export async function serveTcp(
  hostPort: string,
  options: Omit<ControlServerOptions, 'routes' | 'token'>,
): Promise<ControlServer> {
  const { server, close } = createHttp({ ...options, routes: {}, token: '' });
  const colon = hostPort.lastIndexOf(':');
  const host = hostPort.slice(0, colon).replace(/^\[|\]$/g, '');
  await listen(
    server,
    () => server.listen(Number(hostPort.slice(colon + 1)), host),
    `HTTP address ${hostPort}`,
  );
  const { address, port, family } = server.address() as AddressInfo;
  return { address: family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`, close };
}

function createHttp(options: ControlServerOptions): { server: Server; close(): Promise<void> } {
  const stopping = new AbortController();
  const tokenHash = createHash('sha256').update(options.token).digest();
  const server = createServer((request, response) => {
    void answer(request, response, options, tokenHash, stopping.signal);
  });
  // A blob's content may take any time to arrive; `readBody` bounds all other bodies.
  server.requestTimeout = 0;
  server.headersTimeout = REQUEST_MS_MAX;
  server.maxConnections = CONNECTIONS_MAX;
  server.on('clientError', (_error, socket) => socket.destroy());
  return {
    server,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const timer = setTimeout(() => {
        stopping.abort();
        setTimeout(() => server.closeAllConnections(), 200).unref();
      }, DRAIN_MS_MAX);
      await closed;
      clearTimeout(timer);
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: ControlServerOptions,
  tokenHash: Uint8Array,
  stopping: AbortSignal,
): Promise<void> {
  let name = 'other';
  try {
    const url = new URL(request.url ?? '/', 'http://molia');
    if (!url.pathname.startsWith(API_PREFIX) || options.token === '') {
      name = probe(request, response, url.pathname, options.probes);
    } else {
      if (!isAuthorized(request.headers.authorization, tokenHash)) {
        throw cliError('CONTROL_DENIED', 'the control token is missing or wrong');
      }
      const [first = '', ...segments] = url.pathname
        .slice(API_PREFIX.length)
        .split('/')
        .map(decodeURIComponent);
      const route = options.routes[`${request.method} ${first}`];
      if (route === undefined) {
        throw cliError('USAGE', `there is no ${request.method} ${url.pathname}`, {
          hint: 'See docs/guides/daemon.md',
        });
      }
      name = first;
      await run(route, request, response, url.searchParams, segments, stopping);
    }
  } catch (error) {
    // A path that does not decode is the caller's mistake, not ours.
    const plain =
      error instanceof URIError
        ? plainError(misuse('INVALID_ARGUMENT', 'the path is not valid'))
        : plainError(error);
    if (plain.code === 'INTERNAL') options.onInternalError(error);
    if (response.headersSent) response.end(jsonLine({ error: plain }));
    else {
      // An unread body must not be taken for the next request; one of any length is let run out until its sender has
      // read the answer, which closing would take from it.
      if (!request.complete && !isChunked(request)) response.setHeader('connection', 'close');
      response
        .writeHead(statusOf(plain.code), { 'content-type': CONTENT_JSON })
        .end(jsonLine({ error: plain }));
    }
  }
  if (isChunked(request)) request.resume();
  options.onAnswer(name, response.statusCode);
}

/** A body of unknown length: that of a blob. */
function isChunked(request: IncomingMessage): boolean {
  return request.headers['transfer-encoding'] !== undefined;
}

function probe(request: IncomingMessage, response: ServerResponse, path: string, probes: Probes): string {
  const known = path === '/livez' || path === '/readyz' || path === '/healthz' || path === '/metrics';
  if (!known || (request.method !== 'GET' && request.method !== 'HEAD')) {
    response.writeHead(known ? 405 : 404, { 'content-type': CONTENT_JSON });
    response.end(jsonLine({ error: { code: 'USAGE', message: `there is no ${request.method} ${path}` } }));
    return 'other';
  }
  if (path === '/metrics') {
    response.writeHead(200, { 'content-type': probes.metricsContentType }).end(probes.metrics());
  } else {
    const ok = path === '/livez' || probes.ready();
    response.writeHead(ok ? 200 : 503, { 'content-type': CONTENT_JSON, 'cache-control': 'no-store' });
    response.end(jsonLine({ status: ok ? 'ok' : 'not ready' }));
  }
  return path.slice(1);
}

async function run(
  route: Route,
  request: IncomingMessage,
  response: ServerResponse,
  query: URLSearchParams,
  segments: readonly string[],
  stopping: AbortSignal,
): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => {
    if (!response.writableEnded) gone.abort();
  });
  const result = await route({
    query,
    segments,
    signal: AbortSignal.any([gone.signal, stopping]),
    body: (bytesMax = BODY_BYTES_MAX) => readBody(request, bytesMax),
    // Whoever stops early still has an answer to send on this connection.
    stream: () => request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>,
    async line(object) {
      if (!response.headersSent) response.writeHead(200, { 'content-type': CONTENT_NDJSON });
      if (gone.signal.aborted || response.write(jsonLine(object))) return;
      await drained(response);
    },
  });
  if (result === undefined) {
    if (!response.headersSent) response.writeHead(200, { 'content-type': CONTENT_NDJSON });
    response.end();
  } else if ('json' in result) {
    response.writeHead(200, { 'content-type': CONTENT_JSON }).end(jsonLine(result.json));
  } else if ('stream' in result) {
    await sendStream(response, result.stream, result.headers);
  } else {
    const headers = { 'content-type': CONTENT_RAW, 'content-length': result.raw.length, ...result.headers };
    response.writeHead(200, headers).end(result.raw);
  }
}

/** Content of any length; what fails it on the way follows as a trailer, since its head is gone by then. */
async function sendStream(
  response: ServerResponse,
  stream: AsyncIterable<Uint8Array>,
  headers: Readonly<Record<string, string>>,
): Promise<void> {
  response.writeHead(200, { 'content-type': CONTENT_RAW, trailer: Header.ERROR, ...headers });
  try {
    for await (const piece of stream) {
      if (response.destroyed) return;
      if (!response.write(piece)) await drained(response);
    }
  } catch (error) {
    response.addTrailers({ [Header.ERROR]: encodeURIComponent(JSON.stringify(plainError(error))) });
  }
  response.end();
}

/** BOUNDED: by `bytesMax`; nothing beyond it is kept. */
async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const timer = setTimeout(() => request.destroy(), REQUEST_MS_MAX);
  try {
    for await (const chunk of request as AsyncIterable<Uint8Array>) {
      length += chunk.length;
      if (length > bytesMax) {
        throw misuse('VALUE_TOO_LARGE', `the body holds more than ${bytesMax} bytes`);
      }
      chunks.push(chunk);
    }
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks, length);
}

/** Hashes first, so that neither length nor content of the token shows in the time that it takes. */
function isAuthorized(header: string | undefined, tokenHash: Uint8Array): boolean {
  const given = /^Bearer (.{1,256})$/.exec(header ?? '')?.[1] ?? '';
  return timingSafeEqual(createHash('sha256').update(given).digest(), tokenHash);
}

async function listen(server: Server, begin: () => void, what: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'it is taken' : reason(error.code);
      reject(cliError('CONTROL_UNAVAILABLE', `${what} cannot be opened: ${why}`, { cause: error }));
    });
    server.once('listening', () => resolve());
    begin();
  });
  server.removeAllListeners('error');
  server.on('error', () => undefined); // accept() under file-descriptor shortage: the next one may succeed
}

/** Removes the socket of a daemon that died; never that of one that lives, nor a file that is no socket. */
async function clearSocket(path: string): Promise<void> {
  const directory = dirname(path);
  if (/[/\\]molia-\d+-[0-9a-f]{16}$/.test(directory)) prepareSocketDir(directory);
  const info = lstatSync(path, { throwIfNoEntry: false });
  if (info === undefined) return;
  if (!info.isSocket()) {
    throw cliError('CONTROL_UNAVAILABLE', `${path} exists and is not a socket`, { hint: 'Move it away' });
  }
  const alive = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  if (alive) {
    throw cliError('CONTROL_UNAVAILABLE', `control socket ${path} is in use by another process`, {
      hint: 'Stop that daemon, or choose another --control-socket',
    });
  }
  removeQuietly(path);
}

function removeQuietly(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // Already gone.
  }
}
