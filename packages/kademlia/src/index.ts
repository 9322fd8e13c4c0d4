/** @molia/kademlia: routing, lookups and records as a sans-IO engine. */
export { DEFAULTS } from './constants.ts';
export { createKademlia, Kademlia } from './engine.ts';
export {
  createMemoryStore,
  type MemoryStoreLimits,
  type MemoryStoreOptions,
} from './records/memory-store.ts';
export { RecordBook, type RecordBookOptions, Republish } from './records/record-book.ts';
export { AcceptRequest, FindVerdict, RecordVerdict } from './records/record-verdicts.ts';
export {
  type StoreCase,
  type StoreCaseOptions,
  type StoreFactory,
  storeCases,
} from './records/store-cases.ts';
export {
  PutVerdict,
  RecordMark,
  type RecordStore,
  StoredRecord,
  type StoreStats,
} from './records/store-port.ts';
export type { KademliaStats } from './stats.ts';
export type {
  ContactInfo,
  FindValueOptions,
  KademliaEvent,
  KademliaOptions,
  LookupOptions,
  Op,
  Peers,
  SizeEstimate,
  StoreOptions,
  Tuning,
} from './types.ts';
export { createKademliaEvent, EventKind, KademliaDrop, Outcome, outcomeNames } from './types.ts';
