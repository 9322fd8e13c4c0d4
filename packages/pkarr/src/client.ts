/** The client: packets of public keys over the Mainline DHT and relays, with a cache. */
import { type Curves, type GivenOptions, MoliaError, nobleCurves, resolveOptions } from '@molia/core';
import type { Carrier, ResolvePolicy } from './carrier.ts';
import { DEFAULT_RELAYS } from './constants.ts';
import { type Endpoint, type EndpointOptions, walkEndpoints } from './endpoints.ts';
import { failure } from './errors.ts';
import { PublicKey } from './keys.ts';
import { Lookup } from './lookup.ts';
import { MainlineCarrier, type MutableStore } from './mainline-carrier.ts';
import { createMemoryCache, type PacketCache } from './packet-cache.ts';
import { RelayCarrier } from './relay-carrier.ts';
import type { SignedPacket } from './signed-packet.ts';

const DEFAULTS = Object.freeze({
  /** A node of the DHT, which stays the caller's: `createMainline()` of `@molia/mainline/node`. */
  mainline: undefined as MutableStore | undefined,
  /** URLs of relays; an empty list = none. */
  relays: DEFAULT_RELAYS,
  /** Where packets are kept; unless given, the last `cachePacketsMax` in memory. */
  cache: undefined as PacketCache | undefined,
  /** 0 = nothing is kept. */
  cachePacketsMax: 1000 as number,
  /** A packet is used for the least TTL of its records, but not shorter or longer than these. */
  ttlSecondsMin: 300 as number,
  ttlSecondsMax: 86_400 as number,
  /** How long after that a packet may still be used when nobody answers; 0 = never. */
  staleSecondsMax: 0 as number,
  relayTimeoutMs: 10_000 as number,
  /** Of a whole search or write in the DHT; single requests have the node's own. */
  mainlineTimeoutMs: 30_000 as number,
  curves: nobleCurves as Curves,
});

export type PkarrClientOptions = GivenOptions<typeof DEFAULTS>;

/** What a publication achieved. */
export interface PublishOutcome {
  /** Nodes of the DHT that confirmed it: the most that any carrier reported, not the sum. */
  readonly storedAt: number;
  /** Carriers (the DHT is one, each relay is one) that took it, and that were asked. */
  readonly takenBy: number;
  readonly askedOf: number;
}

interface Signalled {
  readonly signal?: AbortSignal | undefined;
}

/** Makes a client. Throws TypeError and RangeError for options, and NO_NETWORK when there is neither a DHT nor a relay. */
export function createPkarrClient(options?: PkarrClientOptions): PkarrClient {
  return new PkarrClient(options);
}

export class PkarrClient {
  readonly #options: Readonly<typeof DEFAULTS>;
  readonly #carriers: readonly { readonly carrier: Carrier; readonly timeoutMs: number }[];
  readonly #cache: PacketCache;
  /** Searches that callers share, by key. */
  readonly #lookups = new Map<string, Lookup>();
  readonly #closing = new AbortController();
  /** What runs; each ends soon after `#closing`. */
  readonly #running = new Set<Promise<unknown>>();

  constructor(options?: PkarrClientOptions) {
    const o = resolveOptions('createPkarrClient', DEFAULTS, options, {
      cachePacketsMax: [0, 10_000_000],
      ttlSecondsMin: [0, 0xffff_ffff],
      ttlSecondsMax: [0, 0xffff_ffff],
      staleSecondsMax: [0, 0xffff_ffff],
      relayTimeoutMs: [1, 600_000],
      mainlineTimeoutMs: [1, 600_000],
    });
    if (o.ttlSecondsMin > o.ttlSecondsMax)
      throw new RangeError('createPkarrClient.ttlSecondsMin may not be above ttlSecondsMax');
    this.#options = o;
    this.#cache = o.cache ?? createMemoryCache(o.cachePacketsMax);
    const { mainline, relays, curves } = o;
    this.#carriers = [
      ...(mainline === undefined
        ? []
        : [{ carrier: new MainlineCarrier(mainline, curves), timeoutMs: o.mainlineTimeoutMs }]),
      ...relays.map((url) => ({
        carrier: new RelayCarrier(url, o.relayTimeoutMs, curves),
        // A relay's own timeout comes first; this one is for the rest.
        timeoutMs: o.relayTimeoutMs + 1000,
      })),
    ];
    if (this.#carriers.length === 0)
      throw failure('NO_NETWORK', 'there is nobody to ask', 'pass `mainline`, or at least one of `relays`');
  }

  /**
   * The packet of a key (or of the key in a text), or `undefined` when nobody has one.
   *
   * - `CacheFirst`: what the cache holds while its TTL lasts, else the first answer that is not older. The search goes on in
   *   the background and refreshes the cache.
   * - `CacheOnly`: the cache, expired or not; else the caches of the relays. Never the DHT.
   * - `NetworkOnly`: asks everybody, waits for all, and takes the newest.
   *
   * Rejects with NO_RESPONSES, NEWEST_IS_NO_PACKET, CLOSED, or the reason of `signal`; throws INVALID_KEY.
   */
  async resolve(
    of: PublicKey | string,
    { policy = 'CacheFirst', signal }: Signalled & { readonly policy?: ResolvePolicy | undefined } = {},
  ): Promise<SignedPacket | undefined> {
    const key = keyOf(of);
    this.#requireOpen();
    signal?.throwIfAborted();
    const known = this.cached(key);
    if (policy === 'NetworkOnly') return this.#newest(key, signal);
    if (known !== undefined && (policy === 'CacheOnly' || known.expiresInSeconds(this.#options) > 0))
      return known;
    const lookup = policy === 'CacheFirst' ? this.#shared(key, known) : this.#search(key, policy, known);
    const first = await lookup.first(signal);
    if (first !== undefined) return first;
    // Everybody answered or failed, and none had a usable packet.
    if (known !== undefined && lookup.answered === 0 && this.#mayHelpOut(known)) return known;
    lookup.throwIfUseless();
    return undefined;
  }

  /** The newest packet that anybody has: `resolve` with NetworkOnly. */
  resolveMostRecent(of: PublicKey | string, options: Signalled = {}): Promise<SignedPacket | undefined> {
    return this.resolve(of, { ...options, policy: 'NetworkOnly' });
  }

  /** What the cache holds under a key, expired or not. Asks nobody. */
  cached(of: PublicKey | string): SignedPacket | undefined {
    return this.#cache.get(`${keyOf(of)}`);
  }

  /**
   * Stores a packet with everybody at once. `cas`: only where the packet with that timestamp is held, or none; a relay that
   * does not know the condition stores it anyway. Succeeds when more carriers took it than knew a newer one. Rejects with
   * NOT_MOST_RECENT, CAS_FAILED, CONCURRENT_WRITE, or what most carriers said.
   */
  async publish(
    packet: SignedPacket,
    { cas, signal }: Signalled & { readonly cas?: bigint | undefined } = {},
  ): Promise<PublishOutcome> {
    this.#requireOpen();
    signal?.throwIfAborted();
    const known = this.cached(packet.publicKey);
    if (known?.isMoreRecentThan(packet))
      throw failure('NOT_MOST_RECENT', 'a newer packet of this key was seen', 'resolve it, and sign again');
    const outcomes = await Promise.allSettled(
      this.#carriers.map(({ carrier, timeoutMs }) =>
        this.#limited(timeoutMs, carrier.name, signal, (limit) => carrier.publish(packet, cas, limit)),
      ),
    );
    signal?.throwIfAborted();
    const taken = outcomes.filter((outcome) => outcome.status === 'fulfilled').map(({ value }) => value);
    const failures = outcomes.filter((outcome) => outcome.status === 'rejected').map(({ reason }) => reason);
    const conflicts = failures.filter(isConflict);
    if (conflicts.length > 0 && conflicts.length >= taken.length) throw mostCommon(conflicts);
    if (taken.length === 0) throw mostCommon(failures);
    this.#keep(packet.withLastSeen(Date.now()));
    return { storedAt: Math.max(...taken), takenBy: taken.length, askedOf: outcomes.length };
  }

  /**
   * Where a service can be reached, best first: HTTPS (or SVCB) records of a name that ends in a key, aliases to other keys
   * followed. Ends after `packetsMax` packets. A record whose target cannot be resolved is passed over.
   */
  resolveEndpoints(name: string, options: EndpointOptions = {}): AsyncGenerator<Endpoint, void, void> {
    return walkEndpoints((key, signal) => this.resolve(key, { signal }), name, options);
  }

  /** Ends what runs with CLOSED, and resolves when nothing is left of it. Does not close `mainline`. Harmless when closed. */
  async close(): Promise<void> {
    if (!this.#closing.signal.aborted) this.#closing.abort(failure('CLOSED', 'the client was closed'));
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  async #newest(key: PublicKey, signal: AbortSignal | undefined): Promise<SignedPacket | undefined> {
    // The cache is not asked, so nobody may leave out what it holds already.
    const lookup = this.#search(key, 'NetworkOnly', undefined);
    const newest = await lookup.newest(signal);
    if (newest === undefined) lookup.throwIfUseless();
    return newest;
  }

  /** The search that runs for a key already, or a new one. */
  #shared(key: PublicKey, known: SignedPacket | undefined): Lookup {
    const name = `${key}`;
    const running = this.#lookups.get(name);
    // One that began below what is known by now would report what is older.
    if (running?.floor?.timestamp === known?.timestamp && running?.signal.aborted === false) return running;
    const lookup = this.#search(key, 'CacheFirst', known);
    this.#lookups.set(name, lookup);
    void lookup.done.then(() => {
      if (this.#lookups.get(name) === lookup) this.#lookups.delete(name);
    });
    return lookup;
  }

  #search(key: PublicKey, policy: ResolvePolicy, known: SignedPacket | undefined): Lookup {
    // Who only wants what caches hold takes expired packets, too.
    const isUsable = (packet: SignedPacket): boolean =>
      policy !== 'CacheFirst' || packet.expiresInSeconds(this.#options) > 0;
    const lookup = new Lookup(known, isUsable, (packet) => this.#keep(packet));
    lookup.start(
      this.#carriers.map(
        ({ carrier, timeoutMs }) =>
          (report) =>
            this.#limited(timeoutMs, carrier.name, lookup.signal, (limit) =>
              carrier.resolve(key, policy, known, report, limit),
            ),
      ),
    );
    this.#track(lookup.done);
    return lookup;
  }

  /** Never backwards: a packet enters when it is newer, or the same and seen later. */
  #keep(packet: SignedPacket): void {
    const known = this.cached(packet.publicKey);
    const isLater = known?.isSameAs(packet) === true && packet.lastSeen > known.lastSeen;
    if (known === undefined || isLater || packet.isMoreRecentThan(known))
      this.#cache.set(`${packet.publicKey}`, packet);
  }

  #mayHelpOut(packet: SignedPacket): boolean {
    const { staleSecondsMax } = this.#options;
    return (
      staleSecondsMax > 0 && packet.elapsedSeconds() < packet.ttlSeconds(this.#options) + staleSecondsMax
    );
  }

  /** Runs something until it ends, the caller gives up, the time is over or the client closes. */
  async #limited<Result>(
    timeoutMs: number,
    name: string,
    signal: AbortSignal | undefined,
    run: (limit: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const timer = new AbortController();
    const timeout = setTimeout(
      () => timer.abort(failure('TIMEOUT', `${name} gave no answer within ${timeoutMs} ms`, 'try again')),
      timeoutMs,
    );
    const signals = [timer.signal, this.#closing.signal, ...(signal === undefined ? [] : [signal])];
    const result = run(AbortSignal.any(signals)).finally(() => clearTimeout(timeout));
    this.#track(result);
    return result;
  }

  #track(work: Promise<unknown>): void {
    const settled = work.then(
      () => undefined,
      () => undefined,
    );
    this.#running.add(settled);
    void settled.then(() => this.#running.delete(settled));
  }

  #requireOpen(): void {
    if (this.#closing.signal.aborted) throw failure('CLOSED', 'the client is closed', 'make a new one');
  }
}

function keyOf(of: PublicKey | string): PublicKey {
  return typeof of === 'string' ? PublicKey.parse(of) : of;
}

function isConflict(error: unknown): boolean {
  return error instanceof MoliaError && /^(NOT_MOST_RECENT|CAS_FAILED|CONCURRENT_WRITE)$/.test(error.code);
}

/** The failure whose code stands there most often; the first of them on a tie. */
function mostCommon(errors: readonly unknown[]): unknown {
  const codeOf = (error: unknown): unknown => (error instanceof MoliaError ? error.code : error);
  const count = (error: unknown): number => errors.filter((other) => codeOf(other) === codeOf(error)).length;
  return errors.reduce((best, error) => (count(error) > count(best) ? error : best));
}
