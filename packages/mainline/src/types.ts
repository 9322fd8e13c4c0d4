/** Public types of the engine. */
import type { Curves, Rng } from '@molia/core';
import type { MutableItem } from './items.ts';

/** Why a query may be refused, and by what. */
export type RequestFilter = (method: string, endpoint: Uint8Array, endpointAt: number) => boolean;

/** `adaptive`: a client until 15 minutes have passed and packets of strangers reach us, then a server. */
export type MainlineMode = 'adaptive' | 'client' | 'server';

export interface EngineOptions {
  readonly rng: Rng;
  /** Signatures; `nobleCurves` unless told. */
  readonly curves?: Curves | undefined;
  /** 20 bytes; random unless told. */
  readonly id?: Uint8Array | undefined;
  /** Address family of the socket: 4 (default) or 6 (BEP 32). */
  readonly family?: 4 | 6 | undefined;
  readonly mode?: MainlineMode | undefined;
  /** Milliseconds after which a request is dead; it gives up its slot earlier, by measured round trips. */
  readonly requestTimeoutMs?: number | undefined;
  /** Queries a second of one IP address that are answered, and at once; 0 = no limit. */
  readonly queriesPerSecondPerAddress?: number | undefined;
  readonly queriesBurstPerAddress?: number | undefined;
  /** Bounds of what is stored for others. */
  readonly infoHashesMax?: number | undefined;
  readonly peersPerHashMax?: number | undefined;
  readonly immutableItemsMax?: number | undefined;
  readonly mutableItemsMax?: number | undefined;
  /** Called for every parsed query; `false` = no answer. Must not throw. */
  readonly filter?: RequestFilter | undefined;
}

/** A node that a lookup found. */
export interface NodeInfo {
  readonly id: Uint8Array;
  /** 19 bytes. */
  readonly endpoint: Uint8Array;
}

export const EventKind = {
  /** `peers`: one node's answer to get_peers. */
  PEERS: 1,
  /** `item`: an immutable value, or a mutable one newer than those before it. */
  VALUE: 2,
  /** The operation has ended; nothing more comes of it. */
  DONE: 3,
  /** `serving` changed: we became a server or a client. */
  MODE: 4,
  /** Our public address changed. */
  ADDRESS: 5,
} as const;

/** How an operation ended. */
export const Outcome = {
  OK: 0,
  /** Nobody answered. */
  NO_NODES: 1,
  /** Nobody confirmed a put in time. */
  TIMEOUT: 2,
  /** All refused; `errorCode` says the most common reason. */
  REJECTED: 3,
  /** A newer item exists (302, or seen by our own lookup). */
  NOT_MOST_RECENT: 4,
  /** `cas` does not match what is stored (301, or seen by our own lookup). */
  CAS_FAILED: 5,
  /** Another value with the same sequence number exists. */
  CONCURRENT_WRITE: 6,
  CANCELLED: 7,
} as const;

/** One reused slot; fields that a kind does not name hold older contents. */
export interface MainlineEvent {
  kind: number;
  /** Operation, 0 = none. */
  op: number;
  outcome: number;
  /** 19-byte endpoints, one after the other. */
  peers: Uint8Array;
  item: MutableItem | undefined;
  /** DONE: nodes found, nearest first; of a put, those that stored it. */
  nodes: readonly NodeInfo[];
  /** DONE: nodes asked, and those that answered. */
  queried: number;
  answered: number;
  /** DONE of a put: nodes that stored it, and that it was sent to. */
  stored: number;
  sent: number;
  errorCode: number;
}

export function createMainlineEvent(): MainlineEvent {
  return {
    kind: 0,
    op: 0,
    outcome: 0,
    peers: new Uint8Array(0),
    item: undefined,
    nodes: [],
    queried: 0,
    answered: 0,
    stored: 0,
    sent: 0,
    errorCode: 0,
  };
}

/** Why a datagram was dropped: the negative verdicts of `handleDatagram`, each with a counter of the same name. */
export const MainlineDrop = {
  /** No KRPC message. */
  JUNK: -1,
  /** An answer that we did not ask for, or too late. */
  UNSOLICITED: -2,
  /** Over the limit of its address. */
  RATE_LIMITED: -3,
  /** A query, while we are a client. */
  READ_ONLY: -4,
  FILTERED: -5,
  /** The outbox is full. */
  OUTBOX_FULL: -6,
  /** An endpoint of the other family, or port 0. */
  WRONG_FAMILY: -7,
} as const;

export const COUNTERS = [
  'queries',
  'answers',
  'junk',
  'unsolicited',
  'rateLimited',
  'readOnly',
  'filtered',
  'outboxFull',
  'wrongFamily',
  'sentQueries',
  'receivedErrors',
  'timeouts',
] as const;
