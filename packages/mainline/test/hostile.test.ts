/** Hostile input: a corpus of malformed datagrams, seeded fuzz, floods. Nothing throws, nothing grows, answers go on. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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

  test('memory stays within what the limits allow, however much is announced and put', () => {
    setFlagsFromString('--expose_gc');
    const gc = runInNewContext('gc') as () => void;
    const used = (): number => {
      gc();
      gc();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const limits = { infoHashesMax: 400, peersPerHashMax: 64, immutableItemsMax: 400 };
    const lab = new Lab({ ...limits, queriesPerSecondPerAddress: 0 });
    const token = lab.token();
    let turn = 0;
    // Announcements under ever new hashes, each of many ports, and values of the largest size.
    const flood = (rounds: number): void => {
      for (let i = 0; i < rounds; i++) {
        const info_hash = new Uint8Array(20);
        new DataView(info_hash.buffer).setUint32(0, turn++);
        for (let port = 1; port <= 80; port++)
          lab.hand(
            encodeBencode({
              a: { id: ID, info_hash, port, token },
              q: 'announce_peer',
              ro: 1,
              t: 'a',
              y: 'q',
            }),
          );
        const v = `${turn}`.padEnd(1000, '.');
        lab.hand(encodeBencode({ a: { id: ID, token, v }, q: 'put', ro: 1, t: 'a', y: 'q' }));
        lab.drain();
      }
    };
    const before = used();
    flood(600);
    const full = used();
    flood(1200);
    const flooded = used();
    expect(lab.engine.stored).toEqual({ infoHashes: 400, immutable: 400, mutable: 0 });
    // Peers: 6 bytes and a stamp of 8; values: 1005 bytes; rows, keys and objects: below 1 KiB each.
    const allowed = 400 * (64 * 14 + 1024) + 400 * (1005 + 1024) + 2 ** 20;
    expect(full - before).toBeLessThan(allowed);
    expect(flooded - full).toBeLessThan(2 ** 20);
  }, 60_000);

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
