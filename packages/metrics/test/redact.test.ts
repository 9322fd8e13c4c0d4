import { describe, expect, it } from 'vitest';
import { redact, redactFields } from '../src/index.ts';

const KEY = '0123456789abcdef'.repeat(4);

describe('redact', () => {
  it('shortens keys, ids and signatures to their first eight digits', () => {
    expect(redact(`stored ${KEY} for ${KEY}${KEY}`)).toBe('stored 01234567… for 01234567…');
  });

  it('keeps only the network half of an address and no port', () => {
    expect(redact('from 203.0.113.9:4711 and 198.51.100.7.')).toBe('from 203.0.x.x and 198.51.x.x.');
    expect(redact('via [2001:db8:aa::17]:4711 and fe80::1%eth0')).toBe('via 2001:db8:… and fe80:…');
    expect(redact(`${KEY}@203.0.113.9:1`)).toBe('01234567…@203.0.x.x');
    expect(redact('...203.0.113.9')).toBe('...203.0.x.x');
    expect(redact('mapped ::ffff:203.0.113.9')).toBe('mapped 203.0.x.x');
  });

  it('leaves loopback, times, versions and plain words alone', () => {
    for (const text of [
      '127.0.0.1:4711',
      '[::1]:5',
      '0.0.0.0:0',
      '12:30:45',
      'a: b',
      '2026-01-02T03:04:05Z',
      'v1.2.3',
    ]) {
      expect(redact(text)).toBe(text);
    }
  });

  it('bounds the length of what it keeps', () => {
    expect(redact('y'.repeat(10_000)).length).toBe(8193);
  });
});

describe('redactFields', () => {
  it('redacts through objects, arrays and errors, and drops secrets by name', () => {
    const error = new Error('no answer from 203.0.113.9:1', { cause: new Error(KEY) });
    const out = JSON.stringify(
      redactFields({
        peer: { endpoint: '203.0.113.9:1', key: KEY },
        list: ['198.51.100.7', 3],
        bytes: new Uint8Array(32),
        networkSecret: 'swordfish',
        token: 'swordfish',
        identitySeed: [1, 2, 3],
        error,
      }),
    );
    for (const leak of [KEY, '203.0.113', '198.51.100', 'swordfish', '[1,2,3]'])
      expect(out).not.toContain(leak);
    expect(out).toContain('[32 bytes]');
    expect(out).toContain('no answer from 203.0.x.x');
  });

  it('ends on cycles and on very wide objects', () => {
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(JSON.stringify(redactFields(cycle))).toContain('[deep]');
    const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`k${i}`, i]));
    expect(Object.keys(redactFields(wide) as object).length).toBe(65);
    expect((redactFields(Array.from({ length: 1000 }, () => 1)) as unknown[]).length).toBe(65);
  });
});
