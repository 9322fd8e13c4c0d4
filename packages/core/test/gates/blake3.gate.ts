/** BLAKE3 of keys, records, chunks and whole values, one-shot and incremental: none may allocate. */
import type { GateOperation } from '../../../../tools/gate.ts';
import { Blake3Hasher, blake3Into } from '../../src/index.ts';

const out = new Uint8Array(64);

function hash(size: number, length: number): () => () => void {
  return () => {
    const bytes = new Uint8Array(size);
    let i = 0;
    return () => {
      i = (i + 1) & 63;
      blake3Into(out, 7, bytes, i * 8, length);
    };
  };
}

export const operations: GateOperation[] = [
  { name: '32 B', setup: hash(1024, 32) },
  { name: '64 B', setup: hash(1024, 64) },
  { name: '300 B of a 1 MiB arena', setup: hash(1_048_576, 300) },
  { name: '1,200 B', setup: hash(2048, 1200) },
  { name: '15 KiB of a 16 KiB array', setup: hash(16_384, 15_360), operationsMax: 5_000 },
  {
    name: 'incremental, 16 pieces of 1,024 B',
    operationsMax: 2_000,
    setup: () => {
      const hasher = new Blake3Hasher();
      const bytes = new Uint8Array(1500);
      return () => {
        hasher.reset();
        for (let i = 0; i < 16; i++) hasher.update(bytes, 40, 1024);
        hasher.digestInto(out, 0);
      };
    },
  },
  // One view of 96 bytes (112 with its slot) for every 16 KiB of a longer array.
  {
    name: '64 KiB of a 1 MiB array',
    setup: hash(1_048_576, 65_536),
    bytesMax: 4 * 112,
    operationsMax: 2_000,
  },
];
