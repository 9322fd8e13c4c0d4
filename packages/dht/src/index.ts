export type { MoliaError } from '@molia/core';
export { createNodeCurves, type NodeCurves } from './curves-node.ts';
export type { InputErrorCode, MoliaErrorCode } from './errors.ts';
export { isMoliaError } from './errors.ts';
export { createNode } from './node.ts';
export { createFilePeerstore } from './peerstore.ts';
export { createTestnet } from './testnet.ts';
export { createUdpTransport, type UdpOptions } from './transport-udp.ts';
export type {
  DeleteOptions,
  FindProvidersOptions,
  GetMutableOptions,
  GetOptions,
  Hex,
  Key,
  LookupContact,
  LookupResult,
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
  PeerstoreDriver,
  PingResult,
  Progress,
  Provider,
  PutMutableOptions,
  PutResult,
  Testnet,
  TestnetOptions,
  WriteOptions,
  WriteResult,
} from './types.ts';
