/** @molia/storage-wal: a durable keyed store on an append-only log, and the stores of a node on top of it. */
export { NEVER_UNIX, VALUE_BYTES_MAX } from './constants.ts';
export type { ContactStore, StoredContact } from './contact-store.ts';
export { createContactStore } from './contact-store.ts';
export { crc32c } from './crc32c.ts';
export type { Disk, DiskFile, DiskWork } from './disk.ts';
export {
  DiskError,
  DiskOperation,
  fileName,
  fileNumber,
  OperationKind,
  SNAPSHOT_FILE,
  SNAPSHOT_NEXT_FILE,
} from './disk.ts';
export type { StorageErrorCode } from './errors.ts';
export type { DumpedFrame, SegmentCheck, StoreCheck } from './inspect.ts';
export { dumpStore, verifyStore } from './inspect.ts';
export { KeyedStore } from './keyed-store.ts';
export type {
  DurableRecordStore,
  RecordFields,
  RecordStoreOptions,
  RecordStoreStats,
} from './record-store.ts';
export { createRecordStore } from './record-store.ts';
export { openKeyedStore } from './recovery.ts';
export type { StoreReport, StoreReportCode } from './reports.ts';
export { StoreVerdict } from './reports.ts';
export type { Durability, KeyedStoreOptions } from './store-options.ts';
export type { KeyedStoreStats } from './store-types.ts';
export { StoreEntry } from './store-types.ts';
