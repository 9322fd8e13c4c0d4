/** Signed packets: published vectors, the three encodings, order, names, TTLs, limits. */
import { readFileSync } from 'node:fs';
import { fromHex, toHex } from '@molia/core';
import { describe, expect, test } from 'vitest';
import {
  Keypair,
  nextTimestamp,
  normalizeName,
  PacketBuilder,
  PublicKey,
  type RecordData,
  SignedPacket,
  textOf,
} from '../src/index.ts';

const read = (name: string) => JSON.parse(readFileSync(new URL(`vectors/${name}`, import.meta.url), 'utf8'));
const pair = (fill: number) => Keypair.fromSecretKey(new Uint8Array(32).fill(fill));
/** The DNS header in front of `answers` records. */
const head = (answers: number) => `000080000000${answers.toString(16).padStart(4, '0')}00000000`;

interface Vector {
  seed: string;
  key: string;
  timestamp: string;
  payload: string;
  records: { name: string; ttl: number; data: { type: string; text?: string } }[];
}

describe('packets of the npm package pkarr', () => {
  test.each(read('packets.json').packets as Vector[])(
    '$key is read',
    ({ seed, key, timestamp, payload, records }) => {
      const keypair = Keypair.fromSecretKey(fromHex(seed));
      expect(`${keypair.publicKey}`).toBe(key);
      const packet = SignedPacket.fromRelayPayload(PublicKey.parse(key), fromHex(payload));
      expect(packet.timestamp).toBe(BigInt(timestamp));
      const plain = packet.records.map(({ data, ...rest }) => ({
        ...rest,
        data: data.type === 'TXT' ? { type: 'TXT', text: textOf(data) } : data,
      }));
      expect(plain).toEqual(records);
      expect(toHex(packet.toRelayPayload())).toBe(payload);
      // Ours says the same in fewer bytes, and its signature over these bytes would be the same one.
      const ours = SignedPacket.sign(keypair, packet.records, packet.timestamp);
      expect(ours.records).toEqual(packet.records);
      expect(ours.message.length).toBeLessThanOrEqual(packet.message.length);
    },
  );

  test('Ed25519 is deterministic: the same message at the same time has the same signature', () => {
    const { seed, key, timestamp, payload } = read('packets.json').packets[2] as Vector;
    const ours = SignedPacket.sign(Keypair.fromSecretKey(fromHex(seed)), [], BigInt(timestamp));
    expect([`${ours.publicKey}`, toHex(ours.toRelayPayload())]).toEqual([key, payload]);
  });
});

describe('the message', () => {
  test('has compressed owners and targets, written out by hand', () => {
    const keypair = pair(1);
    const key = Buffer.from(`${keypair.publicKey}`).toString('hex');
    const packet = new PacketBuilder()
      .a('@', '192.0.2.1', 30)
      .cname('www', `${keypair.publicKey}`, 300)
      .a('a.www', '192.0.2.2', 1)
      .sign(keypair);
    const expected = [
      head(3),
      `34${key}00`, // at 12: the key
      '000100010000001e0004c0000201',
      '03777777c00c', // at 80: www and a pointer to 12
      '000500010000012c0002c00c',
      '0161c050', // a and a pointer to 80
      '00010001000000010004c0000202',
    ].join('');
    expect(toHex(packet.message)).toBe(expected);
  });

  test.each(
    read('svcb.json').records as { data: string; priority: number; target: string; params: object }[],
  )('SVCB data $data of RFC 9460 is written and read', ({ data, priority, target, params }) => {
    const keypair = pair(2);
    const packet = new PacketBuilder()
      .svcb('@', priority, target, 0, params)
      .https('@', priority, target, 0, params);
    const { message, records } = packet.sign(keypair);
    const length = (data.length / 2).toString(16).padStart(4, '0');
    for (const type of ['0040', '0041'])
      expect(toHex(message)).toContain(`${type}000100000000${length}${data}`);
    expect(records.map((r) => r.data)).toEqual(
      ['SVCB', 'HTTPS'].map((type) => ({ type, priority, target, params })),
    );
  });

  test('every type comes back as it went in', () => {
    const all: RecordData[] = [
      { type: 'A', address: '255.0.1.2' },
      { type: 'AAAA', address: '::ffff:192.0.2.1' },
      { type: 'AAAA', address: '::' },
      { type: 'NS', target: 'ns.example.' },
      { type: 'CNAME', target: '.' },
      { type: 'PTR', target: 'A\\.b\\032c.example' },
      { type: 'MX', preference: 65535, target: 'mail.example' },
      { type: 'TXT', strings: [new Uint8Array(255).fill(7), new Uint8Array(0)] },
      { type: 'SRV', priority: 1, weight: 2, port: 3, target: 'x.example' },
      {
        type: 'HTTPS',
        priority: 1,
        target: '.',
        params: {
          alpn: ['h3', 'h2'],
          noDefaultAlpn: true,
          port: 0,
          ech: Uint8Array.of(1, 2),
          ipv4hint: ['192.0.2.1', '192.0.2.2'],
          ipv6hint: ['2001:db8::1'],
          other: new Map([[65280, Uint8Array.of(9)]]),
        },
      },
      { type: 'UNKNOWN', code: 257, bytes: Uint8Array.of(1, 2, 3) },
    ];
    const builder = new PacketBuilder();
    for (const data of all) builder.record('x', data, 60);
    const expected = all.map((data) => {
      if (data.type === 'NS') return { type: 'NS', target: 'ns.example' };
      return data.type === 'AAAA' && data.address !== '::'
        ? { type: 'AAAA', address: '::ffff:c000:201' }
        : data;
    });
    const records = builder.sign(pair(3)).records;
    for (const [i, { data }] of records.entries())
      if (data.type === 'AAAA' && data.address.includes('192.0.2.1'))
        expected[i] = { type: 'AAAA', address: data.address };
    expect(records.map((r) => r.data)).toEqual(expected);
  });

  test('a text of any length is cut and joined; a URI must be one', () => {
    const text = 'ä'.repeat(200);
    const packet = new PacketBuilder()
      .txt('t', text, 1)
      .uri('u', 'https://example.com/a?b#c', 1)
      .sign(pair(4));
    expect(textOf(packet.resourceRecords('t')[0]?.data as RecordData)).toBe(text);
    expect(textOf(packet.resourceRecords('u')[0]?.data as RecordData)).toBe('https://example.com/a?b#c');
    expect(() => new PacketBuilder().uri('u', 'no uri', 1)).toThrow(/no uri/);
    expect(textOf({ type: 'A', address: '1.1.1.1' })).toBeUndefined();
  });

  test('1000 bytes fit, 1001 do not', () => {
    const fill = (bytes: number) => {
      // The head, a name of 54 bytes and 10 of fixed fields; then the data.
      const data = { type: 'UNKNOWN', code: 65534, bytes: new Uint8Array(bytes - 12 - 54 - 10) } as const;
      return new PacketBuilder().record('@', data, 0).sign(pair(5));
    };
    expect(fill(1000).message.length).toBe(1000);
    expect(() => fill(1001)).toThrow(expect.objectContaining({ code: 'PACKET_TOO_LARGE' }));
  });

  test.each([
    [new PacketBuilder().a('@', '1.2.3', 0), /1\.2\.3.*IPv4/],
    [new PacketBuilder().a('@', '::1', 0), /::1.*IPv4/],
    [new PacketBuilder().aaaa('@', '1.2.3.4', 0), /IPv6/],
    [new PacketBuilder().a('@', '1.2.3.4', -1), /TTL/],
    [new PacketBuilder().a('a..b', '1.2.3.4', 1), /empty/],
    [new PacketBuilder().a('x'.repeat(64), '1.2.3.4', 1), /63/],
    [new PacketBuilder().a('ü€', '1.2.3.4', 1), /ASCII/],
    [new PacketBuilder().cname('@', `${'x.'.repeat(128)}y`, 1), /255/],
    [new PacketBuilder().txt('@', ['x'.repeat(256)], 1), /255/],
    [new PacketBuilder().mx('@', 70000, 'x', 1), /preference/],
    [new PacketBuilder().srv('@', { priority: 0, weight: 0, port: -1, target: 'x' }, 1), /port/],
    [new PacketBuilder().https('@', 1, '.', 1, { mandatory: [1] }), /mandatory/],
    [new PacketBuilder().https('@', 1, '.', 1, { port: 65536 }), /65535/],
    [new PacketBuilder().https('@', 1, '.', 1, { alpn: [] }), /alpn/],
    [new PacketBuilder().https('@', 1, '.', 1, { other: new Map([[1, Uint8Array.of()]]) }), /other/],
    [new PacketBuilder().timestamp(2n ** 63n), /timestamp/],
  ])('what cannot be written is refused by name (%#)', (builder, message) => {
    expect(() => builder.sign(pair(6))).toThrow(message);
  });
});

describe('a signed packet', () => {
  const keypair = pair(7);
  const build = (timestamp: bigint, address = '192.0.2.1') =>
    new PacketBuilder().a('@', address, 3600).a('a.b', address, 60).timestamp(timestamp).sign(keypair);

  test('goes through its encodings', () => {
    const packet = build(1_700_000_000_000_001n).withLastSeen(1_700_000_000_123);
    expect(SignedPacket.fromBytes(packet.toBytes()).isSameAs(packet)).toBe(true);
    expect(SignedPacket.fromRelayPayload(keypair.publicKey, packet.toRelayPayload()).isSameAs(packet)).toBe(
      true,
    );
    const kept = SignedPacket.deserialize(packet.serialize(), 1_700_000_000_123);
    expect([kept.isSameAs(packet), kept.lastSeen]).toEqual([true, 1_700_000_000_123]);
    expect(SignedPacket.deserialize(packet.serialize(), 1_600_000_000_000).lastSeen).toBe(0);
    const item = SignedPacket.readItem(packet.toItem(), 5);
    expect(item).toBeInstanceOf(SignedPacket);
    expect((item as SignedPacket).isSameAs(packet)).toBe(true);
    expect(SignedPacket.readItem({ ...packet.toItem(), value: fromHex('6931652e'.slice(0, 6)) }, 0)).toBe(
      'the DNS message is malformed',
    );
  });

  test('the later one is more recent; at the same time the larger one', () => {
    const [one, two, larger] = [build(1n), build(2n), build(1n, '192.0.2.2')];
    expect([two.isMoreRecentThan(one), one.isMoreRecentThan(two), one.isMoreRecentThan(one)]).toEqual([
      true,
      false,
      false,
    ]);
    expect([larger.isMoreRecentThan(one), one.isMoreRecentThan(larger)]).toEqual([true, false]);
  });

  test('any changed byte is noticed', () => {
    const bytes = build(3n).toBytes();
    for (let i = 0; i < bytes.length; i += 3) {
      const changed = bytes.slice();
      changed[i] = (changed[i] as number) ^ 0x10;
      expect(() => SignedPacket.fromBytes(changed)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^INVALID_(PACKET|KEY)$/) }),
      );
    }
    for (const length of [0, 7, 103, 1105])
      expect(() => SignedPacket.fromBytes(new Uint8Array(length))).toThrow(/bytes/);
    expect(() => SignedPacket.deserialize(new Uint8Array(7))).toThrow(/missing/);
    expect(() => SignedPacket.fromRelayPayload(keypair.publicKey, bytes)).toThrow(
      expect.objectContaining({ code: 'INVALID_PACKET' }),
    );
  });

  test('names are found below the key, in any case, and by a wildcard', () => {
    const packet = build(4n);
    const key = `${keypair.publicKey}`;
    expect(packet.resourceRecords('@')).toHaveLength(1);
    expect(packet.resourceRecords(`A.B.${key}.`)).toHaveLength(1);
    expect(packet.resourceRecords('*.b')).toHaveLength(1);
    expect(packet.resourceRecords('*')).toHaveLength(0);
    expect(packet.resourceRecords('b')).toHaveLength(0);
    for (const [name, complete] of [
      ['', key],
      ['.', key],
      ['@', key],
      ['@.', key],
      [key, key],
      ['_x.y', `_x.y.${key}`],
      [`_x.${key}.`, `_x.${key}`],
    ] as const)
      expect(normalizeName(name, keypair.publicKey)).toBe(complete);
  });

  test('expires by its least TTL within bounds', () => {
    const packet = build(5n).withLastSeen(1_000_000);
    const bounds = { ttlSecondsMin: 30, ttlSecondsMax: 86_400 };
    expect(packet.ttlSeconds(bounds)).toBe(60);
    expect(packet.ttlSeconds({ ttlSecondsMin: 300, ttlSecondsMax: 600 })).toBe(300);
    expect(packet.ttlSeconds({ ttlSecondsMin: 1, ttlSecondsMax: 10 })).toBe(10);
    expect(new PacketBuilder().sign(keypair).ttlSeconds(bounds)).toBe(30);
    expect(packet.expiresInSeconds(bounds, 1_040_999)).toBe(20);
    expect(packet.expiresInSeconds(bounds, 9_000_000)).toBe(0);
    expect(packet.elapsedSeconds(0)).toBe(0);
    expect(packet.freshResourceRecords('a.b', 1_059_999)).toHaveLength(1);
    expect(packet.freshResourceRecords('a.b', 1_060_000)).toHaveLength(0);
  });

  test('timestamps only rise, in one process and above what was seen', () => {
    const first = nextTimestamp();
    const far = nextTimestamp(first + 10n ** 12n);
    expect([nextTimestamp() > first, far > first + 10n ** 12n, nextTimestamp() > far]).toEqual([
      true,
      true,
      true,
    ]);
    expect(new PacketBuilder().sign(keypair).timestamp > far).toBe(true);
  });
});
