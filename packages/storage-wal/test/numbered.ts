/** Records that say which they are: for a process that is killed and one that looks at what it left. */
import { createSeededRng } from '@molia/core';
import { NEVER_UNIX, type StoreEntry } from '../src/index.ts';

export function describeRecord(entry: StoreEntry, index: number): void {
  const value = new Uint8Array(40 + (index % 700));
  createSeededRng(index).fill(value, 0, value.length);
  const key = new Uint8Array(32);
  new DataView(key.buffer).setUint32(28, index);
  key[0] = index & 255;
  entry.key = key;
  entry.value = value;
  entry.valueLength = value.length;
  entry.expiresUnix = NEVER_UNIX;
  // The oldest go first.
  entry.rank = 0xffff_ffff - index;
}
