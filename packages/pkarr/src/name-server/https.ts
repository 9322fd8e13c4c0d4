/**
 * DNS over HTTPS (RFC 8484): GET and POST, HTTP/2 and 1.1 with a certificate, plain HTTP/1.1 behind a proxy that has one.
 * `/livez` and `/readyz` say how the server is.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import { isIP } from 'node:net';
import { ClientAddresses } from '../relay/client-address.ts';

const MEDIA_TYPE = 'application/dns-message';
/** A query longer than this is none. */
const QUERY_BYTES_MAX = 4_096;
const IDLE_MS = 30_000;
const REQUEST_MS = 10_000;
const STREAMS_MAX = 100;

export interface HttpsOptions {
  readonly httpsPath: string;
  readonly httpsConnectionsMax: number;
  readonly trustedProxies: readonly string[];
  readonly tlsCert: string | Uint8Array | undefined;
  readonly tlsKey: string | Uint8Array | undefined;
}

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

/** What became of a query: it will be answered, its sender is over a limit, or it is none. */
export type HttpsVerdict = 'taken' | 'limited' | 'malformed';

export class HttpsClients {
  readonly server: Server | Http2SecureServer;
  private readonly options: HttpsOptions;
  private readonly onQuery: (
    client: number,
    address: string,
    port: number,
    bytes: Uint8Array,
  ) => HttpsVerdict;
  private readonly addresses: ClientAddresses;
  private readonly waiting = new Map<number, Response>();
  private readonly closers = new Set<() => void>();
  private nextClient = 1;
  private stopped: Promise<void> | undefined;

  /** Throws what node:tls throws for a certificate or key that is none. */
  constructor(
    options: HttpsOptions,
    onQuery: (client: number, address: string, port: number, bytes: Uint8Array) => HttpsVerdict,
  ) {
    this.options = options;
    this.addresses = new ClientAddresses(options.trustedProxies);
    this.onQuery = onQuery;
    const { tlsCert, tlsKey } = options;
    const serve = (request: Request, response: Response): void => this.serve(request, response);
    if (tlsCert === undefined || tlsKey === undefined)
      this.server = createServer(
        { headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS, keepAliveTimeout: IDLE_MS },
        serve,
      );
    else
      this.server = createSecureServer(
        {
          cert: asPem(tlsCert),
          key: asPem(tlsKey),
          allowHTTP1: true,
          handshakeTimeout: REQUEST_MS,
          settings: { maxConcurrentStreams: STREAMS_MAX, enablePush: false },
        },
        serve,
      );
    this.server.maxConnections = options.httpsConnectionsMax;
    this.server.setTimeout(IDLE_MS);
    this.server.on('connection', (socket: { destroy(): void; once(event: 'close', f: () => void): void }) => {
      const destroy = (): void => socket.destroy();
      this.closers.add(destroy);
      socket.once('close', () => this.closers.delete(destroy));
    });
  }

  get count(): number {
    return this.closers.size;
  }

  answer(client: number, bytes: Uint8Array, ttlSeconds: number): void {
    const response = this.waiting.get(client);
    if (response === undefined) return;
    this.waiting.delete(client);
    // RFC 8484 §5.1: no copy is fresh for longer than the least TTL in it.
    this.head(response, 200, {
      'content-type': MEDIA_TYPE,
      'content-length': bytes.length,
      'cache-control': `max-age=${ttlSeconds}`,
    });
    response.end(bytes);
  }

  /** Takes no more connections; `/readyz` says 503 on those that are there. */
  stop(): Promise<void> {
    this.stopped ??= new Promise((resolve) => this.server.close(() => resolve()));
    return this.stopped;
  }

  /** Ends every connection; resolves when the port is free. */
  close(): Promise<void> {
    const stopped = this.stop();
    for (const destroy of this.closers) destroy();
    return stopped;
  }

  private serve(request: Request, response: Response): void {
    response.on('error', () => undefined);
    const { method = '' } = request;
    const url = new URL(request.url ?? '/', 'http://host');
    if (url.pathname === '/livez' || url.pathname === '/readyz') {
      const isGood = url.pathname === '/livez' || this.stopped === undefined;
      this.text(response, isGood ? 200 : 503, isGood ? 'ok' : 'closing');
    } else if (url.pathname !== this.options.httpsPath)
      this.text(response, 404, `no such page; queries go to ${this.options.httpsPath}`);
    else if (method === 'GET' || method === 'HEAD') {
      const text = url.searchParams.get('dns') ?? '';
      const isBase64 = /^[\w-]+$/.test(text) && text.length <= (QUERY_BYTES_MAX * 4) / 3;
      if (isBase64) this.query(request, response, Buffer.from(text, 'base64url'));
      else this.text(response, 400, 'the parameter dns must hold a DNS message in base64url without padding');
    } else if (method === 'POST') {
      const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
      if (type === MEDIA_TYPE) this.body(request, response);
      else this.text(response, 415, `the content type must be ${MEDIA_TYPE}`);
    } else if (method === 'OPTIONS') {
      this.head(response, 204, {
        'access-control-allow-methods': 'GET, POST',
        'access-control-allow-headers': 'content-type, accept',
        'access-control-max-age': 86_400,
      });
      response.end();
    } else {
      this.head(response, 405, { allow: 'GET, HEAD, POST, OPTIONS' });
      response.end();
    }
  }

  private body(request: Request, response: Response): void {
    const chunks: Uint8Array[] = [];
    let length = 0;
    request.on('data', (chunk: Uint8Array) => {
      if (length > QUERY_BYTES_MAX) return;
      length += chunk.length;
      chunks.push(chunk);
      if (length <= QUERY_BYTES_MAX) return;
      chunks.length = 0;
      this.text(response, 413, `a query has at most ${QUERY_BYTES_MAX} bytes`);
    });
    request.on('end', () => {
      if (length <= QUERY_BYTES_MAX) this.query(request, response, Buffer.concat(chunks, length));
    });
  }

  private query(request: Request, response: Response, bytes: Uint8Array): void {
    const address = this.addresses.of(request);
    // The connection is gone already.
    if (isIP(address) === 0) return;
    const client = this.nextClient++;
    this.waiting.set(client, response);
    response.once('close', () => this.waiting.delete(client));
    const verdict = this.onQuery(client, address, request.socket.remotePort ?? 0, bytes);
    if (verdict === 'taken') return;
    this.waiting.delete(client);
    if (verdict === 'malformed') this.text(response, 400, 'that is no DNS query');
    else {
      this.head(response, 429, { 'content-type': 'text/plain', 'retry-after': 1 });
      response.end('too many queries from your network\n');
    }
  }

  private text(response: Response, status: number, text: string): void {
    this.head(response, status, { 'content-type': 'text/plain', 'cache-control': 'no-store' });
    response.end(`${text}\n`);
  }

  private head(response: Response, status: number, headers: Record<string, string | number>): void {
    const all = { 'access-control-allow-origin': '*', ...headers };
    // Two overloads of one method: a union of them cannot be called.
    (response as ServerResponse).writeHead(status, all);
  }
}

function asPem(given: string | Uint8Array): string | Buffer {
  return typeof given === 'string' ? given : Buffer.from(given);
}
