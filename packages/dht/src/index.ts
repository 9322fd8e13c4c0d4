export type { MoliaError } from '@molia/core';
export { createUdpTransport, type UdpOptions } from '@molia/native-shard';
export { createNodeCurves, type NodeCurves } from './curves-node.ts';
export type { InputErrorCode, MoliaErrorCode } from './errors.ts';
export { isMoliaError } from './errors.ts';
export { createNode } from './node.ts';
export { createTestnet } from './testnet.ts';
export type {
  BlobOptions,
  BlobProgress,
  BlobRepair,
  BlobResult,
  BlobSource,
  BlobStatus,
  BlobStatusOptions,
  DeleteOptions,
  FindProvidersOptions,
  GetBlobOptions,
  GetMutableOptions,
  GetOptions,
  Hex,
  Key,
  LookupContact,
  LookupResult,
  MainlineUse,
  MoliaNode,
  MutableResult,
  MutableValue,
  NodeEvent,
  NodeLimits,
  NodeOptions,
  NodeState,
  NodeStats,
  OperationOptions,
  PeerInfo,
  PingResult,
  PinInfo,
  Progress,
  Provider,
  PutBlobOptions,
  PutMutableOptions,
  PutResult,
  Testnet,
  TestnetOptions,
  WriteOptions,
  WriteResult,
} from './types.ts';
