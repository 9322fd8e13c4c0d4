import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { PlaintextSearch, udpPayloads } from './capture.ts';

describe('the search for plaintext', () => {
  it('finds every window of a secret wherever it stands, and nothing in random bytes', () => {
    // Apart in the top bit, so that no neighbour continues a planted window by chance.
    const secret = randomBytes(4000).map((byte) => byte & 127) as Buffer;
    const search = new PlaintextSearch([
      { name: 'other', bytes: randomBytes(100).map((byte) => byte & 127) },
      { name: 'value', bytes: secret },
    ]);
    const hay = randomBytes(100_000).map((byte) => byte | 128) as Buffer;
    expect(search.find(hay)).toBeUndefined();
    for (let i = 0; i < 200; i++) {
      const planted = Buffer.from(hay.subarray(0, 300));
      const at = (i * 7) % 280;
      secret.copy(planted, at, i * 19, i * 19 + 16);
      expect(search.find(planted)).toBe(`value at offset ${at}`);
      secret.copy(planted, at, i * 19, i * 19 + 15);
      planted[at + 15] = (planted[at + 15] as number) ^ 128;
      expect(search.find(planted)).toBeUndefined();
    }
  });

  it('does not join two secrets, and passes over runs that say nothing', () => {
    const search = new PlaintextSearch([
      { name: 'a', bytes: Buffer.from('0123456789abcdef') },
      { name: 'b', bytes: Buffer.from('ghijklmnopqrstuv') },
      { name: 'zeros', bytes: new Uint8Array(64) },
    ]);
    expect(search.find(Buffer.from('..89abcdefghijklmn..'))).toBeUndefined();
    expect(search.find(new Uint8Array(200))).toBeUndefined();
    expect(search.find(Buffer.from('xghijklmnopqrstuv'))).toBe('b at offset 1');
  });

  it('reads the payloads of the wanted ports out of a capture', () => {
    const packet = (port: number, text: string): Buffer => {
      const frame = Buffer.alloc(42 + text.length);
      frame.writeUInt16BE(0x0800, 12);
      frame.writeUInt8(0x45, 14);
      frame.writeUInt16BE(port, 34);
      frame.writeUInt16BE(9, 36);
      frame.write(text, 42);
      const head = Buffer.alloc(16);
      head.writeUInt32LE(frame.length, 8);
      head.writeUInt32LE(frame.length, 12);
      return Buffer.concat([head, frame]);
    };
    const file = Buffer.alloc(24);
    file.writeUInt32LE(0xa1b2c3d4, 0);
    file.writeUInt32LE(1, 20);
    const pcap = Buffer.concat([file, packet(5000, 'ours'), packet(6000, 'theirs'), packet(5000, 'too')]);
    expect(udpPayloads(pcap, new Set([5000])).map(String)).toEqual(['ours', 'too']);
  });
});
