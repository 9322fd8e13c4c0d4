/**
 * A disk in memory that fails as disks do: at a crash, of what was not synced any sectors may be lost, kept or torn, in
 * any order, and of the directory's changes any first part; a failed sync may drop what it was to save; space may run
 * out. Seeded. Operations are what a storage engine asks its host for: a class of its own with these members fits.
 */
import { type Rng, randomBelow } from '@molia/core';

/** What an operation does. */
export const DiskAction = {
  /** Makes `file` anew with `length` bytes of zeros. */
  CREATE: 1,
  /** Writes [offset, offset + length) of `bytes` at `position`. */
  WRITE: 2,
  /** Makes what was written to `file` durable. */
  SYNC: 3,
  /** Cuts `file` to `length` bytes. */
  TRUNCATE: 4,
  /** `file` replaces `target`. */
  RENAME: 5,
  UNLINK: 6,
  /** Makes creations, renames and removals durable. */
  SYNC_DIRECTORY: 7,
  /** Reads [position, position + length) of `file` into `bytes` at `offset`. */
  READ: 8,
} as const;

/** How an operation ends that fails; well is 0, or the bytes that a read gave. */
export const DiskOutcome = {
  /** No space left. */
  FULL: -1,
  READ_ONLY: -2,
  FAILED: -3,
} as const;

/** Files have numbers. */
export interface DiskRequest {
  readonly kind: number;
  readonly file: number;
  readonly target: number;
  readonly position: number;
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

const SECTOR_BYTES = 512;

interface Change {
  /** Bytes at a position, or (undefined) a new size. */
  readonly position: number;
  readonly bytes: Uint8Array | undefined;
}

class File {
  /** What a read sees. */
  data: Uint8Array = new Uint8Array(0);
  size = 0;
  /** What a crash leaves at least. */
  kept: Uint8Array = new Uint8Array(0);
  keptSize = 0;
  changes: Change[] = [];

  apply({ position, bytes }: Change): void {
    if (bytes === undefined) {
      if (position < this.size) this.data.fill(0, position, this.size);
      this.size = position;
    } else this.size = Math.max(this.size, position + bytes.length);
    this.data = room(this.data, this.size);
    if (bytes !== undefined) this.data.set(bytes, position);
  }

  keep({ position, bytes }: Change): void {
    if (bytes === undefined) {
      if (position < this.keptSize) this.kept.fill(0, position, this.keptSize);
      this.keptSize = position;
    } else this.keptSize = Math.max(this.keptSize, position + bytes.length);
    this.kept = room(this.kept, this.keptSize);
    if (bytes !== undefined) this.kept.set(bytes, position);
  }
}

function room(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length >= size) return bytes;
  const larger = new Uint8Array(Math.max(size, bytes.length * 2));
  larger.set(bytes);
  return larger;
}

interface DirectoryChange {
  readonly kind: number;
  readonly file: number;
  readonly target: number;
  readonly node: File | undefined;
}

/** One disk. Time stands still while it works: charge what an operation takes in the host that asks for it. */
export class SimDisk {
  /** Executed so far. */
  operations = 0;
  /** Chance in a thousand that a write, sync or other operation fails. */
  failPerMille = 0;
  /** Bytes of all files beyond which writes fail for want of space. */
  bytesMax = Number.POSITIVE_INFINITY;
  isReadOnly = false;
  readonly #rng: Rng;
  #files = new Map<number, File>();
  #keptFiles = new Map<number, File>();
  #changes: DirectoryChange[] = [];

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** Files and their bytes, in no order. */
  list(): { file: number; size: number }[] {
    return [...this.#files].map(([file, { size }]) => ({ file, size }));
  }

  /** Bytes read into `out`, fewer only at the end of the file; -1 = there is no such file. */
  read(file: number, position: number, out: Uint8Array, offset: number, length: number): number {
    const node = this.#files.get(file);
    if (node === undefined) return -1;
    const end = Math.min(node.size, position + length);
    if (end <= position) return 0;
    out.set(node.data.subarray(position, end), offset);
    return end - position;
  }

  /** Does it; 0 or the bytes that a read gave, or a `DiskOutcome`. Throws Error for a kind that it does not know. */
  execute(operation: DiskRequest): number {
    this.operations++;
    const { kind, file } = operation;
    if (this.isReadOnly && kind !== DiskAction.READ) return DiskOutcome.READ_ONLY;
    if (this.failPerMille > 0 && randomBelow(this.#rng, 1000) < this.failPerMille) {
      if (kind === DiskAction.SYNC) this.#dropUnsynced(this.#files.get(file));
      return DiskOutcome.FAILED;
    }
    const node = this.#files.get(file);
    switch (kind) {
      case DiskAction.CREATE: {
        const fresh = new File();
        fresh.changes.push({ position: operation.length, bytes: undefined });
        fresh.apply(fresh.changes[0] as Change);
        return this.#changeDirectory({ kind, file, target: 0, node: fresh });
      }
      case DiskAction.WRITE: {
        if (node === undefined) return DiskOutcome.FAILED;
        if (this.#usedBytes() + operation.length > this.bytesMax) return DiskOutcome.FULL;
        const { bytes, offset, length } = operation;
        const change = { position: operation.position, bytes: bytes.slice(offset, offset + length) };
        node.apply(change);
        node.changes.push(change);
        return 0;
      }
      case DiskAction.TRUNCATE: {
        if (node === undefined) return DiskOutcome.FAILED;
        const change = { position: operation.length, bytes: undefined };
        node.apply(change);
        node.changes.push(change);
        return 0;
      }
      case DiskAction.SYNC:
        if (node === undefined) return DiskOutcome.FAILED;
        for (const change of node.changes) node.keep(change);
        node.changes = [];
        return 0;
      case DiskAction.RENAME:
        if (node === undefined) return DiskOutcome.FAILED;
        return this.#changeDirectory({ kind, file, target: operation.target, node });
      case DiskAction.UNLINK:
        return this.#changeDirectory({ kind, file, target: 0, node: undefined });
      case DiskAction.SYNC_DIRECTORY:
        this.#keptFiles = new Map(this.#files);
        this.#changes = [];
        return 0;
      case DiskAction.READ:
        return this.read(file, operation.position, operation.bytes, operation.offset, operation.length);
      default:
        throw new Error(`operation ${kind}`);
    }
  }

  /** Power goes: what comes back is what was durable, and some of the rest. */
  crash(): void {
    const rng = this.#rng;
    const files = new Map(this.#keptFiles);
    const kept = randomBelow(rng, this.#changes.length + 1);
    for (const change of this.#changes.slice(0, kept)) applyTo(files, change);
    const style = randomBelow(rng, 4);
    for (const node of new Set(files.values())) {
      for (const change of node.changes) {
        if (style === 0) break;
        if (style === 1 && randomBelow(rng, 3) === 0) break;
        if (change.bytes === undefined) {
          if (style === 1 || randomBelow(rng, 2) === 0) node.keep(change);
        } else if (style === 1) node.keep(change);
        else this.#keepSome(node, change.position, change.bytes);
      }
      node.changes = [];
      node.data = node.kept.slice();
      node.size = node.keptSize;
    }
    this.#files = files;
    this.#keptFiles = new Map(files);
    this.#changes = [];
  }

  /** Damages one bit of a file, durably. */
  flip(file: number, position: number, bit: number): void {
    const node = this.#files.get(file) as File;
    node.data[position] = (node.data[position] as number) ^ (1 << bit);
    node.kept = node.data.slice();
    node.keptSize = node.size;
  }

  /** Cuts a file, durably. */
  cut(file: number, size: number): void {
    const node = this.#files.get(file) as File;
    node.size = size;
    node.kept = node.data.slice(0, size);
    node.keptSize = size;
    node.data = node.kept.slice();
  }

  /** Takes a file away, durably. */
  delete(file: number): void {
    this.#files.delete(file);
    this.#keptFiles.delete(file);
  }

  /** A copy whose future is its own. Everything is taken as durable or not as it is here. */
  clone(rng: Rng): SimDisk {
    const copy = new SimDisk(rng);
    const nodes = new Map<File, File>();
    const of = (node: File): File => {
      let twin = nodes.get(node);
      if (twin === undefined) {
        twin = new File();
        twin.data = node.data.slice();
        twin.size = node.size;
        twin.kept = node.kept.slice();
        twin.keptSize = node.keptSize;
        twin.changes = [...node.changes];
        nodes.set(node, twin);
      }
      return twin;
    };
    for (const [file, node] of this.#files) copy.#files.set(file, of(node));
    for (const [file, node] of this.#keptFiles) copy.#keptFiles.set(file, of(node));
    copy.#changes = this.#changes.map((change) => ({
      ...change,
      node: change.node === undefined ? undefined : of(change.node),
    }));
    return copy;
  }

  #keepSome(node: File, position: number, bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const end = Math.min(bytes.length, at + SECTOR_BYTES - ((position + at) % SECTOR_BYTES));
      if (randomBelow(this.#rng, 2) === 0)
        node.keep({ position: position + at, bytes: bytes.subarray(at, end) });
      at = end;
    }
  }

  #dropUnsynced(node: File | undefined): void {
    if (node === undefined || randomBelow(this.#rng, 2) === 0) return;
    node.changes = [];
    node.data = node.kept.slice();
    node.size = node.keptSize;
  }

  #changeDirectory(change: DirectoryChange): number {
    applyTo(this.#files, change);
    this.#changes.push(change);
    return 0;
  }

  #usedBytes(): number {
    let sum = 0;
    for (const { size } of this.#files.values()) sum += size;
    return sum;
  }
}

function applyTo(files: Map<number, File>, { kind, file, target, node }: DirectoryChange): void {
  if (kind === DiskAction.CREATE) files.set(file, node as File);
  else if (kind === DiskAction.UNLINK) files.delete(file);
  else {
    files.delete(file);
    files.set(target, node as File);
  }
}
