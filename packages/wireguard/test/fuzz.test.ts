import { createSeededRng, HEADROOM } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { nobleCipher, wireguardDropNames } from '../src/index.ts';
import { Macs } from '../src/macs.ts';
import { type Host, World } from './support/world.ts';

const RUNS = Number(process.env['MOLIA_FUZZ_RUNS'] ?? 20_000);
const SEED = Number(process.env['MOLIA_FUZZ_SEED'] ?? 11);
const PEERS_MAX = 32;

/** A victim with live sessions, and genuine datagrams of every type to start from. */
function arrange(): { world: World; victim: Host; corpus: Uint8Array[] } {
  const world = new World(SEED);
  const victim = world.host('victim', { peersMax: PEERS_MAX, initialPeers: 2, queueBytesMax: 64 * 1024 });
  victim.onMessage = (text) => (text.length % 3 === 0 ? `re ${text}` : undefined);
  for (let i = 0; i < 6; i++) {
    const other = world.host(`other ${i}`);
    const peer = i % 2 === 0 ? world.open(other, victim) : world.openPlain(other, victim);
    world.early(other, peer, 'x'.repeat(i * 20), i === 4);
    world.run(50);
    world.send(other, peer, 'data');
    const back = world.open(victim, other);
    world.send(victim, back, 'out');
    world.run(50);
  }
  const silent = world.host('silent');
  world.lose = (sent) => sent.to === 'silent';
  world.early(victim, world.open(victim, silent), 'never answered');
  world.run(10);
  return { world, victim, corpus: world.log.map((sent) => sent.bytes) };
}

describe('any datagram', () => {
  it(`neither throws nor grows anything, in ${RUNS} mutations (seed ${SEED})`, () => {
    const { world, victim, corpus } = arrange();
    const rng = createSeededRng(SEED);
    const macs = new Macs(nobleCipher, rng, victim.wg.publicKey);
    const mac1Key = new Uint8Array(32);
    macs.mac1Key(mac1Key, 0, victim.wg.publicKey, 0);
    const dropped = new Set<number>();
    for (let run = 0; run < RUNS; run++) {
      const base = corpus[rng.u32() % corpus.length] as Uint8Array;
      let bytes = base.slice();
      const kind = rng.u32() % 10;
      if (kind < 5) {
        for (let flips = 1 + (rng.u32() % 4); flips > 0; flips--) {
          const at = rng.u32() % bytes.length;
          bytes[at] = (bytes[at] as number) ^ (1 << (rng.u32() % 8));
        }
      } else if (kind === 5) bytes = bytes.slice(0, rng.u32() % (bytes.length + 1));
      else if (kind === 6) bytes = new Uint8Array([...bytes, ...new Uint8Array(rng.u32() % 64)]);
      else if (kind === 7) rng.fill(bytes, 4, bytes.length - 4);
      else if (kind === 8) {
        const other = corpus[rng.u32() % corpus.length] as Uint8Array;
        bytes.set(other.subarray(0, Math.min(bytes.length, rng.u32() % other.length)));
      }
      // One in 128 handshake messages gets a valid mac1 and so reaches the Diffie-Hellman.
      if (bytes.length >= 92 && (bytes[0] === 1 || bytes[0] === 2) && rng.u32() % 128 === 0) {
        macs.writeMacs(bytes, 0, bytes.length, mac1Key, 0, mac1Key, 0, false);
      }
      world.now += rng.u32() % 50 === 0 ? rng.u32() % 2000 : 0;
      victim.wg.handleTimeout(world.now);
      const verdict = world.inject(victim, 1 + (rng.u32() % 20), bytes);
      expect(Number.isInteger(verdict) && verdict <= 2 && verdict > -wireguardDropNames.length).toBe(true);
      if (verdict < 0) dropped.add(verdict);
      expect(victim.wg.peerCount).toBeLessThanOrEqual(PEERS_MAX);
      expect(victim.wg.sessionCount).toBeLessThanOrEqual(4 * PEERS_MAX);
      world.log.length = 0;
      victim.received.length = 0;
      victim.verdicts.length = 0;
      victim.events.length = 0;
    }
    // The mutations reached every stage, not just the first check.
    for (const verdict of [-1, -2, -3, -4, -12]) expect(dropped).toContain(verdict);
    expect(victim.wg.nextDelay(world.now)).toBeGreaterThanOrEqual(0);
  });

  it('at any offset of a larger buffer is read within its own bounds', () => {
    const { world, victim, corpus } = arrange();
    for (const bytes of corpus) {
      for (const length of [0, 1, 2, 3, 4, 31, 32, bytes.length]) {
        const buffer = new Uint8Array(HEADROOM + 4 + length).fill(0xaa);
        buffer.set(bytes.subarray(0, length), HEADROOM + 4);
        expect(() => victim.wg.handleDatagram(world.now, 1, buffer, HEADROOM + 4, length)).not.toThrow();
        expect(buffer.subarray(0, HEADROOM + 4).every((byte) => byte === 0xaa)).toBe(true);
      }
    }
  });
});
