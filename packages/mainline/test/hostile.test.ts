/** Hostile input: a corpus of malformed datagrams, seeded fuzz, floods. Nothing throws, nothing grows, answers go on. */
import { createSeededRng, parseEndpoint, randomBelow } from '@molia/core';
import { describe, expect, test } from 'vitest';
import {
  createDatagram,
  encodeBencode,
  KrpcMessage,
  MainlineDrop,
  readKrpc,
  signItem,
} from '../src/index.ts';
import { ID, Lab, text } from './lab.ts';

const CORPUS = [
  '',
  'd',
  'de',
  'e',
  'i1e',
  'le',
  'd1:t',
  'd1:t2:aa',
  'd1:t2:aae',
  'd1:t2:aa1:y1:qe',
  'd1:t2:aa1:y1:re',
  'd1:t2:aa1:y1:ee',
  'd1:ai5e1:q4:ping1:t2:aa1:y1:qe',
  'd1:ade1:q4:ping1:t2:aa1:y1:qe',
  'd1:ad2:idi5ee1:q4:ping1:t2:aa1:y1:qe',
  'd1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qeX',
  'd1:ad2:id20:abcdefghij0123456789e1:q4:ping1:ti5e1:y1:qe',
  'd1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t40:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1:y1:qe',
  'd1:ad2:id20:abcdefghij01234567891:k32:000000000000000000000000000000005:token0:1:vi1ee1:q3:put1:t2:aa1:y1:qe',
  'd1:ad2:id20:abcdefghij01234567891:ki1e3:seqi1e3:sigi1e5:tokeni1e1:vi1ee1:q3:put1:t2:aa1:y1:qe',
  'd1:ad2:id20:abcdefghij01234567893:seqi99999999999999999999e6:target20:abcdefghij0123456789e1:q3:get1:t2:aa1:y1:qe',
  'd1:ad2:id20:abcdefghij01234567899:info_hash20:abcdefghij01234567894:porti-1e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe',
  'd1:ad2:id20:abcdefghij01234567899:info_hash20:abcdefghij01234567894:porti99999e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe',
  'd1:ad2:id20:abcdefghij01234567896:target20:abcdefghij01234567894:wantli1e2:n4ee1:q9:find_node1:t2:aa1:y1:qe',
  'd1:eli201e1:ee1:t2:aa1:y1:ee',
  'd1:ele1:t2:aa1:y1:ee',
  'd1:eli201ee1:t2:aa1:y1:ee',
  'd1:e1:x1:t2:aa1:y1:ee',
  'd1:rd2:id20:abcdefghij01234567895:nodes5:abcdee1:t2:aa1:y1:re',
  'd1:rd2:id20:abcdefghij01234567896:valuesl1:x6:abcdefee1:t2:aa1:y1:re',
  `d1:a${'d1:a'.repeat(200)}e`,
  `d1:a${'l'.repeat(1000)}`,
  '18446744073709551616:x',
  'd99999999:',
  'd2:ip1:x1:t2:aa1:y1:re',
];

describe('hostile datagrams', () => {
  test.each(CORPUS)('%s is dropped or refused, never thrown at', (datagram) => {
    const lab = new Lab();
    lab.hand(text(datagram));
    expect(lab.drain().length).toBeLessThanOrEqual(2);
    expect(lab.code('ping', { id: ID })).toBe(0);
  });

  test('mutated messages never throw, and every answer to them is canonical', () => {
    const seed = 20_261_121;
    const rng = createSeededRng(seed);
    const item = signItem(new Uint8Array(32).fill(1), text('3:abc'), 7n, text('salt'));
    const lab = new Lab({
      queriesPerSecondPerAddress: 0,
      immutableItemsMax: 20,
      mutableItemsMax: 20,
      infoHashesMax: 20,
    });
    const token = lab.token();
    const whole = [
      encodeBencode({ a: { id: ID, target: ID, want: ['n4', 'n6'] }, q: 'find_node', t: 'aa', y: 'q' }),
      encodeBencode({
        a: { id: ID, info_hash: ID, port: 1, implied_port: 1, token },
        q: 'announce_peer',
        t: 'aa',
        y: 'q',
      }),
      encodeBencode({
        a: { id: ID, k: item.key, salt: item.salt, seq: 7, cas: 6, sig: item.signature, v: 'abc', token },
        q: 'put',
        t: 'aa',
        y: 'q',
      }),
      encodeBencode({
        r: { id: ID, token, nodes: new Uint8Array(208), values: ['abcdef'], v: { a: [1] } },
        ip: 'abcdef',
        t: 'aaaa',
        y: 'r',
      }),
      encodeBencode({ e: [301, 'no'], t: 'aaaa', y: 'e' }),
      ...CORPUS.map(text),
    ];
    const message = new KrpcMessage();
    for (let round = 0; round < 20_000; round++) {
      const bytes = (whole[randomBelow(rng, whole.length)] as Uint8Array).slice();
      for (let n = randomBelow(rng, 4); n > 0 && bytes.length > 0; n--) {
        bytes[randomBelow(rng, bytes.length)] = rng.u32();
      }
      const length = rng.u32() & 1 ? bytes.length : randomBelow(rng, bytes.length + 1);
      try {
        readKrpc(message, bytes, 0, length);
        lab.hand(bytes.subarray(0, length));
      } catch (cause) {
        throw new Error(`seed ${seed}, round ${round}: ${String.fromCharCode(...bytes)}`, { cause });
      }
      lab.now++;
      for (const answer of lab.drain()) expect(readKrpc(message, answer, 0, answer.length)).toBe(true);
    }
    expect(lab.engine.stored).toMatchObject({ mutable: expect.any(Number) });
    expect(lab.code('ping', { id: ID })).toBe(0);
  });

  test('a flood of junk and of strangers does not stop answers, and bounds hold', () => {
    const lab = new Lab({ infoHashesMax: 100, peersPerHashMax: 10 });
    const junk = text('d1:ad2:id20:abcdefghij0123456789');
    for (let i = 0; i < 100_000; i++) expect(lab.hand(junk)).toBe(MainlineDrop.JUNK);
    // Queries of ever new addresses: each is answered once; those that are pinged back are few.
    let pings = 0;
    const out = createDatagram();
    const query = encodeBencode({ a: { id: ID }, q: 'ping', t: 'a', y: 'q' });
    for (let i = 0; i < 20_000; i++) {
      const from = parseEndpoint(`198.${18 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}:1000`);
      query.set(from.subarray(1, 5), 12);
      lab.engine.handleDatagram(0, from, 0, query, 0, query.length);
      while (lab.engine.pollTransmit(out))
        if (String.fromCharCode(...out.bytes.subarray(0, 4)) === 'd1:a') pings++;
    }
    expect(pings).toBeLessThanOrEqual(20);
    expect(lab.engine.contactCount).toBe(0);
    expect(lab.code('ping', { id: ID }, '203.0.113.200:1')).toBe(0);
  });

  test('an answer counts only from the address and port that were asked', () => {
    const lab = new Lab();
    lab.engine.ping(0, parseEndpoint('203.0.113.5:7000'));
    const out = createDatagram();
    lab.engine.pollTransmit(out);
    const message = new KrpcMessage();
    readKrpc(message, out.bytes, 0, out.length);
    const t = out.bytes.slice(message.tidAt, message.tidAt + message.tidLength);
    const answer = encodeBencode({ r: { id: ID }, t, y: 'r' });
    expect(lab.hand(answer, '203.0.113.5:7001')).toBe(MainlineDrop.UNSOLICITED);
    expect(lab.hand(answer, '203.0.113.6:7000')).toBe(MainlineDrop.UNSOLICITED);
    expect(lab.hand(answer, '203.0.113.5:7000')).toBe(0);
    expect(lab.hand(answer, '203.0.113.5:7000')).toBe(MainlineDrop.UNSOLICITED);
  });
});
