/** The slabs below the engine, checked against the obvious slow way over seeded histories. */
import { commonPrefixBits, compareDistance, createSeededRng, NONE, type Rng } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { DEFAULTS, FAILURES_MAX, FAR_BUCKETS, SILENT_MS } from '../src/constants.ts';
import { ContactFlag, Contacts, HEAD_BYTES } from '../src/contacts.ts';
import { Entry, Lookup, NO_REACH } from '../src/lookup.ts';
import { PrefixIndex } from '../src/prefix-index.ts';
import { Expiry, Requests } from '../src/requests.ts';
import { SizeEstimator } from '../src/size-estimate.ts';
import { Change, Table } from '../src/table.ts';
import type { Tuning } from '../src/types.ts';

/** In tests of ties; a random id that ends so is only compared by its hash, which begins the same. */
const TIE = 0xaa;
/** 127.2.3.4: of no network, so that any number fits a bucket. */
const ENDPOINT = Uint8Array.from({ length: 19 }, (_, i) => (i === 0 ? 4 : i === 1 ? 127 : i));

function intern(contacts: Contacts, rng: Rng): number {
  const key = new Uint8Array(32);
  rng.fill(key, 0, 32);
  return contacts.intern(key, 0, ENDPOINT, 0);
}

/** The id as the slab has it: what it keeps, and the hash for the rest; all of the hash where what it keeps is a tie. */
function idOf(contacts: Contacts, row: number): Uint8Array {
  const id = new Uint8Array(32);
  contacts.writeId(row, id, 0);
  if (contacts.heads[row * HEAD_BYTES + HEAD_BYTES - 1] === TIE) return id;
  id.set(contacts.heads.subarray(row * HEAD_BYTES, (row + 1) * HEAD_BYTES));
  return id;
}

function slowClosest(
  contacts: Contacts,
  rows: Iterable<number>,
  target: Uint8Array,
  count: number,
): number[] {
  return [...rows]
    .map((row) => ({ row, id: idOf(contacts, row) }))
    .sort((a, b) => compareDistance(target, 0, a.id, 0, b.id, 0))
    .slice(0, count)
    .map(({ row }) => row);
}

describe('the prefix index', () => {
  it('answers exactly the closest contacts, for any size, after inserts and removals', () => {
    for (let seed = 1; seed <= 12; seed++) {
      const rng = createSeededRng(seed);
      const contacts = new Contacts(8_192, seed);
      const index = new PrefixIndex(contacts);
      const members = new Set<number>();
      const out = new Int32Array(40);
      for (let step = 0; step < 600; step++) {
        if (rng.u32() % 4 !== 0 || members.size === 0) {
          const row = intern(contacts, rng);
          contacts.hold(row);
          index.insert(row);
          members.add(row);
        } else {
          const row = [...members][rng.u32() % members.size] as number;
          expect(index.remove(row)).toBe(true);
          expect(index.remove(row)).toBe(false);
          members.delete(row);
        }
        if (step % 20 !== 0) continue;
        const target = new Uint8Array(32);
        rng.fill(target, 0, 32);
        const count = 1 + (rng.u32() % 40);
        const found = index.closest(target, 0, count, out);
        expect([...out.subarray(0, found)]).toEqual(slowClosest(contacts, members, target, count));
      }
    }
  });

  it.each([4, HEAD_BYTES])('tells apart ids that share their first %i bytes', (shared) => {
    const contacts = new Contacts(1_024, 1);
    const rng = createSeededRng(9);
    const index = new PrefixIndex(contacts);
    const rows: number[] = [];
    for (let i = 0; i < 40; i++) {
      const row = intern(contacts, rng);
      contacts.heads.fill(TIE, row * HEAD_BYTES, row * HEAD_BYTES + shared);
      contacts.words[row] = 0xaaaaaaaa | 0;
      contacts.hold(row);
      index.insert(row);
      rows.push(row);
    }
    const out = new Int32Array(20);
    for (let i = 0; i < 50; i++) {
      const target = new Uint8Array(32);
      rng.fill(target, 0, 32);
      if (i % 2 === 0) target.fill(0xaa, 0, 4);
      const found = index.closest(target, 0, 20, out);
      expect([...out.subarray(0, found)]).toEqual(slowClosest(contacts, rows, target, 20));
    }
  });
});

describe('the contact slab', () => {
  it('finds what it interned while rows come and go, and never reuses a referenced one', () => {
    const rng = createSeededRng(3);
    const contacts = new Contacts(256, 5);
    const held = new Map<number, Uint8Array>();
    for (let step = 0; step < 5_000; step++) {
      const key = new Uint8Array(32);
      rng.fill(key, 0, 32);
      const row = contacts.intern(key, 0, ENDPOINT, 0);
      if (row === NONE) expect(held.size).toBe(256);
      else {
        expect(held.has(row)).toBe(false);
        expect(contacts.find(key, 0)).toBe(row);
        if (rng.u32() % 3 === 0) {
          contacts.hold(row);
          held.set(row, key);
        }
      }
      if (held.size > 200) {
        const [first] = held.keys();
        contacts.release(first as number);
        held.delete(first as number);
      }
      if (step % 100 === 0) for (const [at, known] of held) expect(contacts.find(known, 0)).toBe(at);
    }
    expect(contacts.capacity).toBe(256);
  });
});

describe('the routing table', () => {
  it('keeps its invariants through any history of answers and failures', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const rng = createSeededRng(seed);
      const contacts = new Contacts(8_192, seed);
      const self = new Uint8Array(32);
      rng.fill(self, 0, 32);
      const table = new Table(contacts, self, 20);
      const known: number[] = [];
      let now = 0;
      for (let step = 0; step < 3_000; step++) {
        now += rng.u32() % 2_000;
        if (known.length < 900 && rng.u32() % 2 === 0) {
          const row = intern(contacts, rng);
          contacts.hold(row);
          known.push(row);
        }
        if (known.length === 0) continue;
        const row = known[rng.u32() % known.length] as number;
        if (rng.u32() % 5 === 0) {
          contacts.failures[row] = Math.min(255, (contacts.failures[row] as number) + 1);
          table.failed(now, row, rng.u32() % 10 === 0);
        } else {
          contacts.sampleRtt(row, 1 + (rng.u32() % 200));
          contacts.heard(row, now);
          table.answered(now, row);
        }
        if (step % 50 === 0) checkTable(contacts, table, self, known);
      }
      checkTable(contacts, table, self, known);
    }
  });

  it('without proximity: far buckets hold k, and no nearer newcomer takes a place', () => {
    const [near, plain] = [true, false].map((proximity) => {
      const contacts = new Contacts(8_192, 1);
      const table = new Table(contacts, new Uint8Array(32), 20, proximity);
      const rng = createSeededRng(5);
      let swapped = 0;
      for (let i = 0; i < 1_000; i++) {
        const row = intern(contacts, rng);
        contacts.hold(row);
        contacts.sampleRtt(row, 1_000 - i);
        contacts.heard(row, i);
        if (table.answered(i, row) === Change.SWAPPED) swapped++;
      }
      return { far: table.countOf(0), swapped };
    });
    expect(near?.far).toBe(FAR_BUCKETS[0]);
    expect(near?.swapped).toBeGreaterThan(100);
    expect(plain).toEqual({ far: 20, swapped: 0 });
  });

  it('never evicts a contact that answers, and asks for the oldest silent one to be pinged', () => {
    const contacts = new Contacts(8_192, 1);
    const rng = createSeededRng(77);
    const table = new Table(contacts, new Uint8Array(32), 20);
    const members: number[] = [];
    // Bucket 3: ids that begin with 0001.
    const inBucket = (): number => {
      for (;;) {
        const row = intern(contacts, rng);
        if (table.bucketOf(row) === 3) {
          contacts.hold(row);
          return row;
        }
      }
    };
    for (let i = 0; i < 20; i++) {
      const row = inBucket();
      members.push(row);
      contacts.heard(row, i);
      expect(table.answered(i, row)).toBe(Change.ADDED);
    }
    const newcomer = inBucket();
    contacts.heard(newcomer, 100);
    expect(table.answered(100, newcomer)).toBe(Change.CACHED);
    expect(table.suspect).toBe(NONE);
    expect(table.answered(SILENT_MS + 5, newcomer)).toBe(Change.CACHED);
    expect(table.suspect).toBe(members[0]);
    contacts.failures[members[0] as number] = FAILURES_MAX;
    expect(table.failed(SILENT_MS + 10, members[0] as number, true)).toBe(Change.NONE);
    expect(table.failed(SILENT_MS + 10, members[0] as number, false)).toBe(Change.REMOVED);
    expect((contacts.flags[newcomer] as number) & ContactFlag.TABLE).toBe(ContactFlag.TABLE);
    expect(table.count).toBe(20);
  });

  it('prefers near contacts in the far buckets, the less the longer the slow one is known', () => {
    const contacts = new Contacts(8_192, 1);
    const rng = createSeededRng(78);
    const table = new Table(contacts, new Uint8Array(32), 20);
    const inFar = (): number => {
      for (;;) {
        const row = intern(contacts, rng);
        if (table.bucketOf(row) === 0) {
          contacts.hold(row);
          return row;
        }
      }
    };
    for (let i = 0; i < 128; i++) {
      const row = inFar();
      contacts.sampleRtt(row, 100 + i);
      expect(table.answered(0, row)).toBe(Change.ADDED);
    }
    const near = inFar();
    contacts.sampleRtt(near, 20);
    expect(table.answered(1_000, near)).toBe(Change.SWAPPED);
    expect(table.count).toBe(128);
    const later = inFar();
    contacts.sampleRtt(later, 200);
    expect(table.answered(7_200_000, later)).toBe(Change.CACHED);
  });

  it('keeps 128, 64 and 40 far contacts, then 20 a bucket', () => {
    const table = new Table(new Contacts(64, 1), new Uint8Array(32), 20);
    expect([0, 1, 2, 3, 4, 100].map((bucket) => table.capacityOf(bucket))).toEqual([
      ...FAR_BUCKETS,
      20,
      20,
      20,
    ]);
  });
});

/** Throws at the first broken invariant: an `expect` for each would take most of the test's time. */
function checkTable(contacts: Contacts, table: Table, self: Uint8Array, known: number[]): void {
  const rows = new Int32Array(256);
  const members = new Set<number>();
  const must = (condition: boolean, what: string) => {
    if (!condition) throw new Error(what);
  };
  for (let bucket = 0; bucket < 256; bucket++) {
    const count = table.rowsOf(bucket, rows);
    must(count === table.countOf(bucket), 'counts agree');
    must(count <= table.capacityOf(bucket), 'a bucket keeps its capacity');
    for (let i = 0; i < count; i++) {
      const row = rows[i] as number;
      must(!members.has(row), 'a contact is listed once');
      members.add(row);
      must(commonPrefixBits(self, 0, idOf(contacts, row), 0) === bucket, 'a contact lies in its own bucket');
      must((contacts.seenAt[row] as number) >= 0, 'only who answered is listed');
    }
  }
  must(members.size === table.count, 'the index holds what the buckets hold');
  for (const row of known) {
    const flags = contacts.flags[row] as number;
    const cached = (flags & ContactFlag.CACHED) !== 0;
    must(((flags & ContactFlag.TABLE) !== 0) === members.has(row), 'flags agree with buckets');
    must(!(cached && members.has(row)), 'nobody is listed and cached');
    must(contacts.references(row) === (cached || members.has(row) ? 2 : 1), 'references are exact');
  }
}

describe('the shortlist', () => {
  it('asks nobody twice beyond the one retry, keeps α, and lets every contact go', () => {
    for (let seed = 1; seed <= 20; seed++) {
      const rng = createSeededRng(seed);
      const contacts = new Contacts(4_096, seed);
      const rows = Array.from({ length: 300 }, () => {
        const row = intern(contacts, rng);
        contacts.hold(row);
        return row;
      });
      const lookup = new Lookup(contacts, DEFAULTS);
      const target = new Uint8Array(32);
      rng.fill(target, 0, 32);
      const paths = [1, 1, 4, 8][seed % 4] as number;
      lookup.start(0, target, 0, paths);
      for (let i = 0; i < 20; i++) lookup.add(rows[rng.u32() % 300] as number, i % paths);
      const asks = new Map<number, number>();
      const open: number[] = [];
      let now = 0;
      for (let step = 0; step < 4_000 && !(lookup.converged && open.length === 0); step++) {
        now += 5;
        lookup.pace(now, 20);
        for (let row = lookup.next(); row !== NONE; row = lookup.next()) {
          asks.set(row, (asks.get(row) ?? 0) + 1);
          open.push(row);
        }
        expect(lookup.active).toBeLessThanOrEqual(Math.max(DEFAULTS.alphaMax, paths));
        if (open.length === 0) break;
        const [row] = open.splice(rng.u32() % open.length, 1) as [number];
        const fate = rng.u32() % 10;
        if (fate < 2) lookup.dead(row);
        else if (fate < 3) {
          lookup.late(row);
          open.push(row);
        } else {
          const at = lookup.answered(row);
          const path = at === NONE ? 0 : lookup.pathOf(at);
          for (let i = 0; i < 8; i++) lookup.add(rows[rng.u32() % 300] as number, path);
        }
      }
      expect(Math.max(...asks.values())).toBeLessThanOrEqual(2);
      for (let i = 1; i < lookup.count; i++) {
        const before = lookup.rows[i - 1] as number;
        const after = lookup.rows[i] as number;
        expect(compareDistance(target, 0, idOf(contacts, before), 0, idOf(contacts, after), 0)).toBeLessThan(
          0,
        );
      }
      expect([...lookup.states.subarray(0, lookup.count)].every((state) => state <= Entry.FAILED)).toBe(true);
      lookup.clear();
      for (const row of rows) expect(contacts.references(row)).toBe(1);
    }
  });

  function listed(tuning: Tuning): { lookup: Lookup; rows: number[] } {
    const rng = createSeededRng(9);
    const contacts = new Contacts(256, 9);
    const lookup = new Lookup(contacts, tuning);
    lookup.start(0, new Uint8Array(32), 0, 1);
    for (let i = 0; i < 60; i++) lookup.add(intern(contacts, rng), 0);
    return { lookup, rows: [...lookup.rows.subarray(0, lookup.count)] };
  }

  function asked(lookup: Lookup): number[] {
    const rows: number[] = [];
    for (let row = lookup.next(); row !== NONE; row = lookup.next()) rows.push(row);
    return rows;
  }

  it('has more than α in flight once the closest has answered, and only then', () => {
    const { lookup, rows } = listed(DEFAULTS);
    lookup.hasten(NO_REACH, 24);
    expect(asked(lookup).length).toBe(4);
    lookup.answered(rows[1] as number);
    expect(asked(lookup).length).toBe(1);
    lookup.answered(rows[0] as number);
    expect(asked(lookup).sort()).toEqual(rows.slice(5, 20).sort());
  });

  it('has more than α in flight within the expected distance of the K-th closest', () => {
    const { lookup } = listed(DEFAULTS);
    lookup.hasten(0x7fff_ffff, 12);
    expect(asked(lookup).length).toBe(12);
  });

  it('gives up whoever is dead, asks the next, and revives each once', () => {
    const { lookup, rows } = listed(DEFAULTS);
    const first = asked(lookup);
    for (const row of first) lookup.dead(row);
    expect(asked(lookup)).not.toContain(first[0]);
    expect(lookup.revive()).toBe(true);
    lookup.refused(rows[5] as number);
    lookup.alpha = 60;
    const second = asked(lookup);
    for (const row of first) expect(second).toContain(row);
    for (const row of second) lookup.dead(row);
    for (const row of first) lookup.dead(row);
    lookup.revive();
    expect(asked(lookup).filter((row) => first.includes(row))).toEqual([]);
  });

  it('waits for a late one, takes its answer, and asks the next meanwhile', () => {
    const { lookup, rows } = listed(DEFAULTS);
    lookup.alpha = 60;
    expect(asked(lookup).length).toBe(20);
    lookup.late(rows[3] as number);
    expect(lookup.again(rows[3] as number)).toBe(true);
    expect(lookup.again(rows[3] as number)).toBe(false);
    expect(asked(lookup)).toEqual([rows[20]]);
    for (const row of rows.slice(0, 21)) if (row !== rows[3]) lookup.answered(row);
    expect(lookup.converged).toBe(false);
    expect(lookup.farthestAnswered(0)).toBe(rows[19]);
    lookup.dead(rows[3] as number);
    expect(lookup.converged).toBe(true);
    lookup.answered(rows[3] as number);
    expect(lookup.closest(20, new Int32Array(20))).toBe(20);
  });

  it('starts at α 4, goes to 8 without progress, and back to 4 with it', () => {
    const contacts = new Contacts(64, 1);
    const lookup = new Lookup(contacts, DEFAULTS);
    lookup.start(0, new Uint8Array(32), 0, 1);
    expect(lookup.alpha).toBe(4);
    lookup.pace(19, 20);
    expect(lookup.alpha).toBe(4);
    lookup.pace(20, 20);
    expect(lookup.alpha).toBe(6);
    lookup.pace(40, 20);
    lookup.pace(60, 20);
    expect(lookup.alpha).toBe(8);
    lookup.progress(70);
    expect(lookup.alpha).toBe(4);
    lookup.slowDown();
    expect(lookup.alpha).toBe(3);
  });
});

describe('requests', () => {
  it('accept an answer once, from the peer that was asked, and are late before they die', () => {
    const requests = new Requests(128, createSeededRng(4));
    const row = requests.open(1, 7, NONE);
    const correlation = requests.correlation(row);
    expect(requests.find(correlation, 3)).toBe(NONE);
    expect(requests.nextQueued()).toBe(row);
    requests.sent(100, row, 3, 40, 120);
    expect(requests.find(correlation, 4)).toBe(NONE);
    expect(requests.find(correlation ^ (1 << 20), 3)).toBe(NONE);
    expect(requests.find(correlation, 3)).toBe(row);
    expect(requests.expired(139)).toBe(NONE);
    expect(requests.nextDelay(100)).toBe(40);
    expect(requests.expired(140)).toBe(row);
    expect(requests.expiry).toBe(Expiry.LATE);
    expect(requests.find(correlation, 3)).toBe(row);
    expect(requests.expired(219)).toBe(NONE);
    expect(requests.expired(220)).toBe(row);
    expect(requests.expiry).toBe(Expiry.DEAD);
    requests.close(row);
    expect(requests.find(correlation, 3)).toBe(NONE);
    expect(requests.count).toBe(0);
  });

  it('stop at their limit and are whole again after', () => {
    const requests = new Requests(128, createSeededRng(4));
    const rows = Array.from({ length: 128 }, () => requests.open(1, 0, NONE));
    expect(new Set(rows).size).toBe(128);
    expect(requests.open(1, 0, NONE)).toBe(NONE);
    for (const row of rows) requests.close(row);
    expect(requests.nextQueued()).toBe(NONE);
    expect(requests.open(1, 0, NONE)).toBeGreaterThanOrEqual(0);
  });
});

describe('the size estimate', () => {
  function lookupInto(size: SizeEstimator, now: number, nodes: number, rng: Rng): void {
    const distances = Array.from({ length: nodes }, () => rng.u32() / 2 ** 32).sort((a, b) => a - b);
    size.begin();
    for (const distance of distances.slice(0, 20)) size.rankedDistance(distance);
    size.commit(now);
  }

  it('is within 15 % after some dozen lookups', () => {
    for (const nodes of [100, 1_000, 20_000]) {
      const rng = createSeededRng(nodes);
      const size = new SizeEstimator();
      for (let i = 0; i < 24; i++) lookupInto(size, i, nodes, rng);
      expect(Math.abs(size.nodes(24) / nodes - 1)).toBeLessThan(0.15);
      expect(size.standardDeviation(24) / size.nodes(24)).toBeLessThan(0.1);
    }
  });

  it('does not shrink the store radius when the network seems to grow suddenly', () => {
    const rng = createSeededRng(8);
    const size = new SizeEstimator();
    for (let i = 0; i < 100; i++) lookupInto(size, i, 1_000, rng);
    const honest = size.radius(100, 20);
    expect(size.radiusWord(100, 20)).toBe(Math.floor(honest * 2 ** 32) ^ 0x8000_0000);
    for (let i = 0; i < 20; i++) lookupInto(size, 100 + i, 50_000, rng);
    expect(size.radius(120, 20)).toBeGreaterThan(honest * 0.8);
  });

  it('widens the radius at once when the network shrinks, and forgets after two hours', () => {
    const rng = createSeededRng(9);
    const size = new SizeEstimator();
    for (let i = 0; i < 100; i++) lookupInto(size, i, 1_000, rng);
    for (let i = 0; i < 8; i++) lookupInto(size, 100 + i, 250, rng);
    expect(size.radius(110, 20)).toBeGreaterThan(0.05);
    expect(size.samples(110)).toBe(108);
    expect(size.samples(7_200_150)).toBe(0);
    expect(size.radius(7_200_150, 20)).toBe(1);
  });
});
