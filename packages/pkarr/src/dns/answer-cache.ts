/** What was learned from the network, for as long as it may be used, within a number of bytes. */
import type { Millis } from '@molia/core';
import { LRUCache } from 'lru-cache';
import { ENTRY_BYTES, FAILURE_TTL_SECONDS } from './constants.ts';
import type { Reply } from './message.ts';
import type { Known } from './resolution.ts';

/** A packet's message, or that a key has none, or a reply. */
export type Learned =
  | { readonly kind: 'zone'; readonly dns: Uint8Array | undefined }
  | { readonly kind: 'reply'; readonly reply: Reply };

interface Entry {
  readonly learned: Learned | undefined;
  readonly storedAt: Millis;
  readonly expiresAt: Millis;
  /** Nobody could be asked until then. */
  readonly failedUntil: Millis;
}

export class AnswerCache {
  private readonly entries: LRUCache<string, Entry>;
  private readonly staleMs: number;

  /** `bytesMax`: of messages, names and bookkeeping together. `staleSeconds`: how long an answer may help out after its time. */
  constructor(bytesMax: number, staleSeconds: number) {
    this.entries = new LRUCache({
      maxSize: bytesMax,
      sizeCalculation: (entry, id) => ENTRY_BYTES + id.length + bytesOf(entry.learned),
    });
    this.staleMs = staleSeconds * 1000;
  }

  get count(): number {
    return this.entries.size;
  }

  get bytes(): number {
    return this.entries.calculatedSize;
  }

  /** What is known now; `undefined`: it must be asked for. */
  get(now: Millis, id: string): Known | undefined {
    const entry = this.entries.get(id);
    if (entry === undefined) return undefined;
    if (entry.learned !== undefined && now < entry.expiresAt)
      return knownOf(entry.learned, now, entry, false);
    return now < entry.failedUntil ? this.afterFailure(now, entry) : undefined;
  }

  /** `storedAt`: from when on its TTLs count; not in the future. */
  put(id: string, learned: Learned, storedAt: Millis, expiresAt: Millis): void {
    this.entries.set(id, { learned, storedAt, expiresAt, failedUntil: 0 });
  }

  /** Remembers that asking failed. What was known before may be used meanwhile (RFC 8767). */
  fail(now: Millis, id: string): Known {
    const before = this.entries.get(id);
    const entry: Entry = {
      learned: before?.learned,
      storedAt: before?.storedAt ?? 0,
      expiresAt: before?.expiresAt ?? 0,
      failedUntil: now + FAILURE_TTL_SECONDS * 1000,
    };
    this.entries.set(id, entry);
    return this.afterFailure(now, entry);
  }

  /** What may be said for want of an answer in time; remembers nothing. */
  lastResort(now: Millis, id: string): Known {
    const entry = this.entries.get(id);
    return entry === undefined ? { kind: 'failed' } : this.afterFailure(now, entry);
  }

  clear(): void {
    this.entries.clear();
  }

  private afterFailure(now: Millis, entry: Entry): Known {
    return entry.learned !== undefined && now < entry.expiresAt + this.staleMs
      ? knownOf(entry.learned, now, entry, true)
      : { kind: 'failed' };
  }
}

function knownOf(learned: Learned, now: Millis, entry: Entry, stale: boolean): Known {
  return { ...learned, age: Math.floor((now - entry.storedAt) / 1000), stale };
}

function bytesOf(learned: Learned | undefined): number {
  if (learned === undefined) return 0;
  if (learned.kind === 'zone') return learned.dns?.length ?? 0;
  return learned.reply.bytes.length + 8 * learned.reply.ttlAt.length;
}
