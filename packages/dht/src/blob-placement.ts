/**
 * Where the shards of a stripe go (docs/spec/blobs.md): each to one of the K nodes closest to its key, the closest that holds no
 * other shard of the stripe yet. The choice follows from the shards' keys and the network alone, so that a second put of the same content meets the
 * nodes of the first, which then say that they hold it before a byte moves.
 */
import { compareDistance, toHex } from '@molia/core';
import { type ContactInfo, Outcome } from '@molia/kademlia';
import { createImmutable } from '@molia/wire';
import { type BlobHost, isOver, patiently, type Scope } from './blob-host.ts';
import type { Call } from './call.ts';
import * as limits from './constants.ts';
import { type Context, short } from './context.ts';
import { dhtError } from './errors.ts';
import { closestContacts } from './reads.ts';

const NOBODY: ReadonlySet<string> = new Set();

/** A shard to place. */
export interface Shard {
  readonly key: Uint8Array;
  /** `undefined`: it has its place already, which is only kept free. */
  readonly value: Uint8Array | undefined;
}

/** Stores the shards that have a value, at nobody of `avoid` (public keys); resolves with the nodes that hold shards of the stripe, as far as is known. */
export async function placeShards(
  host: BlobHost,
  shards: readonly Shard[],
  ttlSecs: number,
  scope: Scope,
  avoid: ReadonlySet<string> = NOBODY,
): Promise<number> {
  const found = await Promise.all(
    shards.map(({ key }) =>
      patiently(host, `lookup ${short(key)}`, scope, async (call) => {
        return (await closestContacts(host.context, key, call)).contacts;
      }),
    ),
  );
  const candidates = candidatesOf(shards, found, avoid);
  /** Shards of the stripe by node. */
  const load = new Map<string, number>();
  const choices = shards.map((_, i) => new Choice(candidates[i] as readonly ContactInfo[], load));
  const first = choices.map((choice) => choice.next());
  await Promise.all(
    shards.map(async ({ key, value }, i) => {
      if (value === undefined) return;
      const record = createImmutable(value, ttlSecs);
      const choice = choices[i] as Choice;
      for (let contact = first[i]; contact !== undefined; contact = choice.next()) {
        const to = contact;
        const held = await host
          .call(`store ${short(key)}`, scope, (call) => storeAt(host.context, record, to, call))
          .catch((error) => {
            if (isOver(error, scope)) throw error;
            return false;
          });
        if (held) return;
        choice.failed(to);
      }
      throw dhtError('NOT_ENOUGH_HOLDERS', `putBlob: no node took shard ${short(key)}`, {
        hint: 'wait until more nodes have joined, or check that they have room',
      });
    }),
  );
  return [...load.values()].filter((count) => count > 0).length;
}

/**
 * For each shard the K closest of all nodes that the lookups of the stripe found. Single lookups miss a node that answers late; one
 * that the others found keeps its place, so that the choice is the same the next time. BOUNDED: by K nodes a lookup.
 */
function candidatesOf(
  shards: readonly Shard[],
  found: readonly (readonly ContactInfo[])[],
  avoid: ReadonlySet<string>,
): readonly (readonly ContactInfo[])[] {
  const nodes = new Map<string, ContactInfo>();
  for (const contacts of found) {
    for (const contact of contacts) {
      if (!avoid.has(toHex(contact.publicKey))) nodes.set(toHex(contact.id), contact);
    }
  }
  const all = [...nodes.values()];
  return shards.map(({ key }) =>
    all.toSorted((a, b) => compareDistance(key, 0, a.id, 0, b.id, 0)).slice(0, limits.BLOB_CANDIDATES_MAX),
  );
}

/** The order in which nodes are asked to hold one shard. */
class Choice {
  readonly #candidates: readonly ContactInfo[];
  readonly #load: Map<string, number>;
  readonly #tried = new Set<string>();

  constructor(candidates: readonly ContactInfo[], load: Map<string, number>) {
    this.#candidates = candidates;
    this.#load = load;
  }

  /** The closest one with the fewest shards of the stripe, counted as its holder from here on; `undefined`: all were tried. */
  next(): ContactInfo | undefined {
    let best: ContactInfo | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const contact of this.#candidates) {
      const id = toHex(contact.id);
      const count = this.#load.get(id) ?? 0;
      if (this.#tried.has(id) || count >= least) continue;
      best = contact;
      least = count;
    }
    if (best === undefined) return undefined;
    const id = toHex(best.id);
    this.#tried.add(id);
    this.#load.set(id, least + 1);
    return best;
  }

  failed(contact: ContactInfo): void {
    const id = toHex(contact.id);
    this.#load.set(id, (this.#load.get(id) ?? 1) - 1);
  }
}

/** Stores a record at one node alone; false when that does not hold it then. Without its value it is only renewed. */
export function storeAt(
  context: Context,
  record: Uint8Array,
  contact: ContactInfo,
  call: Call,
): Promise<boolean> {
  return context.operations.run(call, {
    start: (now, budgetMs) =>
      context.shard.kademlia.storeAt(now, record, contact.publicKey, contact.endpoint, budgetMs),
    done: (event) => event.code === Outcome.OK && event.a > 0,
  });
}
