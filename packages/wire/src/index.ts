export {
  AnswerWriter,
  FindValueResponseView,
  readFindNodeResponse,
  readFindValueResponse,
} from './answer-codec.ts';
export {
  BODY_BYTES_MAX,
  CHUNK_BYTES_MAX,
  COMPACT_IPV4_BYTES,
  COMPACT_IPV6_BYTES,
  CONTACTS_BESIDE_VALUE_MAX,
  CONTACTS_MAX,
  EndpointKind,
  ErrorCode,
  Feature,
  HEADER_BYTES,
  HeaderFlag,
  INTEGER_MAX,
  KEY_BYTES,
  MESSAGE_BYTES_MAX,
  MessageType,
  NAMESPACE_BYTES_MAX,
  NatClass,
  NODE_RECORD_BYTES_MAX,
  PING_PAYLOAD_BYTES_MAX,
  PROTOCOL_VERSION,
  PROVIDER_ENDPOINTS_MAX,
  PROVIDER_METADATA_BYTES_MAX,
  PROVIDER_VALUE_BYTES_MAX,
  PROVIDERS_MAX,
  Qos,
  REASON_BYTES_MAX,
  RECORD_BYTES_MAX,
  RECORD_DOMAIN,
  RecordFlag,
  RecordType,
  SALT_BYTES_MAX,
  SIGNATURE_BYTES,
  STAMP_SALT_BYTES_MAX,
  StoreStatus,
  VALUE_BYTES_MAX,
  VALUE_INLINE_BYTES_MAX,
  Want,
} from './constants.ts';
export { ContactList, contactBytes } from './contacts.ts';
export { WIRE_DROP_BASE, WireDrop, wireDropIndex, wireDropNames } from './drops.ts';
export {
  featureEnabled,
  featureSet,
  hasFeature,
  negotiateFeatures,
  negotiateVersion,
} from './features.ts';
export { Header, isMessageType, readHeader, writeHeader } from './header.ts';
export {
  immutableKey,
  mutableKey,
  mutableKeyInto,
  SIGNED_BYTES,
  signedBytesInto,
} from './keys.ts';
export {
  FindNodeRequestView,
  FindValueRequestView,
  PingView,
  PongView,
  readFindNodeRequest,
  readFindValueRequest,
  readPing,
  readPong,
  writeFindNodeRequest,
  writeFindValueRequest,
  writePing,
  writePong,
} from './lookup-codec.ts';
export { decodeNegotiate, encodeNegotiate, Negotiation } from './negotiate.ts';
export type { AdmissionPuzzle, NodeEndpoint, ObservedEndpoint, RelayOffer } from './node-record.ts';
export { createNodeRecord, decodeNodeRecord, NodeDescription } from './node-record.ts';
export { createProviderValue, ProviderValueView, readProviderValue } from './provider-value.ts';
export {
  attachedRecordBytes,
  RecordForm,
  RecordView,
  readRecord,
  recordBytes,
  recordValue,
  writeAttachedRecord,
  writeKeyedRecord,
  writeRecord,
} from './record-view.ts';
export type { MutableRecordInit, ProviderRecordInit } from './records.ts';
export { attachValue, createImmutable, createMutable, createProvider, detachRecord } from './records.ts';
export {
  ErrorView,
  FetchChunkRequestView,
  FetchChunkResponseView,
  NO_STAMP,
  readAnnounceRequest,
  readError,
  readFetchChunkRequest,
  readFetchChunkResponse,
  readStoreRequest,
  readStoreResponse,
  Stamp,
  StoreRequestView,
  StoreResponseView,
  writeAnnounceRequest,
  writeError,
  writeFetchChunkRequest,
  writeFetchChunkResponse,
  writeStoreRequest,
  writeStoreResponse,
} from './store-codec.ts';
export {
  compareHashes,
  compareRecords,
  RecordOrder,
  recordValueHash,
  verifyProvider,
  verifyRecord,
  verifyValue,
} from './verify.ts';
