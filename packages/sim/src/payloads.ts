/**
 * Bytes of the datagrams under way: blocks of three sizes in pages that never move, with the addresses on the envelope as
 * columns. A free block is used again, so a steady load allocates nothing.
 *
 * BOUNDED: by what is in flight, which link queues bound.
 */
import { assert, grow, NONE } from '@molia/core';

/** Sizes of a block: a ping or a handshake, a request, the largest datagram. */
const BLOCK_BYTES: readonly number[] = [192, 512, 1536];
const PAGE_BLOCKS = 256;

export class Payloads {
  /** Where the bytes lie: `page(id)` from `offset(id)`. */
  length: Int32Array = new Int32Array(0);
  sourceAddress: Uint32Array = new Uint32Array(0);
  sourcePort: Int32Array = new Int32Array(0);
  address: Uint32Array = new Uint32Array(0);
  port: Int32Array = new Int32Array(0);
  /** Datagrams held. */
  count = 0;
  #sizes: Uint8Array = new Uint8Array(0);
  #offsets: Int32Array = new Int32Array(0);
  #next: Int32Array = new Int32Array(0);
  readonly #pages: Uint8Array[] = [];
  #pageOf: Int32Array = new Int32Array(0);
  readonly #free: Int32Array = new Int32Array(BLOCK_BYTES.length).fill(NONE);
  #rows = 0;

  /** Copies a datagram in; its id. INVARIANT: `length` fits the largest block. */
  add(bytes: Uint8Array, offset: number, length: number): number {
    let size = 0;
    while (length > (BLOCK_BYTES[size] ?? Number.POSITIVE_INFINITY)) size++;
    assert(size < BLOCK_BYTES.length, 'a datagram larger than every block');
    if (this.#free[size] === NONE) this.#addPage(size);
    const id = this.#free[size] as number;
    this.#free[size] = this.#next[id] as number;
    const page = this.#pages[this.#pageOf[id] as number] as Uint8Array;
    const at = this.#offsets[id] as number;
    for (let i = 0; i < length; i++) page[at + i] = bytes[offset + i] as number;
    this.length[id] = length;
    this.count++;
    return id;
  }

  /** A second copy with the same envelope. */
  duplicate(id: number): number {
    const copy = this.add(this.page(id), this.offset(id), this.length[id] as number);
    this.sourceAddress[copy] = this.sourceAddress[id] as number;
    this.sourcePort[copy] = this.sourcePort[id] as number;
    this.address[copy] = this.address[id] as number;
    this.port[copy] = this.port[id] as number;
    return copy;
  }

  page(id: number): Uint8Array {
    return this.#pages[this.#pageOf[id] as number] as Uint8Array;
  }

  offset(id: number): number {
    return this.#offsets[id] as number;
  }

  remove(id: number): void {
    const size = this.#sizes[id] as number;
    this.#next[id] = this.#free[size] as number;
    this.#free[size] = id;
    this.count--;
  }

  #addPage(size: number): void {
    const first = this.#rows;
    const rows = first + PAGE_BLOCKS;
    const bytes = BLOCK_BYTES[size] as number;
    if (rows > this.length.length) this.#resize(Math.max(rows, this.length.length * 2));
    const page = this.#pages.push(new Uint8Array(bytes * PAGE_BLOCKS)) - 1;
    for (let id = rows - 1; id >= first; id--) {
      this.#sizes[id] = size;
      this.#pageOf[id] = page;
      this.#offsets[id] = (id - first) * bytes;
      this.#next[id] = this.#free[size] as number;
      this.#free[size] = id;
    }
    this.#rows = rows;
  }

  #resize(rows: number): void {
    this.length = grow(this.length, rows);
    this.sourceAddress = grow(this.sourceAddress, rows);
    this.sourcePort = grow(this.sourcePort, rows);
    this.address = grow(this.address, rows);
    this.port = grow(this.port, rows);
    this.#sizes = grow(this.#sizes, rows);
    this.#offsets = grow(this.#offsets, rows);
    this.#next = grow(this.#next, rows);
    this.#pageOf = grow(this.#pageOf, rows);
  }
}
