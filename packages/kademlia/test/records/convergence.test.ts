import { createSeededRng, nobleCurves, type Rng, randomBelow } from '@molia/core';
import {
  compareRecords,
  createMutable,
  mutableKey,
  RecordView,
  readRecord,
  recordValueHash,
  verifyRecord,
} from '@molia/wire';
import { describe, expect, it } from 'vitest';
import { RecordMark, RecordVerdict, StoredRecord } from '../../src/index.ts';
import {
  accept,
  alice,
  bob,
  bytesOf,
  immutable,
  mutable,
  openBook,
  provider,
  request,
  tombstone,
  UNIX,
} from './book.ts';

const KEY = mutableKey(alice.publicKey, 'test');

interface Statement {
  readonly bytes: Uint8Array;
  readonly sequence: number;
  /** What of it other nodes compare: everything but the ttl. */
  readonly content: string;
}

function statement(rng: Rng): Statement {
  const sequence = 1 + randomBelow(rng, 3);
  const dead = randomBelow(rng, 5) === 0;
  const value = dead ? '' : ['', 'a', 'b', 'c'][randomBelow(rng, 4)];
  const notBeforeUnix = randomBelow(rng, 4) === 0 ? UNIX - 5 : 0;
  const ttlSecs = [3600, 7200][randomBelow(rng, 2)] as number;
  const init = { identity: alice, namespace: 'test', sequence, ttlSecs, notBeforeUnix, tombstone: dead };
  const bytes = createMutable({ ...init, value: bytesOf(value as string) });
  return { bytes, sequence, content: `${sequence} ${value} ${dead} ${notBeforeUnix}` };
}

/** wire's order of two records: at most 0 when the second is the one to keep. */
function orderOf(a: Uint8Array, b: Uint8Array): number {
  const views = [a, b].map((bytes) => {
    const view = new RecordView();
    const hash = new Uint8Array(32);
    readRecord(bytes, 0, bytes.length, view);
    recordValueHash(view, bytes, hash, 0);
    return { view, hash };
  }) as [{ view: RecordView; hash: Uint8Array }, { view: RecordView; hash: Uint8Array }];
  return compareRecords(views[0].view, views[0].hash, 0, views[1].view, views[1].hash, 0);
}

function shuffled<T>(rng: Rng, items: readonly T[]): T[] {
  const copy = items.slice();
  for (let i = copy.length - 1; i > 0; i--) {
    const j = randomBelow(rng, i + 1);
    [copy[i], copy[j]] = [copy[j] as T, copy[i] as T];
  }
  return copy;
}

describe('equivocation', () => {
  for (let seed = 1; seed <= 12; seed++) {
    it(`ends in the same record on every node in whatever order the statements came (seed ${seed})`, () => {
      const rng = createSeededRng(seed);
      const statements = Array.from({ length: 7 }, () => statement(rng));
      const highest = Math.max(...statements.map((s) => s.sequence));
      const contents = new Set(statements.filter((s) => s.sequence === highest).map((s) => s.content));
      let first: Uint8Array | undefined;
      for (let order = 0; order < 4; order++) {
        const t = openBook(seed * 10 + order);
        const arrivals = shuffled(rng, [...statements, ...statements.slice(0, 3)]);
        for (const { bytes } of arrivals) {
          const before = t.book.find(0, KEY, 0, t.out) >= 0 ? t.out.sequence : 0;
          const verdict = accept(t, 0, bytes);
          expect(verdict).toBeGreaterThanOrEqual(RecordVerdict.STALE);
          expect(t.book.heldSequence).toBeGreaterThanOrEqual(before);
        }
        t.book.find(0, KEY, 0, t.out);
        const held = t.out.bytes.slice(t.out.offset, t.out.offset + t.out.length);
        first ??= held;
        expect(held).toEqual(first);
        expect(statements.every(({ bytes }) => orderOf(bytes, held) <= 0)).toBe(true);
        expect((t.out.marks & RecordMark.FLAGGED) !== 0).toBe(contents.size > 1);
      }
    });
  }
});

describe('mutated records', () => {
  it('never make the book throw, and nothing that does not verify is kept', () => {
    const rng = createSeededRng(99);
    const t = openBook();
    const seeds = [
      immutable('value'),
      mutable(1, 'value'),
      mutable(7, 'x'.repeat(300), { notBeforeUnix: UNIX }),
      tombstone(3),
      provider(bob, KEY, 1),
    ];
    let refused = 0;
    for (let i = 0; i < 1500; i++) {
      const bytes = mutated(rng, seeds[randomBelow(rng, seeds.length)] as Uint8Array);
      const cas = randomBelow(rng, 4) === 0;
      const verdict = accept(t, i, bytes, { cas, sequenceExpected: randomBelow(rng, 3) });
      if (verdict < 0) refused++;
      if (i % 7 === 0) {
        const value = bytes.subarray(0, randomBelow(rng, bytes.length));
        t.book.acceptValue(i, bytes, 0, bytes.length, value, 0, value.length, request());
      }
    }
    expect(refused).toBeGreaterThan(1000);
    const view = new RecordView();
    const out = new StoredRecord();
    let held = 0;
    for (out.cursor = -1; t.store.next(out); held++) {
      expect(readRecord(out.bytes, out.offset, out.length, view)).toBe(0);
      expect(verifyRecord(view, out.bytes, nobleCurves)).toBe(0);
    }
    expect(held).toBeGreaterThan(0);
  });
});

function mutated(rng: Rng, source: Uint8Array): Uint8Array {
  const kind = randomBelow(rng, 5);
  if (kind === 0) return source.slice(0, randomBelow(rng, source.length));
  const bytes = new Uint8Array(source.length + (kind === 1 ? randomBelow(rng, 40) : 0));
  bytes.set(source);
  if (kind === 1) rng.fill(bytes, source.length, bytes.length - source.length);
  else if (kind < 4) {
    for (let n = 1 + randomBelow(rng, 3); n > 0; n--) {
      const at = randomBelow(rng, bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << randomBelow(rng, 8));
    }
  } else {
    const from = randomBelow(rng, bytes.length);
    bytes.copyWithin(randomBelow(rng, bytes.length), from, from + randomBelow(rng, 50));
  }
  return bytes;
}
