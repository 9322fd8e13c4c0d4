import { readFileSync } from 'node:fs';
import { fromHex, nobleCurves, toHex } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { CONSTRUCTION, IDENTIFIER } from '../src/constants.ts';
import { createWasmCipher, nobleCipher } from '../src/index.ts';
import { ascii, Macs } from '../src/macs.ts';
import { NOISE_STATE_BYTES, Noise } from '../src/noise.ts';

const kat = JSON.parse(readFileSync(new URL('./vectors/wg-kat.json', import.meta.url), 'utf8'));
const ikpsk2 = JSON.parse(readFileSync(new URL('./vectors/noise-ikpsk2.json', import.meta.url), 'utf8'));
const wasm = createWasmCipher();
const ciphers = wasm === undefined ? [nobleCipher] : [nobleCipher, wasm];
const protocol = ascii(CONSTRUCTION);
const NO_RNG = {
  u32: () => 0,
  fill: () => {
    throw new Error('known answers draw nothing');
  },
};

function noiseOf(cipher: (typeof ciphers)[number], secret: string, prologue: Uint8Array): Noise {
  return new Noise(cipher, nobleCurves, fromHex(secret), protocol, prologue);
}

describe.each(ciphers.map((cipher) => [cipher.name, cipher] as const))(
  'Noise IKpsk2 over %s',
  (_, cipher) => {
    it('starts from the published chaining key and hash', () => {
      const chain = new Uint8Array(32);
      const hash = new Uint8Array(32);
      cipher.hash(chain, 0, protocol, 0, protocol.length, protocol, 0, 0);
      const prologue = ascii(IDENTIFIER);
      cipher.hash(hash, 0, chain, 0, 32, prologue, 0, prologue.length);
      expect(toHex(chain)).toBe(kat.chain_key_0);
      expect(toHex(hash)).toBe(kat.hash_0);
    });

    it('reproduces the cacophony vector, prologue and payloads included', () => {
      const prologue = fromHex(ikpsk2.init_prologue);
      const psk = fromHex(ikpsk2.init_psks[0]);
      const initiator = noiseOf(cipher, ikpsk2.init_static, prologue);
      const responder = noiseOf(cipher, ikpsk2.resp_static, prologue);
      const remote = fromHex(ikpsk2.init_remote_static);
      expect(toHex(responder.publicKey)).toBe(ikpsk2.init_remote_static);
      const [first, second, third, fourth] = ikpsk2.messages;

      const shared = new Uint8Array(32);
      expect(initiator.staticShared(shared, remote)).toBe(true);
      const state = new Uint8Array(NOISE_STATE_BYTES);
      const payload = fromHex(first.payload);
      const one = new Uint8Array(96 + payload.length);
      one.set(payload, 80);
      const ephemeral = fromHex(ikpsk2.init_ephemeral);
      expect(
        initiator.writeInitiation(
          state,
          0,
          ephemeral,
          remote,
          0,
          shared,
          0,
          undefined,
          one,
          0,
          payload.length,
        ),
      ).toBe(true);
      expect(toHex(one)).toBe(first.ciphertext);

      expect(responder.readInitiationStatic(one, 0)).toBe(true);
      expect(toHex(responder.remoteStatic)).toBe(toHex(initiator.publicKey));
      const mirrored = new Uint8Array(32);
      expect(responder.staticShared(mirrored, responder.remoteStatic)).toBe(true);
      expect(responder.readInitiationPayload(mirrored, 0, undefined, one, 0, payload.length)).toBe(true);
      expect(toHex(one.slice(80, 80 + payload.length))).toBe(first.payload);

      const answer = fromHex(second.payload);
      const two = new Uint8Array(48 + answer.length);
      two.set(answer, 32);
      const theirs = responder.state.slice();
      const back = responder.remoteStatic.slice();
      const respEphemeral = fromHex(ikpsk2.resp_ephemeral);
      expect(responder.writeResponse(theirs, 0, respEphemeral, back, 0, psk, two, 0, answer.length)).toBe(
        true,
      );
      expect(toHex(two)).toBe(second.ciphertext);
      expect(toHex(theirs.slice(32, 64))).toBe(ikpsk2.handshake_hash);
      expect(initiator.readResponse(state, 0, psk, two, 0, answer.length)).toBe(true);
      expect(toHex(two.slice(32, 32 + answer.length))).toBe(second.payload);

      const keys = new Uint8Array(128);
      initiator.split(initiator.state, 0, keys, 0, keys, 32);
      responder.split(theirs, 0, keys, 64, keys, 96);
      expect(toHex(keys.slice(0, 64))).toBe(toHex(keys.slice(64)));
      for (const [message, at] of [
        [third, 0],
        [fourth, 32],
      ] as const) {
        const plain = fromHex(message.payload);
        const sealed = new Uint8Array(plain.length + 16);
        sealed.set(plain);
        cipher.seal(keys, at, 0, 0, plain, 0, 0, sealed, 0, plain.length);
        expect(toHex(sealed)).toBe(message.ciphertext);
      }
    });

    it.each([0, 1, 2])('reproduces the bytes of WireGuard exchange %i on both sides', (index) => {
      const v = kat.vectors[index];
      const psk = fromHex(v.psk);
      const initiator = noiseOf(cipher, v.init_static, ascii(IDENTIFIER));
      const responder = noiseOf(cipher, v.resp_static, ascii(IDENTIFIER));
      expect(toHex(initiator.publicKey)).toBe(v.init_static_pub);
      const remote = fromHex(v.resp_static_pub);
      const shared = new Uint8Array(32);
      initiator.staticShared(shared, remote);
      const state = new Uint8Array(NOISE_STATE_BYTES);
      const message = new Uint8Array(148);
      const view = new DataView(message.buffer);
      message[0] = 1;
      view.setUint32(4, v.init_index, true);
      message.set(fromHex(v.tai64n), 88);
      initiator.writeInitiation(
        state,
        0,
        fromHex(v.init_ephemeral),
        remote,
        0,
        shared,
        0,
        undefined,
        message,
        8,
        12,
      );
      const macs = new Macs(cipher, NO_RNG, initiator.publicKey);
      const theirs = new Macs(cipher, NO_RNG, responder.publicKey);
      const mac1Key = new Uint8Array(32);
      macs.mac1Key(mac1Key, 0, remote, 0);
      const cookie = v.init_cookie === '' ? new Uint8Array(16) : fromHex(v.init_cookie);
      macs.writeMacs(message, 0, 148, mac1Key, 0, cookie, 0, v.init_cookie !== '');
      expect(toHex(message)).toBe(v.initiation);
      expect(theirs.verifyMac1(message, 0, 148)).toBe(true);

      const reply = fromHex(v.cookie_reply_to_initiation);
      const opened = new Uint8Array(16);
      const mac1 = message.slice(116, 132);
      expect(macs.openReply(reply, 0, remote, 0, mac1, 0, opened, 0)).toBe(true);
      expect(toHex(opened)).toBe(v.cookie);

      expect(responder.readInitiationStatic(message, 8)).toBe(true);
      expect(responder.readInitiationPayload(shared, 0, undefined, message, 8, 12)).toBe(true);
      expect(toHex(message.slice(88, 100))).toBe(v.tai64n);
      const handshake = responder.state.slice();
      const response = new Uint8Array(92);
      response[0] = 2;
      new DataView(response.buffer).setUint32(4, v.resp_index, true);
      new DataView(response.buffer).setUint32(8, v.init_index, true);
      const initiatorKey = responder.remoteStatic.slice();
      responder.writeResponse(handshake, 0, fromHex(v.resp_ephemeral), initiatorKey, 0, psk, response, 12, 0);
      theirs.mac1Key(mac1Key, 0, initiatorKey, 0);
      theirs.writeMacs(response, 0, 92, mac1Key, 0, cookie, 0, false);
      expect(toHex(response)).toBe(v.response);

      expect(initiator.readResponse(state, 0, psk, response, 12, 0)).toBe(true);
      const keys = new Uint8Array(64);
      initiator.split(initiator.state, 0, keys, 0, keys, 32);
      expect(toHex(keys.slice(0, 32))).toBe(v.init_send_key);
      expect(toHex(keys.slice(32))).toBe(v.init_recv_key);

      const data = fromHex(v.init_data_ctr1);
      expect(cipher.open(keys, 0, 1, 0, keys, 0, 0, data, 16, 48)).toBe(true);
      expect(toHex(data.slice(16, 16 + 33))).toBe(v.inner_ipv4);
      const backwards = fromHex(v.resp_data_ctr0);
      expect(cipher.open(keys, 32, 0, 0, keys, 0, 0, backwards, 16, 48)).toBe(true);
      const keepalive = fromHex(v.init_keepalive_ctr0);
      expect(cipher.open(keys, 0, 0, 0, keys, 0, 0, keepalive, 16, 0)).toBe(true);
    });

    it('refuses a key of small order wherever one may come in', () => {
      const v = kat.vectors[0];
      const zero = new Uint8Array(32);
      const noise = noiseOf(cipher, v.init_static, ascii(IDENTIFIER));
      const out = new Uint8Array(148);
      expect(noise.staticShared(out.subarray(0, 32), zero)).toBe(false);
      const state = new Uint8Array(NOISE_STATE_BYTES);
      const ephemeral = fromHex(v.init_ephemeral);
      expect(noise.writeInitiation(state, 0, ephemeral, zero, 0, zero, 0, undefined, out, 8, 12)).toBe(false);
      expect(noise.readInitiationStatic(new Uint8Array(148), 8)).toBe(false);
      expect(noise.readResponse(state, 0, zero, new Uint8Array(92), 12, 0)).toBe(false);
      expect(noise.writeResponse(state, 0, ephemeral, zero, 0, zero, out, 8, 0)).toBe(false);
    });
  },
);
