/** Loops known to allocate, and one known not to: what the gate must tell apart. */
import type { GateOperation } from '../../../../tools/gate.ts';

const sink: { kept: unknown } = { kept: undefined };

export const operations: GateOperation[] = [
  {
    name: 'clean',
    setup: () => {
      const cells = new Int32Array(16);
      let i = 0;
      return () => {
        i = (i + 1) & 15;
        cells[i] = (cells[i] as number) + 1;
      };
    },
  },
  {
    name: 'one small object per operation',
    setup: () => {
      let i = 0;
      return () => {
        i = (i + 1) & 0xffff;
        sink.kept = { i };
      };
    },
  },
  {
    name: 'one small object in a hundred operations',
    setup: () => {
      let i = 0;
      return () => {
        i = (i + 1) % 100;
        if (i === 0) sink.kept = { i };
      };
    },
  },
  {
    name: 'one kilobyte outside the heap per operation',
    setup: () => () => {
      sink.kept = new Uint8Array(1024);
    },
  },
];
