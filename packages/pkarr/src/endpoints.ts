/** Services behind keys: HTTPS and SVCB records (RFC 9460), aliases from key to key followed. */
import { createSecureRng, randomBelow } from '@molia/core';
import { PublicKey } from './keys.ts';
import type { RecordData, ResourceRecord } from './records.ts';
import type { SignedPacket } from './signed-packet.ts';
import type { SvcParams } from './svcb.ts';

type ServiceData = Extract<RecordData, { type: 'SVCB' | 'HTTPS' }>;

/** Where a service can be reached. */
export interface Endpoint {
  /** The target as its record names it; `.` is the name itself. */
  readonly target: string;
  /** The target where it is a name of the ordinary DNS; `undefined` where the key's own packet has the addresses. */
  readonly domain: string | undefined;
  /** The `port` parameter, unless it is absent or 0. */
  readonly port: number | undefined;
  /** Whose packet the record stood in: what a server must prove to own (RFC 7250 raw public keys). */
  readonly publicKey: PublicKey;
  /** Addresses of the packet, A before AAAA; else those that the record hints at. */
  readonly addresses: readonly string[];
  readonly priority: number;
  readonly params: SvcParams;
}

export interface EndpointOptions {
  /** Which records: `HTTPS` unless told otherwise. */
  readonly type?: 'HTTPS' | 'SVCB' | undefined;
  /** Packets that are resolved at most (default 7): aliases may run in circles. */
  readonly packetsMax?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

type Resolve = (key: PublicKey, signal: AbortSignal | undefined) => Promise<SignedPacket | undefined>;

/** Depth first, lowest priority number first, equal ones in random order. Rejects when the first packet cannot be resolved. */
export async function* walkEndpoints(
  resolve: Resolve,
  name: string,
  { type = 'HTTPS', packetsMax = 7, signal }: EndpointOptions,
): AsyncGenerator<Endpoint, void, void> {
  if (!Number.isInteger(packetsMax) || packetsMax < 1)
    throw new RangeError(`packetsMax is an integer from 1, not ${packetsMax}`);
  const rng = createSecureRng();
  const seen = new Map<string, SignedPacket | undefined>();
  const first = PublicKey.parse(name);

  /** Resolves each key once; `undefined` when there are too many of them. */
  const packetOf = async (key: PublicKey): Promise<SignedPacket | undefined> => {
    const text = `${key}`;
    if (seen.has(text)) return seen.get(text);
    if (seen.size >= packetsMax) return undefined;
    seen.set(text, undefined);
    const packet = await resolve(key, signal);
    seen.set(text, packet);
    return packet;
  };

  async function* walk(
    packet: SignedPacket,
    owner: string,
    visited: readonly string[],
  ): AsyncGenerator<Endpoint, void, void> {
    const here = `${owner.toLowerCase()} ${packet.publicKey}`;
    if (visited.includes(here)) return;
    const path = [...visited, here];
    const found = recordsOf(packet, owner);
    const services = found.map(({ data }) => data).filter((data): data is ServiceData => data.type === type);
    const alias = found.find(({ data }) => data.type === 'CNAME')?.data;
    if (services.length === 0 && alias?.type === 'CNAME') {
      yield* follow(alias.target, path);
      return;
    }
    const order = services.map((data) => ({ data, tie: randomBelow(rng, 0x7fff_ffff) }));
    order.sort((a, b) => a.data.priority - b.data.priority || a.tie - b.tie);
    for (const { data } of order) {
      const { target, params, priority } = data;
      const isOwn = target === '.' || target.toLowerCase() === owner.toLowerCase();
      const key = isOwn ? undefined : PublicKey.tryParse(target);
      if (key !== undefined) {
        const before = yield* follow(target, path);
        // Another name of this zone with nothing but addresses is an endpoint by itself.
        if (before > 0 || !key.equals(packet.publicKey)) continue;
      }
      const addresses = key === undefined && !isOwn ? [] : addressesOf(packet, isOwn ? owner : target);
      yield {
        target,
        domain: isOwn || key !== undefined ? undefined : target,
        port: params.port === 0 ? undefined : params.port,
        publicKey: packet.publicKey,
        addresses:
          addresses.length > 0 ? addresses : [...(params.ipv4hint ?? []), ...(params.ipv6hint ?? [])],
        priority,
        params,
      };
    }
  }

  async function* follow(target: string, path: readonly string[]): AsyncGenerator<Endpoint, number, void> {
    const key = PublicKey.tryParse(target);
    if (key === undefined) return 0;
    let packet: SignedPacket | undefined;
    try {
      packet = await packetOf(key);
    } catch {
      // One record that leads nowhere must not hide the others.
      signal?.throwIfAborted();
      return 0;
    }
    let count = 0;
    if (packet !== undefined)
      for await (const endpoint of walk(packet, target, path)) {
        count++;
        yield endpoint;
      }
    return count;
  }

  const packet = await packetOf(first);
  if (packet !== undefined) yield* walk(packet, hostOf(name, first), []);
}

/** The name in a URI or a text, from its first label to the key. */
function hostOf(name: string, key: PublicKey): string {
  const end = name.indexOf(`${key}`);
  return /[^/:@]*$/.exec(name.slice(0, end))?.[0] + key.toString();
}

/** Records of a name; where it has none, those of `*` in its place (RFC 4592, one label). */
function recordsOf(packet: SignedPacket, name: string): readonly ResourceRecord[] {
  const exact = packet.resourceRecords(name);
  const dot = name.indexOf('.');
  if (exact.length > 0 || dot < 0) return exact;
  const wildcard = `*${name.slice(dot)}`.toLowerCase();
  return packet.records.filter((record) => record.name.toLowerCase() === wildcard);
}

/** A and AAAA records of a name, else of the key itself. */
function addressesOf(packet: SignedPacket, name: string): string[] {
  const of = (owner: string, type: 'A' | 'AAAA'): string[] =>
    recordsOf(packet, owner).flatMap(({ data }) =>
      data.type === type && 'address' in data ? [data.address] : [],
    );
  const own = [...of(name, 'A'), ...of(name, 'AAAA')];
  const apex = `${packet.publicKey}`;
  return own.length > 0 ? own : [...of(apex, 'A'), ...of(apex, 'AAAA')];
}
