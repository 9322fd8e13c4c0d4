import { createSeededRng } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { createMemoryStore, type StoreFactory, storeCases } from '../../src/index.ts';

const factory: StoreFactory = (options) => createMemoryStore(options);

describe('the memory store as a record store', () => {
  for (const storeCase of storeCases) it(storeCase.name, () => storeCase.run(factory));
});

describe('the memory store', () => {
  const id = new Uint8Array(32);
  const rng = createSeededRng(1);

  it('refuses unknown options and bounds out of range', () => {
    expect(() => createMemoryStore({ id, rng, countMax: 0 })).toThrow(RangeError);
    expect(() => createMemoryStore({ id, rng, bytesMax: 1000 })).toThrow(RangeError);
    expect(() => createMemoryStore({ id: new Uint8Array(20), rng })).toThrow('id must be 32 bytes');
    expect(() => createMemoryStore({ id, rng, bytes: 1 } as never)).toThrow(TypeError);
  });
});
