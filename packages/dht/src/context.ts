/** What reads and writes share: the stack, who we are, what we hold, and how to wait for a network. */
import { formatEndpoint, type Identity, type MoliaError, toHex } from '@molia/core';
import {
  type ContactInfo,
  type KademliaEvent,
  Outcome,
  outcomeNames,
  type RecordStore,
} from '@molia/kademlia';
import { RecordView, readRecord } from '@molia/wire';
import type { Call } from './call.ts';
import { dhtError, type MoliaErrorCode } from './errors.ts';
import type { Operations } from './operations.ts';
import type { Shard } from './shard.ts';
import type { LookupContact } from './types.ts';

export interface Context {
  readonly identity: Identity;
  readonly shard: Shard;
  readonly operations: Operations;
  readonly store: RecordStore;
  /** Resolves when there is somebody to ask, or when it is clear that there is not; rejects only as the call does. */
  awaitContacts(call: Call): Promise<void>;
  /** Resolves when what the store was given is durable. */
  settled(): Promise<void>;
}

/** A record that an event carried, copied out of the engine's slot. */
export interface FoundRecord {
  readonly type: number;
  readonly sequence: number;
  readonly flags: number;
  readonly value: Uint8Array;
  /** 32 bytes; zero for immutable records. */
  readonly owner: Uint8Array;
}

const view = new RecordView();

/** Reads an encoded record (value inline); `undefined` when it is none. */
export function foundRecord(bytes: Uint8Array, offset: number, length: number): FoundRecord | undefined {
  if (readRecord(bytes, offset, length, view) < 0 || !view.hasValue) return undefined;
  const valueAt = Math.max(view.valueOffset, 0);
  return {
    type: view.type,
    sequence: view.sequence,
    flags: view.flags,
    value: new Uint8Array(bytes.subarray(valueAt, valueAt + view.valueLength)),
    owner: view.ownerOffset < 0 ? new Uint8Array(32) : bytes.slice(view.ownerOffset, view.ownerOffset + 32),
  };
}

const HINTS: Partial<Record<MoliaErrorCode, string>> = {
  NO_PEERS:
    'check that a seed is given and running, that its address can be reached, and that `network` is the same everywhere',
  NOT_FOUND: 'nobody holds it (any more): check the key, or ask who wrote it to put it again',
  TIMEOUT: 'raise timeoutMs, or check the connection',
  NOT_ENOUGH_HOLDERS: 'wait until more nodes have joined, or ask for fewer holders',
  STALE_SEQUENCE: 'read the record and write with a higher sequence, or leave seq out',
  CAS_MISMATCH: 'read the record again and repeat the change on what is there now',
  EQUIVOCATION: 'write again with a higher sequence; never sign two values under one',
};

/** The error of an outcome; `what` names the call. */
export function outcomeError(what: string, event: KademliaEvent): MoliaError<MoliaErrorCode> {
  const code = codeOf(event.code);
  const hint = HINTS[code];
  const detail = MESSAGES[code]?.(event) ?? `ended with ${outcomeNames[event.code] ?? event.code}`;
  return dhtError(code, `${what}: ${detail}`, hint === undefined ? {} : { hint });
}

const MESSAGES: Partial<Record<MoliaErrorCode, (event: KademliaEvent) => string>> = {
  NO_PEERS: () => 'no other node could be reached',
  NOT_FOUND: (event) => `not found (${event.b} nodes asked)`,
  TIMEOUT: (event) => `no result in time (${event.b} nodes asked)`,
  NOT_ENOUGH_HOLDERS: (event) => `only ${event.a} nodes hold the record`,
  STALE_SEQUENCE: (event) => `a record with sequence ${event.sequence} is held already`,
  CAS_MISMATCH: (event) => `the sequence held is ${event.sequence}`,
  EQUIVOCATION: (event) => `another value was signed under sequence ${event.sequence}`,
  PEER_UNREACHABLE: () => 'no answer',
};

function codeOf(outcome: number): MoliaErrorCode {
  switch (outcome) {
    case Outcome.NOT_FOUND:
      return 'NOT_FOUND';
    case Outcome.NO_PEERS:
      return 'NO_PEERS';
    case Outcome.NOT_ENOUGH_HOLDERS:
      return 'NOT_ENOUGH_HOLDERS';
    case Outcome.STALE:
      return 'STALE_SEQUENCE';
    case Outcome.CAS_MISMATCH:
      return 'CAS_MISMATCH';
    case Outcome.EQUIVOCATION:
      return 'EQUIVOCATION';
    case Outcome.UNREACHABLE:
      return 'PEER_UNREACHABLE';
    case Outcome.CANCELLED:
      return 'ABORTED';
    case Outcome.INVALID:
      return 'UNSUPPORTED';
    default:
      return 'TIMEOUT';
  }
}

/** A contact as people see it. */
export function contactText(contact: Pick<ContactInfo, 'publicKey' | 'id' | 'endpoint'>): LookupContact {
  return {
    publicKey: toHex(contact.publicKey),
    id: toHex(contact.id),
    endpoint: formatEndpoint(contact.endpoint),
  };
}

/** First digits of a key, for messages. */
export function short(key: Uint8Array): string {
  return `${toHex(key.subarray(0, 4))}…`;
}
