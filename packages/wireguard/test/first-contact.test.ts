/**
 * The vector of docs/spec/first-contact.md: one extended initiation and response under fixed keys, ephemerals and stamp,
 * reproduced by the engine, and taken apart by the offsets of the page without it.
 */
import { readFileSync } from 'node:fs';
import {
  createTransmit,
  fromHex,
  HEADROOM,
  nobleCurves,
  PLAINTEXT,
  type Rng,
  SEALED,
  TransmitFlag,
  toHex,
} from '@molia/core';
import { expect, it } from 'vitest';
import { CONSTRUCTION, IDENTIFIER } from '../src/constants.ts';
import { createWireguard, nobleCipher, type Wireguard, WireguardDrop } from '../src/index.ts';
import { ascii } from '../src/macs.ts';
import { Noise } from '../src/noise.ts';

const vector = JSON.parse(readFileSync(new URL('./vectors/first-contact.json', import.meta.url), 'utf8'));

/** Gives the ephemerals of the vector, and nothing random else. */
function scripted(ephemeral: string, word: number): Rng {
  return { u32: () => word, fill: (out, offset) => out.set(fromHex(ephemeral), offset) };
}

function engine(side: 'initiator' | 'responder', word: number): Wireguard {
  const v = vector[side];
  return createWireguard({
    staticSecret: fromHex(v.staticSecret),
    identityKey: fromHex(v.identityKey),
    presharedKey: fromHex(vector.presharedKey),
    curves: nobleCurves,
    cipher: nobleCipher,
    rng: scripted(v.ephemeral, word),
    wallMsAtZero: vector.wallMs,
    // The bits of the vector's indices.
    peersMax: 50_000,
    capabilities: vector.capabilities,
    pathBytes: () => 0,
  });
}

it('first contact is these bytes', () => {
  const a = engine('initiator', vector.initiator.randomWord);
  const b = engine('responder', vector.responder.randomWord);
  const out = createTransmit();
  const peer = a.open(0, fromHex(vector.responder.identityKey), 0, 1);
  out.bytes.set(fromHex(vector.message), HEADROOM);
  a.send(0, peer, out.bytes, HEADROOM, vector.message.length / 2, TransmitFlag.EARLY);
  expect(a.pollTransmit(0, out)).toBe(true);
  expect(toHex(out.bytes.slice(out.offset, out.offset + out.length))).toBe(vector.initiation);
  expect(b.handleDatagram(0, 2, out.bytes, out.offset, out.length)).toBe(PLAINTEXT);
  expect(toHex(out.bytes.slice(b.plainOffset, b.plainOffset + b.plainLength))).toBe(vector.message);
  out.bytes.set(fromHex(vector.answer), HEADROOM);
  expect(b.send(0, b.peer, out.bytes, HEADROOM, vector.answer.length / 2, 0)).toBe(SEALED);
  expect(toHex(out.bytes.slice(b.sealedOffset, b.sealedOffset + b.sealedLength))).toBe(vector.response);
  expect(a.handleDatagram(0, 1, out.bytes, b.sealedOffset, b.sealedLength)).toBe(PLAINTEXT);
  expect(toHex(out.bytes.slice(a.plainOffset, a.plainOffset + a.plainLength))).toBe(vector.answer);
});

it('its fields lie where the page says', () => {
  const initiation = fromHex(vector.initiation);
  const length = vector.message.length / 2;
  expect(initiation.length).toBe(186 + length);
  expect([...initiation.slice(0, 4)]).toEqual([1, 1, 0, 0]);
  const noise = new Noise(
    nobleCipher,
    nobleCurves,
    fromHex(vector.responder.staticSecret),
    ascii(CONSTRUCTION),
    ascii(IDENTIFIER),
  );
  expect(noise.readInitiationStatic(initiation, 8)).toBe(true);
  const mapped = new Uint8Array(32);
  nobleCurves.ed25519ToX25519(mapped, fromHex(vector.initiator.identityKey));
  expect(toHex(noise.remoteStatic)).toBe(toHex(mapped));
  const shared = new Uint8Array(32);
  noise.staticShared(shared, noise.remoteStatic);
  const psk = fromHex(vector.presharedKey);
  expect(noise.readInitiationPayload(shared, 0, psk, initiation, 8, 50 + length)).toBe(true);
  const payload = initiation.slice(88, 88 + 50 + length);
  expect(toHex(payload.slice(0, 12))).toBe(vector.tai64n);
  expect(toHex(payload.slice(12, 44))).toBe(vector.initiator.identityKey);
  const view = new DataView(payload.buffer);
  expect([view.getUint32(44), view.getUint16(48)]).toEqual([vector.capabilities, length]);
  expect(toHex(payload.slice(50))).toBe(vector.message);

  const response = fromHex(vector.response);
  expect(response.length).toBe(92 + vector.answer.length / 2);
  expect([...response.slice(0, 4)]).toEqual([2, 1, 0, 0]);
  expect(toHex(response.slice(8, 12))).toBe(toHex(initiation.slice(4, 8)));
});

it('another network cannot open the early data, and stays silent', () => {
  const initiation = fromHex(vector.initiation);
  const other = fromHex(vector.presharedKey);
  other[0] = (other[0] as number) ^ 1;
  const stranger = createWireguard({
    staticSecret: fromHex(vector.responder.staticSecret),
    identityKey: fromHex(vector.responder.identityKey),
    presharedKey: other,
    curves: nobleCurves,
    cipher: nobleCipher,
    rng: scripted(vector.responder.ephemeral, vector.responder.randomWord),
    wallMsAtZero: vector.wallMs,
    pathBytes: () => 0,
  });
  expect(stranger.handleDatagram(0, 2, initiation, 0, initiation.length)).toBe(WireguardDrop.BAD_HANDSHAKE);
  expect(stranger.pollTransmit(0, createTransmit())).toBe(false);
});
