import { SEALED, TAKEN } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { WireguardDrop, WireguardEventKind } from '../src/index.ts';
import { type Host, ofType, timesOf, World } from './support/world.ts';

function pair(plain = false): { world: World; a: Host; b: Host; there: number; back: number } {
  const world = new World();
  const a = world.host('a');
  const b = world.host('b');
  if (!plain) {
    const [there, back] = world.connect(a, b);
    return { world, a, b, there, back };
  }
  const there = world.openPlain(a, b);
  const back = world.openPlain(b, a);
  return { world, a, b, there, back };
}

describe('the timers of a handshake', () => {
  it('retry every 5.0 to 5.333 s and give up after 90 s; waiting messages are dropped', () => {
    const { world, a, there } = pair(true);
    world.lose = () => true;
    expect(world.send(a, there, 'anyone?')).toBe(TAKEN);
    world.run(300_000);
    const times = timesOf(world.log, 'a', 1);
    expect(times.length).toBeGreaterThanOrEqual(17);
    expect(times.length).toBeLessThanOrEqual(19);
    for (let i = 1; i < times.length; i++) {
      const gap = (times[i] as number) - (times[i - 1] as number);
      expect(gap).toBeGreaterThanOrEqual(5000);
      expect(gap).toBeLessThanOrEqual(5333);
    }
    expect(times.at(-1)).toBeLessThanOrEqual(95_333);
    expect(a.events.map((event) => event.kind)).toEqual([WireguardEventKind.PEER_UNREACHABLE]);
    expect(a.wg.counters.get('messages_dropped')).toBe(1);
    expect(a.wg.nextDelay(world.now)).toBeGreaterThan(0);
  });

  it('give an identity peer up after 15 s, and try again when asked again', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    world.lose = () => true;
    const there = world.open(a, b);
    world.send(a, there, 'anyone?');
    world.run(60_000);
    expect(timesOf(world.log, 'a', 1).length).toBe(3);
    expect(a.events.map((event) => event.kind)).toEqual([WireguardEventKind.PEER_UNREACHABLE]);
    world.lose = () => false;
    world.send(a, there, 'now?');
    world.run(1000);
    expect(b.received.map((r) => r.text)).toEqual(['now?']);
  });

  it('never initiate twice within 5 s of the last handshake message sent', () => {
    const { world, a, b, there, back } = pair();
    world.lose = (sent) => sent.bytes[0] === 4;
    world.run(10_000);
    world.move(b);
    const since = world.now;
    b.wg.close(back);
    world.send(b, world.open(b, a), 'from b');
    world.run(2000);
    world.send(a, there, 'x');
    world.run(30_000);
    for (const host of ['a', 'b']) {
      const times = [...timesOf(world.log, host, 1), ...timesOf(world.log, host, 2)]
        .filter((at) => at >= since)
        .sort((x, y) => x - y);
      const gaps = times.slice(1).map((at, i) => at - (times[i] as number));
      expect(gaps.filter((gap) => gap > 0 && gap < 5000 && host === 'b')).toEqual([]);
    }
  });
});

describe('the timers of a session', () => {
  it('make the initiator rekey at 120 s of two-way traffic, and never the responder', () => {
    const { world, a, b, there } = pair();
    b.onMessage = () => 'pong';
    const start = world.now;
    for (let i = 0; i < 130; i++) {
      world.send(a, there, 'ping');
      world.run(1000);
    }
    const initiations = ofType(world.log, 1);
    expect(initiations.map((sent) => sent.from)).toEqual(['a', 'a']);
    expect((initiations[1]?.at as number) - start).toBeGreaterThanOrEqual(119_000);
    expect((initiations[1]?.at as number) - start).toBeLessThanOrEqual(122_000);
    expect(initiations[1]?.bytes.length).toBe(148);
    expect(a.received.length).toBe(130);
    expect(a.events.length).toBe(1); // a rekey is no new connection
  });

  it('make an initiator that only listens rekey on the first data after 165 s, once', () => {
    const { world, b, back } = pair();
    world.run(164_000);
    world.send(b, back, 'early enough');
    world.run(500);
    expect(ofType(world.log, 1).length).toBe(1);
    world.run(1500);
    world.lose = (sent) => sent.bytes[0] === 1;
    world.send(b, back, 'one');
    world.send(b, back, 'two');
    world.run(3000);
    expect(timesOf(world.log, 'a', 1).length).toBe(2);
  });

  it('send a keepalive 10 s after data that nothing answered, and only then', () => {
    const { world, a, there } = pair();
    world.run(60_000);
    const before = world.log.length;
    const at = world.now;
    world.send(a, there, 'no answer to this');
    world.run(9_000 + world.latencyMs);
    world.send(a, there, 'nor to this');
    world.run(60_000);
    const keepalives = world.log.slice(before).filter((sent) => sent.from === 'b');
    expect(keepalives.map((sent) => [sent.bytes.length, sent.at - at])).toEqual([
      [32, 10_000 + world.latencyMs],
    ]);
  });

  it('send no keepalive where an answer went out', () => {
    const { world, a, b, there } = pair();
    world.run(60_000);
    b.onMessage = () => 'answer';
    const before = world.log.length;
    world.send(a, there, 'question');
    world.run(9_000);
    expect(world.log.slice(before).length).toBe(2);
    world.run(2_000);
    expect(world.log.slice(before).map((sent) => sent.from)).toEqual(['a', 'b', 'a']);
  });

  it('ask for new keys 15 s after data that brought nothing back', () => {
    const { world, a, there } = pair();
    world.run(60_000);
    world.lose = (sent) => sent.from === 'b';
    const at = world.now;
    world.send(a, there, 'hello?');
    world.run(14_999);
    expect(timesOf(world.log, 'a', 1).filter((t) => t >= at)).toEqual([]);
    world.run(335);
    expect(timesOf(world.log, 'a', 1).filter((t) => t >= at).length).toBe(1);
  });

  it('end it at 180 s: what is sent waits for new keys, what arrives is refused', () => {
    const { world, a, b, there } = pair();
    const made = ofType(world.log, 2)[0]?.at as number;
    world.lose = () => true;
    world.runUntil(made + 179_000);
    const old = b.wg.counters.get('drop_expired_session');
    expect(world.send(a, there, 'last')).toBe(SEALED);
    const late = world.log.findLast((sent) => sent.bytes[0] === 4)?.bytes as Uint8Array;
    world.runUntil(made + 180_100);
    expect(a.wg.connected(world.now, there)).toBe(false);
    expect(world.send(a, there, 'too late')).toBe(TAKEN);
    expect(world.inject(b, a.address, late)).toBe(WireguardDrop.EXPIRED_SESSION);
    expect(b.wg.counters.get('drop_expired_session')).toBe(old + 1);
  });

  it('keep data on the old keys while a rekey goes unanswered', () => {
    const { world, a, b, there } = pair();
    world.lose = (sent) => sent.bytes[0] === 1;
    for (let i = 0; i < 170; i++) {
      expect(world.send(a, there, `${i}`)).toBe(SEALED);
      world.run(1000);
    }
    expect(b.received.length).toBe(171);
    expect(timesOf(world.log, 'a', 1).length).toBeGreaterThan(5);
  });

  it('wipe all keys 540 s after the last session', () => {
    const { world, a, b } = pair();
    world.lose = () => true;
    world.run(539_000);
    expect([a.wg.sessionCount, b.wg.sessionCount]).toEqual([1, 1]);
    world.run(1_500);
    expect([a.wg.sessionCount, b.wg.sessionCount]).toEqual([0, 0]);
    expect(a.wg.counters.get('keys_zeroed')).toBe(1);
  });

  it('send persistent keepalives when nothing else goes either way', () => {
    const world = new World();
    const a = world.host('a', { persistentKeepaliveMs: 20_000 });
    const b = world.host('b');
    const there = world.open(a, b);
    world.send(a, there, 'hello');
    world.run(75_000);
    // b's passive keepalive at 10.06 s counts as traffic; then one every 20 s.
    const kept = 10_000 + 4 * world.latencyMs;
    const sent = timesOf(world.log, 'a', 4).filter((at) => at > 1000);
    expect(sent).toEqual([kept + 20_000, kept + 40_000, kept + 60_000]);
    a.wg.setPersistentKeepalive(world.now, there, 0);
    world.run(15_000);
    const quiet = world.log.length;
    world.run(100_000);
    expect(world.log.length).toBe(quiet);
  });

  it('are all early calls harmless', () => {
    const { world, a, b, there } = pair();
    b.onMessage = () => 'pong';
    for (let i = 0; i < 1000; i++) {
      if (i % 100 === 0) world.send(a, there, 'ping');
      for (const host of [a, b]) {
        host.wg.handleTimeout(world.now);
        world.drain(host);
      }
      world.run(10);
    }
    expect(ofType(world.log, 1).length).toBe(1);
    expect(a.received.length).toBe(10);
  });
});
