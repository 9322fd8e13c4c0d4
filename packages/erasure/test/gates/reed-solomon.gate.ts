/** Coding of a stripe: shards in the code's own memory, in the caller's arrays, and without WebAssembly. */
import type { GateOperation } from '../../../../tools/gate.ts';
import { createReedSolomon, type KernelName } from '../../src/index.ts';

/** Patterns of four losses, and their opposites. */
const PRESENT = Array.from({ length: 14 }, (_, turn) =>
  Uint8Array.from({ length: 14 }, (_, i) => ((i + turn) % 14 < 4 ? 0 : 1)),
);
const WANTED = PRESENT.map((present) => present.map((there) => 1 - there));

function coding(name: string, kernel: KernelName, bytes: number, own: boolean): GateOperation[] {
  const make = () => {
    const rs = createReedSolomon({ data: 10, parity: 4, kernel, arenaBytes: own ? 14 * (bytes + 128) : 0 });
    const shards = Array.from({ length: 14 }, () => (own ? rs.allocate(bytes) : new Uint8Array(bytes)));
    return { rs, shards, parity: shards.slice(10), zeros: new Uint8Array(bytes) };
  };
  const operationsMax = 2000;
  return [
    {
      name: `${name}: encode`,
      operationsMax,
      setup: () => {
        const { rs, shards } = make();
        return () => rs.encode(shards, 0, bytes);
      },
    },
    {
      name: `${name}: update`,
      operationsMax,
      setup: () => {
        const { rs, shards, parity, zeros } = make();
        let turn = 0;
        return () => {
          turn = (turn + 1) % 10;
          rs.update(turn, zeros, shards[turn] as Uint8Array, parity, 0, bytes);
        };
      },
    },
    {
      name: `${name}: reconstruct four, a new pattern every time`,
      operationsMax,
      setup: () => {
        const { rs, shards } = make();
        let turn = 0;
        return () => {
          turn = (turn + 1) % 14;
          rs.reconstruct(shards, PRESENT[turn] as Uint8Array, WANTED[turn] as Uint8Array, 0, bytes);
        };
      },
    },
  ];
}

export const operations: GateOperation[] = [
  ...coding('own memory', 'wasm-simd', 4096, true),
  ...coding('foreign arrays', 'wasm-simd', 4096, false),
  ...coding('scalar', 'scalar', 1024, false),
];
