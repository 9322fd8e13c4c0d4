/** What people and metrics may read of a running engine; every call allocates copies. */
import { ENDPOINT_BYTES, ID_BYTES, type Millis } from '@molia/core';
import { ContactFlag } from './contacts.ts';
import type { Operations } from './operation.ts';
import type { Shared } from './shared.ts';
import type { ContactInfo } from './types.ts';

export interface KademliaStats {
  /** Contacts in the routing table, by bucket from the farthest. */
  readonly contacts: number;
  readonly buckets: readonly number[];
  /** Contacts remembered at all. */
  readonly known: number;
  readonly operations: number;
  readonly requests: number;
  readonly pulls: number;
  readonly srttMs: number;
  /** SRTT assumed of a stranger. */
  readonly strangerSrttMs: number;
  readonly networkSize: number;
  readonly counters: Readonly<Record<string, number>>;
}

export function statsOf(now: Millis, shared: Shared, operations: Operations): KademliaStats {
  const { table } = shared;
  return {
    contacts: table.count,
    buckets: Array.from({ length: table.depth }, (_, bucket) => table.countOf(bucket)),
    known: shared.contacts.count,
    operations: operations.count,
    requests: shared.requests.count,
    pulls: shared.puller.count,
    srttMs: shared.roundTrips.smoothed,
    strangerSrttMs: shared.roundTrips.stranger,
    networkSize: shared.size.nodes(now),
    counters: shared.counters.snapshot(),
  };
}

export function contactInfo(shared: Shared, row: number): ContactInfo {
  const { contacts, table } = shared;
  const key = row * ID_BYTES;
  const id = new Uint8Array(ID_BYTES);
  contacts.writeId(row, id, 0);
  const endpoint = row * ENDPOINT_BYTES;
  const srtt = contacts.srtt[row] as number;
  const inTable = ((contacts.flags[row] as number) & ContactFlag.TABLE) !== 0;
  return {
    publicKey: contacts.keys.slice(key, key + ID_BYTES),
    id,
    endpoint: contacts.endpoints.slice(endpoint, endpoint + ENDPOINT_BYTES),
    srttMs: srtt > 0 ? srtt : Number.NaN,
    bucket: inTable ? table.bucketOf(row) : -1,
    lastSeenMs: contacts.seenAt[row] as number,
  };
}
