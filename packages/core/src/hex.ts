/** Hexadecimal text, as keys and ids appear in command lines, logs and files. */

const DIGITS = '0123456789abcdef';

/** Lower-case hexadecimal, two characters a byte. */
export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += DIGITS.charAt(byte >>> 4) + DIGITS.charAt(byte & 15);
  return text;
}

/**
 * The bytes of hexadecimal text, either case, without prefix or separators.
 * Throws RangeError that names what is wrong: an odd length, or the first character that is no digit.
 */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0) {
    throw new RangeError(`hexadecimal text needs an even number of characters, not ${text.length}`);
  }
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++) {
    bytes[i] = (digit(text, i * 2) << 4) | digit(text, i * 2 + 1);
  }
  return bytes;
}

function digit(text: string, index: number): number {
  const code = text.charCodeAt(index);
  if (code >= 48 && code <= 57) return code - 48;
  const letter = code | 32;
  if (letter >= 97 && letter <= 102) return letter - 87;
  throw new RangeError(`character ${JSON.stringify(text.charAt(index))} at ${index} is no hexadecimal digit`);
}
