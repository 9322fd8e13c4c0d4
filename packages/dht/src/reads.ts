/** The reading half of the API: get, getMutable, findProviders, lookup, ping, findNode. Arguments are checked already. */
import { equalBytes, formatEndpoint, type MoliaError, nodeIdOf, toHex } from '@molia/core';
import { AcceptRequest, type ContactInfo, EventKind, Outcome, StoredRecord } from '@molia/kademlia';
import { mutableKey, ProviderValueView, RecordFlag, RecordType, readProviderValue } from '@molia/wire';
import type { Call } from './call.ts';
import { type Context, contactText, type FoundRecord, foundRecord, outcomeError, short } from './context.ts';
import { dhtError, type MoliaErrorCode } from './errors.ts';
import { literalContact, resolveSeeds, type Seed } from './seeds.ts';
import type {
  Hex,
  LookupContact,
  LookupResult,
  MutableValue,
  PeerInfo,
  PingResult,
  Provider,
} from './types.ts';

/** Told the public key of a node that showed or sent what does not verify. */
export type OnLiar = (publicKey: Uint8Array) => void;

const providerView = new ProviderValueView();

/**
 * The value of an immutable record, or the current one of a mutable record. `wide`: asks the 2 K closest nodes, whoever was
 * silent lately among them.
 */
export async function readValue(
  context: Context,
  key: Uint8Array,
  call: Call,
  wide = false,
  onLiar?: OnLiar,
): Promise<Uint8Array> {
  const local = localRecord(context, key);
  if (local?.type === RecordType.IMMUTABLE) return local.value;
  const { record } = await findRecord(context, key, 0, `get ${short(key)}`, call, wide, onLiar);
  return record.value;
}

/** The mutable record with the highest sequence, `sequenceMin` or above. */
export async function readMutable(
  context: Context,
  owner: Uint8Array,
  namespace: Uint8Array,
  salt: Uint8Array,
  sequenceMin: number,
  call: Call,
): Promise<MutableValue> {
  const key = mutableKey(owner, namespace, salt);
  const what = `getMutable ${short(key)}`;
  const { record, equivocated } = await findRecord(context, key, sequenceMin, what, call);
  return { key: toHex(key), owner: toHex(owner), seq: record.sequence, value: record.value, equivocated };
}

/** The highest sequence that the network or this node holds under `key`, tombstones included; 0 = none. */
export async function highestSequence(context: Context, key: Uint8Array, call: Call): Promise<number> {
  await context.awaitContacts(call);
  let highest = localRecord(context, key)?.sequence ?? 0;
  const take = (sequence: number) => {
    if (sequence > highest) highest = sequence;
  };
  await context.operations.run(call, {
    start: (now, budgetMs) => context.shard.kademlia.findValue(now, key, { budgetMs }),
    found: (event) => take(event.sequence),
    done: (event) => {
      if (event.code === Outcome.TIMEOUT) throw outcomeError(`read ${short(key)}`, event);
    },
  });
  return highest;
}

async function findRecord(
  context: Context,
  key: Uint8Array,
  sequenceMin: number,
  what: string,
  call: Call,
  wide = false,
  onLiar?: OnLiar,
): Promise<{ record: FoundRecord; equivocated: boolean }> {
  await context.awaitContacts(call);
  let best: FoundRecord | undefined;
  let equivocated = false;
  return context.operations.run(call, {
    start: (now, budgetMs) => context.shard.kademlia.findValue(now, key, { budgetMs, sequenceMin, wide }),
    found: (event) => {
      if (event.kind === EventKind.VALUE) best = foundRecord(event.bytes, event.offset, event.length) ?? best;
      else if (event.kind === EventKind.EQUIVOCATION) equivocated = true;
      else if (event.kind === EventKind.LIAR)
        onLiar?.(event.bytes.slice(event.offset, event.offset + event.length));
    },
    done: (event) => {
      const record = best ?? heldRecord(context, key, sequenceMin);
      if (record === undefined) throw outcomeError(what, event);
      if ((record.flags & RecordFlag.TOMBSTONE) !== 0) {
        throw dhtError('NOT_FOUND', `${what}: deleted by its owner (sequence ${record.sequence})`);
      }
      return { record, equivocated };
    },
  });
}

/**
 * Who holds an immutable record, by its own word, and the record without a value that does not fit a datagram; `holder` undefined: we do.
 * Rejects with NOT_FOUND.
 */
export async function locateRecord(
  context: Context,
  key: Uint8Array,
  call: Call,
  wide: boolean,
): Promise<{ record: Uint8Array; holder: ContactInfo | undefined }> {
  await context.awaitContacts(call);
  const { kademlia } = context.shard;
  let record: Uint8Array | undefined;
  return context.operations.run(call, {
    start: (now, budgetMs) => kademlia.findValue(now, key, { budgetMs, wide, head: true }),
    found: (event) => {
      if (event.kind === EventKind.VALUE)
        record = event.bytes.slice(event.offset, event.offset + event.length);
    },
    done: (event) => {
      if (record === undefined) throw outcomeError(`locate ${short(key)}`, event);
      return { record, holder: kademlia.closest(event.op)[0] };
    },
  });
}

/** States a record that we hold singly once more. */
export function renewLocal(context: Context, record: Uint8Array): boolean {
  const request = new AcceptRequest();
  request.single = true;
  const { kademlia } = context.shard;
  return kademlia.book.accept(context.shard.now(), record, 0, record.length, request) >= 0;
}

function heldRecord(context: Context, key: Uint8Array, sequenceMin: number): FoundRecord | undefined {
  const held = localRecord(context, key);
  return held !== undefined && held.sequence >= sequenceMin ? held : undefined;
}

/** What this node itself holds and may hand out now. */
function localRecord(context: Context, key: Uint8Array): FoundRecord | undefined {
  const stored = new StoredRecord();
  if (!context.store.get(key, 0, stored)) return undefined;
  const nowUnix = (context.shard.now() + context.shard.wallMsAtZero) / 1000;
  if (stored.expiresUnix <= nowUnix || stored.notBeforeUnix > nowUnix) return undefined;
  return foundRecord(stored.bytes, stored.offset, stored.length);
}

/** Nodes closest to `target` that answered. */
export async function lookupNodes(context: Context, target: Uint8Array, call: Call): Promise<LookupResult> {
  const { contacts, asked } = await closestContacts(context, target, call);
  return {
    target: toHex(target),
    contacts: contacts.map(contactText),
    asked,
    answered: call.answered,
    elapsedMs: call.elapsedMs,
  };
}

/** The contacts themselves, closest first; rejects when there are none. */
export async function closestContacts(
  context: Context,
  target: Uint8Array,
  call: Call,
): Promise<{ contacts: readonly ContactInfo[]; asked: number }> {
  await context.awaitContacts(call);
  const { kademlia } = context.shard;
  return context.operations.run(call, {
    start: (now, budgetMs) => kademlia.findNode(now, target, { budgetMs }),
    done: (event) => {
      const contacts = kademlia.closest(event.op);
      if (contacts.length === 0) throw outcomeError(`lookup ${short(target)}`, event);
      return { contacts, asked: event.b };
    },
  });
}

/** The routing table, closest first. */
export function tableContacts({ shard }: Context): PeerInfo[] {
  const now = shard.now();
  const infos = shard.kademlia.contacts().map((contact) => ({
    ...contactText(contact),
    rttMs: Number.isNaN(contact.srttMs) ? undefined : contact.srttMs,
    bucket: contact.bucket,
    lastSeenMs: Math.max(0, now - contact.lastSeenMs),
  }));
  return infos.sort((a, b) => b.bucket - a.bucket);
}

/** One round trip to a node whose endpoint is known. */
export function pingContact(
  context: Context,
  publicKey: Uint8Array,
  endpoint: Uint8Array,
  call: Call,
): Promise<PingResult> {
  return context.operations.run(call, {
    start: (now) => context.shard.kademlia.ping(now, publicKey, endpoint),
    done: (event) => {
      const text = contactText({ publicKey, id: nodeIdOf(publicKey), endpoint });
      if (event.code !== Outcome.OK) throw unreachable(`ping ${text.endpoint}`);
      return { ...text, rttMs: event.a };
    },
  });
}

/** The contacts that one node names for a target, as it tells them. */
export function askContact(
  context: Context,
  publicKey: Uint8Array,
  endpoint: Uint8Array,
  target: Uint8Array,
  call: Call,
): Promise<readonly LookupContact[]> {
  const { kademlia } = context.shard;
  return context.operations.run(call, {
    start: (now) => kademlia.ask(now, publicKey, endpoint, target),
    done: (event) => {
      if (event.code !== Outcome.OK) throw unreachable(`findNode ${formatEndpoint(endpoint)}`);
      return kademlia.closest(event.op).map(contactText);
    },
  });
}

function unreachable(what: string): MoliaError<MoliaErrorCode> {
  return dhtError('PEER_UNREACHABLE', `${what}: no answer`, {
    hint: 'check that the node runs, that the key is its own, and that `network` is the same on both sides',
  });
}

/** The endpoint that a seed names. A literal address needs no resolver. */
export async function seedEndpoint(seed: Seed, call: Call): Promise<Uint8Array> {
  const literal = literalContact(seed);
  if (literal !== undefined) return literal.endpoint;
  const { contacts, failed } = await call.race(resolveSeeds([seed], []));
  if (contacts[0] !== undefined) return contacts[0].endpoint;
  throw dhtError('SEED_UNRESOLVED', `${seed.host} cannot be resolved`, { cause: failed[0]?.cause });
}

/** The endpoint of a node known by its key alone: from the table, else by a lookup of its id. */
export async function endpointOf(context: Context, publicKey: Uint8Array, call: Call): Promise<Uint8Array> {
  const same = (contact: ContactInfo) => equalBytes(contact.publicKey, 0, publicKey, 0, 32);
  const known = [...context.shard.kademlia.contacts()].find(same);
  if (known !== undefined) return known.endpoint;
  const { contacts } = await closestContacts(context, nodeIdOf(publicKey), call);
  const found = contacts.find(same);
  if (found !== undefined) return found.endpoint;
  throw dhtError('NOT_FOUND', `no node with the key ${short(publicKey)} answered`, {
    hint: "check the key, or give the address too: '<public key>@host:port'",
  });
}

/**
 * Providers as they are found. The buffer between engine and consumer holds at most `max` of them, and `max` ends the
 * lookup, so a slow consumer costs bounded memory. Leaving the loop cancels the lookup.
 */
export async function* iterateProviders(
  context: Context,
  key: Uint8Array,
  max: number,
  begin: () => Call,
  end: (call: Call) => void,
): AsyncGenerator<Provider, void, undefined> {
  const call = begin();
  const ready: Provider[] = [];
  const seen = new Set<Hex>();
  let wake: (() => void) | undefined;
  let ended = false;
  let failure: unknown;
  try {
    await context.awaitContacts(call);
    const running = context.operations.run(call, {
      start: (now, budgetMs) => context.shard.kademlia.findProviders(now, key, max, { budgetMs }),
      found: (event) => {
        if (event.kind !== EventKind.PROVIDER || seen.size >= max) return;
        const provider = providerOf(event.bytes, event.offset, event.length);
        if (provider === undefined || seen.has(provider.publicKey)) return;
        seen.add(provider.publicKey);
        ready.push(provider);
        wake?.();
      },
      done: (event) => {
        if (event.code === Outcome.NO_PEERS && seen.size === 0) {
          throw outcomeError(`findProviders ${short(key)}`, event);
        }
      },
    });
    running.then(
      () => {
        ended = true;
        wake?.();
      },
      (error: unknown) => {
        ended = true;
        failure = error;
        wake?.();
      },
    );
    for (;;) {
      const next = ready.shift();
      if (next !== undefined) {
        yield next;
        continue;
      }
      if (ended) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      wake = undefined;
    }
    if (failure !== undefined) throw failure;
  } finally {
    // Harmless when the lookup is over; else the consumer left and it is cancelled.
    call.fail(dhtError('ABORTED', `findProviders ${short(key)}: the iteration was left`));
    end(call);
  }
}

function providerOf(bytes: Uint8Array, offset: number, length: number): Provider | undefined {
  const record = foundRecord(bytes, offset, length);
  if (record === undefined || record.type !== RecordType.PROVIDER) return undefined;
  if (readProviderValue(record.value, 0, record.value.length, providerView) < 0) return undefined;
  const metaEnd = providerView.metadataOffset + providerView.metadataLength;
  return {
    publicKey: toHex(record.owner),
    id: toHex(nodeIdOf(record.owner)),
    meta: record.value.slice(providerView.metadataOffset, metaEnd),
    seq: record.sequence,
  };
}
