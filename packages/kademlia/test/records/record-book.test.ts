import { blake3, IDLE } from '@molia/core';
import { detachRecord, immutableKey, mutableKey, WireDrop } from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { FindVerdict, RecordMark, RecordVerdict } from '../../src/index.ts';
import { storeStatusOf } from '../../src/records/record-verdicts.ts';
import {
  accept,
  alice,
  bob,
  bytesOf,
  DAY_SECS,
  HOUR,
  immutable,
  mutable,
  openBook,
  provider,
  publish,
  read,
  request,
  tombstone,
  UNIX,
} from './book.ts';

const KEY = mutableKey(alice.publicKey, 'test');

describe('what a record book takes', () => {
  it('keeps verified records and gives them back', () => {
    const t = openBook();
    expect(accept(t, 0, immutable('one'))).toBe(RecordVerdict.STORED);
    expect(accept(t, 0, mutable(1, 'two'))).toBe(RecordVerdict.STORED);
    expect(read(t, 1, immutableKey(bytesOf('one')))).toBe('one');
    expect(read(t, 1, KEY)).toBe('two');
    expect(read(t, 1, blake3(bytesOf('nothing')))).toBe(FindVerdict.NOT_FOUND);
    expect(t.book.counters.snapshot()).toMatchObject({ stored: 2, found: 2, notFound: 1 });
  });

  it('refuses what does not verify, and says why', () => {
    const t = openBook();
    const wrongKey = immutable('one');
    wrongKey[5] = (wrongKey[5] as number) ^ 1;
    expect(accept(t, 0, wrongKey)).toBe(RecordVerdict.INVALID);
    expect(t.book.wireVerdict).toBe(WireDrop.KEY);
    const forged = mutable(1, 'value');
    const at = forged.indexOf('v'.charCodeAt(0));
    forged[at] = 'w'.charCodeAt(0);
    expect(accept(t, 0, forged)).toBe(RecordVerdict.BAD_SIGNATURE);
    expect(accept(t, 0, new Uint8Array(3))).toBe(RecordVerdict.INVALID);
    expect(accept(t, 0, new Uint8Array(70_000))).toBe(RecordVerdict.TOO_LARGE);
    expect(t.store.stats().count).toBe(0);
  });

  it('keeps an empty value and the largest one', () => {
    const t = openBook();
    const largest = new Uint8Array(65_536).fill(7);
    expect(accept(t, 0, immutable(''))).toBe(RecordVerdict.STORED);
    expect(accept(t, 0, immutable(largest))).toBe(RecordVerdict.STORED);
    expect(read(t, 0, immutableKey(new Uint8Array(0)))).toBe('');
    expect(t.book.find(0, immutableKey(largest), 0, t.out)).toBe(FindVerdict.FOUND);
    expect(t.out.valueLength).toBe(65_536);
  });

  it('leaves fields that nobody knows behind', () => {
    const t = openBook();
    const record = mutable(1, 'value');
    const padded = new Uint8Array(record.length + 100);
    padded.set(record);
    // Field 20, 97 bytes.
    padded.set([0xa2, 0x01, 97], record.length);
    expect(accept(t, 0, padded)).toBe(RecordVerdict.STORED);
    expect(read(t, 0, KEY)).toBe('value');
    expect(t.out.bytes.slice(t.out.offset, t.out.offset + t.out.length)).toEqual(record);
  });

  it('lets no publisher fill the store', () => {
    const t = openBook(1, { bytesMax: 2 ** 20 });
    let verdict: number = RecordVerdict.STORED;
    let count = 0;
    for (; verdict === RecordVerdict.STORED; count++) {
      const value = new Uint8Array(60_000).fill(count);
      verdict = accept(t, 0, immutable(value));
    }
    expect(verdict).toBe(RecordVerdict.QUOTA);
    expect(t.store.stats().bytes).toBeLessThanOrEqual(2 ** 20 / 4);
    expect(accept(t, 0, immutable('mine'), { peerKey: alice.publicKey })).toBe(RecordVerdict.STORED);
    expect(publish(t, 0, immutable(new Uint8Array(60_000).fill(200)))).toBe(RecordVerdict.STORED);
  });

  it('lets a publisher at its share replace what it has', () => {
    const t = openBook(1, { bytesMax: 2 ** 20 });
    const value = 'x'.repeat(60_000);
    for (let i = 0; i < 4; i++) {
      expect(accept(t, 0, mutable(1, value, { namespace: `${i}` }))).toBe(RecordVerdict.STORED);
    }
    expect(accept(t, 0, mutable(1, value, { namespace: '4' }))).toBe(RecordVerdict.QUOTA);
    expect(accept(t, 0, mutable(2, value, { namespace: '0' }))).toBe(RecordVerdict.STORED);
  });

  it('has an answer on the wire for every verdict', () => {
    expect(storeStatusOf(RecordVerdict.REFRESHED)).toBe(storeStatusOf(RecordVerdict.STORED));
    expect(storeStatusOf(RecordVerdict.QUOTA)).toBe(storeStatusOf(RecordVerdict.FULL));
    expect(storeStatusOf(RecordVerdict.BAD_SIGNATURE)).toBe(0);
  });
});

describe('lifetimes', () => {
  it('ends a record with its TTL, a day at most', () => {
    const t = openBook();
    accept(t, 0, immutable('short', 100));
    accept(t, 0, immutable('long', 10 * DAY_SECS));
    const short = immutableKey(bytesOf('short'));
    const long = immutableKey(bytesOf('long'));
    expect(read(t, 99_999, short)).toBe('short');
    expect(read(t, 100_000, short)).toBe(FindVerdict.NOT_FOUND);
    expect(read(t, 24 * HOUR - 1, long)).toBe('long');
    expect(read(t, 24 * HOUR, long)).toBe(FindVerdict.NOT_FOUND);
    expect(t.book.nextDelay(0)).toBeLessThanOrEqual(100_000);
    t.book.handleTimeout(24 * HOUR);
    expect(t.store.stats()).toMatchObject({ count: 0, bytes: 0 });
    expect(t.book.nextDelay(24 * HOUR)).toBe(IDLE);
    expect(accept(t, 0, immutable('never', 0))).toBe(RecordVerdict.EXPIRED);
  });

  it('treats what has ended as gone although it was not cleared yet', () => {
    const t = openBook();
    accept(t, 0, mutable(5, 'five', { ttlSecs: 100 }));
    expect(accept(t, 100_000, mutable(4, 'four'))).toBe(RecordVerdict.STORED);
    expect(read(t, 100_000, KEY)).toBe('four');
  });

  it('counts the age that a steward states against it, and never shortens a life', () => {
    const t = openBook();
    const key = immutableKey(bytesOf('value'));
    expect(accept(t, 0, immutable('value', 1000), { ageSecs: 1000 })).toBe(RecordVerdict.EXPIRED);
    expect(accept(t, 0, immutable('value', 1000), { ageSecs: 400 })).toBe(RecordVerdict.STORED);
    t.book.find(0, key, 0, t.out);
    expect(t.out.expiresUnix).toBe(UNIX + 600);
    expect(accept(t, 0, immutable('value', 1000), { ageSecs: 900 })).toBe(RecordVerdict.REFRESHED);
    t.book.find(0, key, 0, t.out);
    expect(t.out.expiresUnix).toBe(UNIX + 600);
    accept(t, 50_000, immutable('value', 1000));
    t.book.find(0, key, 0, t.out);
    expect(t.out.expiresUnix).toBe(UNIX + 1050);
  });

  it('keeps a cached copy 5 to 30 minutes, and a regular one as long as it said', () => {
    const t = openBook();
    const key = immutableKey(bytesOf('value'));
    const life = (): number => {
      t.book.find(0, key, 0, t.out);
      return t.out.expiresUnix - UNIX;
    };
    accept(t, 0, immutable('value'), { cacheSecs: 1 });
    expect(life()).toBe(300);
    expect(t.out.marks).toBe(RecordMark.CACHED);
    accept(t, 0, immutable('value'), { cacheSecs: 7200 });
    expect(life()).toBe(1800);
    accept(t, 0, immutable('value'));
    expect(life()).toBe(DAY_SECS);
    expect(t.out.marks).toBe(0);
    accept(t, 0, immutable('value'), { cacheSecs: 600 });
    expect(life()).toBe(DAY_SECS);
    expect(t.out.marks).toBe(0);
  });

  it('keeps the longer TTL of two statements of one record', () => {
    for (const ttls of [
      [100, 5000],
      [5000, 100],
    ] as const) {
      const t = openBook();
      accept(t, 0, mutable(1, 'value', { ttlSecs: ttls[0] }));
      expect(accept(t, 0, mutable(1, 'value', { ttlSecs: ttls[1] }))).toBe(RecordVerdict.REFRESHED);
      read(t, 0, KEY);
      expect(t.out.expiresUnix - UNIX).toBe(5000);
      expect(t.out.ttlSecs).toBe(5000);
      expect(t.out.marks).toBe(0);
    }
  });

  it('returns nothing before not_before, and refuses what would end before it', () => {
    const t = openBook();
    expect(accept(t, 0, mutable(1, 'later', { notBeforeUnix: UNIX + 60 }))).toBe(RecordVerdict.STORED);
    expect(read(t, 59_999, KEY)).toBe(FindVerdict.NOT_YET);
    expect(read(t, 60_000, KEY)).toBe('later');
    const verdict = accept(t, 0, mutable(2, 'never', { notBeforeUnix: UNIX + 100, ttlSecs: 100 }));
    expect(verdict).toBe(RecordVerdict.TOO_EARLY);
    const far = mutable(2, 'far', { notBeforeUnix: UNIX + DAY_SECS, ttlSecs: 90 * DAY_SECS });
    expect(accept(t, 0, far)).toBe(RecordVerdict.TOO_EARLY);
  });
});

describe('sequences', () => {
  it('takes higher sequences and never goes back', () => {
    const t = openBook();
    accept(t, 0, mutable(5, 'five'));
    expect(accept(t, 0, mutable(4, 'four'))).toBe(RecordVerdict.STALE);
    expect(t.book.heldSequence).toBe(5);
    expect(accept(t, 0, mutable(6, 'six'))).toBe(RecordVerdict.STORED);
    expect(t.book.heldSequence).toBe(6);
    expect(read(t, 0, KEY)).toBe('six');
    expect(accept(t, 0, mutable(6, 'six'))).toBe(RecordVerdict.REFRESHED);
  });

  it('compares and swaps on the sequence that is held', () => {
    const t = openBook();
    expect(accept(t, 0, mutable(2, 'b'), { cas: true, sequenceExpected: 1 })).toBe(
      RecordVerdict.CAS_MISMATCH,
    );
    expect(t.book.heldSequence).toBe(0);
    expect(accept(t, 0, mutable(1, 'a'), { cas: true, sequenceExpected: 0 })).toBe(RecordVerdict.STORED);
    expect(accept(t, 0, mutable(1, 'x'), { cas: true, sequenceExpected: 0 })).toBe(
      RecordVerdict.CAS_MISMATCH,
    );
    expect(t.book.heldSequence).toBe(1);
    expect(accept(t, 0, mutable(2, 'b'), { cas: true, sequenceExpected: 1 })).toBe(RecordVerdict.STORED);
    // The answer was lost and the request comes again.
    expect(accept(t, 0, mutable(2, 'b'), { cas: true, sequenceExpected: 1 })).toBe(RecordVerdict.REFRESHED);
    expect(accept(t, 0, mutable(9, 'z'), { cas: true, sequenceExpected: 1 })).toBe(
      RecordVerdict.CAS_MISMATCH,
    );
    expect(t.book.heldSequence).toBe(2);
    read(t, 0, KEY);
    expect(t.out.marks & RecordMark.FLAGGED).toBe(0);
  });

  it('flags two values of one sequence and keeps the one with the larger hash', () => {
    const [small, large] = ['a', 'b'].sort((x, y) =>
      Buffer.compare(blake3(bytesOf(x)), blake3(bytesOf(y))),
    ) as [string, string];
    const first = openBook();
    accept(first, 0, mutable(1, small));
    expect(accept(first, 0, mutable(1, large))).toBe(RecordVerdict.EQUIVOCATION_WON);
    const second = openBook();
    accept(second, 0, mutable(1, large));
    expect(accept(second, 0, mutable(1, small))).toBe(RecordVerdict.EQUIVOCATION_LOST);
    for (const t of [first, second]) {
      expect(read(t, 0, KEY)).toBe(large);
      expect(t.out.marks & RecordMark.FLAGGED).toBe(RecordMark.FLAGGED);
      expect(accept(t, 0, mutable(1, large))).toBe(RecordVerdict.REFRESHED);
      expect(accept(t, 0, mutable(2, small))).toBe(RecordVerdict.STORED);
      read(t, 0, KEY);
      expect(t.out.marks & RecordMark.FLAGGED).toBe(0);
    }
  });
});

describe('tombstones', () => {
  it('deletes, answers that it did, and outlives what it deletes', () => {
    const t = openBook();
    accept(t, 0, mutable(1, 'value'));
    expect(accept(t, 0, tombstone(2))).toBe(RecordVerdict.STORED);
    expect(read(t, 0, KEY)).toBe(FindVerdict.DELETED);
    expect(t.out.sequence).toBe(2);
    expect(accept(t, 23 * HOUR, mutable(1, 'value'))).toBe(RecordVerdict.STALE);
    // Any copy of the deleted record, stored just before the deletion, has ended by now.
    t.book.handleTimeout(24 * HOUR);
    expect(read(t, 24 * HOUR, KEY)).toBe(FindVerdict.DELETED);
    t.book.handleTimeout(25 * HOUR);
    expect(read(t, 25 * HOUR, KEY)).toBe(FindVerdict.NOT_FOUND);
  });

  it('gives way to a higher sequence', () => {
    const t = openBook();
    accept(t, 0, tombstone(2));
    accept(t, 0, mutable(3, 'again'));
    expect(read(t, 0, KEY)).toBe('again');
  });
});

describe('providers', () => {
  const key = blake3(bytesOf('content'));
  const list = (t: ReturnType<typeof openBook>, now: number, skip = 0): string[] => {
    const found: string[] = [];
    const { book, out } = t;
    for (let ok = book.firstProvider(now, key, 0, skip, out); ok; ok = book.nextProvider(now, out)) {
      const owner = out.owner.slice(out.ownerOffset, out.ownerOffset + 32);
      found.push(`${Buffer.from(owner).equals(alice.publicKey) ? 'alice' : 'bob'} ${out.sequence}`);
    }
    return found;
  };

  it('keeps one entry per owner, announced by the owner itself', () => {
    const t = openBook();
    const fromAlice = { peerKey: alice.publicKey };
    expect(accept(t, 0, provider(alice, key, 1))).toBe(RecordVerdict.NOT_OWNER);
    expect(accept(t, 0, provider(alice, key, 1), fromAlice)).toBe(RecordVerdict.STORED);
    expect(accept(t, 0, provider(bob, key, 7))).toBe(RecordVerdict.STORED);
    expect(accept(t, 0, provider(alice, key, 2), fromAlice)).toBe(RecordVerdict.STORED);
    expect(accept(t, 0, provider(alice, key, 1), fromAlice)).toBe(RecordVerdict.STALE);
    expect(list(t, 0)).toEqual(['alice 2', 'bob 7']);
    expect(list(t, 0, 1)).toEqual(['bob 7']);
    expect(t.book.providerCount(key, 0)).toBe(2);
  });

  it("lists only those that may be returned now, and republishes no one else's", () => {
    const t = openBook();
    const fromAlice = { peerKey: alice.publicKey };
    accept(t, 0, provider(alice, key, 1, { ttlSecs: 60 }), fromAlice);
    accept(t, 0, provider(bob, key, 1, { notBeforeUnix: UNIX + 30 }));
    expect(list(t, 0)).toEqual(['alice 1']);
    expect(list(t, 30_000)).toEqual(['alice 1', 'bob 1']);
    expect(list(t, 60_000)).toEqual(['bob 1']);
    expect(t.store.nextDueUnix()).toBe(0);
  });
});

describe('large values', () => {
  const value = new Uint8Array(20_000).map((_, i) => i * 7);
  const record = immutable(value);
  const detached = detachRecord(record);

  it('asks to pull a detached record that it wants, and keeps it once the value is here', () => {
    const t = openBook();
    const { book } = t;
    expect(accept(t, 0, detached)).toBe(RecordVerdict.PULL);
    expect(t.store.stats().count).toBe(0);
    const verdict = book.acceptValue(1, detached, 0, detached.length, value, 0, value.length, request());
    expect(verdict).toBe(RecordVerdict.STORED);
    expect(book.find(1, immutableKey(value), 0, t.out)).toBe(FindVerdict.FOUND);
    expect(t.out.bytes.slice(t.out.offset, t.out.offset + t.out.length)).toEqual(record);
    expect(accept(t, 2, detached)).toBe(RecordVerdict.REFRESHED);
  });

  it('refuses a value of another length or content', () => {
    const t = openBook();
    const wrong = value.slice();
    wrong[9] = (wrong[9] as number) ^ 1;
    for (const bad of [wrong, value.subarray(1), new Uint8Array(0)]) {
      const verdict = t.book.acceptValue(0, detached, 0, detached.length, bad, 0, bad.length, request());
      expect(verdict).toBe(RecordVerdict.INVALID);
    }
    expect(t.store.stats().count).toBe(0);
  });

  it('checks the envelope before it asks for anything', () => {
    const t = openBook();
    const large = mutable(1, 'x'.repeat(5000));
    const forged = detachRecord(large);
    forged[60] = (forged[60] as number) ^ 1;
    expect(accept(t, 0, forged)).toBeLessThan(0);
    expect(accept(t, 0, detachRecord(large))).toBe(RecordVerdict.PULL);
    accept(t, 0, mutable(2, 'newer'));
    expect(accept(t, 0, detachRecord(large))).toBe(RecordVerdict.STALE);
  });

  it('serves values by hash: held, own, and pinned ones while they last', () => {
    const t = openBook();
    const hash = blake3(value);
    expect(t.book.findValue(0, hash, 0, t.out)).toBe(false);
    expect(t.book.pin(0, value, 0, value.length, 1000)).toBe(true);
    expect(t.book.findValue(999, hash, 0, t.out)).toBe(true);
    const { bytes, valueOffset, valueLength } = t.out;
    expect(bytes.slice(valueOffset, valueOffset + valueLength)).toEqual(value);
    expect(t.book.findValue(1000, hash, 0, t.out)).toBe(false);
    publish(t, 1000, mutable(1, 'own', { notBeforeUnix: UNIX + 3600 }));
    expect(t.book.findValue(1000, blake3(bytesOf('own')), 0, t.out)).toBe(true);
  });

  it('bounds what is pinned, oldest out first', () => {
    const t = openBook();
    const big = (i: number): Uint8Array => new Uint8Array(2 ** 20).fill(i);
    for (let i = 0; i < 10; i++) expect(t.book.pin(0, big(i), 0, 2 ** 20, HOUR)).toBe(true);
    const held = Array.from({ length: 10 }, (_, i) => t.book.findValue(1, blake3(big(i)), 0, t.out));
    expect(held).toEqual([false, false, ...new Array(8).fill(true)]);
    expect(t.book.pin(0, new Uint8Array(2 ** 24), 0, 2 ** 24, HOUR)).toBe(false);
  });
});
