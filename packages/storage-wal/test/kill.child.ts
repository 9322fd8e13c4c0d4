/** Puts numbered records for ever and says up to which number they are durable, until it is killed. */
import { createSecureRng } from '@molia/core';
import { openKeyedStore, StoreEntry } from '../src/index.ts';
import { openDirectory } from '../src/node-fs.ts';
import { describeRecord } from './numbered.ts';

const path = process.argv[2] as string;
const from = Number(process.argv[3]);
const directory = openDirectory(path);
const store = openKeyedStore({
  disk: directory.disk,
  rng: createSecureRng(),
  nowUnix: 0,
  wake: directory.wake,
  durability: 'strict',
  segmentBytes: 192 * 1024,
  // Old ones are evicted, so that segments are compacted all the while.
  bytesMax: 600_000,
});
directory.drive(store);
const entry = new StoreEntry();
for (let index = from; ; ) {
  for (let i = 0; i < 20; i++, index++) {
    describeRecord(entry, index);
    if (store.put(entry) < 0) throw new Error('refused');
  }
  await directory.settled();
  process.stdout.write(`${index}\n`);
}
