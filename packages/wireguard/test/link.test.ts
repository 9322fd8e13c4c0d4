import { SEALED, TAKEN } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { WireguardEventKind } from '../src/index.ts';
import { ofType, World } from './support/world.ts';

describe('two engines on a link', () => {
  it('delivers a message both ways after a plain handshake', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const peer = world.openPlain(a, b);
    expect(world.send(a, peer, 'hello')).toBe(TAKEN);
    world.run(1000);
    expect(ofType(world.log, 1)[0]?.bytes.length).toBe(148);
    expect(b.received.map((r) => r.text.replace(/\0+$/, ''))).toEqual(['hello']);
    const back = b.received[0]?.peer as number;
    expect(world.send(b, back, 'welcome')).toBe(SEALED);
    world.run(1000);
    expect(a.received.map((r) => r.text)).toEqual(['welcome']);
    expect(a.events.map((e) => e.kind)).toEqual([WireguardEventKind.PEER_CONNECTED]);
    expect(b.events.map((e) => e.kind)).toEqual([WireguardEventKind.PEER_CONNECTED]);
  });

  it('has the first answer of a stranger after one round trip: two datagrams', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    b.onMessage = (text) => `answer to ${text}`;
    const peer = world.open(a, b);
    expect(world.early(a, peer, 'find node')).toBe(TAKEN);
    world.runUntil(2 * world.latencyMs);
    expect(a.received).toEqual([{ at: 40, peer, text: 'answer to find node', early: true }]);
    expect(b.received[0]?.early).toBe(true);
    expect(world.log.filter((sent) => sent.at < 40).length).toBe(2);
    world.run(1000);
    expect(world.log.map((sent) => sent.bytes[0])).toEqual([1, 2, 4]);
  });
});
