import { immutableKey, mutableKey } from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { FindVerdict, RecordMark, RecordVerdict, Republish } from '../../src/index.ts';
import {
  accept,
  alice,
  bob,
  DAY_SECS,
  HOUR,
  immutable,
  mutable,
  openBook,
  provider,
  publish,
  read,
  type TestBook,
  tombstone,
  WALL,
} from './book.ts';

const KEY = mutableKey(alice.publicKey, 'test');

/** Instants in hours at which the book sends its records out, until `hours`. */
function run(t: TestBook, hours: number, onSend?: (now: number, out: Republish) => void): number[] {
  const out = new Republish();
  const sent: number[] = [];
  for (let now = 0; now < hours * HOUR; now += 60_000) {
    t.book.handleTimeout(now);
    while (t.book.nextRepublish(now, out)) {
      sent.push(now / HOUR);
      onSend?.(now, out);
    }
  }
  return sent;
}

describe('own records', () => {
  it('are sent out again just before TTL/2 for as long as they are published', () => {
    const t = openBook();
    publish(t, 0, mutable(1, 'value'));
    const sent = run(t, 240, (_, out) => expect([out.own, out.ageSecs]).toEqual([true, 0]));
    expect(sent.length).toBeGreaterThanOrEqual(20);
    sent.forEach((at, i) => {
      const gap = at - (sent[i - 1] ?? 0);
      expect(gap).toBeGreaterThanOrEqual(10.5);
      expect(gap).toBeLessThanOrEqual(12.1);
    });
    expect(read(t, 240 * HOUR, KEY)).toBe('value');
    expect(new Set(sent.map((at, i) => at - (sent[i - 1] ?? 0))).size).toBeGreaterThan(5);
  });

  it('stop with unpublish and end a TTL later', () => {
    const t = openBook();
    publish(t, 0, mutable(1, 'value', { ttlSecs: 3600 }));
    expect(t.book.unpublish(0, KEY, 0)).toBe(true);
    expect(t.book.unpublish(0, KEY, 0)).toBe(false);
    expect(run(t, 0.99)).toEqual([]);
    expect(read(t, HOUR - 1, KEY)).toBe('value');
    expect(read(t, HOUR, KEY)).toBe(FindVerdict.NOT_FOUND);
  });

  it('include provider records, by owner', () => {
    const t = openBook();
    const key = new Uint8Array(32).fill(3);
    expect(publish(t, 0, provider(alice, key, 1))).toBe(RecordVerdict.STORED);
    accept(t, 0, provider(bob, key, 1));
    expect(run(t, 24).length).toBe(2);
    expect(t.book.unpublish(0, key, 0, bob.publicKey)).toBe(false);
    expect(t.book.unpublish(0, key, 0, alice.publicKey)).toBe(true);
  });

  it("turn into someone else's when a newer one of the same owner arrives", () => {
    const t = openBook();
    publish(t, 0, mutable(1, 'here'));
    accept(t, 0, mutable(2, 'there'));
    expect(read(t, 0, KEY)).toBe('there');
    expect(t.out.marks & RecordMark.OWN).toBe(0);
  });

  it('keep their mark when others hand them back', () => {
    const t = openBook();
    publish(t, 0, mutable(1, 'value'));
    accept(t, 1000, mutable(1, 'value'), { ageSecs: 100 });
    accept(t, 1000, mutable(1, 'value'), { cacheSecs: 100 });
    read(t, 1000, KEY);
    expect(t.out.marks).toBe(RecordMark.OWN);
    accept(t, 1000, immutable('first a cached copy'), { cacheSecs: 100 });
    publish(t, 1000, immutable('first a cached copy'));
    t.store.due(WALL / 1000 + DAY_SECS, t.out);
    expect(t.out.marks).toBe(RecordMark.OWN);
  });

  it('are refreshed by their owner even when a steward has just acted', () => {
    const t = openBook();
    publish(t, 0, mutable(1, 'value'));
    const due = t.store.nextDueUnix();
    accept(t, due * 1000 - WALL - 1000, mutable(1, 'value'), { ageSecs: 100 });
    expect(t.store.nextDueUnix()).toBe(due);
  });

  it('that are tombstones end with their own life', () => {
    const t = openBook();
    publish(t, 0, tombstone(2));
    expect(run(t, 24.9).length).toBe(2);
    expect(read(t, 24.9 * HOUR, KEY)).toBe(FindVerdict.DELETED);
    expect(run(t, 72)).toEqual([]);
    expect(read(t, 25 * HOUR, KEY)).toBe(FindVerdict.NOT_FOUND);
  });
});

describe('stewards', () => {
  it('hand records on after TTL/2 with the age that their copy has, and stop before the end', () => {
    const t = openBook();
    accept(t, 0, mutable(1, 'value'));
    const ages: number[] = [];
    const sent = run(t, 48, (now, out) => {
      expect(out.own).toBe(false);
      expect(Math.abs(out.ageSecs - now / 1000)).toBeLessThan(1);
      ages.push(out.ageSecs);
    });
    expect(sent.length).toBe(2);
    expect(sent[0]).toBeGreaterThanOrEqual(12);
    expect(sent[0]).toBeLessThanOrEqual(15.1);
  });

  it('wait when the owner stated the record again', () => {
    const t = openBook();
    accept(t, 0, mutable(1, 'value'));
    accept(t, 11 * HOUR, mutable(1, 'value'));
    expect(run(t, 23)).toEqual([]);
    expect(run(t, 27).length).toBe(1);
  });

  it('let another take their turn, which neither shortens nor lengthens a life', () => {
    const t = openBook();
    accept(t, 0, mutable(1, 'value'));
    const due = t.store.nextDueUnix();
    const now = due * 1000 - WALL - 1000;
    expect(accept(t, now, mutable(1, 'value'), { ageSecs: 80_000 })).toBe(RecordVerdict.REFRESHED);
    expect(t.store.nextDueUnix()).toBeGreaterThan(due + 3600);
    expect(t.store.nextExpiryUnix()).toBe(WALL / 1000 + DAY_SECS);
  });

  it('never hand on cached records', () => {
    const t = openBook();
    accept(t, 0, mutable(1, 'value'), { cacheSecs: 1800 });
    expect(run(t, 1)).toEqual([]);
  });

  it('together let a record end with its TTL once its owner is gone, and one of them acts at a time', () => {
    const books = Array.from({ length: 12 }, (_, i) => openBook(i + 1));
    const record = mutable(1, 'value');
    books.slice(0, 6).forEach((t) => {
      accept(t, 0, record);
    });
    const out = new Republish();
    let sent = 0;
    for (let now = 0; now < 30 * HOUR; now += 60_000) {
      for (const t of books) {
        t.book.handleTimeout(now);
        while (t.book.nextRepublish(now, out)) {
          sent++;
          for (const other of books) accept(other, now, record, { ageSecs: out.ageSecs });
        }
      }
      const held = books.filter((t) => t.store.stats().count > 0).length;
      if (now < 12 * HOUR) expect(held).toBe(6);
      else if (now > 15 * HOUR && now < 24 * HOUR - 60_000) expect(held).toBe(12);
      else if (now > 24 * HOUR + 60_000) expect(held).toBe(0);
    }

    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThan(5);
  });
});

describe('single records', () => {
  const record = immutable('shard', DAY_SECS);
  const key = immutableKey(new TextEncoder().encode('shard'));

  it('are never sent out, and end with their ttl unless they are stored again', () => {
    const t = openBook();
    expect(accept(t, 0, record, { single: true })).toBe(RecordVerdict.STORED);
    expect(run(t, 23)).toEqual([]);
    expect(accept(t, 23 * HOUR, record, { single: true })).toBe(RecordVerdict.REFRESHED);
    expect(read(t, 46 * HOUR, key)).toBe('shard');
    expect(read(t, 47 * HOUR, key)).toBe(FindVerdict.NOT_FOUND);
  });

  it('become ordinary ones when they are stored as such, and never the reverse', () => {
    const t = openBook();
    accept(t, 0, record, { single: true });
    expect(accept(t, 0, record, { single: false })).toBe(RecordVerdict.REFRESHED);
    expect(accept(t, 0, record, { single: true })).toBe(RecordVerdict.REFRESHED);
    expect(run(t, 23).length).toBeGreaterThan(0);
  });
});
