/** Bencode written by offset: the pieces that KRPC messages are made of. Callers keep the keys in order. */

const digits = new Uint8Array(20);

/** Writes into a buffer of its caller's. Writing past its end sets `overflow` and writes nothing more. */
export class BencodeWriter {
  bytes: Uint8Array = new Uint8Array(0);
  at = 0;
  overflow = false;

  start(bytes: Uint8Array, at: number): void {
    this.bytes = bytes;
    this.at = at;
    this.overflow = false;
  }

  /** Literal bencode, one char a byte. */
  raw(text: string): void {
    if (!this.room(text.length)) return;
    const { bytes, at } = this;
    for (let i = 0; i < text.length; i++) bytes[at + i] = text.charCodeAt(i);
    this.at = at + text.length;
  }

  copy(source: Uint8Array, at: number, length: number): void {
    if (!this.room(length)) return;
    // Locals: the compiler cannot know that a byte written is none of our fields.
    const { bytes, at: to } = this;
    for (let i = 0; i < length; i++) bytes[to + i] = source[at + i] as number;
    this.at = to + length;
  }

  string(source: Uint8Array, at: number, length: number): void {
    this.decimal(length);
    this.raw(':');
    this.copy(source, at, length);
  }

  /** A number from 0 to 2^53. */
  integer(value: number): void {
    this.raw('i');
    this.decimal(value);
    this.raw('e');
  }

  /** A number below 2^64 in two words. */
  wide(high: number, low: number): void {
    this.raw('i');
    let h = high;
    let l = low;
    let count = 0;
    do {
      const rest = h % 10;
      const joined = rest * 0x1_0000_0000 + l;
      h = (h - rest) / 10;
      l = Math.floor(joined / 10);
      digits[count++] = 0x30 + (joined - l * 10);
    } while (h > 0 || l > 0);
    this.backwards(count);
    this.raw('e');
  }

  decimal(value: number): void {
    let v = value;
    let count = 0;
    do {
      const next = Math.floor(v / 10);
      digits[count++] = 0x30 + (v - next * 10);
      v = next;
    } while (v > 0);
    this.backwards(count);
  }

  private backwards(count: number): void {
    if (!this.room(count)) return;
    for (let i = count - 1; i >= 0; i--) this.bytes[this.at++] = digits[i] as number;
  }

  private room(length: number): boolean {
    if (!this.overflow && this.at + length <= this.bytes.length) return true;
    this.overflow = true;
    return false;
  }
}
