import { formatEndpoint, toHex } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { parseSeed, type Resolver, resolveSeeds } from '../src/seeds.ts';

const KEY = 'ab'.repeat(32);
const resolver: Resolver = {
  lookup: async (host) => {
    if (host !== 'seed.example') throw new Error('ENOTFOUND');
    return ['192.0.2.7', '2001:db8::7'];
  },
  txt: async (name) => {
    if (name !== 'seeds.example') throw new Error('ENODATA');
    return ['v=spf1 -all', `molia=${KEY}@192.0.2.9:4711`, 'molia=broken', `molia=${KEY}@seed.example:5`];
  },
};

describe('parseSeed', () => {
  it('reads names, IPv4 and IPv6', () => {
    expect(parseSeed(`${KEY}@seed.example:4711`)).toMatchObject({ host: 'seed.example', port: 4711 });
    expect(parseSeed(`${KEY}@192.0.2.1:1`)).toMatchObject({ host: '192.0.2.1', port: 1 });
    expect(parseSeed(`${KEY}@[2001:db8::1]:65535`)).toMatchObject({ host: '2001:db8::1', port: 65535 });
    expect(toHex(parseSeed(`${KEY}@a:1`).publicKey)).toBe(KEY);
  });

  it('refuses everything else with a code and the text', () => {
    const bad = [
      '',
      KEY,
      `${KEY}@`,
      `${KEY}@host`,
      `${KEY}@host:0`,
      `${KEY}@host:65536`,
      `${KEY}@:1`,
      `${KEY.slice(2)}@host:1`,
      `${KEY.toUpperCase()}@host:1`,
      `${KEY}@[192.0.2.1]:1`,
      `${KEY}@2001:db8::1:1`,
      `${KEY}@ho st:1`,
    ];
    for (const text of bad) {
      expect(() => parseSeed(text), text).toThrow(expect.objectContaining({ code: 'INVALID_SEED' }));
    }
  });
});

describe('resolveSeeds', () => {
  it('turns seeds and TXT records into every address they have', async () => {
    const seeds = [parseSeed(`${KEY}@[2001:db8::1]:3`), parseSeed(`${KEY}@seed.example:4`)];
    const { contacts, failed } = await resolveSeeds(seeds, ['seeds.example'], resolver);
    expect(failed).toEqual([]);
    expect(contacts.map(({ endpoint }) => formatEndpoint(endpoint))).toEqual([
      '[2001:db8::1]:3',
      '192.0.2.7:4',
      '[2001:db8::7]:4',
      '192.0.2.9:4711',
      '192.0.2.7:5',
      '[2001:db8::7]:5',
    ]);
  });

  it('reports what does not resolve and keeps the rest', async () => {
    const seeds = [parseSeed(`${KEY}@nowhere.example:4`), parseSeed(`${KEY}@192.0.2.1:3`)];
    const { contacts, failed } = await resolveSeeds(seeds, ['nothing.example'], resolver);
    expect(contacts.length).toBe(1);
    expect(failed.map(({ host }) => host).sort()).toEqual(['nothing.example', 'nowhere.example']);
  });
});
