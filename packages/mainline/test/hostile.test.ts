/** Hostile input: a corpus of malformed datagrams, seeded fuzz, floods. Nothing throws, nothing grows, answers go on. */
import { parseEndpoint } from '@molia/core';
import { describe, expect, test } from 'vitest';
import { createDatagram, encodeBencode, KrpcMessage, MainlineDrop, readKrpc } from '../src/index.ts';
import { CORPUS } from './corpus.ts';
import { ID, Lab, text } from './lab.ts';

describe('hostile datagrams', () => {
  test.each(CORPUS)('%s is dropped or refused, never thrown at', (datagram) => {
    const lab = new Lab();
    lab.hand(text(datagram));
    expect(lab.drain().length).toBeLessThanOrEqual(2);
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
