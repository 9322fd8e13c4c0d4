/** What the halves of an engine share: who we are, what waits to be sent or told, what is counted. */
import { type Counters, type Curves, createCounters, type Rng } from '@molia/core';
import { AddressVotes } from './address-votes.ts';
import { NODE_ID_BYTES } from './constants.ts';
import { ContactTable } from './contact-table.ts';
import { LruKeys } from './lru-keys.ts';
import { Outbox } from './outbox.ts';
import { COUNTERS, createMainlineEvent, type MainlineEvent } from './types.ts';

/** IP addresses that we sent something to: who is not among them is a stranger. */
const CONTACTED_MAX = 4096;
const ADDRESS_BYTES = 17;

export class Shared {
  readonly rng: Rng;
  readonly curves: Curves;
  readonly family: 4 | 6;
  /** Both change when BEP 42 asks for a new id. */
  id = new Uint8Array(NODE_ID_BYTES);
  table = new ContactTable(this.id);
  /** Whether we answer queries. */
  serving = false;
  /** Whether we want to learn if strangers can reach us. */
  seeksStrangers = false;
  /** Endpoints that a thin table asks. */
  seeds: readonly Uint8Array[] = [];
  readonly counters: Counters<typeof COUNTERS> = createCounters(COUNTERS);
  readonly outbox = new Outbox();
  readonly votes = new AddressVotes();
  readonly events: MainlineEvent[] = [];
  readonly contacted: LruKeys;

  constructor(rng: Rng, curves: Curves, family: 4 | 6) {
    this.rng = rng;
    this.curves = curves;
    this.family = family;
    this.contacted = new LruKeys(ADDRESS_BYTES, CONTACTED_MAX, rng);
  }

  /** Bytes of a compact peer in our family. */
  get compactBytes(): 6 | 18 {
    return this.family === 4 ? 6 : 18;
  }

  counted(name: (typeof COUNTERS)[number]): void {
    this.counters.add(COUNTERS.indexOf(name), 1);
  }

  emit(event: Partial<MainlineEvent>): void {
    this.events.push({ ...createMainlineEvent(), ...event });
  }
}
