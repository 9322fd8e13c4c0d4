/**
 * The relay: packets of the Mainline DHT over HTTP, for those who have no UDP. GET and PUT of `/<key>`, whose bodies are payloads; a
 * page at `/`; `/livez`, `/readyz`, `/healthz`. It stores nothing that its signature does not cover and forwards nothing else.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Curves, type GivenOptions, intInRange, nobleCurves, resolveOptions } from '@molia/core';
import { createPkarrClient, type PkarrClient } from '../client.ts';
import type { MutableStore } from '../mainline-carrier.ts';
import type { PacketCache } from '../packet-cache.ts';
import { createMemoryCache } from '../packet-cache.ts';
import { ClientAddresses } from './client-address.ts';
import { KeyRoutes } from './key-routes.ts';
import { type Reply, refusal, send } from './reply.ts';
import { statusPage } from './status-page.ts';

const DEFAULTS = Object.freeze({
  host: '127.0.0.1' as string,
  /** TCP port; 0 = any free one. */
  port: 6881 as number,
  /** Addresses and networks of proxies whose X-Forwarded-For is believed. */
  trustedProxies: [] as readonly string[],
  /** Requests of an IPv4 address or an IPv6 /64 per second in the long run, and at once; 0 = no limit. */
  requestsPerSecond: 10 as number,
  requestsBurst: 40 as number,
  /** The same for requests that make the relay ask the DHT. */
  lookupsPerSecond: 2 as number,
  lookupsBurst: 10 as number,
  /** Requests that wait for the DHT at a time. */
  lookupsMax: 256 as number,
  connectionsMax: 1024 as number,
  /** Packets in memory, some 4 KiB each. */
  cachePacketsMax: 20_000 as number,
  /** Instead of memory. */
  cache: undefined as PacketCache | undefined,
  ttlSecondsMin: 300 as number,
  ttlSecondsMax: 86_400 as number,
  /** Of a search or a write in the DHT. */
  mainlineTimeoutMs: 20_000 as number,
  /** How long `close` lets requests finish. */
  closeGraceMs: 5_000 as number,
  curves: nobleCurves as Curves,
});

const NO_COUNTS = Object.freeze({
  requests: 0 as number,
  puts: 0 as number,
  gets: 0 as number,
  cacheHits: 0 as number,
  notFound: 0 as number,
  notModified: 0 as number,
  conflicts: 0 as number,
  malformed: 0 as number,
  limited: 0 as number,
  unavailable: 0 as number,
  refreshes: 0 as number,
});
export type RelayCounters = { -readonly [Name in keyof typeof NO_COUNTS]: number };

/** The node of the DHT that a relay speaks for; it stays the caller's. `Mainline` of `@molia/mainline/node` fits. */
export interface RelayNode extends MutableStore {
  info(): { readonly contacts: number; readonly sizeEstimate: { readonly nodes: number } };
}

export type RelayOptions = GivenOptions<typeof DEFAULTS> & { readonly mainline: RelayNode };
export type ResolvedRelayOptions = Readonly<typeof DEFAULTS>;

/** Starts a relay. Rejects with the system's error when the port cannot be bound; throws TypeError or RangeError for options. */
export async function createRelay({ mainline, ...given }: RelayOptions): Promise<Relay> {
  if (typeof mainline?.getMutable !== 'function')
    throw new TypeError('createRelay needs `mainline`: a node made by createMainline');
  const options = resolveOptions('createRelay', DEFAULTS, given, {
    port: [0, 65535],
    lookupsMax: [1, 65_536],
    connectionsMax: [1, 65_536],
    cachePacketsMax: [0, 10_000_000],
    closeGraceMs: [0, 600_000],
  });
  for (const name of ['requestsPerSecond', 'requestsBurst', 'lookupsPerSecond', 'lookupsBurst'] as const)
    if (!(options[name] >= 0 && options[name] <= 1_000_000))
      throw new RangeError(`createRelay.${name} must be from 0 to 1000000, not ${options[name]}`);
  intInRange('createRelay.ttlSecondsMin', options.ttlSecondsMin, 0, options.ttlSecondsMax);
  const relay = new Relay(mainline, options);
  await relay.listen();
  return relay;
}

/** A running relay. Made by `createRelay`. */
export class Relay {
  readonly #node: RelayNode;
  readonly #options: ResolvedRelayOptions;
  readonly #client: PkarrClient;
  readonly #routes: KeyRoutes;
  readonly #addresses: ClientAddresses;
  readonly #server: Server;
  readonly #counters: RelayCounters = { ...NO_COUNTS };
  #url = '';
  #isClosing = false;
  #closed: Promise<void> | undefined;

  constructor(node: RelayNode, options: ResolvedRelayOptions) {
    this.#node = node;
    this.#options = options;
    this.#addresses = new ClientAddresses(options.trustedProxies);
    const cache = options.cache ?? createMemoryCache(options.cachePacketsMax);
    const { ttlSecondsMin, ttlSecondsMax, mainlineTimeoutMs, curves } = options;
    this.#client = createPkarrClient({
      mainline: node,
      relays: [],
      cache,
      ttlSecondsMin,
      ttlSecondsMax,
      mainlineTimeoutMs,
      curves,
    });
    this.#routes = new KeyRoutes(this.#client, options, this.#counters);
    this.#server = createServer(
      // A request is 1 KB: whoever takes longer than this to send one holds a connection for nothing.
      { headersTimeout: 10_000, requestTimeout: 20_000, keepAliveTimeout: 10_000, maxHeaderSize: 8192 },
      (request, response) => void this.#answer(request, response),
    );
    this.#server.maxConnections = options.connectionsMax;
  }

  /** Binds the port; for `createRelay`. */
  async listen(): Promise<void> {
    this.#server.listen(this.#options.port, this.#options.host);
    await once(this.#server, 'listening');
    const { address, port } = this.#server.address() as AddressInfo;
    this.#url = `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
  }

  /** `http://host:port`, where it listens. */
  get url(): string {
    return this.#url;
  }

  /** What happened so far, by name. */
  counters(): Readonly<Record<string, number>> {
    return { ...this.#counters };
  }

  /**
   * Takes no new connection, lets requests finish for `closeGraceMs`, and ends what is left. Does not close `mainline`. Harmless
   * when closed.
   */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#isClosing = true;
    const ended = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), this.#options.closeGraceMs);
    await ended;
    clearTimeout(timer);
    await this.#client.close();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#counters.requests++;
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    request.on('error', () => gone.abort());
    let reply: Reply;
    try {
      reply = await this.#replyTo(request, gone.signal);
    } catch {
      // What the handlers do not foresee must not end the process, nor tell the client about our insides.
      reply = refusal(500, 'the relay failed; please try again');
    }
    if (response.destroyed || response.headersSent) return;
    // What was not read of a body would be taken for the next request.
    if (!request.complete || this.#isClosing) response.setHeader('Connection', 'close');
    send(response, reply, request.method === 'HEAD');
  }

  async #replyTo(request: IncomingMessage, gone: AbortSignal): Promise<Reply> {
    const { method = '', url = '/' } = request;
    const target = URL.canParse(url, 'http://relay') ? new URL(url, 'http://relay') : undefined;
    if (target === undefined) return refusal(400, 'the path is malformed');
    const path = target.pathname.slice(1);
    if (method === 'OPTIONS') return { status: 204 };
    if (path === 'livez') return { status: 200, headers: TEXT, body: 'ok\n' };
    if (path === 'readyz' || path === 'healthz') return this.#health();
    const address = this.#addresses.of(request);
    const limited = this.#routes.limit(address);
    if (limited !== undefined) return limited;
    const isRead = method === 'GET' || method === 'HEAD';
    if (path === '') return isRead ? this.#page() : refusal(405, 'only GET', { Allow: 'GET, HEAD, OPTIONS' });
    if (isRead) return this.#routes.get(path, target.searchParams, request, address, gone);
    if (method === 'PUT') return this.#routes.put(path, request, address, gone);
    return refusal(405, 'only GET and PUT', { Allow: 'GET, HEAD, PUT, OPTIONS' });
  }

  #health(): Reply {
    const { contacts } = this.#node.info();
    const isReady = !this.#isClosing && contacts > 0;
    const body = { ready: isReady, closing: this.#isClosing, contacts };
    return {
      status: isReady ? 200 : 503,
      headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' },
      body: `${JSON.stringify(body)}\n`,
    };
  }

  #page(): Reply {
    const { contacts, sizeEstimate } = this.#node.info();
    return {
      status: 200,
      headers: {
        'Content-Type': 'text/html; charset=utf-8',
        'Cache-Control': 'no-store',
        'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
      },
      body: statusPage({ contacts, nodes: sizeEstimate.nodes, counters: this.counters() }),
    };
  }
}

const TEXT = { 'Content-Type': 'text/plain; charset=utf-8', 'Cache-Control': 'no-store' };
