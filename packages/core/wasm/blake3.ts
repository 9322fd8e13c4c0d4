// The WebAssembly side of `blake3.ts`: the BLAKE3 tree (BLAKE3 paper, section 2) over input handed in by pieces.
// One hash at a time lives in STATE; the host saves and restores those bytes to work on several.
import { CHUNK_END, CHUNK_START, compress, compressFour, PARENT, ROOT, startLanes, storeLanes } from './compress';

// STATE: what there is between two calls of one hash.
const STATE_BYTES: i32 = 64 + 32 * 54 + 1024;
const STATE: usize = memory.data(64 + 32 * 54 + 1024, 16);
/** Key or initial chaining value (32 bytes). */
const KEY: usize = STATE;
/** Whole chunks compressed (u64). */
const CHUNKS: usize = STATE + 32;
/** Mode flags of this hash. */
const FLAGS: usize = STATE + 40;
/** Bytes in BUFFER. */
const FILLED: usize = STATE + 44;
/** Chaining values in STACK. */
const DEPTH: usize = STATE + 48;
// INVARIANT: STACK holds left subtrees, the largest first. Equal ones are merged when the next is pushed, not
// before, because the last merge may turn out to be the root. BOUNDED: by 54 for 2^64 bytes of input.
const STACK: usize = STATE + 64;
/** The chunk that is not whole yet, or that may be the only one. */
const BUFFER: usize = STATE + 64 + 32 * 54;

/** A last, partial block. INVARIANT: zero between calls. */
const LAST: usize = memory.data(64, 16);
/** Chaining value at work, and the digest. */
const OUT: usize = memory.data(32, 16);
/** Chaining values of sixteen chunks. */
const SIXTEEN: usize = memory.data(512, 16);
/** Where the host drops input. */
const STAGE: usize = memory.data(20480, 16);

export function stateAt(): usize { return STATE; }
export function stateBytes(): i32 { return STATE_BYTES; }
export function lastAt(): usize { return LAST; }
export function outAt(): usize { return OUT; }
export function stageAt(): usize { return STAGE; }

@inline function setInitial(at: usize): void {
  v128.store(at, i32x4(0x6a09e667, <i32>0xbb67ae85, 0x3c6ef372, <i32>0xa54ff53a));
  v128.store(at, i32x4(0x510e527f, <i32>0x9b05688c, 0x1f83d9ab, 0x5be0cd19), 16);
}

@inline function copy32(to: usize, from: usize): void {
  v128.store(to, v128.load(from));
  v128.store(to, v128.load(from, 16), 16);
}

/** Compresses one chunk of up to 1,024 bytes into `cv`, which holds the key; `root` is 0 or ROOT. */
function chunk(cv: usize, from: usize, length: i32, counter: u64, flags: i32, root: i32): void {
  let start = CHUNK_START;
  let at = from;
  let left = length;
  while (left > 64) {
    compress(cv, at, 64, counter, flags | start);
    start = 0;
    at += 64;
    left -= 64;
  }
  if (left < 64) {
    memory.copy(LAST, at, left);
    at = LAST;
  }
  compress(cv, at, left, counter, flags | start | CHUNK_END | root);
  if (left < 64) memory.fill(LAST, 0, 64);
}

/** The digest of LAST[0, length), at most 64 bytes, into OUT: no tree, no state. */
export function digestLast(length: i32): void {
  setInitial(OUT);
  compress(OUT, LAST, length, 0, CHUNK_START | CHUNK_END | ROOT);
  memory.fill(LAST, 0, 64);
}

/** The digest of `length` bytes at `from`, at most 1,024, into OUT. */
export function digestChunk(from: usize, length: i32): void {
  setInitial(OUT);
  chunk(OUT, from, length, 0, 0, ROOT);
}

/** Starts a hash: with the standard initial value, or keyed by the 32 bytes in OUT. */
export function start(keyed: i32, flags: i32): void {
  if (keyed) copy32(KEY, OUT);
  else setInitial(KEY);
  store<u64>(CHUNKS, 0);
  store<i32>(FLAGS, flags);
  store<i32>(FILLED, 0);
  store<i32>(DEPTH, 0);
}

/** Merges the two topmost subtrees. */
function mergeTop(): void {
  const depth = load<i32>(DEPTH) - 1;
  store<i32>(DEPTH, depth);
  const pair = STACK + <usize>(32 * (depth - 1));
  copy32(OUT, KEY);
  compress(OUT, pair, 64, 0, load<i32>(FLAGS) | PARENT);
  copy32(pair, OUT);
}

/** As many subtrees are left as the count of chunks has binary ones. */
function mergeEqual(): void {
  const depth = <i32>popcnt<u64>(load<u64>(CHUNKS));
  while (load<i32>(DEPTH) > depth) mergeTop();
}

/** Pushes the chaining value of a subtree of `chunks` chunks, to whose multiple CHUNKS is aligned. */
function push(cv: usize, chunks: u64): void {
  mergeEqual();
  const depth = load<i32>(DEPTH);
  copy32(STACK + <usize>(32 * depth), cv);
  store<i32>(DEPTH, depth + 1);
  store<u64>(CHUNKS, load<u64>(CHUNKS) + chunks);
}

function pushChunk(from: usize): void {
  mergeEqual(); // works in OUT, so it goes first
  copy32(OUT, KEY);
  chunk(OUT, from, 1024, load<u64>(CHUNKS), load<i32>(FLAGS), 0);
  push(OUT, 1);
}

/** Chaining values of the four whole chunks at `from`, the first of which has number `counter`, to `out`. */
function fourChunks(out: usize, from: usize, counter: u64): void {
  const flags = load<i32>(FLAGS);
  let low = i32x4.splat(<i32>counter);
  let high = i32x4.splat(<i32>(counter >> 32));
  const sum = i32x4.add(low, i32x4(0, 1, 2, 3));
  // A lane whose low word wrapped carries: all ones there count as minus one.
  high = i32x4.sub(high, i32x4.lt_u(sum, low));
  low = sum;
  startLanes(KEY);
  compressFour(from, 1024, low, high, flags | CHUNK_START);
  for (let at: usize = 64; at < 960; at += 64) compressFour(from + at, 1024, low, high, flags);
  compressFour(from + 960, 1024, low, high, flags | CHUNK_END);
  storeLanes(out);
}

/** Parents of the eight chaining values at `from`, four of them, to `out`. */
function fourParents(out: usize, from: usize): void {
  startLanes(KEY);
  compressFour(from, 64, i32x4.splat(0), i32x4.splat(0), load<i32>(FLAGS) | PARENT);
  storeLanes(out);
}

/** Absorbs `length` bytes at `from`. */
export function update(from: usize, length: i32): void {
  let at = from;
  let left = length;
  while (left > 0) {
    const filled = load<i32>(FILLED);
    const chunks = load<u64>(CHUNKS);
    if (filled == 0) {
      if (left >= 16384 && (chunks & 3) == 0) {
        for (let i = 0; i < 4; i++) fourChunks(SIXTEEN + 128 * i, at + 4096 * i, chunks + 4 * i);
        fourParents(SIXTEEN, SIXTEEN);
        fourParents(SIXTEEN + 128, SIXTEEN + 256);
        fourParents(SIXTEEN, SIXTEEN);
        for (let i = 0; i < 4; i++) push(SIXTEEN + 32 * i, 4);
        at += 16384;
        left -= 16384;
        continue;
      }
      if (left >= 4096) {
        fourChunks(SIXTEEN, at, chunks);
        for (let i = 0; i < 4; i++) push(SIXTEEN + 32 * i, 1);
        at += 4096;
        left -= 4096;
        continue;
      }
      // The very first chunk waits: when nothing follows, it is the root.
      if (left >= 1024 && (chunks > 0 || left > 1024)) {
        pushChunk(at);
        at += 1024;
        left -= 1024;
        continue;
      }
    }
    const taken = min(1024 - filled, left);
    memory.copy(BUFFER + filled, at, taken);
    at += taken;
    left -= taken;
    if (filled + taken == 1024 && (chunks > 0 || left > 0)) {
      pushChunk(BUFFER);
      store<i32>(FILLED, 0);
    } else {
      store<i32>(FILLED, filled + taken);
    }
  }
}

/** The digest of everything absorbed, into OUT; more may be absorbed after. */
export function digest(): void {
  const filled = load<i32>(FILLED);
  const chunks = load<u64>(CHUNKS);
  const flags = load<i32>(FLAGS);
  let depth: i32;
  if (filled > 0 || chunks == 0) {
    mergeEqual();
    depth = load<i32>(DEPTH);
    copy32(OUT, KEY);
    chunk(OUT, BUFFER, filled, chunks, flags, depth == 0 ? ROOT : 0);
  } else {
    depth = load<i32>(DEPTH) - 1;
    copy32(OUT, STACK + <usize>(32 * depth));
  }
  while (depth > 0) {
    depth--;
    copy32(SIXTEEN, STACK + <usize>(32 * depth));
    copy32(SIXTEEN + 32, OUT);
    copy32(OUT, KEY);
    compress(OUT, SIXTEEN, 64, 0, flags | PARENT | (depth == 0 ? ROOT : 0));
  }
}

/** Zeroes the state and `length` bytes at `from`, for keys and for material that keys are derived from. */
export function wipe(from: usize, length: i32): void {
  memory.fill(STATE, 0, STATE_BYTES);
  memory.fill(SIXTEEN, 0, 512);
  memory.fill(from, 0, length);
}
