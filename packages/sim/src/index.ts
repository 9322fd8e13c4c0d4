/** @molia/sim: a deterministic network for engines, in virtual time. */
export { AmplificationWatch, SequenceWatch, watchNonces } from './checkers.ts';
export type { SessionLaw } from './churn.ts';
export {
  dailyFactor,
  exponentialLeaving,
  flashCrowd,
  KAD_PAUSES,
  KAD_SESSIONS,
  weibullSessions,
} from './churn.ts';
export { Clock } from './clock.ts';
export { ACCESS_CLASSES, NAT_CLASSES, PERFECT_LINK, PORT_DEFAULT, WALL_MS_AT_ZERO } from './constants.ts';
export type { CrewPlace } from './crew.ts';
export { Crew, CrewError, createCrewMemory, failCrew, joinCrew } from './crew.ts';
export type { DiskRequest } from './disk.ts';
export { DiskAction, DiskOutcome, SimDisk } from './disk.ts';
export { EventQueue } from './event-queue.ts';
export type { LatencyOptions } from './latency.ts';
export { LatencyMatrix } from './latency.ts';
export type { AccessClass } from './links.ts';
export { Links } from './links.ts';
export type { NatClass } from './nat.ts';
export { NatBoxes } from './nat.ts';
export type { Faults, NetworkOptions, PlaceOptions } from './network.ts';
export { Drop, dropNames, HostState, Network } from './network.ts';
export type { SimHost, SimNode, SimNodeFactory } from './node-port.ts';
export { placeRows } from './placement.ts';
export { Generators, rngOf } from './random.ts';
export { Simulator } from './simulator.ts';
export type { HostOptions, SimulatorOptions, Tap } from './simulator-options.ts';
export type { CipherCounts } from './stub-crypto.ts';
export { createStubIdentity, StubCipher, stubCurves } from './stub-crypto.ts';
export type { SwizzleOptions } from './swizzle.ts';
export { swizzle } from './swizzle.ts';
export type { Totals } from './totals.ts';
export type { TransportCase, TransportLab } from './transport-cases.ts';
export { transportCases } from './transport-cases.ts';
