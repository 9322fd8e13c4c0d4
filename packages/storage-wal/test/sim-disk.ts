/** Runs a store on the simulator's disk, which loses, tears and reorders. */
import { SimDisk } from '@molia/sim';
import { DiskOperation, type DiskWork } from '../src/index.ts';

export { SimDisk };

const operation = new DiskOperation();

/** Runs what the store wants done, at most `max` operations; how many ran. Time stands still meanwhile. */
export function run(store: DiskWork, disk: SimDisk, now: number, max = Number.POSITIVE_INFINITY): number {
  let count = 0;
  while (count < max && store.poll(now, operation)) {
    store.complete(now, disk.execute(operation));
    count++;
  }
  return count;
}
