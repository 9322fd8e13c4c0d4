/**
 * Joining a network and staying in it: resolves seeds, hands them and the peerstore's contacts to the engine, runs its
 * bootstrap, and tries again by itself, with growing pauses, whenever no contact is left.
 */
import { type MoliaError, NONE, type Rng } from '@molia/core';
import type { Call } from './call.ts';
import { REJOIN_MS_MAX, REJOIN_MS_MIN, TIMEOUT_MS_DEFAULT, TIMEOUT_MS_LARGE } from './constants.ts';
import { outcomeError } from './context.ts';
import { dhtError } from './errors.ts';
import type { MainlineDiscovery } from './mainline-source.ts';
import type { Operations } from './operations.ts';
import { type Resolver, resolveSeeds, type Seed, type SeedContact } from './seeds.ts';
import type { Shard } from './shard.ts';
import type { NodeEvent, NodeState } from './types.ts';

export interface JoinerOptions {
  readonly shard: Shard;
  readonly operations: Operations;
  readonly rng: Rng;
  readonly seeds: readonly Seed[];
  readonly dnsSeeds: readonly string[];
  /** From the peerstore. */
  readonly remembered: readonly SeedContact[];
  readonly autoJoin: boolean;
  readonly resolver: Resolver | undefined;
  readonly discovery: MainlineDiscovery | undefined;
  readonly emit: (event: NodeEvent) => void;
  /** A call that never times out by itself, for the node's own attempts. */
  readonly ownCall: (timeoutMs: number) => Call;
}

export class Joiner {
  readonly #options: JoinerOptions;
  #attempt: Promise<number> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = REJOIN_MS_MIN;
  #tried = false;
  #closed = false;
  #told: 'joined' | 'isolated' | undefined;
  readonly #startedAt = performance.now();

  constructor(options: JoinerOptions) {
    this.#options = options;
  }

  get state(): Exclude<NodeState, 'closed'> {
    if (this.contacts > 0) return 'ready';
    if (!this.#hasSources) return 'ready';
    return this.#tried ? 'isolated' : 'joining';
  }

  get contacts(): number {
    return this.#options.shard.kademlia.contactCount;
  }

  get #hasSources(): boolean {
    const { seeds, dnsSeeds, remembered, discovery } = this.#options;
    return seeds.length + dnsSeeds.length + remembered.length > 0 || discovery?.finds === true;
  }

  /** Begins to join by itself. */
  start(): void {
    this.#options.discovery?.start(this.#options.emit);
    if (this.#options.autoJoin && this.#hasSources) this.#tryAgain();
  }

  async stop(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#options.discovery?.stop();
  }

  /** The table gained or lost a contact. */
  tableChanged(): void {
    const { emit, autoJoin } = this.#options;
    if (this.contacts > 0) {
      if (this.#told === 'joined') return;
      this.#told = 'joined';
      this.#pauseMs = REJOIN_MS_MIN;
      emit({
        type: 'joined',
        contacts: this.contacts,
        elapsedMs: Math.round(performance.now() - this.#startedAt),
      });
      return;
    }
    if (this.#told !== 'joined') return;
    this.#told = 'isolated';
    emit({ type: 'isolated' });
    if (autoJoin && this.#hasSources) this.#schedule();
  }

  /** Waits for the attempt that runs, or begins one; at once when there are contacts or nothing to join through. */
  async awaitContacts(call: Call): Promise<void> {
    call.check();
    if (this.contacts > 0 || !this.#hasSources || !this.#options.autoJoin) return;
    this.#attempt ??= this.#begin();
    await call.race(this.#attempt.catch(() => 0));
  }

  /** One attempt through `seeds`, or through all that is configured and remembered. Contacts in the table then. */
  async join(call: Call, seeds: readonly Seed[] | undefined): Promise<number> {
    const { discovery } = this.#options;
    if (seeds !== undefined || discovery?.finds !== true) return this.#joinKnown(call, seeds);
    const known = await this.#joinKnown(call, undefined).catch(() => {
      call.check();
      return 0;
    });
    return known > 0 ? known : this.#discover(call, discovery);
  }

  async #discover(call: Call, discovery: MainlineDiscovery): Promise<number> {
    const abort = new AbortController();
    try {
      const found = await call.race(discovery.find(abort.signal));
      if (found.length > 0) return await this.#bootstrap(call, found);
    } catch (cause) {
      call.check();
      if ((cause as { code?: string }).code === 'NO_PEERS') throw cause;
      throw dhtError('NO_PEERS', `the Mainline DHT cannot be asked (${(cause as Error).message})`, {
        cause,
        hint: 'check the network and mainline.nodes',
      });
    } finally {
      abort.abort();
    }
    throw dhtError('NO_PEERS', 'no node of this network is published in the Mainline DHT', {
      hint: 'publish one (mainline.publish), or name a seed',
    });
  }

  async #joinKnown(call: Call, seeds: readonly Seed[] | undefined): Promise<number> {
    const { dnsSeeds, remembered, resolver } = this.#options;
    const own = seeds === undefined;
    const wanted = seeds ?? this.#options.seeds;
    const names = own ? dnsSeeds : [];
    const { contacts, failed } = await call.race(resolveSeeds(wanted, names, resolver));
    const all = own ? [...contacts, ...remembered] : contacts;
    if (all.length === 0) {
      if (failed.length === 0) return this.contacts;
      const { host, cause } = failed[0] as (typeof failed)[number];
      throw dhtError('SEED_UNRESOLVED', `seed ${host} cannot be resolved (${(cause as Error).message})`, {
        cause,
        hint: 'check the name and the DNS, or give the address itself',
      });
    }
    // A seed that was busy for a moment, as one that has just started is, gets a second chance.
    return this.#bootstrap(call, all).catch((error: MoliaError) => {
      if (error.code !== 'NO_PEERS') throw error;
      call.check();
      return this.#bootstrap(call, all);
    });
  }

  #bootstrap(call: Call, all: readonly SeedContact[]): Promise<number> {
    const { shard, operations } = this.#options;
    const { kademlia } = shard;
    return operations.run(call, {
      start: (now) => {
        let known = 0;
        for (const seed of all) if (kademlia.addContact(now, seed.publicKey, seed.endpoint) !== NONE) known++;
        if (known === 0) {
          throw dhtError('NO_PEERS', 'no seed can be reached from the local addresses', {
            hint: 'listen on the same address family (IPv4 or IPv6) as the seeds',
          });
        }
        return kademlia.bootstrap(now);
      },
      done: (event) => {
        if (this.contacts === 0) throw outcomeError('join', event);
        return this.contacts;
      },
    });
  }

  async #begin(): Promise<number> {
    // A search of the Mainline DHT comes after the seeds' own time.
    const searches = this.#options.discovery?.finds === true;
    const call = this.#options.ownCall(searches ? TIMEOUT_MS_LARGE : TIMEOUT_MS_DEFAULT);
    try {
      return await this.join(call, undefined);
    } finally {
      call.finish();
      this.#tried = true;
      this.#attempt = undefined;
    }
  }

  #tryAgain(): void {
    if (this.#closed) return;
    this.#attempt ??= this.#begin();
    this.#attempt.then(
      () => {},
      (error: Error & { code?: string; hint?: string }) => {
        if (this.#closed) return;
        if (this.#told === undefined) {
          this.#told = 'isolated';
          const { code = 'NO_PEERS', message, hint } = error;
          this.#options.emit({ type: 'alert', code, message, ...(hint === undefined ? {} : { hint }) });
          this.#options.emit({ type: 'isolated' });
        }
        this.#schedule();
      },
    );
  }

  #schedule(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    const jitter = 0.75 + (this.#options.rng.u32() / 2 ** 32) * 0.5;
    this.#timer = setTimeout(() => {
      if (this.contacts === 0) this.#tryAgain();
    }, this.#pauseMs * jitter);
    this.#pauseMs = Math.min(this.#pauseMs * 2, REJOIN_MS_MAX);
  }
}
