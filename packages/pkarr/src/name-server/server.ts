/** The name server on sockets: UDP and TCP on one port, HTTPS on another. Everything is bounded; nothing is left after `close`. */
import { createSocket, type Socket } from 'node:dgram';
import type { AddressInfo, Server } from 'node:net';
import { performance } from 'node:perf_hooks';
import {
  createSecureRng,
  ENDPOINT_BYTES,
  endpointAddress,
  endpointPort,
  type GivenOptions,
  IDLE,
  intInRange,
  MoliaError,
  parseEndpoint,
  resolveOptions,
  writeEndpoint,
} from '@molia/core';
import { DnsEngine, ENGINE_DEFAULTS } from '../dns/engine.ts';
import { Carrier, DnsVerdict, type Output } from '../dns/types.ts';
import { Asks } from './asks.ts';
import { HttpsClients } from './https.ts';
import { findPacket, type PacketSource } from './packet-source.ts';
import { TcpClients } from './tcp.ts';

export type NameServerErrorCode =
  /** The port is taken. */
  | 'ADDRESS_IN_USE'
  /** The address is not one of this machine, or the port may not be used by this user. */
  | 'ADDRESS_UNAVAILABLE'
  /** Certificate or key cannot be used. */
  | 'TLS_UNUSABLE';

const { upstreams: _upstreams, ...ENGINE_OPTIONS } = ENGINE_DEFAULTS;

const DEFAULTS = Object.freeze({
  ...ENGINE_OPTIONS,
  /** Finds packets; without it the answer to every key is SERVFAIL. */
  client: undefined as PacketSource | undefined,
  /** `address:port` or `address` (port 53) of the servers for ordinary names; none = such names are refused. */
  upstreams: [] as readonly string[],
  host: '127.0.0.1' as string,
  /** Of UDP and TCP; 0 = any free one. */
  port: 53 as number,
  /** Port of DNS over HTTPS; `undefined` = none, 0 = any free one. */
  httpsPort: undefined as number | undefined,
  /** Unless told, `host`. */
  httpsHost: undefined as string | undefined,
  httpsPath: '/dns-query' as string,
  /** PEM. Without both the HTTPS port speaks plain HTTP, for a proxy in front. */
  tlsCert: undefined as string | Uint8Array | undefined,
  tlsKey: undefined as string | Uint8Array | undefined,
  /** Addresses and networks of proxies in front of HTTPS, whose X-Forwarded-For is believed. */
  trustedProxies: [] as readonly string[],
  tcpConnectionsMax: 512 as number,
  tcpConnectionsPerAddressMax: 64 as number,
  /** Unanswered queries of one connection before the next is read. */
  tcpPipelinedMax: 32 as number,
  /** A connection without a whole query for so long is closed. */
  tcpIdleMs: 10_000 as number,
  httpsConnectionsMax: 512 as number,
  /** Closes the server. */
  signal: undefined as AbortSignal | undefined,
});

export type NameServerOptions = GivenOptions<typeof DEFAULTS>;

export interface NameServerStats {
  /** Milliseconds since the start. */
  readonly uptimeMs: number;
  readonly pending: number;
  readonly tcpConnections: number;
  readonly httpsConnections: number;
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  readonly counters: Readonly<Record<string, number>>;
}

export interface BoundPlace {
  readonly host: string;
  readonly port: number;
}

/** How long `close` waits for answers that are owed. */
const GRACE_MS = 2_000;
/** Attempts to find a number that is free for UDP and TCP. */
const PORT_ATTEMPTS = 16;

/** Starts a name server. Rejects with MoliaError ADDRESS_IN_USE, ADDRESS_UNAVAILABLE or TLS_UNUSABLE; TypeError, RangeError for options. */
export async function createNameServer(options?: NameServerOptions): Promise<NameServer> {
  const o = resolveOptions('createNameServer', DEFAULTS, options, {
    port: [0, 65_535],
    tcpConnectionsMax: [1, 65_536],
    tcpConnectionsPerAddressMax: [1, 65_536],
    tcpPipelinedMax: [1, 65_536],
    tcpIdleMs: [1, 3_600_000],
    httpsConnectionsMax: [1, 65_536],
  });
  if (o.httpsPort !== undefined) intInRange('createNameServer.httpsPort', o.httpsPort, 0, 65_535);
  if ((o.tlsCert === undefined) !== (o.tlsKey === undefined))
    throw new TypeError('tlsCert and tlsKey are given together or not at all');
  if (!/^\/[\w./-]*$/.test(o.httpsPath)) throw new RangeError(`httpsPath ${o.httpsPath} is no path`);
  o.signal?.throwIfAborted();
  const server = new NameServer(o);
  await server.open();
  return server;
}

/** A running name server. Made by `createNameServer`. */
export class NameServer {
  private readonly options: Readonly<typeof DEFAULTS>;
  private readonly engine: DnsEngine;
  private readonly startedAt = performance.now();
  private readonly asks: Asks;
  private readonly tcp: TcpClients;
  private readonly https: HttpsClients | undefined;
  private readonly lookups = new Map<number, AbortController>();
  private readonly from = new Uint8Array(ENDPOINT_BYTES);
  private readonly isIpv6: boolean;
  private udp: Socket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private isDraining = false;
  private closing: Promise<void> | undefined;
  private isClosed = false;
  private tellIdle: () => void = () => undefined;
  private readonly onAbort = (): void => void this.close();

  constructor(options: Readonly<typeof DEFAULTS>) {
    this.options = options;
    this.isIpv6 = options.host.includes(':');
    const engineOptions = Object.fromEntries(
      Object.keys(ENGINE_OPTIONS).map((key) => [key, options[key as keyof typeof ENGINE_OPTIONS]]),
    );
    const upstreams = options.upstreams.map(upstreamEndpoint);
    this.engine = new DnsEngine({ ...engineOptions, upstreams }, createSecureRng());
    this.asks = new Asks({
      onReply: (flight, bytes) => {
        this.engine.handleReply(this.now(), flight, bytes);
        this.drain();
      },
      onUnreachable: (flight) => {
        this.engine.handleUnreachable(this.now(), flight);
        this.drain();
      },
    });
    this.tcp = new TcpClients(options, (client, address, port, bytes) => {
      const verdict = this.query(Carrier.TCP, client, address, port, bytes);
      return verdict !== DnsVerdict.NO_QUERY;
    });
    try {
      this.https =
        options.httpsPort === undefined
          ? undefined
          : new HttpsClients(options, (client, address, port, bytes) => {
              const verdict = this.query(Carrier.HTTPS, client, address, port, bytes);
              if (verdict === DnsVerdict.TAKEN) return 'taken';
              return verdict === DnsVerdict.LIMITED ? 'limited' : 'malformed';
            });
    } catch (cause) {
      if (cause instanceof RangeError) throw cause;
      throw new MoliaError<NameServerErrorCode>(
        'TLS_UNUSABLE',
        `the certificate or its key cannot be used: ${cause instanceof Error ? cause.message : cause}`,
        { cause, hint: 'pass a PEM certificate chain and the private key that belongs to it' },
      );
    }
  }

  /** For `createNameServer`: binds the sockets; nothing stays open when one cannot be. */
  async open(): Promise<void> {
    const { host, port, httpsHost, httpsPort, signal } = this.options;
    try {
      for (let attempt = 1; this.udp === undefined; attempt++) {
        await listen(this.tcp.server, port, host);
        const bound = this.tcp.server.address() as AddressInfo;
        try {
          this.udp = await bindUdp(bound.port, host);
        } catch (error) {
          // Any port will do, and this one is taken for UDP.
          if (port !== 0 || attempt === PORT_ATTEMPTS) throw error;
          await new Promise((done) => this.tcp.server.close(done));
        }
      }
      if (this.https !== undefined)
        await listen(this.https.server as Server, httpsPort ?? 0, httpsHost ?? host);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.udp.on('message', (bytes, info) => {
      this.query(Carrier.UDP, 0, info.address, info.port, bytes);
    });
    signal?.addEventListener('abort', this.onAbort, { once: true });
    if (signal?.aborted) await this.close();
  }

  /** Where UDP and TCP are served. */
  get address(): BoundPlace {
    const { address, port } = (this.udp as Socket).address();
    return { host: address, port };
  }

  /** Where HTTPS is served, if it is. */
  get httpsAddress(): BoundPlace | undefined {
    const bound = this.https?.server.address() as AddressInfo | null | undefined;
    return bound ? { host: bound.address, port: bound.port } : undefined;
  }

  stats(): NameServerStats {
    return {
      uptimeMs: this.now(),
      pending: this.engine.pending,
      tcpConnections: this.tcp.count,
      httpsConnections: this.https?.count ?? 0,
      cacheEntries: this.engine.cacheEntries,
      cacheBytes: this.engine.cacheBytes,
      counters: this.engine.counters.snapshot(),
    };
  }

  /** Takes no more queries, gives the answers that are owed (for at most 2 s), and frees everything. Harmless when closed. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    this.options.signal?.removeEventListener('abort', this.onAbort);
    this.udp?.removeAllListeners('message');
    void this.tcp.stop();
    void this.https?.stop();
    if (this.engine.pending > 0) {
      const grace = new Promise<void>((resolve) => {
        this.tellIdle = resolve;
      });
      const timer = setTimeout(this.tellIdle, GRACE_MS);
      await grace;
      clearTimeout(timer);
    }
    this.isClosed = true;
    clearTimeout(this.timer);
    this.asks.close();
    for (const lookup of this.lookups.values()) lookup.abort();
    this.lookups.clear();
    this.engine.clear();
    await Promise.all([this.tcp.close(), this.https?.close()]);
    const { udp } = this;
    if (udp !== undefined) await new Promise<void>((resolve) => udp.close(() => resolve()));
  }

  private now(): number {
    return Math.floor(performance.now() - this.startedAt);
  }

  private query(
    carrier: Carrier,
    client: number,
    address: string,
    port: number,
    bytes: Uint8Array,
  ): DnsVerdict {
    writeEndpoint(this.from, 0, address.split('%')[0] as string, port);
    const verdict = this.engine.handleQuery(this.now(), carrier, client, this.from, 0, bytes);
    this.drain();
    return verdict;
  }

  /** Does what the engine wants done, and sets the timer. */
  private drain(): void {
    if (this.isDraining || this.isClosed) return;
    this.isDraining = true;
    // BOUNDED: by the outputs of one input; what they lead to comes in later turns.
    for (let output = this.engine.pollOutput(); output !== undefined; output = this.engine.pollOutput())
      this.perform(output);
    this.isDraining = false;
    if (this.engine.pending === 0) this.tellIdle();
    clearTimeout(this.timer);
    const delay = this.engine.nextDelay(this.now());
    if (delay < IDLE) this.timer = setTimeout(() => this.wake(), delay);
  }

  private wake(): void {
    if (this.isClosed) return;
    this.engine.handleTimeout(this.now());
    this.drain();
  }

  private perform(output: Output): void {
    switch (output.kind) {
      case 'answer': {
        const { carrier, client, endpoint, bytes } = output;
        if (carrier === Carrier.UDP) {
          const address = endpointAddress(endpoint);
          // A socket of both families takes IPv4 addresses in IPv6's clothes only.
          const to = this.isIpv6 && !address.includes(':') ? `::ffff:${address}` : address;
          this.udp?.send(bytes, endpointPort(endpoint), to, () => undefined);
        } else if (carrier === Carrier.TCP) this.tcp.answer(client, bytes);
        else this.https?.answer(client, bytes, output.ttlSeconds);
        break;
      }
      case 'ask':
        this.asks.ask(output.flight, output.endpoint, output.overTcp, output.bytes);
        break;
      case 'lookup':
        this.lookup(output.flight, output.key);
        break;
      case 'release': {
        this.asks.release(output.flight);
        this.lookups.get(output.flight)?.abort();
        this.lookups.delete(output.flight);
      }
    }
  }

  private lookup(flight: number, key: Uint8Array): void {
    const abort = new AbortController();
    this.lookups.set(flight, abort);
    const land = (act: () => void): void => {
      if (this.lookups.get(flight) !== abort) return;
      this.lookups.delete(flight);
      act();
      this.drain();
    };
    const { client } = this.options;
    // In a promise from the start: a client that throws is one that could not ask anybody.
    const found = Promise.resolve().then(() => {
      if (client === undefined) throw new Error('no client');
      return findPacket(client, key, abort.signal);
    });
    found.then(
      (packet) =>
        land(() => {
          const age = packet?.lastSeen === undefined ? 0 : Math.max(0, Date.now() - packet.lastSeen);
          this.engine.handleZone(this.now(), flight, packet?.message, age);
        }),
      () => land(() => this.engine.handleZoneFailed(this.now(), flight)),
    );
  }
}

/** Throws RangeError that quotes the text. */
function upstreamEndpoint(text: string): Uint8Array {
  if (/^[\d.]+$/.test(text)) return parseEndpoint(`${text}:53`);
  if (/^[\da-f:.]+$/i.test(text) && text.split(':').length > 2) return parseEndpoint(`[${text}]:53`);
  return parseEndpoint(text);
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error): void => reject(bindFailure(cause, host, port));
    server.once('error', fail);
    server.listen({ port, host }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}

async function bindUdp(port: number, host: string): Promise<Socket> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4' });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, host, resolve);
    });
  } catch (cause) {
    socket.close();
    throw bindFailure(cause as Error, host, port);
  }
  socket.removeAllListeners('error');
  // An answer that cannot be sent is a lost datagram.
  socket.on('error', () => undefined);
  return socket;
}

function bindFailure(
  cause: NodeJS.ErrnoException,
  host: string,
  port: number,
): MoliaError<NameServerErrorCode> {
  if (cause.code === 'EADDRINUSE')
    return new MoliaError('ADDRESS_IN_USE', `port ${port} of ${host} is taken`, {
      cause,
      hint: 'choose another port, or stop what holds it (on port 53 often systemd-resolved)',
    });
  const why = cause.code === 'EACCES' ? 'this user may not use that port' : cause.message;
  return new MoliaError('ADDRESS_UNAVAILABLE', `cannot listen on ${host} port ${port}: ${why}`, {
    cause,
    hint: 'choose an address of this machine and a port above 1023, or allow the low port',
  });
}
