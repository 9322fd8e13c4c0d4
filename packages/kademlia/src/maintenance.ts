/**
 * What the engine does by itself (docs/spec/routing.md): asks newcomers who they are, keeps every contact of the table
 * heard, refreshes each bucket once in 30 to 60 minutes, rejoins when everybody is gone, republishes records.
 */
import { copyBytes, ID_BYTES, IDLE, type Millis, NONE, randomBelow } from '@molia/core';
import { MessageType } from '@molia/wire';
import {
  BACKGROUND_OPERATIONS_MAX,
  FILL_STEP_MS,
  FILL_WIDTH,
  GROW_MS,
  HEAL_AGAIN_MS,
  LIVENESS_MS,
  LIVENESS_STEP_MS,
  NEAR_SCAN,
  NEAR_STEP_MS,
  PROBE_STEP_MS,
  PROBES_BURST,
  REJOIN_MS_MAX,
  REJOIN_MS_MIN,
  SEEDS_MAX,
  SETTLE_MS_MIN,
} from './constants.ts';
import { ContactFlag } from './contacts.ts';
import type { Finder } from './finder.ts';
import { Healing } from './healing.ts';
import { type Operations, OpKind } from './operation.ts';
import type { Publisher } from './publisher.ts';
import { Republish } from './records/record-book.ts';
import type { Shared } from './shared.ts';

/** Buckets that are refreshed: deeper ones hold only our nearest neighbours, whom a lookup of our own id covers. */
const BUCKETS = 64;

export class Maintenance {
  /** Contact rows to join through. */
  readonly seeds: number[] = [];
  private readonly shared: Shared;
  private readonly operations: Operations;
  private readonly finder: Finder;
  private readonly publisher: Publisher;
  private readonly healing: Healing;
  private readonly republish = new Republish();
  private readonly target = new Uint8Array(ID_BYTES);
  /** Instants; the last row is our own id. NaN = not scheduled yet. */
  private readonly refreshAt = new Float64Array(BUCKETS + 1).fill(Number.NaN);
  /** The next probe's turn; it lies in the past by what was not used, up to a burst. */
  private probeAt: Millis = -PROBES_BURST * PROBE_STEP_MS;
  private livenessAt: Millis = 0;
  private nearAt: Millis = 0;
  /** Where the search for unmeasured contacts goes on. */
  private nearFrom = 0;
  private rejoinAt: Millis = 0;
  private rejoinMs: Millis = REJOIN_MS_MIN;
  private started = false;
  private startedAt: Millis = 0;
  /** Until the table holds K, our own id is looked up this often; longer each time that nobody new was met. */
  private settleMs: Millis = SETTLE_MS_MIN;
  private settledCount = 0;
  /** Buckets that have yet to be filled after a bootstrap: bits by index. */
  private readonly filling = new Uint8Array(BUCKETS);

  constructor(shared: Shared, operations: Operations, finder: Finder, publisher: Publisher) {
    this.shared = shared;
    this.operations = operations;
    this.finder = finder;
    this.publisher = publisher;
    this.healing = new Healing(shared, this.seeds);
  }

  /** Remembers a contact for joining; the oldest goes when there are too many. */
  addSeed(row: number): void {
    if (this.seeds.includes(row)) return;
    if (this.seeds.length === SEEDS_MAX) this.shared.contacts.release(this.seeds.shift() as number);
    this.shared.contacts.hold(row);
    this.seeds.push(row);
  }

  handleTimeout(now: Millis): void {
    if (!this.shared.tuning.maintenance) return;
    if (!this.started) this.schedule(now);
    if (this.shared.fillSoon) this.fill(now);
    this.probe(now);
    this.checkStalest(now);
    this.measureNext(now);
    this.rejoin(now);
    this.heal(now);
    this.settle(now);
    this.refresh(now);
    this.republishDue(now);
  }

  nextDelay(now: Millis): number {
    const { shared } = this;
    if (!shared.tuning.maintenance) return IDLE;
    if (!this.started || shared.fillSoon) return 0;
    let at = Number.POSITIVE_INFINITY;
    if (shared.probes.length > 0) at = this.probeAt;
    if (shared.table.count > 0) at = Math.min(at, this.livenessAt, this.nearAt);
    else if (this.seeds.length > 0) at = Math.min(at, this.rejoinAt);
    if (this.operations.background < BACKGROUND_OPERATIONS_MAX) {
      at = Math.min(at, this.refreshAt[BUCKETS] as number);
      if (shared.table.count > 0) at = Math.min(at, now + this.healing.nextDelay(now));
      const depth = Math.min(shared.table.depth, BUCKETS);
      for (let bucket = 0; bucket < depth; bucket++) at = Math.min(at, this.refreshAt[bucket] as number);
    }
    let delay = at - now;
    if (this.operations.background < BACKGROUND_OPERATIONS_MAX) {
      delay = Math.min(delay, shared.book.nextDelay(now));
    }
    return delay <= 0 ? 0 : Math.min(delay, IDLE);
  }

  private schedule(now: Millis): void {
    this.started = true;
    this.startedAt = now;
    for (let bucket = 0; bucket <= BUCKETS; bucket++) this.refreshAt[bucket] = now + this.refreshMs(now);
    this.livenessAt = now + LIVENESS_STEP_MS;
    this.nearAt = now + this.jittered(NEAR_STEP_MS);
    this.rejoinAt = now + REJOIN_MS_MIN;
  }

  /** After a bootstrap every bucket that could hold anybody is refreshed, one after the other. */
  private fill(now: Millis): void {
    this.shared.fillSoon = false;
    const depth = Math.min(this.shared.table.depth, BUCKETS);
    for (let bucket = 0; bucket < depth; bucket++) {
      this.filling[bucket] = 1;
      this.refreshAt[bucket] = now + (bucket + 1) * FILL_STEP_MS;
    }
  }

  private probe(now: Millis): void {
    const { probes } = this.shared;
    this.probeAt = Math.max(this.probeAt, now - PROBES_BURST * PROBE_STEP_MS);
    while (probes.length > 0 && now >= this.probeAt) {
      this.probeAt += PROBE_STEP_MS;
      this.probeNext();
    }
  }

  private probeNext(): void {
    const { probes, contacts } = this.shared;
    const row = probes.pop();
    const flags = (contacts.flags[row] as number) & ~ContactFlag.QUEUED;
    contacts.flags[row] = flags;
    const done = ContactFlag.NEGOTIATED | ContactFlag.CHECKED;
    if ((flags & done) === 0) {
      if (this.shared.ask(MessageType.NEGOTIATE, row, NONE) !== NONE) {
        contacts.flags[row] = flags | ContactFlag.CHECKED;
      }
    } else if ((flags & ContactFlag.TABLE) === 0) {
      // It said who it is; now it has to answer us.
      this.shared.check(row);
    }
    contacts.release(row);
  }

  private checkStalest(now: Millis): void {
    const { shared } = this;
    if (shared.table.count === 0 || now < this.livenessAt) return;
    const step = Math.max(LIVENESS_STEP_MS, LIVENESS_MS / shared.table.count);
    this.livenessAt = now + this.jittered(step);
    const row = shared.table.stalest();
    if (row !== NONE && now - (shared.contacts.seenAt[row] as number) >= LIVENESS_MS / 2) shared.check(row);
  }

  /** Measures one of those that others named, for the buckets that prefer near contacts. */
  private measureNext(now: Millis): void {
    const { shared } = this;
    if (now < this.nearAt || shared.table.count === 0) return;
    this.nearAt = now + this.jittered(NEAR_STEP_MS);
    const row = shared.contacts.nextUnheard(this.nearFrom, NEAR_SCAN);
    this.nearFrom = (row === NONE ? this.nearFrom + NEAR_SCAN : row + 1) % shared.contacts.capacity;
    if (row !== NONE && shared.table.isFar(row)) shared.check(row);
  }

  private rejoin(now: Millis): void {
    const { shared } = this;
    if (shared.table.count > 0) {
      this.rejoinMs = REJOIN_MS_MIN;
      return;
    }
    if (this.seeds.length === 0 || now < this.rejoinAt) return;
    this.rejoinAt = now + this.rejoinMs;
    this.rejoinMs = Math.min(this.rejoinMs * 2, REJOIN_MS_MAX);
    const op = this.operations.openSilent(now, OpKind.BOOTSTRAP, shared.tuning.lookupBudgetMs);
    if (op === undefined) return;
    this.finder.start(now, op, shared.identity.id, 0, 1, this.seeds);
    this.finder.step(now, op);
  }

  /** Looks up our own id through a contact that may know of a part of the network that we lost. */
  private heal(now: Millis): void {
    const { shared } = this;
    if (shared.table.count === 0 || this.operations.background >= BACKGROUND_OPERATIONS_MAX) return;
    const through = this.healing.handleTimeout(now);
    if (through === NONE) return;
    const op = this.operations.openSilent(now, OpKind.REFRESH, shared.tuning.lookupBudgetMs);
    if (op !== undefined) {
      this.finder.start(now, op, shared.identity.id, 0, 1, this.seeds);
      op.lookup.add(through, 0);
      this.finder.step(now, op);
    }
    shared.contacts.release(through);
    const again = now + this.jittered(HEAL_AGAIN_MS);
    this.refreshAt[BUCKETS] = Math.min(this.refreshAt[BUCKETS] as number, again);
  }

  /**
   * A table that grows and is thin still belongs to a network that forms, or to a client, which nobody asks back: whom
   * it met so far knows others soon.
   */
  private settle(now: Millis): void {
    const { table, tuning } = this.shared;
    const grew = table.count > this.settledCount;
    this.settledCount = table.count;
    if (!grew) return;
    this.settleMs = SETTLE_MS_MIN;
    if (table.count >= tuning.k) return;
    const at = now + this.jittered(SETTLE_MS_MIN);
    this.refreshAt[BUCKETS] = Math.min(this.refreshAt[BUCKETS] as number, at);
  }

  /** When our own id is to be looked up again. */
  private ownRefreshMs(now: Millis): Millis {
    const { table, tuning } = this.shared;
    if (table.count >= tuning.k) return this.refreshMs(now);
    this.settleMs = Math.min(this.settleMs * 2, tuning.refreshMsMin);
    return this.jittered(this.settleMs);
  }

  private jittered(ms: Millis): Millis {
    return Math.ceil(ms * (0.75 + 0.5 * this.shared.random()));
  }

  private refresh(now: Millis): void {
    const { shared, target } = this;
    const depth = shared.table.depth;
    for (let bucket = 0; bucket <= BUCKETS; bucket++) {
      if (this.operations.background >= BACKGROUND_OPERATIONS_MAX) return;
      if (now < (this.refreshAt[bucket] as number)) continue;
      const period = bucket === BUCKETS ? this.ownRefreshMs(now) : this.refreshMs(now);
      this.refreshAt[bucket] = now + period;
      const fills = this.filling[bucket] === 1;
      this.filling[bucket] = 0;
      if (shared.table.count === 0 || (bucket >= depth && bucket !== BUCKETS)) continue;
      if (fills && shared.table.countOf(bucket) >= shared.tuning.k) continue;
      copyBytes(target, 0, shared.identity.id, 0, ID_BYTES);
      if (bucket < BUCKETS) this.randomise(bucket);
      const op = this.operations.openSilent(now, OpKind.REFRESH, shared.tuning.lookupBudgetMs);
      if (op === undefined) return;
      this.finder.start(now, op, target, 0, 1, this.seeds);
      // The rare ones of later life see to it that no live one nearby is missing.
      if (bucket < BUCKETS && (fills || period < shared.tuning.refreshMsMin)) op.lookup.width = FILL_WIDTH;
      this.finder.step(now, op);
    }
  }

  /** Makes `target` a random id of the bucket: the bit after the shared prefix flipped, the rest random. */
  private randomise(bucket: number): void {
    const { target } = this;
    const byte = bucket >>> 3;
    const bit = 0x80 >>> (bucket & 7);
    const keep = 0xff & ~(bit * 2 - 1);
    const own = target[byte] as number;
    this.shared.rng.fill(target, byte, ID_BYTES - byte);
    const random = target[byte] as number;
    target[byte] = (own & keep) | (~own & bit) | (random & (bit - 1));
  }

  private republishDue(now: Millis): void {
    const { book } = this.shared;
    book.handleTimeout(now);
    while (this.operations.background < BACKGROUND_OPERATIONS_MAX && this.shared.table.count > 0) {
      const { republish } = this;
      if (!book.nextRepublish(now, republish)) return;
      const op = this.operations.openSilent(now, OpKind.STORE, this.shared.tuning.lookupBudgetMs);
      if (op === undefined) return;
      const { record } = republish;
      op.ageSecs = republish.ageSecs;
      if (!this.publisher.prepare(op, record.bytes.slice(record.offset, record.offset + record.length))) {
        this.operations.close(op);
        continue;
      }
      this.finder.start(now, op, op.record, op.view.keyOffset, 1, this.seeds);
      this.finder.step(now, op);
    }
  }

  /** As long as we are up already, from a minute to the full period: tables grow with what a node's stay is worth. */
  private refreshMs(now: Millis): Millis {
    const { refreshMsMin, refreshMsMax } = this.shared.tuning;
    const full = refreshMsMin + randomBelow(this.shared.rng, refreshMsMax - refreshMsMin + 1);
    // A network that fits into one bucket has nothing more to show.
    if (this.shared.table.count < this.shared.tuning.k) return full;
    return Math.min(full, this.jittered(Math.max(GROW_MS, now - this.startedAt)));
  }
}
