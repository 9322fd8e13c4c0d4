/** @molia/kademlia: routing, lookups and records as sans-IO engines. */
export type { MemoryStoreLimits, MemoryStoreOptions } from './records/memory-store.ts';
export { createMemoryStore } from './records/memory-store.ts';
export type { PullerOptions } from './records/puller.ts';
export { ChunkRequest, PullDone, PullDrop, Puller, PullOutcome } from './records/puller.ts';
export type { RecordBookOptions } from './records/record-book.ts';
export { RecordBook, Republish } from './records/record-book.ts';
export { AcceptRequest, FindVerdict, RecordVerdict, storeStatusOf } from './records/record-verdicts.ts';
export { distanceFraction, expectedFraction, isWithinExpected } from './records/responsibility.ts';
export type { StoreCase, StoreCaseOptions, StoreFactory } from './records/store-cases.ts';
export { storeCases } from './records/store-cases.ts';
export type { RecordStore, StoreStats } from './records/store-port.ts';
export { ACCOUNTS, PutVerdict, RecordMark, StoredRecord } from './records/store-port.ts';
