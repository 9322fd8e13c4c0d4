/**
 * First contacts through the Mainline DHT (BEP 44; docs/spec/mainline.md). A node that publishes puts its signed node record
 * there under its own key, and that key into the lists of its network, which lie under a key that all members derive from the
 * network's name or secret. Lists are hints that anybody in the network may write; records are verified before they are used.
 * @molia/mainline is loaded when something is first asked or published, and its socket is open only meanwhile.
 */
import { networkInterfaces } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import {
  type BoundAddress,
  blake3DeriveKey,
  type Curves,
  ENDPOINT_BYTES,
  endpointFromCompact,
  endpointPort,
  endpointToCompact,
  equalBytes,
  fromHex,
  type Identity,
  type Rng,
  randomBelow,
  toHex,
  wipe,
  writeEndpoint,
} from '@molia/core';
import type { MutableItem } from '@molia/mainline';
import type { Mainline } from '@molia/mainline/node';
import { createNodeRecord, decodeNodeRecord, EndpointKind, NodeDescription } from '@molia/wire';
import { SEEDS_MAX } from './constants.ts';
import { rangeError } from './errors.ts';
import type { SeedContact } from './seeds.ts';
import type { MainlineUse, NodeEvent } from './types.ts';

// ---- Specification ----

const LIST_CONTEXT = 'molia 2026 mainline list';
const SALT_CONTEXT = 'molia 2026 mainline salt';
const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** A network has so many lists; a node writes to the one that the low bits of its key's first byte name. */
const LISTS = 4;
/** Lists begin anew so often, so that what a vandal signs with the highest sequence number does not stay. */
const EPOCH_SECS = 6 * 3600;
/** Keys of a list, newest first: 896 bytes of the 1000 that a value may have. */
const LIST_KEYS_MAX = 28;

// ---- Ours ----

/** Nodes whose records are fetched in one search, picked at random from all lists. */
const FETCHED_MAX = 24;
/** A record older than this was put again by somebody else than its node: those that publish do so every hour. */
const RECORD_AGE_SECS_MAX = 24 * 3600;
/** Mainline nodes drop a value two hours after its last put (BEP 44 asks for an hour between two). */
const PUBLISH_MS = 50 * 60_000;
const PUBLISH_RETRY_MS = 5 * 60_000;
/** Two nodes that write one list at the same time: the later one reads it again. */
const LIST_ATTEMPTS = 5;
const LIST_PAUSE_MS = 500;
const RACES = new Set(['CAS_FAILED', 'CONCURRENT_WRITE', 'NOT_MOST_RECENT']);

/** `'network'`: whoever publishes in this network; or the key of one node that does. */
export type MainlineSource = 'network' | Uint8Array;

/** Throws RangeError with code INVALID_SEED that quotes the text. */
export function parseMainlineSource(text: string): MainlineSource {
  const name = /^mainline:(network|[0-9a-f]{64})$/.exec(text)?.[1];
  if (name === undefined) {
    throw rangeError(
      'INVALID_SEED',
      `bootstrap ${JSON.stringify(text)}: expected 'mainline:network' or 'mainline:<64 lower-case hex digits of a public key>'`,
    );
  }
  return name === 'network' ? name : fromHex(name);
}

/** What the node's options say. */
interface DiscoverySettings {
  readonly network: string;
  readonly sources: readonly MainlineSource[];
  /** `nodes` empty = those that everybody knows. */
  readonly mainline: Readonly<Required<MainlineUse>>;
}

/** What the node is. */
interface DiscoverySelf {
  readonly identity: Identity;
  readonly curves: Curves;
  readonly rng: Rng;
  /** Where it listens; empty until it does. */
  readonly addresses: () => readonly BoundAddress[];
}

type Formats = typeof import('@molia/mainline');

/** `undefined` when nothing of the Mainline DHT is wanted. */
export function openDiscovery(
  settings: DiscoverySettings,
  identity: Identity,
  curves: Curves,
  rng: Rng,
  addresses: () => readonly BoundAddress[],
): MainlineDiscovery | undefined {
  const { network, sources, mainline } = settings;
  if (sources.length === 0 && !mainline.publish) return undefined;
  return new MainlineDiscovery({ identity, curves, rng, addresses, network, sources, mainline });
}

/** Finds and publishes; made once a node. */
export class MainlineDiscovery {
  readonly #options: DiscoverySettings & DiscoverySelf;
  readonly #salt: Uint8Array;
  readonly #closing = new AbortController();
  /** Good nodes of the last time: the next one needs no well-known ones. */
  #remembered: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #publishing: Promise<void> | undefined;
  #emit: (event: NodeEvent) => void = () => {};

  constructor(options: DiscoverySettings & DiscoverySelf) {
    this.#options = options;
    this.#salt = blake3DeriveKey(SALT_CONTEXT, new TextEncoder().encode(options.network)).slice(
      0,
      SALT_BYTES,
    );
  }

  get finds(): boolean {
    return this.#options.sources.length > 0;
  }

  /** Verified contacts of this network, in random order. Rejects with the Mainline DHT's errors and when `signal` fires. */
  find(signal: AbortSignal): Promise<SeedContact[]> {
    return this.#withDht(signal, async (dht, formats, either) => {
      const { sources, rng, identity } = this.#options;
      const keys = sources.filter((source) => source !== 'network');
      if (sources.includes('network')) {
        const listed = await this.#listedKeys(dht, formats, either);
        keys.push(...shuffled(rng, listed).slice(0, FETCHED_MAX));
      }
      const others = keys.filter((key) => !equalBytes(key, 0, identity.publicKey, 0, KEY_BYTES));
      const found = await Promise.all(
        others.map((key) =>
          this.#contactsOf(dht, formats, key, either).catch((error: unknown) => {
            either.throwIfAborted();
            if (others.length === 1) throw error;
            return [];
          }),
        ),
      );
      return found.flat().slice(0, SEEDS_MAX);
    });
  }

  /** Begins to publish, where that is asked for. */
  start(emit: (event: NodeEvent) => void): void {
    this.#emit = emit;
    if (this.#options.mainline.publish) this.#publishNow();
  }

  /** Ends what runs; resolves when no socket is left. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#closing.abort();
    await this.#publishing;
  }

  #publishNow(): void {
    this.#publishing = this.#publish().then(
      (holders) => {
        this.#emit({ type: 'published', holders });
        this.#publishLater(PUBLISH_MS);
      },
      (error: Error & { code?: string; hint?: string }) => {
        if (this.#closing.signal.aborted) return;
        const { code = 'INTERNAL', hint } = error;
        const message = `this node's record is not in the Mainline DHT: ${error.message}`;
        this.#emit({ type: 'alert', code, message, ...(hint === undefined ? {} : { hint }) });
        this.#publishLater(PUBLISH_RETRY_MS);
      },
    );
  }

  #publishLater(ms: number): void {
    if (this.#closing.signal.aborted) return;
    this.#timer = setTimeout(
      () => this.#publishNow(),
      ms * (0.9 + randomBelow(this.#options.rng, 100) / 1000),
    );
    this.#timer.unref();
  }

  /** Puts the record and the list entry; nodes of the Mainline DHT that took the record. */
  #publish(): Promise<number> {
    return this.#withDht(this.#closing.signal, async (dht, formats, signal) => {
      // A search for our own id: its answers say what our public address is.
      await dht.bootstrapped({ signal });
      const { identity } = this.#options;
      const sequence = unixNow();
      const endpoints = this.#ownEndpoints(dht).map((endpoint) => ({
        kind: EndpointKind.UDP,
        endpoint,
        priority: 0,
      }));
      const record = createNodeRecord(identity, { sequence, endpoints });
      const value = formats.encodeBencode(record);
      const seq = BigInt(sequence);
      const signature = identity.sign(formats.signedBuffer(value, seq, this.#salt));
      const item = { key: identity.publicKey, salt: this.#salt, seq, signature, value };
      const { storedAt } = await dht.putMutable(item, { signal });
      await this.#enterList(dht, formats, signal);
      return storedAt;
    });
  }

  async #enterList(dht: Mainline, formats: Formats, signal: AbortSignal): Promise<void> {
    const { identity, rng, curves } = this.#options;
    const salt = listSalt(currentEpoch(), (identity.publicKey[0] as number) % LISTS);
    const key = new Uint8Array(KEY_BYTES);
    let written = false;
    for (let attempt = 1; ; attempt++) {
      const seed = this.#listSeed();
      try {
        curves.ed25519PublicKey(key, seed);
        const found = await dht.getMutableMostRecent(key, { salt, signal });
        const listed = keysOf(formats, found);
        const others = listed.filter((each) => !equalBytes(each, 0, identity.publicKey, 0, KEY_BYTES));
        // Of two that wrote at once, each may have reached half of the nodes: one reads a list without itself.
        if (written && others.length < listed.length) return;
        const keys = [identity.publicKey, ...others].slice(0, LIST_KEYS_MAX);
        const joined = new Uint8Array(keys.length * KEY_BYTES);
        for (const [i, each] of keys.entries()) joined.set(each, i * KEY_BYTES);
        const seq = found === undefined ? 1n : found.seq + 1n;
        const item = formats.signItem(seed, formats.encodeBencode(joined), seq, salt, curves);
        await dht.putMutable(item, found === undefined ? { signal } : { cas: found.seq, signal });
        if (attempt === LIST_ATTEMPTS) return;
        written = true;
        continue;
      } catch (error) {
        if (attempt === LIST_ATTEMPTS || !RACES.has((error as { code?: string }).code ?? '')) throw error;
      } finally {
        wipe(seed);
      }
      const pauseMs = attempt * LIST_PAUSE_MS * (0.5 + randomBelow(rng, 1000) / 1000);
      await pause(pauseMs, undefined, { signal });
    }
  }

  /** Keys in the lists of this epoch and the one before. */
  async #listedKeys(dht: Mainline, formats: Formats, signal: AbortSignal): Promise<Uint8Array[]> {
    const seed = this.#listSeed();
    const key = new Uint8Array(KEY_BYTES);
    this.#options.curves.ed25519PublicKey(key, seed);
    wipe(seed);
    const epoch = currentEpoch();
    const salts = [epoch, epoch - 1].flatMap((each) =>
      Array.from({ length: LISTS }, (_, list) => listSalt(each, list)),
    );
    const lists = await Promise.all(
      salts.map(async (salt) => keysOf(formats, await dht.getMutableMostRecent(key, { salt, signal }))),
    );
    const distinct = new Map(lists.flat().map((each) => [toHex(each), each]));
    return [...distinct.values()];
  }

  /** Endpoints in the published record of one node; none when there is no record, or a false or old one. */
  async #contactsOf(
    dht: Mainline,
    formats: Formats,
    publicKey: Uint8Array,
    signal: AbortSignal,
  ): Promise<SeedContact[]> {
    const item = await dht.getMutableMostRecent(publicKey, { salt: this.#salt, signal });
    const encoded = item === undefined ? undefined : formats.decodeBencode(item.value);
    if (!(encoded instanceof Uint8Array)) return [];
    const record = new NodeDescription();
    if (decodeNodeRecord(encoded, this.#options.curves, record) < 0) return [];
    if (!equalBytes(record.publicKey, 0, publicKey, 0, KEY_BYTES)) return [];
    if (unixNow() - record.sequence > RECORD_AGE_SECS_MAX) return [];
    const contacts: SeedContact[] = [];
    for (const { kind, endpoint } of record.endpoints) {
      const whole = new Uint8Array(ENDPOINT_BYTES);
      if (kind !== EndpointKind.UDP || !endpointFromCompact(whole, 0, endpoint, 0, endpoint.length)) continue;
      if (endpointPort(whole) > 0) contacts.push({ publicKey, endpoint: whole });
    }
    return contacts;
  }

  /** Compact endpoints to publish: explicit local addresses; for a wildcard, the address that Mainline nodes see, and global IPv6. */
  #ownEndpoints(dht: Mainline): Uint8Array[] {
    const texts = new Map<string, BoundAddress>();
    const seen = dht.info().publicAddress?.host;
    for (const bound of this.#options.addresses()) {
      const { family, port, address } = bound;
      const hosts =
        address === '0.0.0.0'
          ? seen === undefined
            ? []
            : [seen]
          : address === '::'
            ? globalIpv6()
            : [address];
      for (const host of hosts) texts.set(`${host} ${port}`, { family, address: host, port });
    }
    const compact = [...texts.values()].slice(0, 8).map(({ address, port }) => {
      const endpoint = new Uint8Array(ENDPOINT_BYTES);
      writeEndpoint(endpoint, 0, address, port);
      const out = new Uint8Array(18);
      return out.slice(0, endpointToCompact(out, 0, endpoint, 0));
    });
    if (compact.length === 0)
      throw Object.assign(new Error('no address of this node is known to be reachable'), {
        code: 'NO_PEERS',
        hint: 'listen on an explicit address, or check that the Mainline DHT answers',
      });
    return compact;
  }

  #listSeed(): Uint8Array {
    return blake3DeriveKey(LIST_CONTEXT, new TextEncoder().encode(this.#options.network));
  }

  async #withDht<Result>(
    signal: AbortSignal,
    work: (dht: Mainline, formats: Formats, signal: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    const either = AbortSignal.any([signal, this.#closing.signal]);
    const [{ createMainline }, formats] = await Promise.all([
      import('@molia/mainline/node'),
      import('@molia/mainline'),
    ]);
    either.throwIfAborted();
    const { curves, mainline } = this.#options;
    const { nodes } = mainline;
    const dht = await createMainline({
      mode: 'client',
      port: 0,
      curves,
      ...(nodes.length > 0 ? { bootstrap: nodes } : {}),
      extraBootstrap: this.#remembered,
    });
    try {
      return await work(dht, formats, either);
    } finally {
      this.#remembered = dht.exportBootstrap().slice(0, 32);
      await dht.close();
    }
  }
}

function unixNow(): number {
  return Math.floor(Date.now() / 1000);
}

function currentEpoch(): number {
  return Math.floor(unixNow() / EPOCH_SECS);
}

function listSalt(epoch: number, list: number): Uint8Array {
  return new TextEncoder().encode(`${epoch}/${list}`);
}

function keysOf(formats: Formats, item: MutableItem | undefined): Uint8Array[] {
  const bytes = item === undefined ? undefined : formats.decodeBencode(item.value);
  if (!(bytes instanceof Uint8Array)) return [];
  const keys: Uint8Array[] = [];
  for (let at = 0; at + KEY_BYTES <= bytes.length && keys.length < LIST_KEYS_MAX; at += KEY_BYTES)
    keys.push(bytes.slice(at, at + KEY_BYTES));
  return keys;
}

function globalIpv6(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ family, internal, address }) => family === 'IPv6' && !internal && /^[23]/.test(address))
    .map(({ address }) => address);
}

/** Fisher-Yates, in place. */
function shuffled<Item>(rng: Rng, items: Item[]): Item[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = randomBelow(rng, i + 1);
    [items[i], items[j]] = [items[j] as Item, items[i] as Item];
  }
  return items;
}
