/** `molia pkarr dns`: a name server for public keys and everything else, in the foreground. */
import { createPkarrClient, type PkarrClient } from '@molia/pkarr';
import { createNameServer, type NameServer, type PacketSource } from '@molia/pkarr/dns';
import { cliError } from '../../errors.ts';
import { createLog, type Logger } from '../../log.ts';
import { columns } from '../../output.ts';
import type { Context } from '../../program.ts';
import { stopSignal } from '../../signals.ts';
import { readVersion } from '../../version.ts';
import { configOf, readInput } from '../verb-io.ts';
import { openMainline } from './network.ts';

/** Between two attempts to reach the DHT, doubling. */
const RETRY_MS_MIN = 1_000;
const RETRY_MS_MAX = 60_000;
const STATS_SECONDS = 60;
/** The name server's own defaults: the client beneath it must not keep a packet for longer. */
const TTL_SECONDS_MIN = 60;
const TTL_SECONDS_MAX = 86_400;

interface Options {
  readonly host?: string;
  readonly port?: number;
  readonly upstream?: readonly string[];
  readonly relay?: readonly string[];
  readonly dht: boolean;
  readonly bootstrap?: readonly string[];
  readonly dhtHost?: string;
  readonly httpsPort?: number;
  readonly httpsHost?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly trustedProxy?: readonly string[];
  readonly topLevelDomain?: string;
  readonly queriesPerSecond?: number;
  readonly cacheBytes?: number;
  readonly ttlMin?: number;
  readonly ttlMax?: number;
  readonly stats?: number;
}

export async function dns(context: Context): Promise<void> {
  const stopping = stopSignal();
  const { output } = context;
  const options = context.options as unknown as Options;
  if (!options.dht && options.relay === undefined)
    throw cliError('USAGE', 'there is nobody to ask for packets', {
      hint: 'Give a --relay, or leave out --no-dht',
    });
  if ((options.tlsCert === undefined) !== (options.tlsKey === undefined))
    throw cliError('USAGE', '--tls-cert and --tls-key are given together or not at all');
  if (options.tlsCert !== undefined && options.httpsPort === undefined)
    throw cliError('USAGE', '--tls-cert is of no use without --https-port');
  await checkNetwork(options);
  const log = await createLog(configOf(context, ['bootstrap']));
  const source = new Packets(context, options, log);
  const server = await startServer(options, source);
  // Only now: the names of the DHT's first nodes and of relays may be asked of this very server.
  source.start();
  const { address, httpsAddress } = server;
  const version = readVersion();
  const place = (at: { host: string; port: number }): string =>
    `${at.host.includes(':') ? `[${at.host}]` : at.host}:${at.port}`;
  const upstreams = options.upstream ?? [];
  output.emit(
    {
      event: 'started',
      address: place(address),
      https: httpsAddress === undefined ? null : place(httpsAddress),
      upstreams,
      relays: options.relay ?? [],
      dht: options.dht,
      pid: process.pid,
      version,
    },
    [
      `molia ${version}: name server, ready after ${Math.round(performance.now())} ms`,
      '',
      columns([
        ['UDP, TCP', place(address)],
        ...(httpsAddress === undefined
          ? []
          : [
              [options.tlsCert === undefined ? 'HTTP' : 'HTTPS', `${place(httpsAddress)}/dns-query`] as const,
            ]),
        [
          'upstreams',
          upstreams.length === 0 ? 'none: only names under keys are answered' : upstreams.join(', '),
        ],
        ['packets from', [...(options.dht ? ['the Mainline DHT'] : []), ...(options.relay ?? [])].join(', ')],
      ]),
      '',
      `  dig @${address.host} -p ${address.port} PUBLIC_KEY`,
      'Ctrl-C stops it.',
    ].join('\n'),
  );
  const seconds = options.stats ?? (output.json ? STATS_SECONDS : 0);
  const tell = (event: string): void => {
    const { counters, ...rest } = server.stats();
    const answered = Object.entries(counters)
      .filter(([name]) => name.startsWith('answered') && name !== 'answeredStale')
      .reduce((sum, [, count]) => sum + count, 0);
    output.emit(
      { event, ...rest, counters },
      `${answered} answers, ${counters['keyLookups']} searches for keys, ${counters['upstreamAsks']} questions forwarded, ${counters['limited']} over a limit`,
    );
  };
  const timer = seconds === 0 ? undefined : setInterval(() => tell('stats'), seconds * 1000);
  await stopping.requested;
  clearInterval(timer);
  log.info('stopping');
  await server.close();
  tell('stopped');
  // A search for the first nodes of the DHT may hang in the system's resolver: the process does not wait for that.
  stopping.done();
  await source.close();
}

/** What the DHT and the relays would refuse: it is tried again and again later, and should fail now. */
async function checkNetwork({ bootstrap = [], relay }: Options): Promise<void> {
  const wrong = bootstrap.find((text) => !/^(?:\[[^\]]+\]|[^:]+):\d{1,5}$/.test(text));
  if (wrong !== undefined) throw cliError('USAGE', `${wrong} is no node of the DHT: expected HOST:PORT`);
  if (relay === undefined) return;
  try {
    await createPkarrClient({ relays: relay }).close();
  } catch (error) {
    throw cliError('USAGE', (error as Error).message, { cause: error });
  }
}

async function startServer(options: Options, client: PacketSource): Promise<NameServer> {
  const [tlsCert, tlsKey] = await Promise.all(
    [options.tlsCert, options.tlsKey].map((file) => file && readInput(file)),
  );
  try {
    return await createNameServer({
      client,
      upstreams: options.upstream,
      host: options.host,
      port: options.port,
      httpsPort: options.httpsPort,
      httpsHost: options.httpsHost,
      tlsCert: tlsCert || undefined,
      tlsKey: tlsKey || undefined,
      trustedProxies: options.trustedProxy,
      topLevelDomain: options.topLevelDomain,
      queriesPerSecond: options.queriesPerSecond,
      cacheBytesMax: options.cacheBytes,
      keyTtlSecondsMin: options.ttlMin,
      keyTtlSecondsMax: options.ttlMax,
    });
  } catch (error) {
    // What was typed is wrong: an upstream that is no address, a port beyond 65535.
    if (error instanceof RangeError || error instanceof TypeError)
      throw cliError('USAGE', error.message, { cause: error });
    throw error;
  }
}

/** The client of the DHT and the relays, opened after the server and tried again until it opens. */
class Packets implements PacketSource {
  private readonly context: Context;
  private readonly options: Options;
  private readonly log: Logger;
  private readonly closing = new AbortController();
  private dht: Awaited<ReturnType<typeof openMainline>> | undefined;
  private client: PkarrClient | undefined;
  private opening: Promise<void> = Promise.resolve();
  private tellOpen: (client: PkarrClient) => void = () => undefined;
  private readonly open = new Promise<PkarrClient>((resolve) => {
    this.tellOpen = resolve;
  });

  constructor(context: Context, options: Options, log: Logger) {
    this.context = context;
    this.options = options;
    this.log = log;
  }

  start(): void {
    this.opening = this.connect();
  }

  async resolve(
    ...[publicKey, { signal }]: Parameters<PacketSource['resolve']>
  ): ReturnType<PacketSource['resolve']> {
    const client = await Promise.race([this.open, aborted(signal)]);
    return client.resolve(publicKey, { signal });
  }

  async close(): Promise<void> {
    this.closing.abort(new Error('closed'));
    await this.opening;
    await this.client?.close();
    await this.dht?.close();
  }

  private async connect(): Promise<void> {
    const { dht, dhtHost, relay = [] } = this.options;
    const { signal } = this.closing;
    for (let delay = RETRY_MS_MIN; !signal.aborted; delay = Math.min(2 * delay, RETRY_MS_MAX)) {
      try {
        if (dht) this.dht ??= await openMainline(this.context, { host: dhtHost, mode: 'client', port: 0 });
        this.client = createPkarrClient({
          mainline: this.dht?.mainline,
          relays: relay,
          ttlSecondsMin: this.options.ttlMin ?? TTL_SECONDS_MIN,
          ttlSecondsMax: this.options.ttlMax ?? TTL_SECONDS_MAX,
        });
        this.tellOpen(this.client);
        this.log.info({ dht, relays: relay.length }, 'ready to look for packets');
        return;
      } catch (error) {
        this.log.warn({ error: String(error), retryMs: delay }, 'the DHT cannot be reached');
        await Promise.race([new Promise((done) => setTimeout(done, delay).unref()), aborted(signal)]).catch(
          () => undefined,
        );
      }
    }
  }
}

/** Rejects with the signal's reason. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
