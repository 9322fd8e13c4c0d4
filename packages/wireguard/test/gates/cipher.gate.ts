/** Every operation of the WebAssembly cipher, on a packet buffer and on a slot of an arena: none may allocate. */
import type { GateOperation } from '../../../../tools/gate.ts';
import { createWasmCipher } from '../../src/cipher-wasm.ts';
import type { Cipher } from '../../src/crypto.ts';

const cipher = createWasmCipher() as Cipher;
const keys = new Uint8Array(4096 * 32);
const aad = new Uint8Array(32);
const out = new Uint8Array(64);

function sealAndOpen(size: number, slots: number, length: number): () => () => void {
  return () => {
    const bytes = new Uint8Array(size);
    let i = 0;
    return () => {
      i = (i + 1) & 4095;
      const offset = (i % slots) * 2048 + 16;
      cipher.seal(keys, i * 32, i, 3_000_000_000, aad, 0, i & 32, bytes, offset, length);
      if (!cipher.open(keys, i * 32, i, 3_000_000_000, aad, 0, i & 32, bytes, offset, length))
        throw new Error();
    };
  };
}

export const operations: GateOperation[] = [
  { name: 'seal and open 64 B in a 1500 B buffer', setup: sealAndOpen(1500, 1, 64) },
  { name: 'seal and open 1200 B in a 1500 B buffer', setup: sealAndOpen(1500, 1, 1200) },
  { name: 'seal and open 64 B in a slot of a 128 KiB arena', setup: sealAndOpen(131_072, 64, 64) },
  { name: 'seal and open 1200 B in a slot of a 128 KiB arena', setup: sealAndOpen(131_072, 64, 1200) },
  {
    name: 'xseal and xopen 16 B',
    setup: () => {
      const bytes = new Uint8Array(64);
      return () => {
        cipher.xseal(keys, 0, keys, 0, aad, 0, 16, bytes, 0, 16);
        if (!cipher.xopen(keys, 0, keys, 0, aad, 0, 16, bytes, 0, 16)) throw new Error();
      };
    },
  },
  { name: 'hash 32 + 48 B', setup: () => () => cipher.hash(out, 0, keys, 0, 32, keys, 500, 48) },
  { name: 'mac of 116 B', setup: () => () => cipher.mac(out, 0, 16, aad, 0, 32, keys, 0, 116) },
  { name: 'hmac of 32 + 1 B', setup: () => () => cipher.hmac(out, 0, aad, 0, 32, keys, 0, 32, aad, 0, 1) },
];
