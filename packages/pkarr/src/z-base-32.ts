/** Keys as text: z-base-32 (Zooko O'Whielacronx, "human-oriented base-32 encoding"), lower case, five bits a digit. */
import { KEY_BYTES, KEY_DIGITS } from './constants.ts';

const ALPHABET = 'ybndrfg8ejkmcpqxot1uwisza345h769';
/** Value of each ASCII character, or 255. */
const VALUES = new Uint8Array(128).fill(255);
for (let i = 0; i < ALPHABET.length; i++) VALUES[ALPHABET.charCodeAt(i)] = i;

/** The 52 digits of 32 bytes. */
export function keyToText(key: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (let i = 0; i < KEY_BYTES; i++) {
    held = ((held << 8) | (key[i] as number)) & 0x1fff;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(held >>> (bits - 5)) & 31];
  }
  // 256 = 51 * 5 + 1: one bit is left.
  return text + ALPHABET[(held << (5 - bits)) & 31];
}

/**
 * The 32 bytes of 52 digits, or `undefined`. Capitals and spare bits that are not zero are refused: a key has one
 * spelling.
 */
export function keyFromText(text: string): Uint8Array | undefined {
  if (text.length !== KEY_DIGITS) return undefined;
  const key = new Uint8Array(KEY_BYTES);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (let i = 0; i < KEY_DIGITS; i++) {
    const value = VALUES[text.charCodeAt(i)] ?? 255;
    if (value === 255) return undefined;
    held = ((held << 5) | value) & 0x1fff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      key[at++] = held >>> bits;
    }
  }
  return (held & ((1 << bits) - 1)) === 0 ? key : undefined;
}
