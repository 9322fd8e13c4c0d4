/** The data path of the engine, slab to slab, over the WebAssembly cipher: no operation may allocate. */
import {
  createIdentity,
  createSeededRng,
  createTransmit,
  HEADROOM,
  nobleCurves,
  PLAINTEXT,
  SEALED,
} from '@molia/core';
import type { GateOperation } from '../../../../tools/gate.ts';
import { createWireguard, createWireguardEvent, type Wireguard } from '../../src/index.ts';

const out = createTransmit();
const event = createWireguardEvent();

interface Pair {
  a: Wireguard;
  b: Wireguard;
  there: number;
  back: number;
  now: number;
}

function engine(seed: number, persistentKeepaliveMs: number): { wg: Wireguard; key: Uint8Array } {
  const rng = createSeededRng(seed);
  const identity = createIdentity(nobleCurves, undefined, rng);
  const wg = createWireguard({
    staticSecret: identity.transportSecret(),
    identityKey: identity.publicKey,
    curves: nobleCurves,
    rng,
    wallMsAtZero: 1_700_000_000_000,
    persistentKeepaliveMs,
    pathBytes: () => 0,
  });
  return { wg, key: identity.publicKey };
}

function settle(pair: Pair): void {
  for (let turns = 0; turns < 6; turns++) {
    out.offset = HEADROOM;
    for (const [from, to] of [
      [pair.a, pair.b],
      [pair.b, pair.a],
    ] as const) {
      while (from.pollTransmit(pair.now, out))
        to.handleDatagram(pair.now, 1, out.bytes, out.offset, out.length);
      while (from.pollEvent(event));
    }
  }
}

/** `now` grows by 1/64 ms a packet, so that windows end well before a rekey and timers still move. */
function connected(persistentKeepaliveMs = 0): Pair {
  const one = engine(1, persistentKeepaliveMs);
  const two = engine(2, persistentKeepaliveMs);
  const pair: Pair = {
    a: one.wg,
    b: two.wg,
    there: one.wg.open(0, two.key, 0, 1),
    back: two.wg.open(0, one.key, 0, 1),
    now: 0,
  };
  const bytes = new Uint8Array(HEADROOM + 1536);
  pair.a.send(0, pair.there, bytes, HEADROOM, 10, 0);
  settle(pair);
  if (!pair.a.connected(0, pair.there) || !pair.b.connected(0, pair.back)) throw new Error('no session');
  return pair;
}

function exchange(length: number, persistentKeepaliveMs = 0): () => () => void {
  return () => {
    const pair = connected(persistentKeepaliveMs);
    const bytes = new Uint8Array(HEADROOM + 1536);
    const { a, b, there, back } = pair;
    let tick = 0;
    return () => {
      tick++;
      if ((tick & 255) === 0) {
        pair.now++;
        a.handleTimeout(pair.now);
        b.handleTimeout(pair.now);
        if (a.nextDelay(pair.now) < 0) throw new Error();
      }
      const { now } = pair;
      if (a.send(now, there, bytes, HEADROOM, length, 0) !== SEALED) throw new Error();
      if (b.handleDatagram(now, 1, bytes, a.sealedOffset, a.sealedLength) !== PLAINTEXT) throw new Error();
      if (b.send(now, back, bytes, b.plainOffset, b.plainLength, 0) !== SEALED) throw new Error();
      if (a.handleDatagram(now, 1, bytes, b.sealedOffset, b.sealedLength) !== PLAINTEXT) throw new Error();
      while (a.pollTransmit(now, out) || b.pollTransmit(now, out));
      while (a.pollEvent(event) || b.pollEvent(event));
    };
  };
}

export const operations: GateOperation[] = [
  { name: 'a 64 B message there and back: 2 seals, 2 opens', setup: exchange(64) },
  { name: 'a 200 B message there and back: 2 seals, 2 opens', setup: exchange(200) },
  { name: 'a 1200 B message there and back: 2 seals, 2 opens', setup: exchange(1200) },
  { name: 'a 64 B message there and back under persistent keepalive', setup: exchange(64, 25_000) },
  {
    name: 'a data packet that does not open',
    setup: () => {
      const { a, b, there } = connected();
      const bytes = new Uint8Array(HEADROOM + 1536);
      a.send(0, there, bytes, HEADROOM, 200, 0);
      const { sealedOffset, sealedLength } = a;
      bytes[sealedOffset + 20] = (bytes[sealedOffset + 20] as number) ^ 1;
      return () => {
        if (b.handleDatagram(0, 1, bytes, sealedOffset, sealedLength) >= 0) throw new Error();
      };
    },
  },
  {
    name: 'a data packet with an unknown index',
    setup: () => {
      const { b } = connected();
      const bytes = new Uint8Array(HEADROOM + 1536).fill(9);
      bytes.set([4, 0, 0, 0], HEADROOM);
      return () => {
        if (b.handleDatagram(0, 1, bytes, HEADROOM, 300) >= 0) throw new Error();
      };
    },
  },
  {
    name: 'an initiation with a wrong mac1',
    setup: () => {
      const { b } = connected();
      const bytes = new Uint8Array(HEADROOM + 1536).fill(9);
      bytes.set([1, 0, 0, 0], HEADROOM);
      return () => {
        if (b.handleDatagram(0, 1, bytes, HEADROOM, 148) >= 0) throw new Error();
      };
    },
  },
];
