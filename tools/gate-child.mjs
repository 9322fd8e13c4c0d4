// The measuring half of gate.mjs: runs alone in a process with its garbage collector in our hands.
import { pathToFileURL } from 'node:url';
import { getHeapStatistics } from 'node:v8';

/** Operations of one window, unless they are slow or leave much behind. */
const WINDOW = 100_000;
const WINDOWS = 5;
/** More windows are tried while none shows zero: a late compilation leaves a one-off of a few KB. */
const WINDOWS_MAX = 30;
const WARM_UP_MS = 150;
/** A window stays under this, or a scavenge hides what it left. */
const WINDOW_BYTES_MAX = 16 * 2 ** 20;
const WINDOW_MS_MAX = 400;
/** Bytes per operation that count as none: an empty loop can show 2.6 KB once. */
const BYTES_MAX = 0.05;

const gc = globalThis.gc;

function used() {
  const statistics = getHeapStatistics();
  return statistics.used_heap_size + statistics.external_memory;
}

/** Bytes that `count` calls left behind, the collector kept out; negative when it ran nevertheless. */
function measureWindow(loop, operation, count) {
  gc();
  gc();
  const before = used();
  loop(operation, count);
  return used() - before;
}

/** A loop of its own for each operation, so that it can be compiled for it. */
function freshLoop() {
  return new Function('operation', 'count', 'for (let i = 0; i < count; i++) operation();');
}

/** What measuring itself leaves: two calls of `used`. */
function ownCost() {
  const loop = freshLoop();
  let least = Infinity;
  for (let i = 0; i < 20; i++) {
    const delta = measureWindow(loop, () => {}, 0);
    if (delta >= 0 && delta < least) least = delta;
  }
  return least;
}

function warmUp(loop, operation) {
  const start = performance.now();
  let calls = 0;
  let batch = 1;
  while (performance.now() - start < WARM_UP_MS || calls < 20_000) {
    loop(operation, batch);
    calls += batch;
    if (batch < 10_000) batch *= 2;
    if (performance.now() - start > 5_000) break;
  }
  return (performance.now() - start) / calls;
}

function measure(definition, own) {
  const operation = definition.setup();
  const loop = freshLoop();
  const msPerCall = warmUp(loop, operation);
  const most = definition.operationsMax ?? WINDOW;
  let count = Math.max(1, Math.min(most, Math.floor(WINDOW_MS_MAX / msPerCall)));
  const pilot = Math.min(count, 1000);
  const estimate = Math.max(0, measureWindow(loop, operation, pilot) - own) / pilot;
  if (estimate * count > WINDOW_BYTES_MAX) count = Math.max(1, Math.floor(WINDOW_BYTES_MAX / estimate));
  let least = Infinity;
  let valid = 0;
  for (let window = 0; window < WINDOWS_MAX && (valid < WINDOWS || least > 0); window++) {
    const delta = measureWindow(loop, operation, count) - own;
    if (delta < 0) continue;
    valid++;
    if (delta < least) least = delta;
    if (valid >= WINDOWS && least / count <= BYTES_MAX) break;
  }
  if (valid === 0)
    throw new Error(`${definition.name}: the collector ran in every window; lower operationsMax`);
  return {
    name: definition.name,
    bytesPerOperation: least / count,
    bytesMax: definition.bytesMax ?? BYTES_MAX,
    operations: count,
    nanosecondsPerOperation: Math.round(msPerCall * 1e7) / 10,
  };
}

const { operations } = await import(pathToFileURL(process.argv[2]).href);
const own = ownCost();
const results = [];
for (const definition of operations) results.push(measure(definition, own));
console.log(JSON.stringify(results));
