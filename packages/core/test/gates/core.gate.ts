/** What runs for each packet or each lookup step: none of it may allocate. */
import type { GateOperation } from '../../../../tools/gate.ts';
import {
  ByteRing,
  commonPrefixBits,
  compareDistance,
  copyBytes,
  createCounters,
  createSeededRng,
  createTransmit,
  endpointFromCompact,
  endpointToCompact,
  equalConstantTime,
  FixedQueue,
  HandleTable,
  Histogram,
  NO_F64,
  NO_U32,
  parseEndpoint,
  SlotHeap,
  TimerTable,
  TokenBucket,
} from '../../src/index.ts';

/** Keeps results alive, so that no loop is optimised away. */
const sink = new Int32Array(1);

function randomBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  createSeededRng(length).fill(bytes, 0, length);
  return bytes;
}

export const operations: GateOperation[] = [
  {
    name: 'TimerTable: set, move, clear, expire, next delay',
    setup: () => {
      const timers = new TimerTable(1024);
      let now = 0;
      let i = 0;
      return () => {
        i = (i + 7) & 1023;
        now += 3;
        timers.set(i, now + ((i * 2654435) & 0xfffff));
        timers.set((i * 5) & 1023, now + (i & 63));
        timers.clear((i * 11) & 1023);
        sink[0] = timers.nextDelay(now);
        for (let id = timers.expired(now); id >= 0; id = timers.expired(now)) sink[0] = id;
      };
    },
  },
  {
    name: 'HandleTable: alloc, resolve, free',
    setup: () => {
      const table = new HandleTable(256, { initial: 256 });
      const held = new Int32Array(128).fill(-1);
      let i = 0;
      return () => {
        i = (i + 1) & 127;
        const old = held[i] as number;
        sink[0] = table.index(old);
        table.free(old);
        held[i] = table.alloc();
        sink[0] = table.handleAt(i);
      };
    },
  },
  {
    name: 'FixedQueue: push, peek, pop',
    setup: () => {
      const queue = new FixedQueue(64);
      let i = 0;
      return () => {
        i = (i + 1) & 0xffff;
        queue.push(i);
        sink[0] = queue.peek();
        if (queue.length > 40) sink[0] = queue.pop();
      };
    },
  },
  {
    name: 'ByteRing: push, pop',
    setup: () => {
      const ring = new ByteRing(16384);
      const bytes = randomBytes(1200);
      const out = createTransmit();
      let i = 0;
      return () => {
        i = (i + 37) % 300;
        ring.push(i, 1, bytes, i, 64 + i);
        if (ring.length > 20) ring.pop(out);
      };
    },
  },
  {
    name: 'Histogram: record',
    setup: () => {
      const histogram = new Histogram({ valueMax: 10_000_000 });
      let i = 1;
      return () => {
        i = (i * 1103515 + 12345) & 0xffffff;
        histogram.record(i);
      };
    },
  },
  {
    name: 'Counters: add',
    setup: () => {
      const counters = createCounters(['a', 'b', 'c']);
      return () => counters.add(1, 3);
    },
  },
  {
    name: 'TokenBucket: take',
    setup: () => {
      const bucket = new TokenBucket(997, 20);
      let now = 0;
      return () => {
        now += 1;
        sink[0] = bucket.take(now, 2) ? 1 : 0;
      };
    },
  },
  {
    name: 'ids: compare, prefix, equal, copy',
    setup: () => {
      const bytes = randomBytes(32 * 64);
      let i = 0;
      return () => {
        i = (i + 1) & 31;
        const a = i * 32;
        const b = (63 - i) * 32;
        sink[0] =
          compareDistance(bytes, 0, bytes, a, bytes, b) +
          commonPrefixBits(bytes, a, bytes, b) +
          (equalConstantTime(bytes, a, bytes, b, 32) ? 1 : 0);
        copyBytes(bytes, 0, bytes, a + 32, 32);
      };
    },
  },
  {
    name: 'endpoints: compact and back',
    setup: () => {
      const endpoint = parseEndpoint('[2001:db8::7]:4000');
      const compact = new Uint8Array(18);
      return () => {
        const length = endpointToCompact(compact, 0, endpoint, 0);
        sink[0] = endpointFromCompact(endpoint, 0, compact, 0, length) ? 1 : 0;
      };
    },
  },
  {
    name: 'seeded Rng: fill',
    setup: () => {
      const rng = createSeededRng(7);
      const out = new Uint8Array(64);
      return () => rng.fill(out, 3, 37);
    },
  },
  {
    // A process may hold both: the same code then sees two types of columns.
    name: 'SlotHeap: settle, peek and remove, of u32 beyond 2^31 and of f64 by turns',
    setup: () => {
      const [words, doubles] = [new SlotHeap(NO_U32), new SlotHeap(NO_F64)];
      for (const heap of [words, doubles]) heap.grow(1024);
      let i = 0;
      return () => {
        i = (i + 619) & 1023;
        words.keys[i] = 0xffff_ffff - ((i * 31) & 511);
        words.settle(i);
        doubles.keys[i] = -1.5 * i;
        doubles.settle(i);
        words.remove(words.peek());
        if ((i & 3) === 0) doubles.remove(doubles.peek());
      };
    },
  },
];
