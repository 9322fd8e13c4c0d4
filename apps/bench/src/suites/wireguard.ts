/**
 * What a packet costs: sealing and opening by each provider of the cipher port, the same through the whole engine, and
 * a complete handshake.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { type Cipher, createWasmCipher, nobleCipher } from '@molia/wireguard';
import { nanoseconds } from '../microbench.ts';
import { peerModule } from '../peer-modules.ts';
import type { Report, Row } from '../report.ts';

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

export async function wireguard(report: Report): Promise<void> {
  report.progress('wireguard: ciphers');
  const rows: Row[] = [];
  const wasm = createWasmCipher();
  if (wasm) rows.push({ name: 'Molia (WebAssembly)', values: provider(wasm) });
  rows.push({ name: 'node:crypto', values: nodeCrypto() });
  rows.push({ name: 'sodium-native', values: await sodium() });
  rows.push({ name: '@noble/ciphers', values: provider(nobleCipher) });
  report.table('wireguard: ChaCha20-Poly1305, nanoseconds a packet', rows);
}
