/** What the configured limits let a daemon use at most: a sum of named terms. */
import type { Config } from './config.ts';

export interface MemoryTerm {
  readonly name: string;
  readonly bytes: number;
  /** The arithmetic, for people. */
  readonly how: string;
}

/** Resident memory of a daemon without contacts and records, measured with room (tools/measure-daemon.mjs: 70 MB). */
const IDLE_BYTES = 80 * 2 ** 20;
/** Columns of one WireGuard peer, rounded up: keys, three sessions with their replay windows (1 KiB each), timers. */
const PEER_BYTES = 6 * 1024;
/** What one record costs beside its bytes: columns and index of the store, 60 MB for 2^18 records. */
const RECORD_BYTES = 256;
/** One running operation: its shortlist and its largest value. */
const OPERATION_BYTES = 64 * 1024 + 16 * 1024;

export function memoryTerms(config: Pick<Config, 'limits'>): readonly MemoryTerm[] {
  const { operationsMax, peersMax, recordsMax, storeBytesMax } = config.limits;
  return [
    { name: 'idle process', bytes: IDLE_BYTES, how: 'Node and the code, as measured' },
    {
      name: 'sessions',
      bytes: peersMax * PEER_BYTES,
      how: `limits.peers_max ${peersMax} x ${PEER_BYTES} B, used as peers come`,
    },
    { name: 'records', bytes: storeBytesMax, how: 'limits.store_bytes_max, used as records come' },
    {
      name: 'record index',
      bytes: recordsMax * RECORD_BYTES,
      how: `limits.records_max ${recordsMax} x ${RECORD_BYTES} B`,
    },
    {
      name: 'operations',
      bytes: operationsMax * OPERATION_BYTES,
      how: `limits.operations_max ${operationsMax} x ${OPERATION_BYTES} B`,
    },
  ];
}
