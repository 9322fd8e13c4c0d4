/** Hostile input and floods: nothing throws, nothing grows, answers go on, and nobody is sent more than the limits allow. */
import { createSeededRng, parseEndpoint } from '@molia/core';
import { describe, expect, test } from 'vitest';
import { Carrier, DnsEngine, DnsVerdict } from '../../src/name-server/index.ts';
import { a, KEY, Lab, ns, packet, query, read, replyTo, txt, UPSTREAMS } from './lab.ts';

const HEADER = '0007 0100 0001 0000 0000 0000';
const bytes = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replaceAll(' ', ''), 'hex'));

/** Messages whose names do not end: pointers to themselves, forwards, to each other, into the header, beyond the end. */
const NAMES = [
  'c00c',
  'c00d 00',
  '0161 c00c',
  'c010 0000 c00c',
  '0161 c0ff',
  'c000',
  'c0',
  '3f61',
  '4061 00',
  '8061 00',
  'ff',
  `${`3f${'61'.repeat(63)}`.repeat(4)} 00`,
  `${'0161'.repeat(127)} 0161 00`,
  '',
];

describe('hostile queries', () => {
  test('names without an end are FORMERR', () => {
    const lab = new Lab();
    for (const name of NAMES) {
      expect(lab.query(bytes(`${HEADER} ${name} 0001 0001`)), name).toBe(DnsVerdict.TAKEN);
      expect(lab.answered().rcode, name).toBe('FORMERR');
    }
  });

  test('counts beyond the message cost nothing', () => {
    const lab = new Lab();
    const huge = query('example.com', 'A', { edns: 1232 });
    huge.set([0xff, 0xff], 10);
    const startedAt = process.cpuUsage().user;
    for (let i = 0; i < 1_000; i++) lab.query(huge, `198.51.${i >> 8}.${i & 255}:53`);
    expect(process.cpuUsage().user - startedAt).toBeLessThan(5_000_000);
    expect(read(lab.answers[0]?.bytes as Uint8Array)).toMatchObject({ rcode: 'FORMERR' });
    expect(lab.engine.pending).toBe(0);
  });
});

describe('hostile packets', () => {
  test('names that grow when written out do not make a message too large', () => {
    // 80 records that point to one long name, whose owners and targets are 250 bytes each.
    const long = Array.from({ length: 4 }, () => 'l'.repeat(40)).join('.');
    const own = packet(...Array.from({ length: 3 }, (_, i) => ns(`${i}.${long}`, `${i}.${long}.${KEY}`)));
    const lab = new Lab();
    lab.zones.set(KEY, own);
    const answer = lab.ask(`0.${long}.${KEY}`, 'NS', { carrier: Carrier.TCP });
    expect(answer.rcode).toBe('NOERROR');
  });
});

describe('floods', () => {
  test('junk of one network does not stop the answers of another', () => {
    const lab = new Lab();
    lab.zones.set(KEY, packet(a(KEY, '192.0.2.1')));
    const rng = createSeededRng(5);
    const junk = new Uint8Array(40);
    let answered = 0;
    for (let i = 0; i < 20_000; i++) {
      rng.fill(junk, 0, junk.length);
      lab.query(junk, `203.0.113.${i & 255}:9`);
      lab.answers.length = 0;
      if (i % 1_000 !== 0) continue;
      lab.pass(1);
      if (lab.ask(KEY, 'A', { from: '198.51.100.1:53' }).rcode === 'NOERROR') answered++;
    }
    expect(answered).toBe(20);
    expect(lab.engine.counters.get('limited')).toBeGreaterThan(15_000);
  });

  test('queries beyond the rate are dropped or cut over UDP, REFUSED over TCP, and left to the host over HTTPS', () => {
    const lab = new Lab({ queriesPerSecond: 10, queriesBurst: 5 });
    lab.zones.set(KEY, packet(a(KEY, '192.0.2.1')));
    for (let i = 0; i < 5; i++) expect(lab.ask(KEY).rcode).toBe('NOERROR');
    const verdicts = Array.from({ length: 10 }, () => lab.query(query(KEY, 'A')));
    expect(new Set(verdicts)).toEqual(new Set([DnsVerdict.LIMITED]));
    expect(lab.answers.map((answer) => read(answer.bytes))).toMatchObject(
      Array.from({ length: 5 }, () => ({ flag_tc: true, answers: [] })),
    );
    for (const { bytes: cut } of lab.answers.splice(0)) expect(cut.length).toBe(query(KEY, 'A').length);
    // Another host of the same network shares its rate, another network does not.
    expect(lab.query(query(KEY, 'A'), '198.51.100.200:1', Carrier.TCP)).toBe(DnsVerdict.LIMITED);
    expect(lab.answered().rcode).toBe('REFUSED');
    expect(lab.query(query(KEY, 'A'), '198.51.100.200:1', Carrier.HTTPS)).toBe(DnsVerdict.LIMITED);
    expect(lab.answers).toHaveLength(0);
    expect(lab.ask(KEY, 'A', { from: '198.51.101.1:1' }).rcode).toBe('NOERROR');
    lab.pass(1_000);
    expect(lab.ask(KEY).rcode).toBe('NOERROR');
  });

  test('over UDP a network gets no more bytes than its rate, however large the answers are', () => {
    const lab = new Lab({ queriesPerSecond: 0, udpBytesPerSecond: 10_000, udpBytesBurst: 20_000 });
    lab.zones.set(KEY, packet(...Array.from({ length: 14 }, (_, i) => txt(KEY, `${'x'.repeat(50)}${i}`))));
    const asked = query(KEY, 'TXT', { edns: 1232 });
    let sent = 0;
    let cut = 0;
    for (let i = 0; i < 2_000; i++) {
      lab.query(asked);
      const [answer] = lab.answers.splice(0);
      if (read(answer?.bytes as Uint8Array).flag_tc) {
        cut++;
        expect(answer?.bytes.length).toBe(asked.length);
      } else sent += answer?.bytes.length ?? 0;
      if (i % 200 === 0) lab.pass(100);
    }
    expect(sent).toBeLessThan(20_000 + 10_000);
    expect(cut).toBeGreaterThan(1_900);
    // A client whose address is proven is not held to it.
    expect(lab.ask(KEY, 'TXT', { carrier: Carrier.TCP }).answers).toHaveLength(14);
  });

  test('searches for keys are limited, cached ones are not', () => {
    const lab = new Lab({ keyLookupsPerSecond: 1, keyLookupsBurst: 3 });
    lab.zones.set(KEY, packet(a(KEY, '192.0.2.1')));
    lab.ask(KEY);
    const digits = 'ybndrfg8ejkmcpqxot1uwisza345h769';
    const answers: string[] = [];
    for (let i = 0; i < 10; i++) {
      lab.query(query(`${digits[i]?.repeat(51)}y`, 'A'));
      answers.push(...lab.answers.splice(0).map((answer) => read(answer.bytes).rcode));
    }
    expect([lab.lookups.length, answers.length]).toEqual([3, 8]);
    expect(new Set(answers)).toEqual(new Set(['REFUSED']));
    expect(lab.ask(KEY).rcode).toBe('NOERROR');
  });

  test('waiting queries and open questions have a bound each', () => {
    const lab = new Lab({ queriesMax: 50, flightsMax: 20, queriesPerSecond: 0, udpBytesPerSecond: 0 });
    for (let i = 0; i < 100; i++) lab.query(query(`n${i}.test`, 'A'));
    expect([lab.asks.length, lab.engine.pending]).toEqual([20, 20]);
    for (let i = 0; i < 100; i++) lab.query(query('n1.test', 'A'));
    expect(lab.engine.pending).toBe(50);
    expect(lab.answers.every((answer) => read(answer.bytes).rcode === 'SERVFAIL')).toBe(true);
    lab.pass(20_000);
    expect(lab.engine.pending).toBe(0);
    expect(lab.engine.nextDelay(lab.now)).toBeGreaterThan(1_000_000);
  });

  test('the cache stays within its bytes', () => {
    const cacheBytesMax = 1_000_000;
    const engine = new DnsEngine(
      { upstreams: UPSTREAMS, cacheBytesMax, queriesPerSecond: 0, udpBytesPerSecond: 0 },
      createSeededRng(1),
    );
    const from = parseEndpoint('198.51.100.1:53');
    for (let i = 0; i < 10_000; i++) {
      engine.handleQuery(1_000, Carrier.UDP, 0, from, 0, query(`n${i}.test`, 'TXT'));
      for (let output = engine.pollOutput(); output !== undefined; output = engine.pollOutput())
        if (output.kind === 'ask') {
          const answers = [txt(`n${i}.test`, 'x'.repeat(200))];
          engine.handleReply(1_000, output.flight, replyTo(output.bytes, { answers }));
        }
      expect(engine.cacheBytes).toBeLessThanOrEqual(cacheBytesMax);
    }
    expect(engine.cacheBytes).toBeGreaterThan(cacheBytesMax * 0.9);
    expect(engine.cacheEntries).toBeLessThan(3_000);
  });
});

describe('options', () => {
  test('that make no sense are refused by name', () => {
    const make = (options: object) => () => new DnsEngine(options, createSeededRng(1));
    expect(make({ typo: 1 })).toThrow(/typo/);
    expect(make({ queriesBurst: 0 })).toThrow(/queriesBurst/);
    expect(make({ keyTtlSecondsMin: 10, keyTtlSecondsMax: 5 })).toThrow(/keyTtlSecondsMin/);
    expect(make({ upstreams: [new Uint8Array(4)] })).toThrow(/upstreams/);
  });
});
