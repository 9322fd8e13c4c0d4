/** What a server answers: BEP 5, 42, 43, 44 query by query. */
import { toHex } from '@molia/core';
import { describe, expect, test } from 'vitest';
import type { BencodeInput, BencodeValue } from '../src/index.ts';
import { encodeBencode, immutableTarget, MainlineDrop, mutableTarget, signItem } from '../src/index.ts';
import { type Dict, ID, Lab, text } from './lab.ts';

const seed = new Uint8Array(32).fill(3);
const HASH = text('mnopqrstuvwxyz123456');

/** The body of a `get`'s answer. */
function get(lab: Lab, a: BencodeInput & object): Dict {
  return (lab.query('get', a) as Dict)['r'] as Dict;
}

function put(lab: Lab, value: string, seq: bigint, more: object = {}, salt = ''): number {
  const item = signItem(seed, text(value), seq, text(salt));
  return lab.code('put', {
    id: ID,
    k: item.key,
    seq,
    sig: item.signature,
    token: lab.token(),
    v: text(value.slice(value.indexOf(':') + 1)),
    ...(salt === '' ? {} : { salt }),
    ...more,
  });
}

describe('a server', () => {
  test('answers a ping with its id, the asker’s address and the same transaction id, in canonical order', () => {
    const lab = new Lab();
    lab.hand(text('d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe'), '203.0.113.9:4000');
    const [answer] = lab.drain();
    const expected = encodeBencode({
      ip: new Uint8Array([203, 0, 113, 9, 0x0f, 0xa0]),
      r: { id: lab.engine.id },
      t: 'aa',
      v: new Uint8Array([0x4d, 0x4c, 0, 1]),
      y: 'r',
    });
    expect(answer).toEqual(expected);
  });

  test.each([1, 2, 4, 8, 20, 32])('echoes a transaction id of %i bytes', (length) => {
    const t = new Uint8Array(length).fill(200);
    expect(new Lab().query('ping', { id: ID }, undefined, t)?.['t']).toEqual(t);
  });

  test('says 204 to an unknown method and 203 to a wrong argument', () => {
    const lab = new Lab();
    expect(lab.code('dance', { id: ID })).toBe(204);
    expect(lab.code('ping', {})).toBe(203);
    expect(lab.code('ping', { id: 'short' })).toBe(203);
    expect(lab.code('find_node', { id: ID })).toBe(203);
    expect(lab.code('get', { id: ID, target: 'short' })).toBe(203);
    expect(lab.code('get_peers', { id: ID })).toBe(203);
  });

  test('stores an announced peer under a port of its own or the packet’s', () => {
    const lab = new Lab();
    const token = lab.token();
    expect(lab.code('announce_peer', { id: ID, info_hash: HASH, port: 6881, token })).toBe(0);
    expect(lab.code('announce_peer', { id: ID, info_hash: HASH, port: 1, implied_port: 1, token })).toBe(0);
    const r = lab.query('get_peers', { id: ID, info_hash: HASH })?.['r'] as Dict;
    expect((r['values'] as Uint8Array[]).map((v) => toHex(v))).toEqual(['cb0071091ae1', 'cb0071090fa0']);
    expect(lab.code('announce_peer', { id: ID, info_hash: HASH, port: 0, token })).toBe(203);
  });

  test('tokens are bound to the address and live five to ten minutes', () => {
    const lab = new Lab();
    const token = lab.token();
    const announce = (from?: string) =>
      lab.code('announce_peer', { id: ID, info_hash: HASH, port: 6881, token }, from);
    expect(announce('203.0.113.10:4000')).toBe(203);
    expect(announce('203.0.113.9:999')).toBe(0);
    lab.now = 6 * 60_000;
    expect(announce()).toBe(0);
    lab.now = 11 * 60_000;
    expect(announce()).toBe(203);
    const later = lab.token();
    lab.now = 40 * 60_000;
    expect(lab.code('announce_peer', { id: ID, info_hash: HASH, port: 6881, token: later })).toBe(203);
  });

  test('keeps at most the configured peers, the newest ones', () => {
    const lab = new Lab({ peersPerHashMax: 8, infoHashesMax: 2, queriesPerSecondPerAddress: 0 });
    const token = lab.token();
    for (let port = 1; port <= 100; port++) {
      lab.now++;
      expect(lab.code('announce_peer', { id: ID, info_hash: HASH, port, token })).toBe(0);
    }
    const r = lab.query('get_peers', { id: ID, info_hash: HASH })?.['r'] as Dict;
    const ports = (r['values'] as Uint8Array[]).map((v) => v[5]).sort((a, b) => Number(a) - Number(b));
    expect(ports).toEqual([93, 94, 95, 96, 97, 98, 99, 100]);
    for (let i = 0; i < 50; i++) {
      lab.code('announce_peer', { id: ID, info_hash: new Uint8Array(20).fill(i), port: 1, token });
      expect(lab.engine.stored.infoHashes).toBeLessThanOrEqual(2);
    }
  });

  test('immutable values of any type are stored under their hash', () => {
    const lab = new Lab();
    for (const v of ['Hello World!', 42, ['a', 1], { a: 1 }]) {
      expect(lab.code('put', { id: ID, token: lab.token(), v })).toBe(0);
      const r = lab.query('get', { id: ID, target: immutableTarget(encodeBencode(v)) })?.['r'] as Dict;
      expect(encodeBencode(r['v'] as BencodeValue)).toEqual(encodeBencode(v));
      expect(r['k']).toBeUndefined();
    }
  });

  test('a value lives two hours after its last put', () => {
    const lab = new Lab();
    const target = immutableTarget(text('3:abc'));
    const has = () => get(lab, { id: ID, target })['v'] !== undefined;
    lab.code('put', { id: ID, token: lab.token(), v: 'abc' });
    lab.now = 119 * 60_000;
    expect(has()).toBe(true);
    lab.code('put', { id: ID, token: lab.token(), v: 'abc' });
    lab.now = 238 * 60_000;
    expect(has()).toBe(true);
    lab.now = 240 * 60_000;
    expect(has()).toBe(false);
    expect(lab.engine.stored.immutable).toBe(0);
  });

  test('205 for a value too long, 203 for one that is not canonical or a wrong token', () => {
    const lab = new Lab();
    expect(lab.code('put', { id: ID, token: lab.token(), v: 'x'.repeat(1000) })).toBe(0);
    expect(lab.code('put', { id: ID, token: lab.token(), v: 'x'.repeat(1001) })).toBe(205);
    expect(lab.code('put', { id: ID, token: 'nonsense', v: 'x' })).toBe(203);
    const token = String.fromCharCode(...lab.token());
    const raw = Uint8Array.from(
      `d1:ad2:id20:abcdefghij01234567895:token8:${token}1:vd1:b0:1:a0:ee1:q3:put1:t2:aa1:y1:qe`,
      (c) => c.charCodeAt(0),
    );
    lab.hand(raw);
    expect(String.fromCharCode(...(lab.drain()[0] as Uint8Array))).toContain('d1:eli203e');
  });

  test('mutable items: 206, 207, 301, 302, and a refresh of the same', () => {
    const lab = new Lab();
    expect(put(lab, '5:first', 5n)).toBe(0);
    expect(put(lab, '5:first', 5n)).toBe(0);
    expect(put(lab, '5:other', 5n)).toBe(302);
    expect(put(lab, '5:older', 4n)).toBe(302);
    expect(put(lab, '5:newer', 6n, { cas: 4 })).toBe(301);
    expect(put(lab, '5:newer', 6n, { cas: 5 })).toBe(0);
    expect(put(lab, '5:wrong', 7n, { seq: 8 })).toBe(206);
    expect(put(lab, '5:wrong', 7n, { salt: 'x' })).toBe(206);
    expect(put(lab, '5:salty', 7n, {}, 's'.repeat(65).slice(0, 64))).toBe(0);
    expect(put(lab, '5:salty', 7n, { salt: 's'.repeat(65) })).toBe(207);
    expect(put(lab, '5:wrong', 7n, { seq: -1 })).toBe(203);
    expect(put(lab, '5:wrong', 7n, { sig: 'short' })).toBe(203);
    expect(put(lab, '5:right', 7n, { target: new Uint8Array(20) })).toBe(203);
    const key = signItem(seed, text('0:'), 0n).key;
    const r = lab.query('get', { id: ID, target: mutableTarget(key) })?.['r'] as Dict;
    expect(r['seq']).toBe(6);
    expect(r['v']).toEqual(text('newer'));
    expect(r['salt']).toBeUndefined();
    const known = lab.query('get', { id: ID, target: mutableTarget(key), seq: 6 })?.['r'] as Dict;
    expect([known['seq'], known['v'], known['k'], known['sig']]).toEqual([
      6,
      undefined,
      undefined,
      undefined,
    ]);
    expect(get(lab, { id: ID, target: mutableTarget(key), seq: 5 })['v']).toEqual(text('newer'));
  });

  test('the largest sequence number is kept to the last bit', () => {
    const lab = new Lab();
    const max = 2n ** 63n - 1n;
    expect(put(lab, '1:x', max)).toBe(0);
    const key = signItem(seed, text('0:'), 0n).key;
    expect(get(lab, { id: ID, target: mutableTarget(key) })['seq']).toBe(max);
  });

  test('stores stay within their bounds', () => {
    const lab = new Lab({ immutableItemsMax: 10, mutableItemsMax: 5, queriesPerSecondPerAddress: 0 });
    for (let i = 0; i < 40; i++) {
      expect(lab.code('put', { id: ID, token: lab.token(), v: i })).toBe(0);
      expect(put(lab, '1:x', 1n, {}, `s${i}`)).toBe(0);
    }
    expect(lab.engine.stored).toMatchObject({ immutable: 10, mutable: 5 });
  });

  test('one address cannot use up the others’ share', () => {
    const lab = new Lab({ queriesPerSecondPerAddress: 10, queriesBurstPerAddress: 5 });
    const answered = Array.from({ length: 20 }, () => lab.code('ping', { id: ID })).filter(
      (code) => code === 0,
    );
    expect(answered.length).toBe(5);
    expect(lab.code('ping', { id: ID }, '203.0.113.77:1')).toBe(0);
    lab.now += 1000;
    expect(lab.code('ping', { id: ID })).toBe(0);
  });

  test('a filter refuses in silence; a client answers nothing', () => {
    const filtered = new Lab({ filter: (method) => method !== 'get' });
    expect(filtered.query('get', { id: ID, target: ID })).toBeUndefined();
    expect(filtered.code('ping', { id: ID })).toBe(0);
    const client = new Lab({ mode: 'client' });
    expect(client.hand(encodeBencode({ a: { id: ID }, q: 'ping', t: 'a', y: 'q' }))).toBe(
      MainlineDrop.READ_ONLY,
    );
    expect(client.drain()).toEqual([]);
  });

  test('a read-only asker is answered and not pinged back (BEP 43); another one is', () => {
    const lab = new Lab();
    lab.hand(encodeBencode({ a: { id: ID }, q: 'ping', t: 'a', y: 'q', ro: 1 }));
    expect(lab.drain().length).toBe(1);
    lab.hand(encodeBencode({ a: { id: ID }, q: 'ping', t: 'a', y: 'q' }));
    expect(lab.drain().length).toBe(2);
  });

  test('on a socket of IPv6 it speaks of nodes6, and says nothing of a family that was not asked for', () => {
    const lab = new Lab({ family: 6 });
    const from = '[2001:db8::1]:4000';
    const plain = lab.query('find_node', { id: ID, target: ID }, from)?.['r'] as Dict;
    expect(Object.keys(plain)).toEqual(['id', 'nodes6']);
    const other = lab.query('find_node', { id: ID, target: ID, want: ['n4'] }, from)?.['r'] as Dict;
    expect(Object.keys(other)).toEqual(['id']);
    expect(lab.query('ping', { id: ID }, from)?.['ip']).toHaveLength(18);
    expect(lab.hand(encodeBencode({ a: { id: ID }, q: 'ping', t: 'a', y: 'q' }))).toBe(
      MainlineDrop.WRONG_FAMILY,
    );
  });
});
