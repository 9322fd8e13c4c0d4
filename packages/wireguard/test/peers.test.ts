import { createIdentity, createSeededRng, NONE, nobleCurves, SEALED } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { createWireguard, WireguardDrop, WireguardEventKind, type WireguardOptions } from '../src/index.ts';
import { KeyTable } from '../src/key-table.ts';
import { RECEIVE_KEY, SESSION_KEY_BYTES, Sessions, UNCONFIRMED } from '../src/sessions.ts';
import { ofType, World } from './support/world.ts';

function optionsWith(more: object): WireguardOptions {
  const identity = createIdentity(nobleCurves, undefined, createSeededRng(5));
  return {
    staticSecret: identity.transportSecret(),
    identityKey: identity.publicKey,
    curves: nobleCurves,
    rng: createSeededRng(6),
    wallMsAtZero: 0,
    pathBytes: () => 0,
    ...more,
  };
}

describe('peers', () => {
  it('are one peer by either key, whoever spoke first', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    world.early(a, world.open(a, b), 'hello');
    world.run(100);
    const stranger = b.received[0]?.peer as number;
    expect(world.open(b, a)).toBe(stranger);
    expect(world.openPlain(b, a)).toBe(stranger);
    expect(b.wg.peerCount).toBe(1);
  });

  it('bind an identity key only when it maps to their static key', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const there = world.openPlain(a, b);
    const key = new Uint8Array(32);
    expect(a.wg.identity(there, key, 0)).toBe(false);
    expect(a.wg.bindIdentity(0, there, a.identity.publicKey, 0)).toBe(false);
    expect(a.wg.bindIdentity(0, there, b.identity.publicKey, 0)).toBe(true);
    expect(a.wg.bindIdentity(0, there, b.identity.publicKey, 0)).toBe(true);
    expect(a.wg.bindIdentity(0, there, a.identity.publicKey, 0)).toBe(false);
    expect(a.wg.identity(there, key, 0)).toBe(true);
    expect(a.wg.peerOf(key, 0)).toBe(there);
  });

  it('are never we ourselves, nor a key that is no point', () => {
    const world = new World();
    const a = world.host('a');
    expect(a.wg.open(0, a.identity.publicKey, 0, 1)).toBe(NONE);
    expect(a.wg.openTransportKey(0, a.identity.transportPublicKey, 0, 1)).toBe(NONE);
    expect(a.wg.open(0, new Uint8Array(32).fill(0xff), 0, 1)).toBe(NONE);
    expect(a.wg.peerCount).toBe(0);
  });

  it('closed are forgotten: stale handle, unknown index, wiped sessions', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const [there, back] = world.connect(a, b);
    expect(b.wg.close(back)).toBe(true);
    expect(b.wg.close(back)).toBe(false);
    expect([b.wg.peerCount, b.wg.sessionCount]).toEqual([0, 0]);
    expect(b.wg.path(back)).toBe(NONE);
    world.send(a, there, 'anyone?');
    world.run(100);
    expect(b.verdicts.at(-1)).toBe(WireguardDrop.UNKNOWN_INDEX);
    const reopened = world.open(b, a);
    expect(reopened).not.toBe(back);
    world.send(b, reopened, 'hello again');
    world.run(200);
    expect(a.received.map((r) => r.text)).toEqual(['hello again']);
  });

  it('that are strangers and idle give way at the limit, with an event; those in use never', () => {
    const world = new World();
    const b = world.host('b', { peersMax: 4, initialPeers: 1 });
    const known = world.host('known');
    const [, back] = world.connect(known, b);
    const strangers = Array.from({ length: 8 }, (_, i) => world.host(`s${i}`));
    world.lose = (sent) => sent.from === 'b' && sent.bytes[0] === 2;
    for (const stranger of strangers.slice(0, 4)) {
      world.early(stranger, world.open(stranger, b), 'hi');
      world.run(30);
    }
    expect(b.verdicts.at(-1)).toBe(WireguardDrop.PEERS_FULL);
    expect(b.wg.peerCount).toBe(4);
    for (const stranger of strangers.slice(4)) {
      world.run(3000);
      world.early(stranger, world.open(stranger, b), 'hi');
      world.run(30);
    }
    expect(b.received.length).toBeGreaterThanOrEqual(8);
    expect(b.wg.peerCount).toBe(4);
    const closed = b.events.filter((event) => event.kind === WireguardEventKind.PEER_CLOSED);
    expect(closed.length).toBe(b.wg.counters.get('peers_evicted'));
    expect(closed.length).toBeGreaterThanOrEqual(4);
    expect(closed.map((event) => event.peer)).not.toContain(back);
    expect(world.send(b, back, 'still here')).toBe(SEALED);
  });

  it('carry the shard in the top bits of every index they are given', () => {
    const world = new World();
    const a = world.host('a', { shard: { index: 5, bits: 3 } });
    for (let i = 0; i < 12; i++) {
      const b = world.host(`b${i}`);
      world.connect(a, b);
    }
    const indices = ofType(world.log, 1).map((sent) => new DataView(sent.bytes.buffer).getUint32(4, true));
    expect(indices.map((index) => index >>> 29)).toEqual(Array(12).fill(5));
    expect(new Set(indices).size).toBe(12);
  });

  it('leave nothing behind an engine that is destroyed', () => {
    const world = new World();
    const a = world.host('a');
    const b = world.host('b');
    const [there] = world.connect(a, b);
    world.send(a, there, 'in flight');
    const packet = world.log.at(-1)?.bytes as Uint8Array;
    b.wg.destroy();
    b.wg.destroy();
    expect([b.wg.peerCount, b.wg.sessionCount]).toEqual([0, 0]);
    expect(world.inject(b, a.address, packet)).toBeLessThan(0);
    expect(b.received.map((r) => r.text)).toEqual(['connect']);
    expect(world.open(b, a)).toBe(NONE);
  });
});

describe('sessions', () => {
  it('are wiped when they are freed and when the slab grows', () => {
    const sessions = new Sessions(createSeededRng(1), 64, 2, 0, 0);
    const before = sessions.keys;
    const rows = Array.from({ length: 3 }, () => {
      const row = sessions.alloc(0, UNCONFIRMED);
      sessions.keys.fill(7, row * SESSION_KEY_BYTES, (row + 1) * SESSION_KEY_BYTES);
      return row;
    });
    expect(before.every((byte) => byte === 0)).toBe(true);
    expect(sessions.keys[(rows[0] as number) * SESSION_KEY_BYTES + RECEIVE_KEY]).toBe(7);
    for (const row of rows) sessions.free(row);
    expect(sessions.keys.every((byte) => byte === 0)).toBe(true);
  });

  it('are found by their index alone, and not by that of an earlier owner of the row', () => {
    const rng = createSeededRng(2);
    const sessions = new Sessions(rng, 1024, 4, 2, 2);
    const live = new Map<number, number>();
    const dead = new Set<number>();
    for (let i = 0; i < 5000; i++) {
      if (live.size < 200 && rng.u32() % 2 === 0) {
        const row = sessions.alloc(i, UNCONFIRMED);
        const index = sessions.localIndex[row] as number;
        expect(index >>> 30).toBe(2);
        expect(live.has(index)).toBe(false);
        live.set(index, row);
        dead.delete(index);
      } else if (live.size > 0) {
        const [index, row] = [...live][rng.u32() % live.size] as [number, number];
        sessions.free(row);
        live.delete(index);
        dead.add(index);
        expect(sessions.find(index)).toBe(NONE);
      }
    }
    for (const [index, row] of live) expect(sessions.find(index)).toBe(row);
    expect(sessions.count).toBe(live.size);
  });
});

describe('the key table', () => {
  it('agrees with a map through inserts and removals', () => {
    const rng = createSeededRng(4);
    const stride = 40;
    const slab = new Uint8Array(stride * 512);
    const table = new KeyTable(rng, stride, 8);
    const present = new Set<number>();
    rng.fill(slab, 0, slab.length);
    for (let i = 0; i < 20_000; i++) {
      const row = rng.u32() % 512;
      if (present.has(row)) {
        table.remove(slab, row);
        present.delete(row);
      } else {
        table.insert(slab, row);
        present.add(row);
      }
      const asked = rng.u32() % 512;
      expect(table.find(slab, slab, asked * stride + 8)).toBe(present.has(asked) ? asked : NONE);
    }
    table.remove(slab, [...Array(512).keys()].find((row) => !present.has(row)) as number);
    for (const row of present) expect(table.find(slab, slab, row * stride + 8)).toBe(row);
  });
});

describe('options', () => {
  it.each([
    [{ staticSecret: new Uint8Array(31) }, TypeError, 'staticSecret'],
    [{ identityKey: undefined }, TypeError, 'identityKey'],
    [{ presharedKey: new Uint8Array(1) }, TypeError, 'presharedKey'],
    [{ tai64nFloor: new Uint8Array(11) }, TypeError, 'tai64nFloor'],
    [{ curves: undefined }, TypeError, 'curves'],
    [{ rng: undefined }, TypeError, 'rng'],
    [{ pathBytes: undefined }, TypeError, 'pathBytes'],
    [{ wallMsAtZero: Number.NaN }, RangeError, 'wallMsAtZero'],
    [{ peersMax: 0 }, RangeError, 'peersMax'],
    [{ shard: { index: 4, bits: 2 } }, RangeError, 'shard.index'],
    [{ shard: { index: 0, bits: 7 } }, RangeError, 'shard.bits'],
    [{ mtu: 1420 }, TypeError, 'mtu'],
  ])('refuse %j', (more, kind, named) => {
    const options = optionsWith(more);
    expect(() => createWireguard(options)).toThrow(kind);
    expect(() => createWireguard(options)).toThrow(named);
  });

  it('leave the caller its own bytes', () => {
    const options = optionsWith({ presharedKey: new Uint8Array(32).fill(3) });
    const wg = createWireguard(options);
    wg.destroy();
    expect(options.presharedKey?.every((byte) => byte === 3)).toBe(true);
    expect(options.staticSecret.some((byte) => byte !== 0)).toBe(true);
  });
});
