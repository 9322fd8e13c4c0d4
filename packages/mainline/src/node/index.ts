/** @molia/mainline/node: a Mainline node over UDP. */
export { createDualMainline, DualMainline, type DualMainlineOptions } from './dual.ts';
export type { MainlineErrorCode } from './errors.ts';
export type {
  ImmutableValue,
  MainlineInfo,
  MainlineOptions,
  Peer,
  PutOutcome,
  ReadOptions,
  Signalled,
} from './mainline.ts';
export { createMainline, Mainline } from './mainline.ts';
export { createTestnet, type Testnet } from './testnet.ts';
