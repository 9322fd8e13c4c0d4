/** One owner's addresses cannot fill a bucket or the table. */
import { createSeededRng, parseEndpoint, type Rng } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { NETWORK_PER_BUCKET_MAX, NETWORK_PER_TABLE_MAX } from '../src/constants.ts';
import { Contacts } from '../src/contacts.ts';
import { networkBytes } from '../src/diversity.ts';
import { Change, Table } from '../src/table.ts';

const SELF = new Uint8Array(32);

/** A contact that has answered, in the bucket of the first bit unless another is asked for. */
function meet(contacts: Contacts, rng: Rng, endpoint: string, bucket = 0): number {
  const key = new Uint8Array(32);
  for (;;) {
    rng.fill(key, 0, 32);
    const row = contacts.intern(key, 0, parseEndpoint(endpoint), 0);
    if (contacts.sharedBits(row, SELF, 0) !== bucket) continue;
    contacts.seenAt[row] = 0;
    return row;
  }
}

const made = (diversity = true) => {
  const contacts = new Contacts(8_192, 1);
  return { contacts, rng: createSeededRng(1), table: new Table(contacts, SELF, 20, true, diversity) };
};

describe('the routing table', () => {
  it.each([
    ['IPv4 /24', (i: number) => `198.18.7.${i}:4000`, '198.18.8.1:4000'],
    ['IPv6 /48', (i: number) => `[2001:db8:7:${i}::${i}]:4000`, '[2001:db8:8::1]:4000'],
  ])(
    'takes few contacts of one network (%s) into a bucket, and those of another after them',
    (_, of, other) => {
      const { contacts, rng, table } = made();
      const changes = Array.from({ length: 6 }, (_, i) => table.answered(0, meet(contacts, rng, of(i + 1))));
      expect(changes.filter((change) => change === Change.ADDED)).toHaveLength(NETWORK_PER_BUCKET_MAX);
      expect(changes.at(-1)).toBe(Change.CROWDED);
      expect(table.answered(0, meet(contacts, rng, other))).toBe(Change.ADDED);
    },
  );

  it('takes few of one network over all buckets, also where a place becomes free', () => {
    const { contacts, rng, table } = made();
    const rows: number[] = [];
    for (let bucket = 0; bucket < 8; bucket++)
      for (let i = 1; i < 4; i++) rows.push(meet(contacts, rng, `198.18.7.${bucket * 8 + i}:4000`, bucket));
    for (const row of rows) table.answered(0, row);
    expect(table.count).toBe(NETWORK_PER_TABLE_MAX);
    // Its own place is the only one that its network gets back.
    table.remove(0, rows[0] as number);
    expect(table.count).toBe(NETWORK_PER_TABLE_MAX - 1);
    const again = rows.map((row) => table.answered(0, row)).filter((change) => change === Change.ADDED);
    expect(again).toHaveLength(1);
  });

  it('counts nobody twice who has a private or loopback address, and nobody at all where the rule is off', () => {
    for (const address of [
      '127.0.0.1',
      '10.1.2.3',
      '192.168.1.1',
      '172.20.0.1',
      '100.64.3.4',
      '169.254.1.1',
    ]) {
      const { contacts, rng, table } = made();
      for (let i = 0; i < 6; i++) table.answered(0, meet(contacts, rng, `${address}:${4000 + i}`));
      expect(table.count, address).toBe(6);
    }
    const { contacts, rng, table } = made(false);
    for (let i = 0; i < 6; i++) table.answered(0, meet(contacts, rng, `198.18.7.${i}:4000`));
    expect(table.count).toBe(6);
  });

  it.each([
    ['[::1]:1', 0],
    ['[fd00::1]:1', 0],
    ['[fe80::1]:1', 0],
    ['[2001:db8::1]:1', 7],
    ['172.32.0.1:1', 4],
    ['100.128.0.1:1', 4],
  ])('%s names its network by %i bytes', (endpoint, bytes) => {
    expect(networkBytes(parseEndpoint(endpoint), 0)).toBe(bytes);
  });
});
