/**
 * What a packet costs: sealing and opening by each provider of the cipher port, the same through the whole engine, and
 * a complete handshake.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import {
  createIdentity,
  createSeededRng,
  createTransmit,
  HEADROOM,
  nobleCurves,
  PLAINTEXT,
  SEALED,
  TransmitFlag,
} from '@molia/core';
import { createNodeCurves } from '@molia/dht';
import {
  type Cipher,
  createWasmCipher,
  createWireguard,
  nobleCipher,
  type Wireguard,
} from '@molia/wireguard';
import { nanoseconds } from '../microbench.ts';
import { peerModule } from '../peer-modules.ts';
import type { Report, Row } from '../report.ts';
import { median } from '../statistics.ts';

const SIZES = [64, 256, 1200] as const;
const EMPTY = new Uint8Array(0);
const TAG_BYTES = 16;

interface Sodium {
  crypto_aead_chacha20poly1305_ietf_encrypt(
    c: Buffer,
    m: Buffer,
    ad: null,
    nsec: null,
    nonce: Buffer,
    key: Buffer,
  ): void;
  crypto_aead_chacha20poly1305_ietf_decrypt(
    m: Buffer,
    nsec: null,
    c: Buffer,
    ad: null,
    nonce: Buffer,
    key: Buffer,
  ): void;
}

function provider(cipher: Cipher): Record<string, number> {
  const key = new Uint8Array(randomBytes(32));
  const values: Record<string, number> = {};
  for (const size of SIZES) {
    const packet = new Uint8Array(size + TAG_BYTES);
    const seal = () => cipher.seal(key, 0, 1, 0, EMPTY, 0, 0, packet, 0, size);
    seal();
    const sealed = packet.slice();
    values[`seal ${size} B ns`] = nanoseconds(seal);
    values[`open ${size} B ns`] = nanoseconds(() => {
      packet.set(sealed);
      if (!cipher.open(key, 0, 1, 0, EMPTY, 0, 0, packet, 0, size))
        throw new Error('the tag does not verify');
    });
  }
  return values;
}

function nodeCrypto(): Record<string, number> {
  const key = randomBytes(32);
  const nonce = Buffer.alloc(12);
  const values: Record<string, number> = {};
  for (const size of SIZES) {
    const plain = Buffer.alloc(size);
    const seal = () => {
      const c = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
      const out = c.update(plain);
      c.final();
      return { out, tag: c.getAuthTag() };
    };
    const { out, tag } = seal();
    values[`seal ${size} B ns`] = nanoseconds(seal);
    values[`open ${size} B ns`] = nanoseconds(() => {
      const d = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG_BYTES });
      d.setAuthTag(tag);
      d.update(out);
      d.final();
    });
  }
  return values;
}

async function sodium(): Promise<Record<string, number>> {
  const native = (await peerModule('sodium-native')) as Sodium;
  const key = randomBytes(32);
  const nonce = Buffer.alloc(12);
  const values: Record<string, number> = {};
  for (const size of SIZES) {
    const plain = Buffer.alloc(size);
    const sealed = Buffer.alloc(size + TAG_BYTES);
    const seal = () =>
      native.crypto_aead_chacha20poly1305_ietf_encrypt(sealed, plain, null, null, nonce, key);
    values[`seal ${size} B ns`] = nanoseconds(seal);
    values[`open ${size} B ns`] = nanoseconds(() =>
      native.crypto_aead_chacha20poly1305_ietf_decrypt(plain, null, sealed, null, nonce, key),
    );
  }
  return values;
}

/** Bytes that WireGuard puts before a message. */
const DATA_HEADER_BYTES = 16;
/** Further apart than the age at which a session is no longer used. */
const SESSION_MS = 200_000;
const PAIRS = 200;

function engine(seed: number): { wg: Wireguard; key: Uint8Array } {
  const rng = createSeededRng(seed);
  const identity = createIdentity(nobleCurves, undefined, rng);
  const wg = createWireguard({
    staticSecret: identity.transportSecret(),
    identityKey: identity.publicKey,
    curves: createNodeCurves(),
    rng,
    wallMsAtZero: Date.now(),
    pathBytes: () => 0,
  });
  return { wg, key: identity.publicKey };
}

/** A question and its answer by first contact: initiation, response, confirmation, both sides in this process. */
function firstContacts(): number {
  const a = engine(1);
  const b = engine(2);
  const out = createTransmit();
  const answer = createTransmit();
  let now = 0;
  const once = (): void => {
    now += SESSION_MS;
    const peer = a.wg.open(now, b.key, 0, 1);
    a.wg.send(now, peer, out.bytes, HEADROOM, 60, TransmitFlag.EARLY);
    out.offset = HEADROOM;
    a.wg.pollTransmit(now, out);
    b.wg.handleDatagram(now, 1, out.bytes, out.offset, out.length);
    if (b.wg.send(now, b.wg.peer, answer.bytes, HEADROOM, 300, 0) !== SEALED)
      throw new Error('no early answer');
    if (a.wg.handleDatagram(now, 1, answer.bytes, b.wg.sealedOffset, b.wg.sealedLength) !== PLAINTEXT)
      throw new Error('the early answer does not open');
    while (a.wg.pollTransmit(now, out)) b.wg.handleDatagram(now, 1, out.bytes, out.offset, out.length);
  };
  for (let i = 0; i < PAIRS; i++) once();
  const samples: number[] = [];
  for (let i = 0; i < PAIRS; i++) {
    const t = performance.now();
    once();
    samples.push((performance.now() - t) * 1000);
  }
  return median(samples);
}

/** Sealing by one engine and opening by the other, replay window, timers and counters included. */
function dataPath(size: number): number {
  const a = engine(1);
  const b = engine(2);
  const out = createTransmit();
  const peer = a.wg.open(0, b.key, 0, 1);
  a.wg.send(0, peer, out.bytes, HEADROOM, 10, 0);
  for (let i = 0; i < 4; i++) {
    out.offset = HEADROOM;
    while (a.wg.pollTransmit(0, out)) b.wg.handleDatagram(0, 1, out.bytes, out.offset, out.length);
    while (b.wg.pollTransmit(0, out)) a.wg.handleDatagram(0, 1, out.bytes, out.offset, out.length);
  }
  return nanoseconds(() => {
    if (a.wg.send(0, peer, out.bytes, HEADROOM, size, 0) !== SEALED) throw new Error('not sealed');
    const length = size + DATA_HEADER_BYTES + TAG_BYTES;
    if (b.wg.handleDatagram(0, 1, out.bytes, HEADROOM - DATA_HEADER_BYTES, length) !== PLAINTEXT)
      throw new Error('not opened');
  });
}

export async function wireguard(report: Report): Promise<void> {
  report.progress('wireguard: ciphers');
  const rows: Row[] = [];
  const wasm = createWasmCipher();
  if (wasm) rows.push({ name: 'Molia (WebAssembly)', values: provider(wasm) });
  rows.push({ name: 'node:crypto', values: nodeCrypto() });
  rows.push({ name: 'sodium-native', values: await sodium() });
  rows.push({ name: '@noble/ciphers', values: provider(nobleCipher) });
  report.table('wireguard: ChaCha20-Poly1305, nanoseconds a packet', rows);

  report.progress('wireguard: engine');
  report.table(
    'wireguard: a packet through both engines, nanoseconds (sealed, opened, replay window, timers)',
    [{ name: 'Molia', values: Object.fromEntries(SIZES.map((size) => [`${size} B`, dataPath(size)])) }],
  );
  report.table('wireguard: first contact, question to answer, CPU microseconds of both sides together', [
    { name: `Molia (${createNodeCurves().name})`, values: { µs: firstContacts() } },
  ]);
}
