/**
 * Where a node learns of its first contacts: seeds written by people (`<public key hex>@host:port`) and DNS TXT records
 * (`molia=<public key hex>@host:port`). Names are resolved here, once per attempt to join, never while sending.
 */
import { lookup, resolveTxt } from 'node:dns/promises';
import { isIP } from 'node:net';
import { ENDPOINT_BYTES, fromHex, writeEndpoint } from '@molia/core';
import { SEEDS_MAX } from './constants.ts';
import { rangeError } from './errors.ts';

export interface Seed {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array;
  /** A name or a textual address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** A seed whose host is known: what the engine takes. */
export interface SeedContact {
  readonly publicKey: Uint8Array;
  /** 19 bytes. */
  readonly endpoint: Uint8Array;
}

export interface ResolvedSeeds {
  readonly contacts: SeedContact[];
  /** Hosts that did not resolve, with the reason. */
  readonly failed: { readonly host: string; readonly cause: unknown }[];
}

/** The functions of node:dns/promises that are used; a test passes its own. */
export interface Resolver {
  lookup(host: string): Promise<readonly string[]>;
  txt(name: string): Promise<readonly string[]>;
}

const SEED = /^([0-9a-f]{64})@(?:\[([0-9a-fA-F:.]+)\]|([^\s@:[\]]+)):(\d{1,5})$/;
const TXT_PREFIX = 'molia=';

export const systemResolver: Resolver = {
  lookup: async (host) => (await lookup(host, { all: true, verbatim: true })).map((found) => found.address),
  txt: async (name) => (await resolveTxt(name)).map((parts) => parts.join('')),
};

/** Throws RangeError with code INVALID_SEED that quotes the text. */
export function parseSeed(text: string): Seed {
  const match = SEED.exec(text);
  const port = Number(match?.[4]);
  const host = match?.[2] ?? match?.[3];
  if (
    match === null ||
    host === undefined ||
    port < 1 ||
    port > 65_535 ||
    (match[2] && isIP(match[2]) !== 6)
  ) {
    throw rangeError(
      'INVALID_SEED',
      `seed ${JSON.stringify(text)}: expected '<64 lower-case hex digits>@host:port', as a running node prints it`,
    );
  }
  return { publicKey: fromHex(match[1] as string), host, port };
}

/** All addresses of all seeds; at most `SEEDS_MAX` contacts. Never rejects. */
export async function resolveSeeds(
  seeds: readonly Seed[],
  dnsSeeds: readonly string[],
  resolver: Resolver = systemResolver,
): Promise<ResolvedSeeds> {
  const failed: { host: string; cause: unknown }[] = [];
  const fromDns = await Promise.all(
    dnsSeeds.map((name) =>
      seedsOfName(name, resolver).catch((cause) => void failed.push({ host: name, cause })),
    ),
  );
  const all = [...seeds, ...fromDns.flatMap((found) => found ?? [])].slice(0, SEEDS_MAX);
  const lists = await Promise.all(
    all.map((seed) =>
      contactsOf(seed, resolver).catch((cause) => void failed.push({ host: seed.host, cause })),
    ),
  );
  return { contacts: lists.flatMap((list) => list ?? []).slice(0, SEEDS_MAX), failed };
}

async function seedsOfName(name: string, resolver: Resolver): Promise<Seed[]> {
  const seeds: Seed[] = [];
  for (const text of (await resolver.txt(name)).slice(0, SEEDS_MAX)) {
    if (!text.startsWith(TXT_PREFIX)) continue;
    try {
      seeds.push(parseSeed(text.slice(TXT_PREFIX.length).trim()));
    } catch {
      // One bad record of a zone must not hide the good ones.
    }
  }
  if (seeds.length === 0) throw new Error(`no TXT record 'molia=<public key>@host:port' at ${name}`);
  return seeds;
}

/** The contact of a seed whose host is an address already; `undefined` when it is a name. */
export function literalContact(seed: Seed): SeedContact | undefined {
  return isIP(seed.host) === 0 ? undefined : contactAt(seed, seed.host);
}

function contactAt(seed: Seed, address: string): SeedContact {
  const endpoint = new Uint8Array(ENDPOINT_BYTES);
  writeEndpoint(endpoint, 0, address, seed.port);
  return { publicKey: seed.publicKey, endpoint };
}

async function contactsOf(seed: Seed, resolver: Resolver): Promise<SeedContact[]> {
  const literal = literalContact(seed);
  if (literal !== undefined) return [literal];
  const contacts = (await resolver.lookup(seed.host)).map((address) => contactAt(seed, address));
  if (contacts.length === 0) throw new Error(`${seed.host} has no address`);
  return contacts;
}
