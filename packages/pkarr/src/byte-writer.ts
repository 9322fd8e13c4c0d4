/** Where a message is written: bytes that grow, and the places of names for compression (RFC 1035 §4.1.4). */
import type { Labels } from './domain-names.ts';

/** What a compression pointer can name. */
const POINTER_MAX = 0x3fff;

export class ByteWriter {
  #bytes = new Uint8Array(512);
  #length = 0;
  readonly #places = new Map<string, number>();

  get length(): number {
    return this.#length;
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  u16(value: number): void {
    this.u8(value >>> 8);
    this.u8(value & 255);
  }

  u32(value: number): void {
    this.u16(value >>> 16);
    this.u16(value & 0xffff);
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** Replaces the 16 bits at `offset`. */
  patch16(offset: number, value: number): void {
    this.#bytes[offset] = value >>> 8;
    this.#bytes[offset + 1] = value & 255;
  }

  /** A name; `compressed`: it may point to a suffix that was written before. */
  name(labels: Labels, compressed: boolean): void {
    for (let i = 0; i < labels.length; i++) {
      if (compressed) {
        const suffix = labels
          .slice(i)
          .map((label) => String.fromCharCode(label.length) + label)
          .join('');
        const place = this.#places.get(suffix);
        if (place !== undefined) {
          this.u16(0xc000 | place);
          return;
        }
        if (this.#length <= POINTER_MAX) this.#places.set(suffix, this.#length);
      }
      const label = labels[i] as string;
      this.u8(label.length);
      for (let j = 0; j < label.length; j++) this.u8(label.charCodeAt(j));
    }
    this.u8(0);
  }

  /** What was written, a copy. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}
