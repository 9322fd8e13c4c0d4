/**
 * Figures of the README: handshake time per side, time of a packet through the engine, memory per peer and session.
 *
 *   npx esbuild packages/wireguard/test/measure.ts --bundle --platform=node --format=esm --conditions=molia-src \
 *     --outfile=node_modules/.cache/wg-measure.mjs --log-level=error && node --expose-gc node_modules/.cache/wg-measure.mjs
 */
import { createRequire } from 'node:module';
import {
  type Curves,
  createIdentity,
  createSeededRng,
  createTransmit,
  HEADROOM,
  nobleCurves,
  SEALED,
} from '@molia/core';
import { createWireguard, type Wireguard } from '../src/index.ts';
import { Peers } from '../src/peers.ts';
import { Sessions } from '../src/sessions.ts';

interface Sodium {
  crypto_scalarmult(out: Uint8Array, secret: Uint8Array, publicKey: Uint8Array): void;
  crypto_scalarmult_base(out: Uint8Array, secret: Uint8Array): void;
}

/** A factor on the rounds: 1 unless the first argument says less. */
const effort = Number(process.argv[2] ?? 1);

/** dht brings sodium-native; this script runs from the root of the repository. Noble where it is not installed. */
function fastCurves(): Curves {
  let sodium: Sodium;
  try {
    sodium = createRequire(`${process.cwd()}/packages/dht/package.json`)('sodium-native') as Sodium;
  } catch {
    return nobleCurves;
  }
  return {
    ...nobleCurves,
    name: 'sodium-native',
    x25519(target, secret, publicKey) {
      sodium.crypto_scalarmult(target, secret, publicKey);
      return true;
    },
    x25519Base: (target, secret) => sodium.crypto_scalarmult_base(target, secret),
  };
}

const sodiumCurves = fastCurves();

const out = createTransmit();
const buffer = new Uint8Array(HEADROOM + 1536);

function engine(seed: number, curves: Curves, initialPeers = 16): { wg: Wireguard; key: Uint8Array } {
  const rng = createSeededRng(seed);
  const identity = createIdentity(nobleCurves, undefined, rng);
  const wg = createWireguard({
    staticSecret: identity.transportSecret(),
    identityKey: identity.publicKey,
    curves,
    rng,
    wallMsAtZero: 1_700_000_000_000,
    initialPeers,
    handshakesPerSecondMax: 1_000_000,
    handshakesBurst: 1_000_000,
    pathBytes: () => 0,
  });
  return { wg, key: identity.publicKey };
}

/** The tenth percentile (what a quiet machine does) and the median, in `unit`. */
function spread(values: number[], scale: number, unit: string): string {
  values.sort((a, b) => a - b);
  const at = (share: number) => ((values[Math.floor(values.length * share)] as number) * scale).toFixed(0);
  return `${at(0.1)} ${unit} (median ${at(0.5)})`;
}

/** Each stage of a first contact with early data, between peers that met before (static-static result at hand). */
function handshake(curves: Curves, rounds: number): void {
  const a = engine(1, curves);
  const b = engine(2, curves);
  const peer = a.wg.open(0, b.key, 0, 1);
  const stages: Record<string, number[]> = { initiation: [], 'accept and respond': [], complete: [] };
  let now = 0;
  for (let i = 0; i < rounds; i++) {
    now += 10_000;
    buffer.fill(1, HEADROOM, HEADROOM + 60);
    const reopened = i === 0 ? peer : a.wg.open(now, b.key, 0, 1);
    let at = performance.now();
    a.wg.send(now, reopened, buffer, HEADROOM, 60, 1);
    out.offset = HEADROOM;
    a.wg.pollTransmit(now, out);
    if (i > 0) stages['initiation']?.push(performance.now() - at);
    at = performance.now();
    b.wg.handleDatagram(now, 1, out.bytes, out.offset, out.length);
    buffer.fill(2, HEADROOM, HEADROOM + 300);
    if (b.wg.send(now, b.wg.peer, buffer, HEADROOM, 300, 0) !== SEALED) throw new Error('no early answer');
    if (i > 0) stages['accept and respond']?.push(performance.now() - at);
    at = performance.now();
    a.wg.handleDatagram(now, 1, buffer, b.wg.sealedOffset, b.wg.sealedLength);
    if (i > 0) stages['complete']?.push(performance.now() - at);
    while (a.wg.pollTransmit(now, out)) b.wg.handleDatagram(now, 1, out.bytes, out.offset, out.length);
    now += 200_000; // the session is over: the next round is a new first contact
  }
  const text = Object.entries(stages).map(([name, values]) => `${name} ${spread(values, 1000, 'us')}`);
  console.log(`handshake (${curves.name}): ${text.join(', ')}`);
}

function packets(length: number): void {
  const a = engine(1, sodiumCurves);
  const b = engine(2, sodiumCurves);
  const peer = a.wg.open(0, b.key, 0, 1);
  a.wg.send(0, peer, buffer, HEADROOM, 10, 0);
  for (let i = 0; i < 4; i++) {
    out.offset = HEADROOM;
    while (a.wg.pollTransmit(0, out)) b.wg.handleDatagram(0, 1, out.bytes, out.offset, out.length);
    while (b.wg.pollTransmit(0, out)) a.wg.handleDatagram(0, 1, out.bytes, out.offset, out.length);
  }
  const arena = new Uint8Array(64 * 1536);
  const seals: number[] = [];
  const opens: number[] = [];
  for (let round = 0; round < 2000 * effort; round++) {
    let at = performance.now();
    for (let i = 0; i < 64; i++) a.wg.send(0, peer, arena, i * 1536 + 64, length, 0);
    seals.push((performance.now() - at) / 64);
    at = performance.now();
    for (let i = 0; i < 64; i++) b.wg.handleDatagram(0, 1, arena, i * 1536 + 48, length + 32);
    opens.push((performance.now() - at) / 64);
  }
  const sealed = spread(seals, 1e6, 'ns');
  const opened = spread(opens, 1e6, 'ns');
  console.log(`engine (${a.wg.cipherName}), ${length} B: seal ${sealed}, open ${opened}`);
}

/** Bytes that a slab holds for each row, growth included. */
function memory(): void {
  const rows = 16_384;
  const used = () => {
    (globalThis as { gc?: () => void }).gc?.();
    return process.memoryUsage().arrayBuffers;
  };
  const rng = createSeededRng(1);
  const start = used();
  const peers = new Peers(rng, rows, rows, () => undefined);
  const key = new Uint8Array(32);
  for (let i = 0; i < rows; i++) {
    rng.fill(key, 0, 32);
    const row = peers.add(key, 0);
    rng.fill(key, 0, 32);
    peers.setIdentity(row, key, 0);
  }
  const withPeers = used();
  const sessions = new Sessions(rng, rows, rows, 0, 0);
  for (let i = 0; i < rows; i++) sessions.alloc(i, 3);
  const withSessions = used();
  for (let i = 0; i < rows; i++) sessions.windows.accept(i, 100, 0);
  const withRings = used();
  const each = (from: number, to: number) => ((to - from) / rows).toFixed(0);
  console.log(
    `memory: ${each(start, withPeers)} B a peer, ${each(withPeers, withSessions)} B a session, ` +
      `${each(withSessions, withRings)} B more once a session's counter passed 31 ` +
      `(${peers.handles.count} peers, ${sessions.count} sessions)`,
  );
}

handshake(sodiumCurves, Math.max(3, 500 * effort));
handshake(nobleCurves, Math.max(3, 40 * effort));
for (const length of [64, 200, 1200]) packets(length);
memory();
