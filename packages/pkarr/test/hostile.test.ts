/** Hostile bytes: a corpus of malformed messages and seeded fuzz. Nothing throws, nothing runs long. */
import { readFileSync } from 'node:fs';
import { createSeededRng, fromHex, randomBelow } from '@molia/core';
import { describe, expect, test } from 'vitest';
import { readMessage, writeMessage } from '../src/dns-message.ts';
import { Keypair, PacketBuilder, SignedPacket } from '../src/index.ts';

const svcb = JSON.parse(readFileSync(new URL('vectors/svcb.json', import.meta.url), 'utf8'));
const HEAD = '000080000000000100000000';
const CORPUS: Record<string, string> = {
  'nothing at all': '',
  'half a head': '0000800000',
  'a count without records': HEAD,
  'a count of 65535': '0000800000ffff00000000'.padEnd(24, '0'),
  'a pointer to itself': `${HEAD}c00c000100010000000000040a000001`,
  'a pointer forward': `${HEAD}c00e000100010000000000040a000001`,
  'a pointer at the end': `${HEAD}c0`,
  'pointers in a circle': `${HEAD}0161c00c000100010000000000040a000001`,
  'a label of a reserved kind': `${HEAD}4061000100010000000000040a000001`,
  'a label past the end': `${HEAD}3f61`,
  'a name without end': `${HEAD}0161`,
  'a name of 256 bytes': `${HEAD}${`3f${'61'.repeat(63)}`.repeat(4)}000100010000000000040a000001`,
  'no room for the fixed fields': `${HEAD}0000010001`,
  'data past the end': `${HEAD}00000100010000000000ff0a000001`,
  'an A record of 3 bytes': `${HEAD}00000100010000000000030a0000`,
  'an AAAA record of 4 bytes': `${HEAD}00001c00010000000000040a000001`,
  'a CNAME record of no bytes': `${HEAD}0000050001000000000000`,
  'a CNAME record with bytes after it': `${HEAD}00000500010000000000020000`,
  'an MX record of a preference alone': `${HEAD}00000f00010000000000020001`,
  'a TXT string past its end': `${HEAD}000010000100000000000205ff`,
  'an SRV record of 6 bytes': `${HEAD}000021000100000000000600010001000100`.slice(0, -2),
  'an SVCB record of a priority alone': `${HEAD}00004000010000000000020001`,
};

describe('hostile messages', () => {
  test.each(Object.entries(CORPUS))('%s is refused', (_, hex) => {
    expect(readMessage(fromHex(hex))).toBeUndefined();
  });

  test.each(svcb.malformed as string[])('SVCB data %s is refused', (data) => {
    const length = (data.length / 2).toString(16).padStart(4, '0');
    expect(readMessage(fromHex(`${HEAD}000040000100000000${length}${data}`))).toBeUndefined();
  });

  test('other sections and classes are walked and left out', () => {
    const hex = `000081800001000200010000${'0161000001'.concat('0001')}${'c00c0001000100000001000401020304'}${'c00c0001000300000001000401020304'}${'c00c0001000100000001000401020304'}`;
    expect(readMessage(fromHex(hex))).toEqual([
      { name: 'a', ttl: 1, data: { type: 'A', address: '1.2.3.4' } },
    ]);
  });

  test('mutated messages never throw, and what is read can be written', () => {
    const rng = createSeededRng(44);
    const key = Keypair.fromSecretKey(new Uint8Array(32).fill(9));
    const seeds = [
      new PacketBuilder()
        .a('@', '192.0.2.1', 30)
        .https('@', 1, '.', 60, { alpn: ['h3'], port: 443, ipv4hint: ['192.0.2.1'] })
        .txt('t', 'foo=bar', 1)
        .srv('_s._tcp', { priority: 1, weight: 1, port: 1, target: 'x.y' }, 1)
        .mx('@', 1, 'mail.example', 1)
        .cname('w', 'example.com', 5)
        .sign(key).message,
      new Uint8Array(64),
    ];
    const runs = Number(process.env['MOLIA_FUZZ_RUNS'] ?? 20_000);
    let read = 0;
    for (let i = 0; i < runs; i++) {
      let bytes = (seeds[randomBelow(rng, seeds.length)] as Uint8Array).slice();
      for (let edits = 1 + randomBelow(rng, 4); edits > 0; edits--) {
        const at = randomBelow(rng, bytes.length);
        if (randomBelow(rng, 4) === 0) bytes[at] = 0xc0;
        else bytes[at] = randomBelow(rng, 256);
      }
      if (randomBelow(rng, 8) === 0) bytes = bytes.subarray(0, randomBelow(rng, bytes.length));
      const records = readMessage(bytes);
      if (records === undefined) continue;
      read++;
      // Reading drops nothing that writing needs; only `mandatory` may name what is not there.
      let written: Uint8Array;
      try {
        written = writeMessage(records);
      } catch (error) {
        expect((error as Error).message).toMatch(/mandatory|records do not fit/);
        continue;
      }
      expect(readMessage(written)).toEqual(records);
    }
    expect(read).toBeGreaterThan(0);
  });

  test('random payloads are refused without a signature being checked', () => {
    const rng = createSeededRng(45);
    const key = Keypair.fromSecretKey(new Uint8Array(32).fill(9)).publicKey;
    let verified = 0;
    const curves = { ed25519Verify: () => verified++ > 0 } as never;
    for (let i = 0; i < 2000; i++) {
      const bytes = new Uint8Array(randomBelow(rng, 1100));
      rng.fill(bytes, 0, bytes.length);
      expect(SignedPacket.read(key, bytes, 0, curves)).toBeTypeOf('string');
    }
    expect(verified).toBe(0);
  });
});
