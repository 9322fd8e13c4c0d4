/**
 * How two halves of a split network become one (docs/spec/routing.md, Upkeep). Lost contacts and absent seeds are asked for a sign of
 * life for as long as they are remembered, ever more seldom. Whoever returns, or a stranger that asks a node which has
 * lost contacts, is taken as a hint: our own id is looked up through it, which tells us of our neighbours beyond the
 * rift and them of us, and so on from node to node. A brake keeps a network from a stampede: hints are followed after
 * a random pause, one at a time, and ever more seldom while they bring no new neighbours.
 */
import { type Millis, NONE, randomBelow } from '@molia/core';
import {
  HEAL_JITTER_MS,
  HEAL_MS_MAX,
  HEAL_MS_MIN,
  HEAL_NEWS_MIN,
  HEAL_RIFT_MS,
  HEAL_STRANGER_MS,
  LOST_PROBE_MS_MAX,
  LOST_PROBE_MS_MIN,
  LOST_PROBE_PER_NODE_MS,
} from './constants.ts';
import { ContactFlag } from './contacts.ts';
import type { Shared } from './shared.ts';

export class Healing {
  private readonly shared: Shared;
  private readonly seeds: readonly number[];
  private probeAt: Millis = 0;
  private probeMs: Millis = LOST_PROBE_MS_MIN;
  /** When the hint is followed; Infinity = there is none. */
  private healAt: Millis = Number.POSITIVE_INFINITY;
  /** The row that gave it, held. */
  private through = NONE;
  private lastAt: Millis = Number.NEGATIVE_INFINITY;
  /** Pause between two strangers that are followed. */
  private strangerMs: Millis = HEAL_STRANGER_MS;
  private newsAtLast = 0;
  /** Somebody long lost has returned: until then strangers are news too. */
  private riftUntil: Millis = Number.NEGATIVE_INFINITY;
  private lostBefore = 0;

  constructor(shared: Shared, seeds: readonly number[]) {
    this.shared = shared;
    this.seeds = seeds;
  }

  nextDelay(now: Millis): Millis {
    if (this.shared.hint !== NONE) return 0;
    let at = this.healAt;
    if (this.hasAbsent) at = Math.min(at, this.probeAt);
    return at - now;
  }

  /**
   * Asks one absent contact when its turn has come. Returns the row of a contact through which our own id is to be
   * looked up now (held for the caller, who releases it), or NONE.
   */
  handleTimeout(now: Millis): number {
    this.probe(now);
    this.takeHint(now);
    if (now < this.healAt) return NONE;
    const { through } = this;
    this.healAt = Number.POSITIVE_INFINITY;
    this.through = NONE;
    this.lastAt = now;
    this.newsAtLast = this.shared.neighboursMet;
    return through;
  }

  private get hasAbsent(): boolean {
    return this.shared.lost.count > 0 || this.seeds.length > 0;
  }

  private probe(now: Millis): void {
    const { shared } = this;
    if (shared.lost.count > this.lostBefore && this.probeMs > LOST_PROBE_MS_MIN && this.lostBefore === 0) {
      this.probeMs = LOST_PROBE_MS_MIN;
      this.probeAt = now + this.probeMs;
    }
    this.lostBefore = shared.lost.count;
    if (!this.hasAbsent || now < this.probeAt) return;
    const most = Math.min(LOST_PROBE_MS_MAX, LOST_PROBE_PER_NODE_MS * (shared.table.count + 1));
    this.probeMs = Math.max(LOST_PROBE_MS_MIN, Math.min(this.probeMs * 1.5, most));
    this.probeAt = now + Math.ceil(this.probeMs * (0.75 + 0.5 * shared.random()));
    const row = this.absent();
    if (row !== NONE) shared.check(row);
  }

  /** A lost contact, or a seed that is not in the table: by turns of chance. */
  private absent(): number {
    const { shared, seeds } = this;
    if (seeds.length > 0 && (shared.lost.count === 0 || randomBelow(shared.rng, 4) === 0)) {
      const row = seeds[randomBelow(shared.rng, seeds.length)] as number;
      const known = ContactFlag.TABLE | ContactFlag.CACHED | ContactFlag.CLIENT;
      if (((shared.contacts.flags[row] as number) & known) === 0) return row;
    }
    return shared.lost.any();
  }

  /** A hint that waits is not replaced, but a stronger one may bring its turn forward. */
  private takeHint(now: Millis): void {
    const { shared } = this;
    const row = shared.hint;
    if (row === NONE) return;
    shared.hint = NONE;
    if (shared.hintReturned) {
      shared.hintReturned = false;
      this.riftUntil = now + HEAL_RIFT_MS;
      this.probeMs = LOST_PROBE_MS_MIN;
    }
    const inRift = now < this.riftUntil;
    const pause = inRift ? HEAL_MS_MIN : this.strangerMs;
    const at = Math.max(now, this.lastAt + pause) + randomBelow(shared.rng, HEAL_JITTER_MS);
    if (this.through !== NONE) {
      shared.contacts.release(row);
      this.healAt = Math.min(this.healAt, at);
      return;
    }
    this.through = row;
    this.healAt = at;
    if (inRift || shared.neighboursMet - this.newsAtLast >= HEAL_NEWS_MIN) this.strangerMs = HEAL_STRANGER_MS;
    else this.strangerMs = Math.min(this.strangerMs * 2, HEAL_MS_MAX);
  }
}
