import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  grow,
  growF64,
  growI32,
  growU8,
  growU32,
  HANDLE_INDEX_BITS,
  HandleTable,
  NONE,
} from '../src/index.ts';
import { check } from './property.ts';

describe('HandleTable', () => {
  it('mints non-negative 31-bit handles whose low bits are the row', () => {
    const table = new HandleTable(4);
    for (let row = 0; row < 4; row++) {
      const handle = table.alloc();
      expect(handle).toBeGreaterThanOrEqual(0);
      expect(handle & ((1 << HANDLE_INDEX_BITS) - 1)).toBe(row);
      expect(table.index(handle)).toBe(row);
      expect(table.handleAt(row)).toBe(handle);
    }
    expect(table.alloc()).toBe(NONE);
    expect(table.count).toBe(4);
  });

  it('reads a freed handle as stale, also after its row has a new owner', () => {
    const table = new HandleTable(1);
    const first = table.alloc();
    expect(table.free(first)).toBe(true);
    expect(table.index(first)).toBe(NONE);
    expect(table.handleAt(0)).toBe(NONE);
    expect(table.free(first)).toBe(false);
    const second = table.alloc();
    expect(second).not.toBe(first);
    expect(table.index(first)).toBe(NONE);
    expect(table.index(second)).toBe(0);
  });

  it('keeps stale handles stale for 2,047 reuses of their row', () => {
    const table = new HandleTable(1);
    const first = table.alloc();
    table.free(first);
    for (let reuse = 0; reuse < 2047; reuse++) {
      const handle = table.alloc();
      expect(handle).not.toBe(first);
      expect(handle).toBeGreaterThanOrEqual(0);
      table.free(handle);
    }
    expect(table.alloc()).toBe(first);
  });

  it('reuses rows first in, first out', () => {
    const table = new HandleTable(3, { initial: 3 });
    const handles = [table.alloc(), table.alloc(), table.alloc()];
    for (const i of [1, 0, 2]) table.free(handles[i] as number);
    expect([0, 1, 2].map(() => table.index(table.alloc()))).toEqual([1, 0, 2]);
  });

  it('doubles up to its maximum and tells the slab each new capacity', () => {
    const capacities: number[] = [];
    const table = new HandleTable(10, { initial: 2, onGrow: (capacity) => capacities.push(capacity) });
    expect(table.capacity).toBe(2);
    const handles = Array.from({ length: 10 }, () => table.alloc());
    expect(capacities).toEqual([4, 8, 10]);
    expect(new Set(handles).size).toBe(10);
    expect(handles.map((handle) => table.index(handle))).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(table.alloc()).toBe(NONE);
  });

  it('refuses handles that were never minted', () => {
    const table = new HandleTable(8, { initial: 2 });
    const handle = table.alloc();
    for (const foreign of [NONE, -5, handle + 1, handle + (1 << HANDLE_INDEX_BITS), 7, 0x7fffffff]) {
      expect(table.index(foreign)).toBe(NONE);
      expect(table.free(foreign)).toBe(false);
    }
    expect(table.handleAt(-1)).toBe(NONE);
    expect(table.handleAt(99)).toBe(NONE);
    expect(table.count).toBe(1);
  });

  it('behaves as a set of live handles under any sequence of alloc and free', () => {
    check(
      fc.property(fc.array(fc.nat(9), { maxLength: 300 }), (steps) => {
        const table = new HandleTable(8, { initial: 1 });
        const live: number[] = [];
        const dead: number[] = [];
        for (const step of steps) {
          if (step < 6) {
            const handle = table.alloc();
            expect(handle === NONE).toBe(live.length === 8);
            if (handle !== NONE) live.push(handle);
          } else if (live.length > 0) {
            const [handle] = live.splice(step % live.length, 1) as [number];
            expect(table.free(handle)).toBe(true);
            dead.push(handle);
          }
          expect(table.count).toBe(live.length);
        }
        expect(new Set(live.map((handle) => table.index(handle))).size).toBe(live.length);
        for (const handle of live) expect(table.handleAt(table.index(handle))).toBe(handle);
        for (const handle of dead) expect(table.index(handle)).toBe(NONE);
      }),
    );
  });

  it('names what is wrong with its bounds', () => {
    expect(() => new HandleTable(0)).toThrow(/capacityMax.*not 0/);
    expect(() => new HandleTable(2 ** 20 + 1)).toThrow(RangeError);
    expect(() => new HandleTable(4, { initial: 5 })).toThrow(/initial.*4.*not 5/);
  });
});

describe('grow', () => {
  it('keeps the type and the elements, and fills with zeros', () => {
    expect(grow(Uint16Array.of(1, 2), 4)).toEqual(Uint16Array.of(1, 2, 0, 0));
    expect(growU8(Uint8Array.of(7), 2)).toEqual(Uint8Array.of(7, 0));
    expect(growI32(Int32Array.of(-7), 2)).toEqual(Int32Array.of(-7, 0));
    expect(growU32(Uint32Array.of(7), 2)).toEqual(Uint32Array.of(7, 0));
    expect(growF64(Float64Array.of(0.5), 2)).toEqual(Float64Array.of(0.5, 0));
  });

  it('returns the same column when it is long enough', () => {
    const column = new Int32Array(4);
    expect(grow(column, 4)).toBe(column);
    expect(grow(column, 2)).toBe(column);
  });
});
