// The WebAssembly side of `cipher-wasm.ts`: ChaCha20-Poly1305, XChaCha20-Poly1305, BLAKE2s.
// Input and output pass through the fixed places of memory.ts; each export wipes the key material it used.
import { blake2sBlocks, blake2sInit, blake2sOut } from './blake2s';
import { deriveSubkey, xorFour } from './chacha20';
import { DATA, KEY, NONCE, OUT, STAGE, STREAM } from './memory';
import { tag } from './poly1305';

export function keyAt(): usize { return KEY; }
export function nonceAt(): usize { return NONCE; }
export function outAt(): usize { return OUT; }
export function dataAt(): usize { return DATA; }
export function stageAt(): usize { return STAGE; }

@inline function zero16(at: usize, offset: usize): void {
  v128.store(at + offset, i32x4(0, 0, 0, 0));
}

/** Blocks 0..3 into STREAM. */
function firstStream(): void {
  memory.fill(STREAM, 0, 256);
  xorFour(STREAM, 0);
}

function wipeKeys(): void {
  memory.fill(STREAM, 0, 256);
  zero16(KEY, 0);
  zero16(KEY, 16);
}

/** XORs `length` bytes of data with the keystream; touches up to 255 bytes behind them. */
function xorData(length: i32): void {
  const first = min(length, 192);
  for (let i: usize = 0; i < <usize>first; i += 16) {
    v128.store(DATA + i, v128.xor(v128.load(DATA + i), v128.load(STREAM + 64 + i)));
  }
  let counter: u32 = 4;
  for (let at = 192; at < length; at += 256) {
    xorFour(DATA + <usize>at, counter);
    counter += 4;
  }
}

/** Tag over padded aad (ends at DATA), padded ciphertext and the block of lengths, all contiguous, into OUT. */
function tagOf(aadLength: i32, length: i32): void {
  const aadPadded = (aadLength + 15) & ~15;
  const padded = (length + 15) & ~15;
  // Zero from the end of the ciphertext to the end of its last block.
  for (let i = length; i < padded; i++) store<u8>(DATA + <usize>i, 0);
  const lengths = DATA + <usize>padded;
  store<u64>(lengths, <u64>aadLength);
  store<u64>(lengths, <u64>length, 8);
  tag(OUT, STREAM, DATA - <usize>aadPadded, (aadPadded + padded + 16) >> 4);
}

/**
 * Seals `length` bytes standing at `from` (in STAGE, wiped) into DATA, the tag behind them. The aad stands,
 * zero padded, at DATA - pad16(aadLength).
 */
export function seal(from: usize, aadLength: i32, length: i32): void {
  memory.copy(DATA, from, length);
  memory.fill(from, 0, length);
  firstStream();
  xorData(length);
  tagOf(aadLength, length);
  // What the last run of blocks wrote behind the data is keystream.
  const end = DATA + <usize>length;
  memory.fill(end, 0, 272);
  v128.store(end, v128.load(OUT));
  zero16(OUT, 0);
  wipeKeys();
}

/** Opens `length` bytes and their tag standing at `from`: 1 and the plaintext in DATA, or 0 and nothing. */
export function open(from: usize, aadLength: i32, length: i32): i32 {
  memory.copy(DATA, from, length);
  firstStream();
  tagOf(aadLength, length);
  const differs = v128.xor(v128.load(from + <usize>length), v128.load(OUT));
  zero16(OUT, 0);
  const good = !v128.any_true(differs);
  if (good) {
    xorData(length);
    memory.fill(DATA + <usize>length, 0, 272);
  }
  wipeKeys();
  return good;
}

export function xseal(from: usize, aadLength: i32, length: i32): void {
  deriveSubkey();
  seal(from, aadLength, length);
}

export function xopen(from: usize, aadLength: i32, length: i32): i32 {
  deriveSubkey();
  return open(from, aadLength, length);
}

/** Moves `length` bytes from STAGE to `at`, and wipes them there. */
export function place(at: usize, from: usize, length: i32): void {
  memory.copy(at, from, length);
  memory.fill(from, 0, length);
}

/** Zeroes DATA[0, length) once the host took its plaintext. */
export function wipeData(length: i32): void {
  memory.fill(DATA, 0, length);
}

/** BLAKE2s of DATA[0, length) into OUT. */
export function hash(length: i32): void {
  blake2sInit(32, 0);
  blake2sBlocks(DATA, length);
  blake2sOut(OUT);
  memory.fill(DATA, 0, length);
}

/** Keyed BLAKE2s of DATA[0, length) with KEY[0, keyLength) into OUT, all 32 bytes of its state. */
export function mac(outLength: i32, keyLength: i32, length: i32): void {
  const block = DATA - 64;
  memory.fill(block, 0, 64);
  memory.copy(block, KEY, keyLength);
  blake2sInit(outLength, keyLength);
  blake2sBlocks(block, length + 64);
  blake2sOut(OUT);
  memory.fill(block, 0, length + 64);
  memory.fill(KEY, 0, 64);
}

function keyBlock(at: usize, pad: u64): void {
  for (let i: usize = 0; i < 64; i += 8) store<u64>(at + i, load<u64>(KEY + i) ^ pad);
}

/** HMAC-BLAKE2s of DATA[0, length) with the key in KEY, zero padded to 64 bytes, into OUT. */
export function hmac(length: i32): void {
  const block = DATA - 64;
  keyBlock(block, 0x3636363636363636);
  blake2sInit(32, 0);
  blake2sBlocks(block, length + 64);
  blake2sOut(DATA);
  keyBlock(block, 0x5c5c5c5c5c5c5c5c);
  blake2sInit(32, 0);
  blake2sBlocks(block, 96);
  blake2sOut(OUT);
  memory.fill(block, 0, max(length, 32) + 64);
  memory.fill(KEY, 0, 64);
}
