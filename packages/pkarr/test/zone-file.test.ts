/** Zone files to records and back. */
import { createSeededRng, randomBelow } from '@molia/core';
import { describe, expect, test } from 'vitest';
import { formatZone, Keypair, PacketBuilder, parseZone, SignedPacket, textOf } from '../src/index.ts';

const pair = Keypair.fromSecretKey(new Uint8Array(32).fill(3));
const key = `${pair.publicKey}`;

const ZONE = `
; a zone
$TTL 1h
@        IN SOA ns.example. me.example. ( 1 ; serial
                  2 3 4 5 )
@        300 IN A 192.0.2.1
         IN 5m AAAA 2001:db8::1
www      CNAME @
_t       TXT "a \\"quoted\\" ; text" second \\065\\195\\164
mail     MX 10 mx.example.
_s._tcp  SRV 1 2 443 www
svc      HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1 key667="a b"
alias    SVCB 0 other.example.
$ORIGIN sub
deep     NS ns.example.
x.${key}.  A 192.0.2.2
caa.${key} TYPE257 \\# 3 01 0203
`;

describe('a zone file', () => {
  test('is read', () => {
    const records = parseZone(ZONE, pair.publicKey);
    expect(records.map(({ name, ttl, data }) => [name.replace(key, 'KEY'), ttl, data.type])).toEqual([
      ['KEY', 300, 'A'],
      ['KEY', 300, 'AAAA'],
      ['www.KEY', 3600, 'CNAME'],
      ['_t.KEY', 3600, 'TXT'],
      ['mail.KEY', 3600, 'MX'],
      ['_s._tcp.KEY', 3600, 'SRV'],
      ['svc.KEY', 3600, 'HTTPS'],
      ['alias.KEY', 3600, 'SVCB'],
      ['deep.sub.KEY', 3600, 'NS'],
      ['x.KEY', 3600, 'A'],
      ['caa.KEY', 3600, 'UNKNOWN'],
    ]);
    const data = records.map((record) => record.data);
    expect(data[2]).toEqual({ type: 'CNAME', target: key });
    expect(textOf(data[3] as never)).toBe('a "quoted" ; textsecondAä');
    expect(data[5]).toEqual({ type: 'SRV', priority: 1, weight: 2, port: 443, target: `www.${key}` });
    expect(data[6]).toEqual({
      type: 'HTTPS',
      priority: 1,
      target: '.',
      params: {
        alpn: ['h2', 'h3'],
        port: 8443,
        ipv4hint: ['192.0.2.1'],
        other: new Map([[667, new TextEncoder().encode('a b')]]),
      },
    });
    expect(data[10]).toEqual({ type: 'UNKNOWN', code: 257, bytes: Uint8Array.of(1, 2, 3) });
  });

  test('is written, and read again as it was', () => {
    const packet = SignedPacket.sign(pair, parseZone(ZONE, pair.publicKey));
    expect(parseZone(formatZone(packet.records), pair.publicKey)).toEqual(packet.records);
    const odd = new PacketBuilder()
      .txt('@', ['\0"\\\x7f', ''], 1)
      .https('@', 1, '.', 1, {
        mandatory: [1, 667],
        alpn: ['h2'],
        noDefaultAlpn: true,
        ech: Uint8Array.of(1, 255),
        ipv6hint: ['::1'],
        other: new Map([[667, Uint8Array.of(0, 34)]]),
      })
      .sign(pair);
    expect(parseZone(formatZone(odd.records), pair.publicKey)).toEqual(odd.records);
  });

  test('has 300 s where nothing else is said', () => {
    expect(parseZone('a A 192.0.2.1', pair.publicKey)[0]?.ttl).toBe(300);
    expect(parseZone('a A 192.0.2.1', pair.publicKey, { ttl: 7 })[0]?.ttl).toBe(7);
    expect(parseZone('; nothing\n\n', pair.publicKey)).toEqual([]);
  });

  test.each([
    ['a A', /line 1: the address is missing/],
    ['\na MX x y', /line 2: the preference/],
    ['a A 1.2.3.4 5', /too much/],
    ['  A 1.2.3.4', /no name/],
    ['a', /type is missing/],
    ['a HINFO x', /HINFO is not supported/],
    ['$INCLUDE /etc/passwd', /\$INCLUDE is not supported/],
    ['$TTL soon', /TTL/],
    ['example.com. A 1.2.3.4', /does not lie below/],
    ['a TXT "open', /line 1.*quote/],
    ['a TXT ( x', /parenthesis/],
    ['a TXT \\999', /999/],
    ['a HTTPS 1 . what=x', /what/],
    ['a HTTPS 1 . port=x', /port/],
    ['a HTTPS 1 . port=1 port=2', /twice/],
    ['a TYPE257 \\# 2 01', /announced/],
    ['a TYPE1 \\# 4 01020304', /by its name/],
    ['x'.repeat(70_000), /65536/],
  ])('with a mistake is refused by its line: %#', (text, message) => {
    expect(() => parseZone(text, pair.publicKey)).toThrow(
      expect.objectContaining({ code: 'INVALID_ZONE', message: expect.stringMatching(message) }),
    );
  });

  test('made of junk is refused or read, and nothing else', () => {
    const rng = createSeededRng(5);
    const pieces = [
      '@',
      'a',
      ' ',
      '\n',
      '"',
      '(',
      ')',
      ';',
      '\\',
      '\\0',
      '$TTL',
      'A',
      'TXT',
      'HTTPS',
      '1',
      '.',
      '=',
      ',',
      'key7="',
      'alpn=',
      '192.0.2.1',
      'ä',
      '\t',
    ];
    for (let i = 0; i < 5000; i++) {
      const text = Array.from(
        { length: 1 + randomBelow(rng, 20) },
        () => pieces[randomBelow(rng, pieces.length)],
      ).join('');
      try {
        parseZone(text, pair.publicKey);
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_ZONE' });
      }
    }
  });
});
