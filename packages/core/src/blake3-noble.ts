/** BLAKE3 by @noble/hashes: the reference, and what runs without WebAssembly SIMD. Allocates; 13 to 30 times slower. */
import { blake3 } from '@noble/hashes/blake3.js';
import type { Blake3Engine, Blake3State } from './blake3-engine.ts';

class NobleState implements Blake3State {
  private state = blake3.create({});

  update(bytes: Uint8Array, offset: number, length: number): void {
    this.state.update(bytes.subarray(offset, offset + length));
  }

  digest(out: Uint8Array, offset: number): void {
    out.set(this.state.clone().digest(), offset);
  }

  reset(): void {
    this.state = blake3.create({});
  }
}

/** The reference. */
export const nobleBlake3: Blake3Engine = {
  name: 'noble',

  hash(out, outOffset, input, offset, length) {
    out.set(blake3(input.subarray(offset, offset + length)), outOffset);
  },

  keyed(out, key, input) {
    out.set(blake3(input, { key }));
  },

  deriveKey(out, context, material) {
    out.set(blake3(material, { context }));
  },

  start() {
    return new NobleState();
  },
};
