/** What is answered: zones of keys, aliases, delegations, forwarded names, refusals. In virtual time. */
import { describe, expect, test } from 'vitest';
import { Carrier, DnsVerdict } from '../../src/name-server/index.ts';
import { a, cname, KEY, keyBytes, Lab, ns, OTHER_KEY, packet, query, read, soa, txt } from './lab.ts';

function labWith(...records: Parameters<typeof packet>): Lab {
  const lab = new Lab();
  lab.zones.set(KEY, packet(...records));
  return lab;
}

describe('names under a key', () => {
  test('are answered from the packet of the key', () => {
    const lab = labWith(a(KEY, '192.0.2.9'), txt(`_foo.www.${KEY}`, 'hello'), a(`www.${KEY}`, '192.0.2.8'));
    expect(lab.ask(KEY).answers).toMatchObject([{ name: KEY, type: 'A', data: '192.0.2.9', ttl: 300 }]);
    expect(lab.ask(`www.${KEY}`).answers).toMatchObject([{ data: '192.0.2.8' }]);
    expect(lab.ask(`_foo.www.${KEY}`, 'TXT').answers).toMatchObject([
      { type: 'TXT', data: [Buffer.from('hello')] },
    ]);
    expect(lab.lookups).toHaveLength(1);
    expect(Buffer.from(lab.lookups[0]?.key ?? []).toString('hex')).toBe(keyBytes(KEY));
  });

  test('are found in any case, and the answer keeps the spelling of the question', () => {
    const lab = labWith(a(`www.${KEY}`, '192.0.2.8'));
    const name = `wWw.${KEY.toUpperCase()}`;
    const answer = lab.ask(name);
    expect(answer.questions).toMatchObject([{ name }]);
    expect(answer.answers).toMatchObject([{ name, data: '192.0.2.8' }]);
  });

  test('may have owners that are relative to the key, or @ for the key itself', () => {
    const lab = labWith(a('www', '192.0.2.1'), a('@', '192.0.2.2'), txt('.', 'apex'));
    expect(lab.ask(`www.${KEY}`).answers).toMatchObject([{ name: `www.${KEY}`, data: '192.0.2.1' }]);
    expect(lab.ask(KEY).answers).toMatchObject([{ name: KEY, data: '192.0.2.2' }]);
    expect(lab.ask(KEY, 'TXT').answers).toHaveLength(1);
  });

  test('may stand before a top-level domain, which the answer keeps', () => {
    const lab = labWith(a(`www.${KEY}`, '192.0.2.1'), cname(`blog.${KEY}`, `www.${KEY}`));
    expect(lab.ask(`www.${KEY}.key`).answers).toMatchObject([{ name: `www.${KEY}.key`, data: '192.0.2.1' }]);
    expect(lab.ask(`blog.${KEY}.key`).answers).toMatchObject([
      { name: `blog.${KEY}.key`, data: `www.${KEY}` },
      { name: `www.${KEY}`, data: '192.0.2.1' },
    ]);
    expect(lab.ask(`blog.${KEY}.com`, 'A', { flags: 0 }).rcode).toBe('REFUSED');
  });

  test('match a wildcard of exactly one label, unless they have records of their own', () => {
    const lab = labWith(a(`*.${KEY}`, '192.0.2.1'), a(`own.${KEY}`, '192.0.2.2'), txt(`*.deep.${KEY}`, 'x'));
    expect(lab.ask(`any.${KEY}`).answers).toMatchObject([{ name: `any.${KEY}`, data: '192.0.2.1' }]);
    expect(lab.ask(`own.${KEY}`).answers).toMatchObject([{ data: '192.0.2.2' }]);
    expect(lab.ask(`own.${KEY}`, 'TXT')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    expect(lab.ask(`two.any.${KEY}`)).toMatchObject({ rcode: 'NXDOMAIN', answers: [] });
    expect(lab.ask(`two.deep.${KEY}`, 'TXT').answers).toHaveLength(1);
    expect(lab.ask(KEY)).toMatchObject({ rcode: 'NOERROR', answers: [] });
  });

  test('that do not exist are NXDOMAIN, without records of the type NOERROR, both with an SOA to keep them by', () => {
    const lab = labWith(a(`a.b.${KEY}`, '192.0.2.1'));
    const no = lab.ask(`nobody.${KEY}`);
    expect(no).toMatchObject({ rcode: 'NXDOMAIN', answers: [] });
    expect(no.authorities).toMatchObject([{ type: 'SOA', name: KEY, ttl: 60, data: { minimum: 60 } }]);
    expect(no.ttlSeconds).toBe(60);
    expect(lab.ask(`a.b.${KEY}`, 'AAAA')).toMatchObject({ rcode: 'NOERROR', answers: [] });
    // A name between two that exist does exist (RFC 8020).
    expect(lab.ask(`b.${KEY}`)).toMatchObject({ rcode: 'NOERROR', answers: [] });
  });

  test('of a key without a packet are NXDOMAIN, and the network is not searched again at once', () => {
    const lab = new Lab();
    lab.zones.set(KEY, undefined);
    expect(lab.ask(KEY)).toMatchObject({ rcode: 'NXDOMAIN' });
    expect(lab.ask(`x.${KEY}`)).toMatchObject({ rcode: 'NXDOMAIN' });
    expect(lab.lookups).toHaveLength(1);
    lab.pass(61_000);
    lab.ask(KEY);
    expect(lab.lookups).toHaveLength(2);
  });

  test('under a label that only looks like a key are NXDOMAIN without a search', () => {
    const lab = new Lab();
    expect(lab.ask(`www.${'o'.repeat(51)}b`)).toMatchObject({ rcode: 'NXDOMAIN', answers: [] });
    expect([lab.lookups.length, lab.asks.length]).toEqual([0, 0]);
  });

  test('types without a name in our code pass as they are', () => {
    const svcb = Buffer.from('000100000100030268320004000400c0000201', 'hex');
    const lab = labWith({ type: 'UNKNOWN_65' as 'NULL', name: KEY, data: svcb, ttl: 90 });
    expect(lab.ask(KEY, 'UNKNOWN_65').answers).toMatchObject([{ data: svcb, ttl: 90 }]);
  });

  test('a packet that is no DNS message is SERVFAIL', () => {
    const lab = new Lab();
    lab.zones.set(KEY, new Uint8Array(40).fill(0xff));
    expect(lab.ask(KEY).rcode).toBe('SERVFAIL');
  });
});

describe('aliases', () => {
  test('are followed in the packet, into other keys and into ordinary names', () => {
    const lab = labWith(cname(`a.${KEY}`, `b.${KEY}`, 100), cname(`b.${KEY}`, `c.${OTHER_KEY}`, 200));
    lab.zones.set(OTHER_KEY, packet(cname(`c.${OTHER_KEY}`, 'www.example.com', 300)));
    lab.query(query(`a.${KEY}`, 'A'));
    expect(read(lab.asks[0]?.bytes as Uint8Array).questions).toMatchObject([
      { name: 'www.example.com', type: 'A' },
    ]);
    lab.reply({
      answers: [cname('www.example.com', 'edge.example.net', 50), a('edge.example.net', '192.0.2.5', 40)],
    });
    const answer = lab.answered();
    expect(answer.rcode).toBe('NOERROR');
    expect(answer.answers?.map((r) => [r.name, r.type, 'ttl' in r && r.ttl])).toEqual([
      [`a.${KEY}`, 'CNAME', 100],
      [`b.${KEY}`, 'CNAME', 200],
      [`c.${OTHER_KEY}`, 'CNAME', 300],
      ['www.example.com', 'CNAME', 50],
      ['edge.example.net', 'A', 40],
    ]);
    expect(answer.ttlSeconds).toBe(40);
  });

  test('from an ordinary name into a key are followed too', () => {
    const lab = labWith(a(`www.${KEY}`, '192.0.2.1'));
    lab.query(query('www.example.com', 'A'));
    lab.reply({ flags: 3, answers: [cname('www.example.com', `www.${KEY}`)] });
    expect(lab.answered()).toMatchObject({
      rcode: 'NOERROR',
      answers: [{ name: 'www.example.com' }, { name: `www.${KEY}`, data: '192.0.2.1' }],
    });
  });

  test('that go in circles, or on for too long, are SERVFAIL', () => {
    const lab = labWith(cname(`a.${KEY}`, `b.${KEY}`), cname(`b.${KEY}`, `a.${KEY}`));
    expect(lab.ask(`a.${KEY}`).rcode).toBe('SERVFAIL');
    const chain = Array.from({ length: 20 }, (_, i) => cname(`n${i}`, `n${i + 1}.${OTHER_KEY}`));
    lab.zones.set(OTHER_KEY, packet(...chain, a('n20', '192.0.2.1')));
    expect(lab.ask(`n0.${OTHER_KEY}`).rcode).toBe('SERVFAIL');
    expect(lab.ask(`n12.${OTHER_KEY}`).answers).toHaveLength(9);
  });

  test('into the ordinary name space end there when recursion is not desired', () => {
    const lab = labWith(cname(KEY, 'www.example.com'));
    expect(lab.ask(KEY, 'A', { flags: 0 })).toMatchObject({ rcode: 'NOERROR', answers: [{ type: 'CNAME' }] });
    expect(lab.asks).toHaveLength(0);
  });

  test('are the answer themselves when they are asked for', () => {
    const lab = labWith(cname(KEY, 'www.example.com'));
    expect(lab.ask(KEY, 'CNAME').answers).toMatchObject([{ data: 'www.example.com' }]);
    expect(lab.asks).toHaveLength(0);
  });
});

describe('delegations', () => {
  const glued = () =>
    labWith(ns(`sub.${KEY}`, `ns1.${KEY}`), a(`ns1.${KEY}`, '1.2.3.4'), a(`ns2.${KEY}`, '1.2.3.5'));

  test('without recursion are referred to, with glue', () => {
    expect(glued().ask(`www.sub.${KEY}`, 'A', { flags: 0 })).toMatchObject({
      rcode: 'NOERROR',
      answers: [],
      authorities: [{ type: 'NS', name: `sub.${KEY}`, data: `ns1.${KEY}` }],
      additionals: [{ type: 'A', name: `ns1.${KEY}`, data: '1.2.3.4' }],
    });
  });

  test('with recursion are asked, without RD, and believed below the cut only', () => {
    const lab = glued();
    lab.query(query(`www.sub.${KEY}`, 'A'));
    const [ask] = lab.asks;
    expect(Array.from(ask?.endpoint.slice(0, 5) ?? [])).toEqual([4, 1, 2, 3, 4]);
    expect(read(ask?.bytes as Uint8Array)).toMatchObject({
      flag_rd: false,
      questions: [{ name: `www.sub.${KEY}` }],
    });
    lab.zones.set(OTHER_KEY, packet(a(OTHER_KEY, '192.0.2.77')));
    lab.reply({ answers: [cname(`www.sub.${KEY}`, OTHER_KEY), a(OTHER_KEY, '6.6.6.6')] });
    expect(lab.answered().answers).toMatchObject([
      { type: 'CNAME' },
      { name: OTHER_KEY, data: '192.0.2.77' },
    ]);
  });

  test('say what does not exist, and a further referral is SERVFAIL', () => {
    const lab = glued();
    lab.query(query(`www.sub.${KEY}`, 'A'));
    lab.reply({ flags: 3 });
    expect(lab.answered()).toMatchObject({ rcode: 'NXDOMAIN', authorities: [{ type: 'SOA' }] });
    lab.query(query(`b.sub.${KEY}`, 'A'));
    lab.reply({ authorities: [ns(`b.sub.${KEY}`, 'ns.example.com')] });
    expect(lab.answered().rcode).toBe('SERVFAIL');
  });

  test('whose host is an ordinary name have its address looked up', () => {
    const lab = labWith(ns(KEY, 'ns.example.com'));
    lab.query(query(`www.${KEY}`, 'A'));
    expect(read(lab.asks[0]?.bytes as Uint8Array).questions).toMatchObject([
      { name: 'ns.example.com', type: 'A' },
    ]);
    lab.reply({ answers: [a('ns.example.com', '1.2.3.9')] });
    expect(Array.from(lab.asks[1]?.endpoint.slice(0, 5) ?? [])).toEqual([4, 1, 2, 3, 9]);
    lab.reply({ answers: [a(`www.${KEY}`, '192.0.2.1')] });
    expect(lab.answered().answers).toMatchObject([{ data: '192.0.2.1' }]);
  });

  test('cannot send questions to addresses that are not public', () => {
    const inside = [
      '127.0.0.1',
      '10.0.0.1',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '224.0.0.1',
      '0.0.0.0',
    ];
    for (const address of inside) {
      const lab = labWith(ns(`sub.${KEY}`, `ns.${KEY}`), a(`ns.${KEY}`, address));
      expect(lab.ask(`www.sub.${KEY}`).authorities, address).toHaveLength(1);
      expect(lab.asks, address).toHaveLength(0);
    }
    for (const address of [
      '::1',
      'fe80::1',
      'fd00::1',
      '::ffff:10.0.0.1',
      '2002:a00:1::',
      '64:ff9b::a00:1',
      'ff02::1',
    ]) {
      const glue = { type: 'AAAA' as const, name: `ns.${KEY}`, data: address, ttl: 9 };
      const lab = labWith(ns(`sub.${KEY}`, `ns.${KEY}`), glue);
      lab.query(query(`www.sub.${KEY}`, 'A'));
      expect(lab.asks, address).toHaveLength(0);
    }
  });
});

describe('ordinary names', () => {
  test('are forwarded with an id of their own, and answered in the spelling of the question', () => {
    const lab = new Lab();
    lab.query(query('Example.COM', 'A', { id: 4242, edns: 4096 }));
    const asked = read(lab.asks[0]?.bytes as Uint8Array);
    expect(asked).toMatchObject({ flag_rd: true, questions: [{ name: 'example.com', type: 'A' }] });
    lab.reply({ answers: [a('example.com', '192.0.2.1', 120)] });
    const answer = lab.answered();
    expect(answer).toMatchObject({
      id: 4242,
      flag_qr: true,
      flag_ra: true,
      flag_ad: false,
      rcode: 'NOERROR',
    });
    expect(answer.questions).toMatchObject([{ name: 'Example.COM' }]);
    expect(answer.additionals).toMatchObject([{ type: 'OPT', udpPayloadSize: 1232 }]);
  });

  test('ids of questions are not to be guessed from one another', () => {
    const lab = new Lab();
    for (let i = 0; i < 200; i++) lab.query(query(`n${i}.test`, 'A', { id: i }));
    const ids = lab.asks.map((ask) => read(ask.bytes).id as number);
    expect(new Set(ids).size).toBeGreaterThan(190);
    expect(ids.filter((id, i) => i > 0 && Math.abs(id - (ids[i - 1] as number)) < 256).length).toBeLessThan(
      20,
    );
  });

  test('replies count only with the right id and question', () => {
    const lab = new Lab();
    lab.query(query('example.com', 'A'));
    const { id } = read(lab.asks[0]?.bytes as Uint8Array) as { id: number };
    expect(lab.reply({ id: id ^ 1, answers: [a('example.com', '6.6.6.6')] })).toBe(DnsVerdict.UNEXPECTED);
    expect(lab.reply({ name: 'example.org', answers: [a('example.org', '6.6.6.6')] })).toBe(
      DnsVerdict.UNEXPECTED,
    );
    expect(lab.replyBytes(new Uint8Array(5))).toBe(DnsVerdict.UNEXPECTED);
    expect(lab.engine.handleReply(lab.now, 12_345, new Uint8Array(20))).toBe(DnsVerdict.UNEXPECTED);
    expect(lab.reply({ answers: [a('example.com', '192.0.2.1')] })).toBe(DnsVerdict.TAKEN);
    expect(lab.answered().answers).toMatchObject([{ data: '192.0.2.1' }]);
  });

  test('go over TCP when somebody guesses, and when an answer is cut', () => {
    const lab = new Lab();
    lab.query(query('example.com', 'A'));
    for (let i = 0; i < 8; i++) lab.replyBytes(new Uint8Array(12));
    expect(lab.asks.map((ask) => ask.overTcp)).toEqual([false, true]);
    const other = new Lab();
    other.query(query('example.com', 'A'));
    other.reply({ flags: 0x200 });
    expect(other.asks.map((ask) => ask.overTcp)).toEqual([false, true]);
    other.reply({ answers: [a('example.com', '192.0.2.1')] });
    expect(other.answered().rcode).toBe('NOERROR');
  });

  test('go to another server when one is silent, unreachable or failing, and are SERVFAIL after all of them', () => {
    const lab = new Lab();
    lab.query(query('example.com', 'A'));
    const first = lab.asks[0]?.endpoint[4];
    lab.pass(1_500);
    expect(lab.asks).toHaveLength(2);
    expect(lab.asks[1]?.endpoint[4]).not.toBe(first);
    lab.reply({ flags: 2 });
    expect(lab.asks).toHaveLength(3);
    lab.engine.handleUnreachable(lab.now, lab.asks[2]?.flight as number);
    lab.drain();
    expect(lab.answered().rcode).toBe('SERVFAIL');
    // Remembered for a moment (RFC 9520), so that a storm of repetitions reaches nobody.
    expect(lab.ask('example.com').rcode).toBe('SERVFAIL');
    expect(lab.asks).toHaveLength(3);
    lab.pass(6_000);
    lab.query(query('example.com', 'A'));
    expect(lab.asks).toHaveLength(4);
  });

  test('prefer the server that answers, and try the others now and then', () => {
    const lab = new Lab({ queriesPerSecond: 0, udpBytesPerSecond: 0 });
    const asked = [0, 0, 0];
    for (let i = 0; i < 400; i++) {
      lab.query(query(`n${i}.test`, 'A'));
      for (let tries = 0; tries < 3 && lab.engine.pending > 0; tries++) {
        const server = lab.asks.at(-1)?.endpoint[4] as number;
        if (tries === 0) (asked[server] as number)++;
        if (server === 2) lab.reply({ flags: 3 });
        else lab.pass(2_500);
      }
    }
    expect(asked[2]).toBeGreaterThan(330);
    expect(asked[1]).toBeGreaterThan(2);
  });

  test('are asked without EDNS of a server that does not know it', () => {
    const lab = new Lab();
    lab.query(query('example.com', 'A', { edns: 1232 }));
    expect(read(lab.asks[0]?.bytes as Uint8Array).additionals).toHaveLength(1);
    lab.reply({ flags: 1 });
    expect(read(lab.asks[1]?.bytes as Uint8Array).additionals).toHaveLength(0);
    lab.reply({ answers: [a('example.com', '192.0.2.1')] });
    expect(lab.answered()).toMatchObject({ rcode: 'NOERROR', additionals: [{ type: 'OPT' }] });
  });

  test('asked by many at once are asked for once', () => {
    const lab = new Lab();
    for (let i = 0; i < 20; i++) lab.query(query('example.com', 'A', { id: i }), `198.51.100.${i}:53`);
    expect(lab.asks).toHaveLength(1);
    lab.reply({ answers: [a('example.com', '192.0.2.1')] });
    expect(lab.answers.map((answer) => read(answer.bytes).id)).toEqual(
      Array.from({ length: 20 }, (_, i) => i),
    );
    expect(lab.answers.map((answer) => answer.endpoint[4])).toEqual(Array.from({ length: 20 }, (_, i) => i));
  });

  test('without an upstream, or without recursion, are refused', () => {
    expect(new Lab({ upstreams: [] }).ask('example.com')).toMatchObject({ rcode: 'REFUSED', flag_ra: false });
    expect(new Lab().ask('example.com', 'A', { flags: 0 }).rcode).toBe('REFUSED');
  });
});

describe('the cache', () => {
  test('gives an answer until its time is over, with what is left of its TTL', () => {
    const lab = new Lab();
    lab.query(query('example.com', 'A'));
    lab.reply({ answers: [a('example.com', '192.0.2.1', 100), a('example.com', '192.0.2.2', 30)] });
    lab.answered();
    lab.pass(20_000);
    const again = lab.ask('example.com');
    expect(again.answers?.map((record) => 'ttl' in record && record.ttl)).toEqual([80, 10]);
    expect(again.ttlSeconds).toBe(10);
    lab.pass(10_001);
    lab.query(query('example.com', 'A'));
    expect(lab.asks).toHaveLength(2);
  });

  test('keeps negative answers as long as their SOA says, and none without one', () => {
    const lab = new Lab();
    lab.query(query('no.example.com', 'A'));
    lab.reply({ flags: 3, authorities: [soa('example.com', 900, 60)] });
    expect(lab.answered()).toMatchObject({ rcode: 'NXDOMAIN', ttlSeconds: 60 });
    lab.pass(59_000);
    expect(lab.ask('no.example.com').rcode).toBe('NXDOMAIN');
    lab.pass(1_001);
    lab.query(query('no.example.com', 'A'));
    lab.reply({ flags: 3 });
    lab.query(query('no.example.com', 'A'));
    expect(lab.asks).toHaveLength(3);
  });

  test('keeps answers with DNSSEC records apart from those without', () => {
    const lab = new Lab();
    lab.query(query('example.com', 'A', { edns: 1232, dnssecOk: true }));
    expect(read(lab.asks[0]?.bytes as Uint8Array).additionals).toMatchObject([{ flag_do: true }]);
    lab.reply({ answers: [a('example.com', '192.0.2.1')] });
    lab.query(query('example.com', 'A', { edns: 1232 }));
    expect(lab.asks).toHaveLength(2);
    expect(read(lab.asks[1]?.bytes as Uint8Array).additionals).toMatchObject([{ flag_do: false }]);
  });

  test('looks a key up again when the least TTL of its packet is over, within bounds', () => {
    const lab = labWith(a(KEY, '192.0.2.1', 5), a(`b.${KEY}`, '192.0.2.2', 1_000));
    expect(lab.ask(KEY).answers).toMatchObject([{ ttl: 60 }]);
    lab.pass(45_000);
    expect(lab.ask(KEY).answers).toMatchObject([{ ttl: 15 }]);
    lab.pass(16_000);
    lab.ask(KEY);
    expect(lab.lookups).toHaveLength(2);
  });

  test('helps out with an old answer when nobody can be asked', () => {
    const lab = labWith(a(KEY, '192.0.2.1', 60));
    lab.ask(KEY);
    lab.zones.clear();
    lab.pass(100_000);
    lab.query(query(KEY, 'A'));
    const { flight } = lab.lookups[1] as { flight: number };
    lab.engine.handleZoneFailed(lab.now, flight);
    lab.drain();
    expect(lab.answered().answers).toMatchObject([{ data: '192.0.2.1', ttl: 30 }]);
    expect(lab.engine.counters.get('answeredStale')).toBe(1);
    lab.pass(90_000_000);
    lab.query(query(KEY, 'A'));
    lab.engine.handleZoneFailed(lab.now, lab.lookups.at(-1)?.flight as number);
    lab.drain();
    expect(lab.answered().rcode).toBe('SERVFAIL');
  });

  test('a slow search answers in time with what there is, and its result serves the next query', () => {
    const lab = new Lab();
    lab.query(query(KEY, 'A'));
    lab.pass(4_600);
    expect(lab.answered().rcode).toBe('SERVFAIL');
    expect(lab.engine.pending).toBe(0);
    const { flight } = lab.lookups[0] as { flight: number };
    lab.engine.handleZone(lab.now, flight, packet(a(KEY, '192.0.2.1')));
    lab.drain();
    expect(lab.ask(KEY).answers).toMatchObject([{ data: '192.0.2.1' }]);
    expect(lab.lookups).toHaveLength(1);
  });
});

describe('refusals', () => {
  test('ANY, zone transfers and other classes are REFUSED, other operations NOTIMP', () => {
    const lab = labWith(a(KEY, '192.0.2.1'));
    for (const type of ['ANY', 'AXFR', 'IXFR'])
      for (const carrier of [Carrier.UDP, Carrier.TCP, Carrier.HTTPS])
        expect(lab.ask(KEY, type, { carrier }).rcode).toBe('REFUSED');
    expect(lab.ask(KEY, 'TSIG').rcode).toBe('NOTIMP');
    const chaos = query('version.bind', 'TXT');
    chaos[chaos.length - 1] = 3;
    lab.query(chaos);
    expect(lab.answered().rcode).toBe('REFUSED');
    const status = query(KEY, 'A');
    status[2] = 0x10;
    lab.query(status);
    expect(lab.answered().rcode).toBe('NOTIMP');
    expect([lab.asks.length, lab.lookups.length]).toEqual([0, 0]);
  });

  test('what cannot be read is FORMERR; responses and scraps get nothing', () => {
    const lab = new Lab();
    const good = query('example.com', 'A', { edns: 1232 });
    for (const [at, value] of [
      [5, 0],
      [5, 2],
      [7, 1],
      [9, 1],
      [11, 9],
      [12, 63],
      [12, 0xc0],
    ] as const) {
      const bad = good.slice();
      bad[at] = value;
      expect(lab.query(bad), `${at}`).toBe(DnsVerdict.TAKEN);
      expect(lab.answered()).toMatchObject({ rcode: 'FORMERR', id: 7 });
    }
    expect(lab.query(new Uint8Array([...good, 0]))).toBe(DnsVerdict.TAKEN);
    expect(lab.answered().rcode).toBe('FORMERR');
    expect(lab.query(good.slice(0, 11))).toBe(DnsVerdict.NO_QUERY);
    const response = good.slice();
    response[2] = 0x80;
    expect(lab.query(response)).toBe(DnsVerdict.NO_QUERY);
    expect(lab.answers).toHaveLength(0);
  });

  test('a later version of EDNS is BADVERS, two OPT records are FORMERR', () => {
    const lab = new Lab();
    const later = query('example.com', 'A', { edns: 1232 });
    later[later.length - 5] = 1;
    lab.query(later);
    const answer = lab.answered();
    expect(answer.additionals).toMatchObject([{ type: 'OPT', extendedRcode: 1, ednsVersion: 0 }]);
    const one = query('example.com', 'A', { edns: 1232 });
    const two = new Uint8Array([...one, ...one.slice(-11)]);
    two[11] = 2;
    lab.query(two);
    expect(lab.answered().rcode).toBe('FORMERR');
  });
});

describe('sizes', () => {
  const big = () => labWith(...Array.from({ length: 40 }, (_, i) => txt(KEY, `${'x'.repeat(12)}${i}`)));

  test('over UDP an answer has at most what the client takes, and never more than 1232 bytes', () => {
    const lab = big();
    for (const edns of [undefined, 100, 512, 800, 4096, 65_535]) {
      const answer = lab.ask(KEY, 'TXT', edns === undefined ? {} : { edns });
      expect(answer.bytes.length).toBeLessThanOrEqual(Math.max(512, Math.min(1232, edns ?? 512)));
      if (answer.answers?.length === 0) expect(answer).toMatchObject({ flag_tc: true, rcode: 'NOERROR' });
      else expect(answer).toMatchObject({ flag_tc: false });
    }
    expect(lab.ask(KEY, 'TXT', { edns: 1232 }).answers).toHaveLength(40);
  });

  test('over TCP and HTTPS it is whole', () => {
    const lab = big();
    for (const carrier of [Carrier.TCP, Carrier.HTTPS])
      expect(lab.ask(KEY, 'TXT', { carrier })).toMatchObject({ flag_tc: false, answers: { length: 40 } });
  });

  test('a forwarded answer that is too large is cut too', () => {
    const lab = new Lab();
    lab.query(query('example.com', 'TXT'));
    lab.reply({ answers: Array.from({ length: 40 }, (_, i) => txt('example.com', `${'x'.repeat(20)}${i}`)) });
    const cut = lab.answered();
    expect(cut).toMatchObject({ flag_tc: true, answers: [] });
    expect(cut.bytes.length).toBeLessThanOrEqual(query('example.com', 'TXT').length);
  });
});
