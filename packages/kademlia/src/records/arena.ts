/**
 * A byte arena: blocks of 128 B to 68 KiB (69,904 B) out of pages of 1 MiB, in size classes four to the doubling (at most a
 * fifth of a block is slack). A page serves one class while any of its blocks is used, then any other. No
 * allocation but the pages themselves.
 */

const PAGE = 2 ** 20;
/** Least block; and so at most 8,192 blocks a page, 13 bits of a block's name. */
const LEAST = 128;
const INDEX_BITS = 13;
const CLASSES = 38;
/** Empty pages kept for reuse; more are given back. */
const SPARE_PAGES_MAX = 4;
const EMPTY = new Uint8Array(0);

/** Blocks a page of each class holds, and bytes of one. */
const COUNTS = new Int32Array(CLASSES);
const SIZES = new Int32Array(CLASSES);
for (let i = 0; i < CLASSES; i++) {
  COUNTS[i] = Math.floor(PAGE / (LEAST * 2 ** (i / 4)));
  // The last class is for the largest record, 64 KiB and its envelope: fifteen a page instead of thirteen.
  if (i === CLASSES - 1) COUNTS[i] = 15;
  SIZES[i] = Math.floor(PAGE / (COUNTS[i] as number)) & ~7;
}

/** Bytes of the largest block. */
export const BLOCK_BYTES_MAX = SIZES[CLASSES - 1] as number;

export class Arena {
  private readonly pagesMax: number;
  private pages: Uint8Array[] = [];
  /** By page: its class (-1 = spare or given back), blocks used, blocks ever handed out, head of the free chain. */
  private classes: number[] = [];
  private used: number[] = [];
  private fresh: number[] = [];
  private free: number[] = [];
  /** By page: the free chain, block index + 1 of the next, 0 = end. */
  private chains: Uint16Array[] = [];
  /** By page: neighbours among the pages of its class that have room, -1 = none. */
  private next: number[] = [];
  private previous: number[] = [];
  /** By class: the first page with room. */
  private readonly heads = new Int32Array(CLASSES).fill(-1);
  private readonly spare: number[] = [];
  /** Page numbers whose memory was given back. */
  private readonly gone: number[] = [];
  private pagesHeld = 0;

  /** `bytesMax` bounds the sum of blocks; pages may hold as much again in blocks of other classes, and one page a class. */
  constructor(bytesMax: number) {
    this.pagesMax = Math.min(2 ** (31 - INDEX_BITS) - 1, Math.ceil(bytesMax / PAGE) * 2 + CLASSES);
  }

  /** Bytes of the pages held. */
  get bytesHeld(): number {
    return this.pagesHeld * PAGE;
  }

  /** Bytes that a block of `length` bytes is charged; -1 = too long. */
  static blockBytes(length: number): number {
    return length > BLOCK_BYTES_MAX ? -1 : (SIZES[classOf(length)] as number);
  }

  /** A block for `length` bytes, -1 = no page left. */
  alloc(length: number): number {
    const cls = classOf(length);
    let page = this.heads[cls] as number;
    if (page < 0) {
      page = this.takePage(cls);
      if (page < 0) return -1;
    }
    const count = COUNTS[cls] as number;
    let index = (this.free[page] as number) - 1;
    if (index >= 0) this.free[page] = (this.chains[page] as Uint16Array)[index] as number;
    else {
      index = this.fresh[page] as number;
      this.fresh[page] = index + 1;
    }
    const used = (this.used[page] as number) + 1;
    this.used[page] = used;
    if (used === count) this.unlink(page, cls);
    return (page << INDEX_BITS) | index;
  }

  release(block: number): void {
    const page = block >>> INDEX_BITS;
    const index = block & ((1 << INDEX_BITS) - 1);
    const cls = this.classes[page] as number;
    const used = (this.used[page] as number) - 1;
    this.used[page] = used;
    (this.chains[page] as Uint16Array)[index] = this.free[page] as number;
    this.free[page] = index + 1;
    if (used + 1 === COUNTS[cls]) this.link(page, cls);
    if (used > 0) return;
    this.unlink(page, cls);
    this.classes[page] = -1;
    if (this.spare.length < SPARE_PAGES_MAX) this.spare.push(page);
    else {
      this.pages[page] = EMPTY;
      this.gone.push(page);
      this.pagesHeld--;
    }
  }

  /** The page that a block lies in. */
  bytes(block: number): Uint8Array {
    return this.pages[block >>> INDEX_BITS] as Uint8Array;
  }

  /** Where in its page a block starts. */
  offset(block: number): number {
    const cls = this.classes[block >>> INDEX_BITS] as number;
    return (block & ((1 << INDEX_BITS) - 1)) * (SIZES[cls] as number);
  }

  private takePage(cls: number): number {
    let page = this.spare.pop() ?? -1;
    if (page < 0) {
      if (this.pagesHeld >= this.pagesMax) return -1;
      page = this.gone.pop() ?? this.pages.length;
      this.pages[page] = new Uint8Array(PAGE);
      this.pagesHeld++;
    }
    const chain = this.chains[page];
    if (chain === undefined || chain.length < (COUNTS[cls] as number)) {
      this.chains[page] = new Uint16Array(COUNTS[cls] as number);
    }
    this.classes[page] = cls;
    this.used[page] = 0;
    this.fresh[page] = 0;
    this.free[page] = 0;
    this.link(page, cls);
    return page;
  }

  private link(page: number, cls: number): void {
    const head = this.heads[cls] as number;
    this.next[page] = head;
    this.previous[page] = -1;
    if (head >= 0) this.previous[head] = page;
    this.heads[cls] = page;
  }

  private unlink(page: number, cls: number): void {
    const next = this.next[page] as number;
    const previous = this.previous[page] as number;
    if (next >= 0) this.previous[next] = previous;
    if (previous >= 0) this.next[previous] = next;
    else this.heads[cls] = next;
  }
}

/** The least class whose blocks hold `length` bytes. */
function classOf(length: number): number {
  if (length <= (SIZES[0] as number)) return 0;
  // 2^(i/4) * 128 >= length, then correct for the rounding of the sizes.
  const doublings = 31 - Math.clz32(length) - 7;
  let cls = Math.max(0, doublings * 4 - 1);
  while ((SIZES[cls] as number) < length) cls++;
  return cls;
}
