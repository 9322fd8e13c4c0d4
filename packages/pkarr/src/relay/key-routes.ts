/** GET and PUT of `/<key>`. */
import type { IncomingMessage } from 'node:http';
import { performance } from 'node:perf_hooks';
import { MoliaError } from '@molia/core';
import type { ResolvePolicy } from '../carrier.ts';
import type { PkarrClient } from '../client.ts';
import { INVALID_SEQ_HEADER, PAYLOAD_BYTES_MAX, STORED_NODES_HEADER } from '../constants.ts';
import type { PkarrErrorCode } from '../errors.ts';
import { PublicKey } from '../keys.ts';
import { SignedPacket } from '../signed-packet.ts';
import { AddressQuota } from './address-quota.ts';
import { limitedAs } from './client-address.ts';
import type { RelayCounters, ResolvedRelayOptions } from './relay.ts';
import { packetReply, type Reply, refusal, tagOf } from './reply.ts';

const POLICIES: readonly string[] = ['CacheFirst', 'CacheOnly', 'NetworkOnly'] satisfies ResolvePolicy[];

export class KeyRoutes {
  readonly #client: PkarrClient;
  readonly #options: ResolvedRelayOptions;
  readonly #counters: RelayCounters;
  readonly #requests: AddressQuota;
  readonly #lookups: AddressQuota;
  #lookupsRunning = 0;
  /** Keys whose packets are being looked up again in the background. */
  readonly #refreshing = new Set<string>();

  constructor(client: PkarrClient, options: ResolvedRelayOptions, counters: RelayCounters) {
    this.#client = client;
    this.#options = options;
    this.#counters = counters;
    this.#requests = new AddressQuota(options.requestsPerSecond, options.requestsBurst);
    this.#lookups = new AddressQuota(options.lookupsPerSecond, options.lookupsBurst);
  }

  /** 429 when an address has had too many requests. */
  limit(address: string): Reply | undefined {
    return this.#limited(this.#requests.take(limitedAs(address), performance.now()));
  }

  async get(
    path: string,
    query: URLSearchParams,
    request: IncomingMessage,
    address: string,
    gone: AbortSignal,
  ): Promise<Reply> {
    this.#counters.gets++;
    const key = PublicKey.tryParse(path);
    if (key === undefined) return this.#malformed('the path holds no public key');
    const policy = query.get('policy') ?? 'CacheFirst';
    if (!POLICIES.includes(policy)) return this.#malformed(`policy is one of ${POLICIES.join(', ')}`);
    const cached = this.#client.cached(key);
    const isFresh = cached !== undefined && cached.expiresInSeconds(this.#options) > 0;
    if (policy === 'CacheOnly' || (policy === 'CacheFirst' && isFresh)) {
      if (cached === undefined) return this.#notFound();
      this.#counters.cacheHits++;
      this.#refresh(cached, address);
      return this.#packet(cached, request);
    }
    const refused = this.#admitLookup(address);
    if (refused !== undefined) return refused;
    this.#lookupsRunning++;
    try {
      const packet = await this.#client.resolve(key, { policy: policy as ResolvePolicy, signal: gone });
      return packet === undefined ? this.#notFound() : this.#packet(packet, request);
    } catch (error) {
      if (gone.aborted) return refusal(499, 'the client is gone');
      if (codeOf(error) === 'NEWEST_IS_NO_PACKET') {
        const { seq } = error as unknown as { readonly seq: bigint };
        return this.#notFound({ [INVALID_SEQ_HEADER]: String(seq) });
      }
      this.#counters.unavailable++;
      return refusal(503, 'the DHT gave no answer', { 'Retry-After': '5' });
    } finally {
      this.#lookupsRunning--;
    }
  }

  async put(path: string, request: IncomingMessage, address: string, gone: AbortSignal): Promise<Reply> {
    this.#counters.puts++;
    const key = PublicKey.tryParse(path);
    if (key === undefined) return this.#malformed('the path holds no public key');
    const payload = await bodyOf(request);
    if (payload === undefined) return refusal(413, `a payload has at most ${PAYLOAD_BYTES_MAX} bytes`);
    const refused = this.#admitLookup(address);
    if (refused !== undefined) return refused;
    const packet = SignedPacket.read(key, payload, Date.now(), this.#options.curves);
    if (typeof packet === 'string') return this.#malformed(`no signed packet: ${packet}`);
    const cached = this.#client.cached(key);
    if (cached?.isMoreRecentThan(packet)) return this.#conflict(409, 'a newer packet is known', cached);
    const cas = casOf(request);
    if (cas === 'malformed') return this.#malformed('If-Match holds no timestamp in microseconds');
    if (cas !== undefined && cached !== undefined && cached.timestamp !== cas && !cached.isSameAs(packet))
      return this.#conflict(412, 'another packet is known', cached);
    const since = Date.parse(request.headers['if-unmodified-since'] ?? '');
    if (cached !== undefined && !Number.isNaN(since) && Number(cached.timestamp / 1_000_000n) > since / 1000)
      return this.#conflict(412, 'a packet of a later time is known', cached);
    this.#lookupsRunning++;
    try {
      const { storedAt } = await this.#client.publish(packet, { cas, signal: gone });
      return { status: 204, headers: { [STORED_NODES_HEADER]: String(storedAt), ETag: tagOf(packet) } };
    } catch (error) {
      if (gone.aborted) return refusal(499, 'the client is gone');
      switch (codeOf(error)) {
        case 'NOT_MOST_RECENT':
          return this.#conflict(409, 'the DHT has a newer packet', undefined);
        case 'CAS_FAILED':
          return this.#conflict(412, 'the DHT has another packet', undefined);
        case 'CONCURRENT_WRITE':
          return this.#conflict(428, 'another packet of this key is being written', undefined);
        default:
          this.#counters.unavailable++;
          return refusal(500, 'the DHT did not confirm the packet');
      }
    } finally {
      this.#lookupsRunning--;
    }
  }

  /** A packet that is used but was not seen for a while is looked up again, so that a wrong one does not last for its TTL. */
  #refresh(packet: SignedPacket, address: string): void {
    const name = `${packet.publicKey}`;
    if (packet.elapsedSeconds() < this.#options.ttlSecondsMin || this.#refreshing.has(name)) return;
    if (this.#admitLookup(address) !== undefined) return;
    this.#counters.refreshes++;
    this.#refreshing.add(name);
    this.#lookupsRunning++;
    void this.#client
      .resolveMostRecent(packet.publicKey)
      .catch(() => undefined)
      .finally(() => {
        this.#refreshing.delete(name);
        this.#lookupsRunning--;
      });
  }

  #admitLookup(address: string): Reply | undefined {
    if (this.#lookupsRunning >= this.#options.lookupsMax) {
      this.#counters.unavailable++;
      return refusal(503, 'too many lookups run', { 'Retry-After': '5' });
    }
    return this.#limited(this.#lookups.take(limitedAs(address), performance.now()));
  }

  #limited(seconds: number): Reply | undefined {
    if (seconds === 0) return undefined;
    this.#counters.limited++;
    return refusal(429, `too many requests; again in ${seconds} s`, { 'Retry-After': String(seconds) });
  }

  #packet(packet: SignedPacket, request: IncomingMessage): Reply {
    const reply = packetReply(packet, this.#options, request);
    if (reply.status === 304) this.#counters.notModified++;
    return reply;
  }

  #notFound(headers: Readonly<Record<string, string>> = {}): Reply {
    this.#counters.notFound++;
    return refusal(404, 'no packet is known under this key', headers);
  }

  #malformed(text: string): Reply {
    this.#counters.malformed++;
    return refusal(400, text);
  }

  #conflict(status: number, text: string, known: SignedPacket | undefined): Reply {
    this.#counters.conflicts++;
    return refusal(status, text, known === undefined ? {} : { ETag: tagOf(known) });
  }
}

function codeOf(error: unknown): PkarrErrorCode | undefined {
  return error instanceof MoliaError ? (error.code as PkarrErrorCode) : undefined;
}

/** `If-Match`: the timestamp in microseconds, in quotes or not; `*` is no condition on a timestamp. */
function casOf(request: IncomingMessage): bigint | undefined | 'malformed' {
  const tag = request.headers['if-match']?.trim();
  if (tag === undefined || tag === '*') return undefined;
  const digits = /^"?(\d{1,19})"?$/.exec(tag)?.[1];
  return digits === undefined ? 'malformed' : BigInt(digits);
}

/** The body, or `undefined` when it is longer than a payload; no more of it is read then. */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array | undefined> {
  if (Number(request.headers['content-length'] ?? 0) > PAYLOAD_BYTES_MAX) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > PAYLOAD_BYTES_MAX) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}
