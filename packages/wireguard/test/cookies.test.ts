import { createSeededRng, nobleCurves } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { nobleCipher, WireguardDrop } from '../src/index.ts';
import { SourceLimiter } from '../src/load.ts';
import { Macs } from '../src/macs.ts';
import { ofType, World } from './support/world.ts';

const rng = createSeededRng(3);

function keyPair(): Uint8Array {
  const secret = new Uint8Array(32);
  rng.fill(secret, 0, 32);
  const key = new Uint8Array(32);
  nobleCurves.x25519Base(key, secret);
  return key;
}

function exchange() {
  const initiatorKey = keyPair();
  const responderKey = keyPair();
  const initiator = new Macs(nobleCipher, rng, initiatorKey);
  const responder = new Macs(nobleCipher, rng, responderKey);
  const mac1Key = new Uint8Array(32);
  initiator.mac1Key(mac1Key, 0, responderKey, 0);
  const message = new Uint8Array(148);
  rng.fill(message, 0, 116);
  const cookie = new Uint8Array(16);
  initiator.writeMacs(message, 0, 148, mac1Key, 0, cookie, 0, false);
  const from = (...address: number[]) => {
    responder.source.set(address);
    responder.sourceLength = address.length;
  };
  from(192, 168, 13, 37, 10, 20);
  return { initiator, responder, responderKey, mac1Key, message, cookie, from };
}

describe('mac1 and mac2', () => {
  it('mac1 covers every byte before it', () => {
    const { responder, message } = exchange();
    expect(responder.verifyMac1(message, 0, 148)).toBe(true);
    for (let i = 0; i < 132; i++) {
      message[i] = (message[i] as number) ^ 0x20;
      expect(responder.verifyMac1(message, 0, 148)).toBe(false);
      message[i] = (message[i] as number) ^ 0x20;
    }
    expect(responder.verifyMac1(message, 0, 148)).toBe(true);
  });

  it('a cookie makes a mac2 that holds for its address, and for no other message or address', () => {
    const { initiator, responder, responderKey, mac1Key, message, cookie, from } = exchange();
    expect(responder.verifyMac2(0, message, 0, 148)).toBe(false);
    const reply = new Uint8Array(64);
    responder.writeReply(1000, reply, 0, message, 0, 148);
    expect(initiator.openReply(reply, 0, responderKey, 0, message, 116, cookie, 0)).toBe(true);
    initiator.writeMacs(message, 0, 148, mac1Key, 0, cookie, 0, true);
    expect(responder.verifyMac2(1000, message, 0, 148)).toBe(true);

    message[5] = (message[5] as number) ^ 0x20;
    expect(responder.verifyMac2(1000, message, 0, 148)).toBe(false);
    message[5] = (message[5] as number) ^ 0x20;
    from(192, 168, 13, 37, 10, 21);
    expect(responder.verifyMac2(1000, message, 0, 148)).toBe(false);
    from(192, 168, 13, 38, 10, 20);
    expect(responder.verifyMac2(1000, message, 0, 148)).toBe(false);
    from(192, 168, 13, 37, 10, 20);
    expect(responder.verifyMac2(1000, message, 0, 148)).toBe(true);
  });

  it('a cookie ends with its secret after 120 s', () => {
    const { initiator, responder, responderKey, mac1Key, message, cookie } = exchange();
    const reply = new Uint8Array(64);
    responder.writeReply(0, reply, 0, message, 0, 148);
    initiator.openReply(reply, 0, responderKey, 0, message, 116, cookie, 0);
    initiator.writeMacs(message, 0, 148, mac1Key, 0, cookie, 0, true);
    expect(responder.verifyMac2(119_999, message, 0, 148)).toBe(true);
    expect(responder.verifyMac2(120_000, message, 0, 148)).toBe(false);
    responder.writeReply(120_000, reply, 0, message, 0, 148);
    expect(responder.verifyMac2(120_000, message, 0, 148)).toBe(false);
  });

  it('a cookie reply opens only for the message it answers, and unchanged', () => {
    const { initiator, responder, responderKey, message, cookie } = exchange();
    const reply = new Uint8Array(64);
    responder.writeReply(0, reply, 0, message, 0, 148);
    const other = message.slice(116, 132);
    other[0] = (other[0] as number) ^ 1;
    expect(initiator.openReply(reply, 0, responderKey, 0, other, 0, cookie, 0)).toBe(false);
    reply[40] = (reply[40] as number) ^ 1;
    expect(initiator.openReply(reply, 0, responderKey, 0, message, 116, cookie, 0)).toBe(false);
    expect(cookie).toEqual(new Uint8Array(16));
  });
});

describe('the limit of handshakes per source', () => {
  // The table of wireguard-go, ratelimiter/ratelimiter_test.go: 20 a second, 5 at once.
  const table: [waitMs: number, allowed: boolean][] = [
    ...Array.from({ length: 5 }, () => [0, true] as [number, boolean]),
    [0, false],
    [50, true],
    [0, false],
    [100, true],
    [0, true],
    [0, false],
  ];

  it.each([
    ['an IPv4 address', [4, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2]],
    ['an IPv6 address', [6, 0x20, 1, 13, 0xb8, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 1, 2]],
  ])('gives %s its burst, then its rate', (_, bytes) => {
    const limiter = new SourceLimiter(createSeededRng(1));
    const source = Uint8Array.from(bytes);
    let now = 1000;
    for (const [wait, allowed] of table) {
      now += wait;
      expect(limiter.take(now, source, 19)).toBe(allowed);
    }
  });

  it('does not count the port, nor where in its /64 an IPv6 host sits', () => {
    const limiter = new SourceLimiter(createSeededRng(1));
    const one = Uint8Array.from([6, 0x20, 1, 13, 0xb8, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 1, 2]);
    const same = Uint8Array.from([6, 0x20, 1, 13, 0xb8, 0, 0, 0, 0, 8, 8, 8, 8, 8, 8, 8, 8, 3, 4]);
    const other = Uint8Array.from([6, 0x20, 1, 13, 0xb8, 0, 0, 0, 1, 9, 9, 9, 9, 9, 9, 9, 9, 1, 2]);
    for (let i = 0; i < 5; i++) expect(limiter.take(0, i % 2 ? one : same, 19)).toBe(true);
    expect(limiter.take(0, same, 19)).toBe(false);
    expect(limiter.take(0, other, 19)).toBe(true);
  });
});

describe('an engine under load', () => {
  const busy = { handshakesPerSecondMax: 1, handshakesBurst: 1 };

  function loaded() {
    const world = new World();
    const b = world.host('b', busy);
    for (let i = 0; i < 2; i++) {
      const other = world.host(`other ${i}`);
      world.send(other, world.open(other, b), 'load');
    }
    world.run(world.latencyMs);
    expect(b.wg.underLoad(world.now)).toBe(true);
    return { world, b };
  }

  it('lets an identity peer in after one cookie: two round trips', () => {
    const { world, b } = loaded();
    const a = world.host('a');
    const start = world.now;
    b.onMessage = (text) => `re ${text}`;
    world.early(a, world.open(a, b), 'hello');
    world.run(200);
    expect(ofType(world.log, 3).filter((sent) => sent.to === 'a').length).toBe(1);
    expect(a.received.map((r) => [r.text, r.at - start])).toEqual([['re hello', 4 * world.latencyMs]]);
  });

  it('lets a plain peer in when its retry timer brings the cookie, as published', () => {
    const { world, b } = loaded();
    const a = world.host('a');
    const start = world.now;
    world.send(a, world.openPlain(a, b), 'hello');
    world.run(100);
    expect(a.wg.counters.get('cookie_replies_received')).toBe(1);
    world.run(6000);
    const initiations = ofType(world.log, 1).filter((sent) => sent.from === 'a');
    expect(initiations.map((sent) => sent.bytes.slice(132).some((byte) => byte !== 0))).toEqual([
      false,
      true,
    ]);
    expect((initiations[1]?.at ?? 0) - start).toBeGreaterThanOrEqual(5000);
    expect(b.received.at(-1)?.text.replace(/\0+$/, '')).toBe('hello');
  });

  it('lets a large early answer go to an address that a cookie proved', () => {
    const { world, b } = loaded();
    const a = world.host('a');
    b.onMessage = () => 'x'.repeat(1200);
    world.early(a, world.open(a, b), 'small');
    world.run(200);
    expect(a.received.map((r) => [r.text.length, r.early])).toEqual([[1200, true]]);
    expect(b.wg.counters.get('early_answers_deferred')).toBe(0);
  });

  it('grants one proved address 5 handshakes at once and no more', () => {
    const world = new World();
    const b = world.host('b', busy);
    const peers = Array.from({ length: 8 }, (_, i) => world.host(`a${i}`));
    for (const a of peers) a.address = 9; // one address for all, as behind a NAT
    for (const a of peers) {
      world.early(a, world.open(a, b), 'hello');
      // Deliver by hand: the address is shared.
      const sent = world.log.at(-1);
      if (sent === undefined) throw new Error('nothing sent');
      world.inject(b, 9, sent.bytes);
      const reply = world.log.at(-1);
      if (reply?.bytes[0] === 3) {
        world.now += 25;
        world.inject(a, b.address, reply.bytes);
        const retry = world.log.at(-1);
        if (retry === undefined) throw new Error('no retry');
        world.inject(b, 9, retry.bytes);
        world.now -= 25;
      }
    }
    expect(b.verdicts.filter((verdict) => verdict === WireguardDrop.RATE_LIMITED).length).toBeGreaterThan(0);
    expect(b.received.length).toBe(6); // one before the load, five by the burst
  });

  it('asks who forges responses for a mac2 after four of them', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    world.lose = (sent) => sent.from === 'b';
    world.send(a, world.open(a, b), 'hello');
    world.run(100);
    const response = ofType(world.log, 2)[0]?.bytes.slice() as Uint8Array;
    const forged = response.slice();
    forged[20] = (forged[20] as number) ^ 1;
    const mac1Key = new Uint8Array(32);
    const macs = new Macs(nobleCipher, rng, b.wg.publicKey);
    macs.mac1Key(mac1Key, 0, a.wg.publicKey, 0);
    macs.writeMacs(forged, 0, 92, mac1Key, 0, mac1Key, 0, false);
    const verdicts = Array.from({ length: 6 }, () => world.inject(a, b.address, forged));
    expect(verdicts).toEqual([
      ...Array(4).fill(WireguardDrop.BAD_HANDSHAKE),
      ...Array(2).fill(WireguardDrop.COOKIE_REQUIRED),
    ]);
  });
});
