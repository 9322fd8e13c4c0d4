/** What an engine is busy with: one record an operation, and the responders of recent lookups. */
import { ENDPOINT_BYTES, equalBytes, type Millis, NONE, toHex } from '@molia/core';
import { NODE_ID_BYTES, RECENT_LOOKUPS_MAX, TOKEN_BYTES_MAX, TOKEN_USE_MS } from './constants.ts';
import type { MutableItem } from './items.ts';
import { CandidateState, type Lookup } from './lookup.ts';
import { isSecureId } from './node-id.ts';
import { type NodeInfo, Outcome } from './types.ts';

export const OpKind = {
  FIND_NODE: 1,
  GET_PEERS: 2,
  GET_IMMUTABLE: 3,
  GET_MUTABLE: 4,
  ANNOUNCE: 5,
  PUT_IMMUTABLE: 6,
  PUT_MUTABLE: 7,
  PING: 8,
  /** The engine's own: a bucket's refresh, the search for our own id. Reports nothing. */
  UPKEEP: 9,
} as const;

export interface Operation {
  readonly op: number;
  readonly kind: number;
  lookup: Lookup | undefined;
  /** The item to put; for a get, key and salt to verify with. */
  item: MutableItem | undefined;
  /** Newest item seen. */
  newest: MutableItem | undefined;
  cas: bigint | undefined;
  /** `seq` of a get: only newer items are of interest. */
  newerThan: bigint | undefined;
  port: number;
  /** A put's second half. */
  writing: boolean;
  /** It writes by the tokens of a lookup some minutes ago; unless most nodes confirm, it searches after all. */
  direct: boolean;
  waiting: number;
  sent: number;
  acknowledged: NodeInfo[];
  readonly refusals: Map<number, number>;
  /** Candidates that a reused lookup brought count for no new size sample. */
  reused: boolean;
}

/** How a put stands that was sent to all its nodes; `undefined` = it goes on. */
export function writeOutcome({
  sent,
  waiting,
  acknowledged,
  refusals,
}: Operation): (typeof Outcome)[keyof typeof Outcome] | undefined {
  const cas = refusals.get(301) ?? 0;
  const older = refusals.get(302) ?? 0;
  // A majority decides at once, whatever a few others confirmed.
  if (cas * 2 > sent) return Outcome.CAS_FAILED;
  if (older * 2 > sent) return Outcome.NOT_MOST_RECENT;
  if (waiting > 0) return undefined;
  // Late ones may still confirm; dead ones count among the refusals, under code 0.
  let refused = 0;
  for (const count of refusals.values()) refused += count;
  if (acknowledged.length * 4 < sent * 3 && acknowledged.length + refused < sent) return undefined;
  if (acknowledged.length > 0) return Outcome.OK;
  if (cas > 0 && cas >= older) return Outcome.CAS_FAILED;
  if (older > 0) return Outcome.NOT_MOST_RECENT;
  return refusals.size > (refusals.has(0) ? 1 : 0) ? Outcome.REJECTED : Outcome.TIMEOUT;
}

/** What the lookup of a put saw may already forbid it. */
export function conflictOf({ kind, item, newest, cas }: Operation): (typeof Outcome)[keyof typeof Outcome] {
  if (item === undefined || newest === undefined || kind !== OpKind.PUT_MUTABLE) return Outcome.OK;
  const same =
    newest.seq === item.seq &&
    newest.value.length === item.value.length &&
    equalBytes(newest.value, 0, item.value, 0, item.value.length);
  if (same) return Outcome.OK;
  if (cas !== undefined && newest.seq !== cas) return Outcome.CAS_FAILED;
  if (newest.seq > item.seq) return Outcome.NOT_MOST_RECENT;
  return newest.seq === item.seq ? Outcome.CONCURRENT_WRITE : Outcome.OK;
}

interface Responder {
  readonly node: NodeInfo;
  readonly token: Uint8Array;
}

/** Responders of lookups a few minutes ago: the seeds of the next one for that target, and a put's holders without any lookup. */
export class RecentLookups {
  /** `seq`: the highest sequence number seen or written there, -1 = none. */
  private readonly entries = new Map<string, { at: Millis; responders: Responder[]; seq: bigint }>();

  keep(now: Millis, lookup: Lookup, seq = -1n): void {
    const key = toHex(lookup.target);
    this.entries.delete(key);
    const responders = lookup.holders(false).map((c) => ({
      node: nodeOf(lookup, c),
      token: lookup.tokens.slice(
        c * TOKEN_BYTES_MAX,
        c * TOKEN_BYTES_MAX + (lookup.tokenLengths[c] as number),
      ),
    }));
    if (responders.length === 0) return;
    this.entries.set(key, { at: now, responders, seq });
    if (this.entries.size > RECENT_LOOKUPS_MAX)
      this.entries.delete(this.entries.keys().next().value as string);
  }

  /** Seeds a lookup with whom the last one for its target found; `false` = there was none lately. */
  seed(now: Millis, lookup: Lookup): boolean {
    const entry = this.entries.get(toHex(lookup.target));
    if (entry === undefined || now - entry.at > TOKEN_USE_MS) return false;
    for (const { node } of entry.responders) lookup.add(node.id, 0, node.endpoint, 0);
    return true;
  }

  /** A put of this sequence number went well. */
  wrote(target: Uint8Array, seq: bigint): void {
    const entry = this.entries.get(toHex(target));
    if (entry !== undefined) entry.seq = seq;
  }

  /**
   * Fills a lookup with the responders of the last one for its target and their tokens. `false`: there was none lately, or `item`
   * is not newer than what was there (of equal numbers only a search tells a conflict: some nodes confirm and keep what they have).
   */
  restore(now: Millis, lookup: Lookup, item: MutableItem | undefined): boolean {
    const entry = this.entries.get(toHex(lookup.target));
    if (entry === undefined || now - entry.at > TOKEN_USE_MS) return false;
    if (item !== undefined && item.key.length > 0 && item.seq <= entry.seq) return false;
    const usable = entry.responders.filter(({ token }) => token.length > 0);
    if (usable.length === 0) return false;
    for (const { node, token } of usable) {
      const c = lookup.add(node.id, 0, node.endpoint, 0);
      if (c === NONE) continue;
      lookup.states[c] = CandidateState.ANSWERED;
      lookup.answered++;
      lookup.setToken(c, token, 0, token.length);
    }
    return true;
  }

  /** Forgets one target: its responders did not take our put. */
  forget(target: Uint8Array): void {
    this.entries.delete(toHex(target));
  }
}

export function nodeOf(lookup: Lookup, c: number): NodeInfo {
  return {
    id: lookup.ids.slice(c * NODE_ID_BYTES, (c + 1) * NODE_ID_BYTES),
    endpoint: lookup.endpoints.slice(c * ENDPOINT_BYTES, (c + 1) * ENDPOINT_BYTES),
  };
}

/** The nearest `count` nodes that a lookup heard of and that did not fail, secure ids first. */
export function nodesFound(lookup: Lookup, count: number): NodeInfo[] {
  const found: NodeInfo[] = [];
  for (const secure of [1, 0]) {
    for (let i = 0; i < lookup.count && found.length < count; i++) {
      const c = lookup.order[i] as number;
      if (lookup.states[c] !== CandidateState.ANSWERED) continue;
      const is = isSecureId(lookup.ids, c * NODE_ID_BYTES, lookup.endpoints, c * ENDPOINT_BYTES) ? 1 : 0;
      if (is === secure) found.push(nodeOf(lookup, c));
    }
  }
  return found;
}
