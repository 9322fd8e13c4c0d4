import {
  createIdentity,
  createSeededRng,
  nobleCurves,
  SEALED,
  TAKEN,
  TransmitFlag,
  toHex,
} from '@molia/core';
import { describe, expect, it } from 'vitest';
import { WireguardDrop } from '../src/index.ts';
import { ofType, type Sent, timesOf, World } from './support/world.ts';

/** Datagram bytes of an extended initiation around its message. */
const AROUND = 186;

describe('first contact', () => {
  it('tells the responder who asks and what it can, bound to the static key', () => {
    const world = new World();
    const a = world.host('a', { capabilities: 0xdead_beef });
    const b = world.host('b');
    world.early(a, world.open(a, b), 'ping');
    world.run(100);
    const peer = b.received[0]?.peer as number;
    const key = new Uint8Array(32);
    expect(b.wg.identity(peer, key, 0)).toBe(true);
    expect(toHex(key)).toBe(toHex(a.identity.publicKey));
    expect(b.wg.peerOf(a.identity.publicKey, 0)).toBe(peer);
    expect(b.wg.capabilities(peer)).toBe(0xdead_beef);
    expect(ofType(world.log, 1)[0]?.bytes.length).toBe(AROUND + 4);
    expect(ofType(world.log, 1)[0]?.bytes[1]).toBe(1);
  });

  it('costs one round trip for a message that is not early too: the identity goes ahead', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    world.send(a, world.open(a, b), 'store');
    world.run(100);
    expect(b.received.map((r) => [r.text, r.early, r.at])).toEqual([['store', false, 60]]);
    expect(b.wg.peerOf(a.identity.publicKey, 0)).toBe(b.received[0]?.peer);
  });

  it('brings 1200 bytes back at once to an initiation that asked for a large answer', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    b.onMessage = () => 'x'.repeat(1200);
    world.early(a, world.open(a, b), 'find node', true);
    world.run(40);
    expect(a.received.map((r) => [r.text.length, r.early])).toEqual([[1200, true]]);
    expect(world.log[0]?.bytes.length).toBe(432);
  });

  it.each([
    [3 * (AROUND + 10) - 92, true],
    [3 * (AROUND + 10) - 91, false],
  ])('answers a 10-byte message with %i bytes at once: %s', (length, early) => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    b.onMessage = (text) => (text.length === 10 ? 'x'.repeat(length) : undefined);
    world.early(a, world.open(a, b), '0123456789');
    world.run(200);
    expect(a.received.map((r) => [r.text.length, r.early])).toEqual([[length, early]]);
    const fromB = world.log.filter((sent) => sent.from === 'b');
    expect(fromB[0]?.bytes.length).toBe(early ? 92 + length : 92);
    expect(b.wg.counters.get('early_answers_deferred')).toBe(early ? 0 : 1);
    // What the unproven address got never exceeds three times what it sent.
    expect(fromB[0]?.bytes.length).toBeLessThanOrEqual(3 * (world.log[0]?.bytes.length as number));
  });

  it('sends a forged address no more than three times what it sent, even when the answer had to wait', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const victim = world.host('victim');
    b.onMessage = () => 'x'.repeat(1000);
    world.lose = (sent) => sent.from === 'a';
    for (let i = 0; i < 3; i++) {
      world.early(a, world.open(a, b), 'question');
      world.run(300);
      const initiation = ofType(world.log, 1).at(-1)?.bytes as Uint8Array;
      world.inject(b, victim.address, initiation);
      a.wg.close(world.open(a, b));
      world.run(60_000);
      const sent = world.log.filter((datagram) => datagram.to === 'victim' && datagram.from === 'b');
      const total = sent.reduce((sum, datagram) => sum + datagram.bytes.length, 0);
      expect(total).toBeGreaterThan(0);
      expect(total).toBeLessThanOrEqual(3 * initiation.length * (i + 1));
      expect(sent.every((datagram) => datagram.bytes[0] === 2)).toBe(true);
    }
    expect(b.wg.counters.get('messages_dropped')).toBe(3);
  });

  it('gets the plain response when the storey above has no answer', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const there = world.open(a, b);
    world.early(a, there, 'unanswerable');
    world.run(1000);
    expect(ofType(world.log, 2).map((sent) => [sent.bytes.length, sent.bytes[1]])).toEqual([[92, 0]]);
    expect(world.send(a, there, 'next')).toBe(SEALED);
    world.run(100);
    expect(b.received.map((r) => r.text)).toEqual(['unanswerable', 'next']);
  });

  it('sends an address that only called us no more than three times its bytes, even when the host asks back', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    // As if the address were forged: nothing reaches it, and it never says another word.
    world.lose = (sent) => sent.from === 'b' || sent.at > 0;
    b.onMessage = () => 'x'.repeat(900);
    world.early(a, world.open(a, b), 'find node', true);
    world.run(100);
    expect(world.early(b, world.open(b, a), 'who are you', true)).toBe(TAKEN);
    world.run(60_000);
    const back = world.log.filter((sent) => sent.from === 'b').map((sent) => sent.bytes.length);
    expect(back).toEqual([92 + 900]);
    expect(back[0]).toBeLessThanOrEqual(3 * (world.log[0]?.bytes.length as number));
    expect(b.wg.counters.snapshot()['messages_dropped']).toBe(1);
  });

  it('asks a caller back inside the session it confirms, without a handshake of its own', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    b.onMessage = () => 'pong';
    world.early(a, world.open(a, b), 'ping');
    world.run(world.latencyMs + 1);
    world.early(b, world.open(b, a), 'who are you', true);
    world.run(100);
    expect(a.received.map((r) => r.text)).toEqual(['pong', 'who are you']);
    expect(ofType(world.log, 1).map((sent) => sent.from)).toEqual(['a']);
  });

  it('answers each of two strangers in one turn of the host', () => {
    const world = new World();
    const b = world.host('b');
    b.onMessage = (text) => `re ${text}`;
    const others = [0, 1, 2].map((i) => world.host(`a${i}`));
    for (const a of others) world.early(a, world.open(a, b), a.name);
    world.run(40);
    expect(others.map((a) => a.received.map((r) => r.text))).toEqual([['re a0'], ['re a1'], ['re a2']]);
  });

  it('ignores a replayed extended initiation: nothing is answered, nothing is delivered twice', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    b.onMessage = () => 'answer';
    world.early(a, world.open(a, b), 'question');
    const initiation = world.log[0]?.bytes as Uint8Array;
    world.run(1000);
    const before = world.log.length;
    expect(world.inject(b, 55, initiation)).toBe(WireguardDrop.REPLAYED_INITIATION);
    expect([b.received.length, world.log.length]).toEqual([1, before]);
  });

  it('repeats the same message in a retry, under a fresh ephemeral and a later stamp', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    let lost = 0;
    world.lose = (sent) => sent.from === 'a' && lost++ === 0;
    world.early(a, world.open(a, b), 'question');
    world.run(6000);
    const [first, second] = ofType(world.log, 1).map((sent) => sent.bytes);
    expect(second?.length).toBe(first?.length);
    expect(toHex(second?.slice(8, 40) as Uint8Array)).not.toBe(toHex(first?.slice(8, 40) as Uint8Array));
    expect(b.received.map((r) => r.text)).toEqual(['question']);
  });

  it('is followed by a second one with a new early message once 100 ms brought no answer', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    b.onMessage = (text) => `re ${text}`;
    let lost = 0;
    world.lose = (sent) => sent.bytes[0] === 1 && lost++ === 0;
    const there = world.open(a, b);
    world.early(a, there, 'one');
    world.run(99);
    world.early(a, there, 'too soon');
    expect(timesOf(world.log, 'a', 1)).toEqual([0]);
    world.run(1);
    world.early(a, there, 'two');
    expect(timesOf(world.log, 'a', 1)).toEqual([0, 100]);
    world.run(1000);
    expect(a.received[0]).toMatchObject({ text: 're two', early: true, at: 140 });
    // What rode in the lost one is lost with it; what had no ride waited for the session.
    expect(b.received.map((r) => r.text)).toEqual(['two', 'too soon']);
  });

  it.each([
    ['the first', (sent: Sent) => (sent.bytes[0] === 2 && sent.at < 250 ? [100] : [150])],
    ['the second', (sent: Sent) => (sent.bytes[0] === 2 && sent.at < 250 ? [900] : [150])],
  ])(
    'that is one of two is answered whichever answer comes first (%s), and the session holds',
    (which, delays) => {
      const world = new World();
      world.latencyMs = 150;
      const a = world.host('a');
      const b = world.host('b');
      b.onMessage = (text) => (text.startsWith('re') ? undefined : `re ${text}`);
      // Both initiations arrive, the first answer fast or late.
      world.delays = (sent) => (sent.bytes[0] === 1 ? [150] : delays(sent));
      const there = world.open(a, b);
      world.early(a, there, 'one');
      world.run(100);
      world.early(a, there, 'two');
      expect(timesOf(world.log, 'a', 1)).toEqual([0, 100]);
      world.run(2_000);
      expect(b.received.map((r) => r.text)).toEqual(['one', 'two']);
      const answers = a.received.map((r) => [r.text, r.early]);
      expect(answers[0]).toEqual([which === 'the first' ? 're one' : 're two', true]);
      expect(a.wg.connected(world.now, there)).toBe(true);
      world.send(a, there, 'three');
      world.run(400);
      expect(a.received.at(-1)?.text).toBe('re three');
      // Nothing of the other handshake is left when it would have been sent again.
      world.run(6_000);
      expect(timesOf(world.log, 'a', 1)).toEqual([0, 100]);
      expect(a.wg.sessionCount).toBeLessThanOrEqual(2);
    },
  );

  it('of two holds under the first answer when the second one is lost', () => {
    const world = new World();
    world.latencyMs = 150;
    const a = world.host('a');
    const b = world.host('b');
    b.onMessage = (text) => (text.startsWith('re') ? undefined : `re ${text}`);
    world.lose = (sent) => sent.bytes[0] === 2 && sent.at > 200;
    const there = world.open(a, b);
    world.early(a, there, 'one');
    world.run(100);
    world.early(a, there, 'two');
    world.run(1_000);
    expect(a.received.map((r) => r.text)).toEqual(['re one']);
    world.send(a, there, 'three');
    world.run(400);
    expect(a.received.at(-1)?.text).toBe('re three');
    expect(timesOf(world.log, 'a', 1)).toEqual([0, 100]);
  });

  it('falls back to a plain initiation on the second retry where extended ones are not taken', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b', { earlyData: false });
    world.early(a, world.open(a, b), 'hello');
    world.run(12_000);
    expect(ofType(world.log, 1).map((sent) => [sent.bytes.length, sent.bytes[1]])).toEqual([
      [AROUND + 5, 1],
      [AROUND + 5, 1],
      [148, 0],
    ]);
    expect(b.received.map((r) => [r.text, r.early])).toEqual([['hello', false]]);
  });

  it('never sends an extended initiation to a plain peer, nor one too long for its limit', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    world.early(a, world.openPlain(a, b), 'hello');
    const c = world.host('c');
    world.early(a, world.open(a, c), 'y'.repeat(1047));
    world.run(1000);
    expect(ofType(world.log, 1).map((sent) => sent.bytes.length)).toEqual([148, AROUND]);
    expect(c.received.map((r) => [r.text.length, r.early])).toEqual([[1047, false]]);
    const d = world.host('d');
    world.early(a, world.open(a, d), 'y'.repeat(1046));
    world.run(1000);
    expect(ofType(world.log, 1).at(-1)?.bytes.length).toBe(1232);
    expect(d.received.map((r) => [r.text.length, r.early])).toEqual([[1046, true]]);
  });

  it('refuses an identity key that is not the static key of the handshake', () => {
    const world = new World();
    const other = createIdentity(nobleCurves, undefined, createSeededRng(99));
    const a = world.host('a', { identityKey: other.publicKey });
    const b = world.host('b');
    b.onMessage = () => 'answer';
    world.early(a, world.open(a, b), 'I am someone else');
    world.run(100);
    expect(b.verdicts).toEqual([WireguardDrop.BAD_IDENTITY]);
    expect([b.received.length, b.wg.peerCount, world.log.length]).toEqual([0, 0, 1]);
  });

  it('answers early to a peer that lost its memory of a live session', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    world.connect(a, b);
    b.onMessage = (text) => `re ${text}`;
    const again = world.host('a again', { tai64nFloor: a.wg.lastTai64n }, a);
    world.early(again, world.open(again, b), 'back');
    world.run(1000);
    expect(again.received.map((r) => [r.text, r.early])).toEqual([['re back', true]]);
  });

  it('keeps what waits for a session bounded: the oldest gives way', () => {
    const world = new World();
    const a = world.host('a', { queuedMessagesPerPeer: 4, queueBytesMax: 6 * 1472 });
    const b = world.host('b');
    world.lose = () => true;
    const there = world.open(a, b);
    for (let i = 0; i < 10; i++) expect(world.send(a, there, `${i}`)).toBe(TAKEN);
    expect(a.wg.counters.get('messages_dropped')).toBe(6);
    const c = world.host('c');
    const elsewhere = world.open(a, c);
    expect([1, 2, 3].map((i) => world.send(a, elsewhere, `${i}`))).toEqual([
      TAKEN,
      TAKEN,
      WireguardDrop.QUEUE_FULL,
    ]);
    world.lose = () => false;
    world.run(6000);
    expect(b.received.map((r) => r.text)).toEqual(['6', '7', '8', '9']);
  });

  it('asks the host for room and refuses what cannot wait', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const there = world.open(a, b);
    const flags = TransmitFlag.EARLY;
    expect(() => a.wg.send(0, there, new Uint8Array(100), 10, 10, flags)).toThrow(RangeError);
    expect(() => a.wg.send(0, there, new Uint8Array(100), 44, 10, flags)).toThrow(RangeError);
    expect(a.wg.send(0, there, new Uint8Array(2000), 64, 1473, 0)).toBe(WireguardDrop.TOO_LARGE);
    expect(a.wg.send(0, -1, new Uint8Array(2000), 64, 10, 0)).toBe(WireguardDrop.STALE_PEER);
    const pathless = a.wg.open(0, world.host('c').identity.publicKey, 0, -1);
    expect(a.wg.send(0, pathless, new Uint8Array(2000), 64, 10, 0)).toBe(WireguardDrop.NO_PATH);
  });
});
