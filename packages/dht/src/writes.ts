/** The writing half of the API: put, putMutable, delete, announceProvider. Arguments are checked already. */
import { MoliaError, toHex } from '@molia/core';
import { Outcome } from '@molia/kademlia';
import { createImmutable, createMutable, createProvider, immutableKey, mutableKey } from '@molia/wire';
import type { Call } from './call.ts';
import { SEQUENCE_MAX, SEQUENCE_RETRIES_MAX } from './constants.ts';
import { type Context, outcomeError, short } from './context.ts';
import { dhtError } from './errors.ts';
import { highestSequence } from './reads.ts';
import type { MutableResult, WriteResult } from './types.ts';

export interface MutableWrite {
  readonly namespace: Uint8Array;
  readonly salt: Uint8Array;
  readonly value: Uint8Array;
  readonly seq: number | undefined;
  readonly cas: number | undefined;
  readonly ttlSecs: number;
  readonly notBeforeUnix: number;
  readonly tombstone: boolean;
  readonly holdersMin: number;
}

/** Stores a value under its hash. */
export async function writeValue(
  context: Context,
  value: Uint8Array,
  ttlSecs: number,
  holdersMin: number,
  call: Call,
): Promise<WriteResult> {
  const key = immutableKey(value);
  await context.awaitContacts(call);
  const holders = await storeRecord(
    context,
    createImmutable(value, ttlSecs),
    `put ${short(key)}`,
    holdersMin,
    undefined,
    call,
  );
  return { key: toHex(key), holders, elapsedMs: call.elapsedMs };
}

/**
 * Writers of one key take turns in this map, so that two writes of this node never sign one sequence twice. A key is
 * forgotten when its last writer is done.
 */
export type WriteTurns = Map<string, Promise<unknown>>;

/** Signs and stores a mutable record or a tombstone. */
export async function writeMutable(
  context: Context,
  turns: WriteTurns,
  write: MutableWrite,
  call: Call,
): Promise<MutableResult> {
  const key = mutableKey(context.identity.publicKey, write.namespace, write.salt);
  const name = toHex(key);
  const before = turns.get(name) ?? Promise.resolve();
  const turn = before.then(
    () => writeInTurn(context, key, write, call),
    () => writeInTurn(context, key, write, call),
  );
  turns.set(name, turn);
  const forget = () => {
    if (turns.get(name) === turn) turns.delete(name);
  };
  turn.then(forget, forget);
  const { seq, holders } = await call.race(turn);
  return { key: name, seq, holders, elapsedMs: call.elapsedMs };
}

async function writeInTurn(
  context: Context,
  key: Uint8Array,
  write: MutableWrite,
  call: Call,
): Promise<{ seq: number; holders: number }> {
  call.check();
  const what = `${write.tombstone ? 'delete' : 'putMutable'} ${short(key)}`;
  await context.awaitContacts(call);
  const fixed = write.seq ?? (write.cas === undefined ? undefined : write.cas + 1);
  let seq = fixed ?? (await highestSequence(context, key, call)) + 1;
  // BOUNDED: by SEQUENCE_RETRIES_MAX lost races.
  for (let attempt = 0; ; attempt++) {
    if (seq > SEQUENCE_MAX) throw dhtError('STALE_SEQUENCE', `${what}: no sequence is left above ${seq - 1}`);
    const record = createMutable({
      identity: context.identity,
      namespace: write.namespace,
      salt: write.salt,
      sequence: seq,
      value: write.value,
      ttlSecs: write.ttlSecs,
      notBeforeUnix: write.notBeforeUnix,
      tombstone: write.tombstone,
    });
    try {
      const holders = await storeRecord(context, record, what, write.holdersMin, write.cas, call);
      return { seq, holders };
    } catch (error) {
      const lost =
        error instanceof MoliaError && (error.code === 'STALE_SEQUENCE' || error.code === 'EQUIVOCATION');
      if (fixed !== undefined || !lost || attempt >= SEQUENCE_RETRIES_MAX) throw error;
      seq = Math.max(seq, await highestSequence(context, key, call)) + 1;
    }
  }
}

/** Announces that this node provides `key`. The sequence is the Unix time in milliseconds: a later one replaces it. */
export async function writeProvider(
  context: Context,
  key: Uint8Array,
  metadata: Uint8Array,
  ttlSecs: number,
  holdersMin: number,
  call: Call,
): Promise<WriteResult> {
  await context.awaitContacts(call);
  const record = createProvider({
    identity: context.identity,
    key,
    metadata,
    sequence: context.shard.wallMsAtZero + context.shard.now(),
    ttlSecs,
  });
  const what = `announceProvider ${short(key)}`;
  const holders = await context.operations.run(call, {
    start: (now, budgetMs) => context.shard.kademlia.announce(now, record, { budgetMs }),
    done: (event) => holdersOf(what, event, holdersMin),
  });
  await call.race(context.settled());
  return { key: toHex(key), holders, elapsedMs: call.elapsedMs };
}

/** Holders of the record; our own copy is durable then. */
async function storeRecord(
  context: Context,
  record: Uint8Array,
  what: string,
  holdersMin: number,
  cas: number | undefined,
  call: Call,
): Promise<number> {
  const holders = await context.operations.run(call, {
    start: (now, budgetMs) =>
      context.shard.kademlia.store(now, record, cas === undefined ? { budgetMs } : { budgetMs, cas }),
    done: (event) => holdersOf(what, event, holdersMin),
  });
  await call.race(context.settled());
  return holders;
}

/** Holders of a write that reached enough of them. */
function holdersOf(
  what: string,
  event: { code: number; a: number; b: number; sequence: number },
  holdersMin: number,
): number {
  const { code, a: holders } = event;
  const partly = code === Outcome.NOT_ENOUGH_HOLDERS || code === Outcome.TIMEOUT || code === Outcome.NO_PEERS;
  if (code !== Outcome.OK && !(partly && holders >= holdersMin)) {
    throw outcomeError(what, event as Parameters<typeof outcomeError>[1]);
  }
  if (holders < holdersMin) {
    throw dhtError(
      'NOT_ENOUGH_HOLDERS',
      `${what}: ${holders} nodes hold the record, ${holdersMin} were asked for`,
      {
        cause: { holders, wanted: holdersMin },
        hint: 'wait until more nodes have joined, or ask for fewer holders',
      },
    );
  }
  return holders;
}
