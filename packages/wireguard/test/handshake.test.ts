import { createSeededRng, SEALED, TAKEN } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { WireguardDrop, WireguardEventKind } from '../src/index.ts';
import { ofType, timesOf, World } from './support/world.ts';

describe('handshakes between two engines', () => {
  it('that cross leave one session for each direction, and every message arrives once', () => {
    for (const offset of [0, 5, 19, 20, 21]) {
      const world = new World(7);
      const a = world.host('a');
      const b = world.host('b');
      const there = world.open(a, b);
      const back = world.open(b, a);
      world.send(a, there, 'from a');
      world.run(offset);
      world.send(b, back, 'from b');
      world.run(4000);
      for (let i = 0; i < 3; i++) {
        expect(world.send(a, there, `a${i}`)).toBe(SEALED);
        expect(world.send(b, back, `b${i}`)).toBe(SEALED);
        world.run(100);
      }
      expect(b.received.map((r) => r.text)).toEqual(['from a', 'a0', 'a1', 'a2']);
      expect(a.received.map((r) => r.text)).toEqual(['from b', 'b0', 'b1', 'b2']);
      expect(ofType(world.log, 1).length).toBeLessThanOrEqual(2);
    }
  });

  it('survive a lost response: the retry makes the session', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    let lost = 0;
    world.lose = (sent) => sent.bytes[0] === 2 && lost++ === 0;
    world.send(a, world.open(a, b), 'hello');
    world.run(6000);
    expect(b.received.map((r) => r.text)).toEqual(['hello']);
    expect(timesOf(world.log, 'a', 1).length).toBe(2);
  });

  it('survive a lost confirmation: the responder sends what it has when the next message confirms', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const there = world.open(a, b);
    const back = world.open(b, a);
    let lost = 0;
    world.lose = (sent) => sent.bytes[0] === 4 && lost++ === 0;
    world.send(a, there, 'first');
    world.run(100);
    expect(world.send(b, back, 'waits')).toBe(TAKEN);
    world.send(a, there, 'second');
    world.run(100);
    expect(b.received.map((r) => r.text)).toEqual(['second']);
    expect(a.received.map((r) => r.text)).toEqual(['waits']);
  });

  it('deliver every message at most once under duplication, loss and reordering', () => {
    for (let seed = 1; seed <= 6; seed++) {
      const world = new World(seed);
      const rng = createSeededRng(seed);
      const a = world.host('a');
      const b = world.host('b');
      const there = world.open(a, b);
      const back = world.open(b, a);
      world.delays = () =>
        rng.u32() % 10 === 0 ? [] : Array.from({ length: 1 + (rng.u32() % 2) }, () => 1 + (rng.u32() % 200));
      for (let i = 0; i < 300; i++) {
        world.send(a, there, `a${i}`, i % 3 === 0 ? 1 : 0);
        if (i % 2 === 0) world.send(b, back, `b${i}`);
        world.run(rng.u32() % 1000);
      }
      world.run(20_000);
      // An early message may arrive again in a retry: it is idempotent by contract. Data never does.
      for (const host of [a, b]) {
        const texts = host.received.filter((r) => !r.early).map((r) => r.text);
        if (new Set(texts).size !== texts.length) throw new Error(`seed ${seed}: a message came twice`);
        expect(texts.length).toBeGreaterThan(100);
      }
    }
  });

  it('end without a word over different pre-shared keys', () => {
    const world = new World();
    const a = world.host('a', { presharedKey: new Uint8Array(32).fill(1) });
    const b = world.host('b');
    world.send(a, world.open(a, b), 'hello');
    world.run(20_000);
    expect(b.received).toEqual([]);
    expect(a.wg.counters.get('drop_bad_handshake')).toBeGreaterThan(0);
    expect(a.events.map((event) => event.kind)).toEqual([WireguardEventKind.PEER_UNREACHABLE]);
  });

  it('answer a wrong mac1 with silence', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    world.send(a, world.open(a, b), 'hello', 1);
    const initiation = world.log[0]?.bytes as Uint8Array;
    for (let i = 4; i < initiation.length - 16; i += 7) {
      const changed = initiation.slice();
      changed[i] = (changed[i] as number) ^ 1;
      expect(world.inject(b, a.address, changed)).toBe(WireguardDrop.BAD_MAC1);
    }
    expect(world.log.length).toBe(1);
    expect(b.wg.peerCount).toBe(0);
  });

  it('refuse wrong lengths, types and reserved bytes without looking further', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const there = world.openPlain(a, b);
    world.send(a, there, 'hello');
    const initiation = world.log[0]?.bytes as Uint8Array;
    const malformed = [initiation.slice(0, 147), new Uint8Array([...initiation, 0]), initiation.slice(0, 20)];
    for (const [at, value] of [
      [0, 0],
      [0, 5],
      [1, 2],
      [2, 1],
      [3, 1],
    ] as const) {
      const changed = initiation.slice();
      changed[at] = value;
      malformed.push(changed);
    }
    for (const bytes of malformed) expect(world.inject(b, 1, bytes)).toBe(WireguardDrop.MALFORMED);
    expect(b.wg.peerCount).toBe(0);
  });

  it('take a replayed initiation for what it is, and do not answer', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    world.send(a, world.openPlain(a, b), 'hello');
    const initiation = world.log[0]?.bytes as Uint8Array;
    world.run(1000);
    const before = world.log.length;
    expect(world.inject(b, 77, initiation)).toBe(WireguardDrop.REPLAYED_INITIATION);
    expect(world.log.length).toBe(before);
    expect(b.wg.path(b.received[0]?.peer as number)).toBe(a.address);
  });

  it('drop a second initiation of one peer within 20 ms', () => {
    const initiations: Uint8Array[] = [];
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    world.lose = () => true;
    world.send(a, world.openPlain(a, b), 'hello');
    world.run(6000);
    for (const sent of ofType(world.log, 1)) initiations.push(sent.bytes);
    expect(world.inject(b, a.address, initiations[0] as Uint8Array)).toBe(TAKEN);
    world.now += 19;
    expect(world.inject(b, a.address, initiations[1] as Uint8Array)).toBe(WireguardDrop.INITIATION_FLOOD);
    world.now += 1;
    expect(world.inject(b, a.address, initiations[1] as Uint8Array)).toBe(TAKEN);
  });

  it('are refused to strangers where only known peers are accepted', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b', { acceptUnknown: false });
    world.send(a, world.open(a, b), 'hello');
    world.run(1000);
    expect(b.verdicts).toEqual([WireguardDrop.UNKNOWN_PEER]);
    world.open(b, a);
    world.run(6000);
    expect(b.received.map((r) => r.text)).toEqual(['hello']);
  });

  it('begin anew by themselves when the other side lost its memory', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const [there] = world.connect(a, b);
    const again = world.host('b again', {}, b);
    world.send(a, there, 'into the void');
    world.run(15_500);
    expect(world.send(a, there, 'to the new one')).toBe(SEALED);
    world.run(1000);
    expect(again.received.map((r) => r.text)).toEqual(['to the new one']);
    expect(again.wg.counters.get('drop_unknown_index')).toBeGreaterThan(0);
  });
});

describe('roaming', () => {
  it('follows any authenticated packet to its new address, without a handshake', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const [there, back] = world.connect(a, b);
    world.move(a);
    world.send(a, there, 'from elsewhere');
    world.run(100);
    expect(b.wg.path(back)).toBe(a.address);
    expect(b.events.at(-1)).toEqual({ kind: WireguardEventKind.PEER_ROAMED, peer: back, path: a.address });
    world.send(b, back, 'found you');
    world.run(100);
    expect(a.received.map((r) => r.text)).toEqual(['found you']);
    expect(ofType(world.log, 1).length).toBe(1);
  });

  it('never follows a replayed or a forged packet', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const [there, back] = world.connect(a, b);
    world.send(a, there, 'genuine');
    world.run(100);
    const packet = ofType(world.log, 4).at(-1)?.bytes as Uint8Array;
    expect(world.inject(b, 99, packet)).toBe(WireguardDrop.REPLAYED_DATA);
    const forged = packet.slice();
    forged[8] = 200;
    expect(world.inject(b, 99, forged)).toBe(WireguardDrop.BAD_DATA);
    expect(b.wg.path(back)).toBe(a.address);
  });

  it('tries the hinted path in turn where the proven one went silent', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const [there] = world.connect(a, b);
    world.move(b);
    world.run(200_000);
    expect(world.open(a, b)).toBe(there);
    world.send(a, there, 'where are you');
    world.run(6000);
    expect(b.received.at(-1)?.text).toBe('where are you');
    expect(a.wg.path(there)).toBe(b.address);
  });
});
