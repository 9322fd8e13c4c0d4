/**
 * The Node driver: a store in a directory. Reads are synchronous and by position (what is read lies in the page cache
 * or costs one disk access); everything else runs in Node's thread pool, one operation at a time, so that the event loop
 * never waits for a write or a sync. This file and `node-lock.ts` are what knows Node; no other knows a clock or promises.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { IDLE } from '@molia/core';
import {
  type Disk,
  DiskError,
  type DiskFile,
  DiskOperation,
  type DiskWork,
  fileName,
  fileNumber,
  OperationKind,
} from './disk.ts';
import { storeError } from './errors.ts';
import { lock, requireUnlocked, unusable } from './node-lock.ts';

/** Longest wait for a last commit at `close`. */
const CLOSE_MS_MAX = 30_000;

/** A directory of a store, open and locked. */
export interface Directory {
  readonly path: string;
  readonly disk: Disk;
  /** Pass it as `wake`. */
  readonly wake: () => void;
  /** Begins to run what `store` wants done. `onProgress`: after each operation, for reports and `durable`. */
  drive(store: DrivenStore, onProgress?: () => void): void;
  /** Asks for a commit at once; resolves when all that was put before is durable. Rejects with STORE_NOT_DURABLE when the disk fails, STORE_CLOSED. */
  settled(): Promise<void>;
  /**
   * Makes everything durable, writes a snapshot, closes the files and gives up the lock. Idempotent. Rejects with
   * STORE_NOT_DURABLE when the disk did not take it; the files are closed then too.
   */
  close(): Promise<void>;
}

/** What a driver needs of a store. */
export interface DrivenStore extends DiskWork {
  readonly ticket: number;
  readonly durable: number;
  readonly isSaved: boolean;
  readonly isFailing: boolean;
  flush(): void;
  wantSnapshot(): void;
}

/** Opens a directory, creating it (mode 0700). Throws MoliaError STORE_LOCKED or STORE_UNUSABLE. */
export function openDirectory(path: string): Directory {
  return new NodeDirectory(path);
}

/**
 * Reads the files of a directory that nobody has open: for `verifyStore` and `dumpStore`. Changes nothing, so it works
 * on a read-only file system and on a copy. Throws MoliaError STORE_LOCKED while a process has the directory open,
 * STORE_UNUSABLE when it is not there or cannot be read.
 */
export function openDisk(path: string): Disk & { close(): void } {
  requireUnlocked(path);
  const disk = new NodeDisk(path, ['r']);
  try {
    disk.list();
  } catch (cause) {
    disk.close();
    throw unusable(path, cause);
  }
  return disk;
}

class NodeDisk implements Disk {
  readonly path: string;
  private readonly modes: readonly string[];
  private readonly descriptors = new Map<number, number>();

  /** `modes`: how files are opened, what is preferred first. */
  constructor(path: string, modes: readonly string[] = ['r+', 'r']) {
    this.path = path;
    this.modes = modes;
  }

  list(): DiskFile[] {
    const files: DiskFile[] = [];
    for (const name of fs.readdirSync(this.path)) {
      const file = fileNumber(name);
      if (file === undefined) continue;
      const descriptor = this.open(file);
      files.push({ file, size: descriptor < 0 ? 0 : fs.fstatSync(descriptor).size });
    }
    return files;
  }

  read(file: number, position: number, out: Uint8Array, offset: number, length: number): number {
    const descriptor = this.descriptors.get(file) ?? this.open(file);
    if (descriptor < 0) return -1;
    let got = 0;
    try {
      while (got < length) {
        const n = fs.readSync(descriptor, out, offset + got, length - got, position + got);
        if (n === 0) break;
        got += n;
      }
    } catch {
      return -1;
    }
    return got;
  }

  /** The descriptor of a file; -1 = it cannot be opened. */
  open(file: number): number {
    const held = this.descriptors.get(file);
    if (held !== undefined) return held;
    const name = join(this.path, fileName(file));
    for (const mode of this.modes) {
      try {
        const descriptor = fs.openSync(name, mode);
        this.descriptors.set(file, descriptor);
        return descriptor;
      } catch {
        // The next mode, then not at all.
      }
    }
    return -1;
  }

  adopt(file: number, descriptor: number): void {
    this.release(file);
    this.descriptors.set(file, descriptor);
  }

  release(file: number): void {
    const descriptor = this.descriptors.get(file);
    if (descriptor === undefined) return;
    this.descriptors.delete(file);
    fs.closeSync(descriptor);
  }

  close(): void {
    for (const file of [...this.descriptors.keys()]) this.release(file);
  }
}

class NodeDirectory implements Directory {
  readonly path: string;
  readonly disk: NodeDisk;
  private readonly releaseLock: () => void;
  private store: DrivenStore | undefined;
  private onProgress: () => void = () => {};
  private readonly operation = new DiskOperation();
  private isRunning = false;
  private isClosed = false;
  private timer: NodeJS.Timeout | undefined;
  private immediate: NodeJS.Immediate | undefined;
  private readonly waiters: { ticket: number; resolve: () => void; reject: (error: Error) => void }[] = [];
  private closing: Promise<void> | undefined;
  private readonly startedAt = performance.now();

  constructor(path: string) {
    this.path = path;
    try {
      fs.mkdirSync(path, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw unusable(path, cause);
    }
    this.releaseLock = lock(path);
    this.disk = new NodeDisk(path);
    try {
      this.disk.list();
    } catch (cause) {
      this.releaseLock();
      throw unusable(path, cause);
    }
  }

  /** Writes of one turn of the event loop go out together. */
  readonly wake = (): void => {
    if (this.isRunning || this.immediate !== undefined || this.store === undefined) return;
    this.immediate = setImmediate(() => {
      this.immediate = undefined;
      this.turn();
    });
  };

  drive(store: DrivenStore, onProgress: () => void = () => {}): void {
    this.store = store;
    this.onProgress = onProgress;
    this.wake();
  }

  settled(): Promise<void> {
    const { store } = this;
    if (store === undefined || this.isClosed) {
      return Promise.reject(storeError('STORE_CLOSED', `the store in ${this.path} is closed`, 'open it'));
    }
    const { ticket } = store;
    if (store.durable >= ticket) return Promise.resolve();
    store.flush();
    return new Promise((resolve, reject) => {
      this.waiters.push({ ticket, resolve, reject });
      this.wake();
    });
  }

  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    const { store } = this;
    try {
      if (store !== undefined) await this.finish(store);
    } finally {
      this.isClosed = true;
      clearTimeout(this.timer);
      clearImmediate(this.immediate);
      // The running operation still holds a descriptor.
      while (this.isRunning) await new Promise((resolve) => setTimeout(resolve, 1));
      this.disk.close();
      this.releaseLock();
    }
    if (store !== undefined && store.durable < store.ticket) {
      const message = `the store in ${this.path} could not be made durable`;
      throw storeError('STORE_NOT_DURABLE', message, 'check the disk and its free space');
    }
  }

  private async finish(store: DrivenStore): Promise<void> {
    store.wantSnapshot();
    const deadline = performance.now() + CLOSE_MS_MAX;
    while (!store.isSaved && !store.isFailing && performance.now() < deadline) {
      this.wake();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  private now(): number {
    return Math.floor(performance.now() - this.startedAt);
  }

  private turn(): void {
    const { store } = this;
    if (store === undefined || this.isRunning || this.isClosed) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    const now = this.now();
    if (store.poll(now, this.operation)) {
      this.isRunning = true;
      this.execute(this.operation, (outcome) => {
        this.isRunning = false;
        store.complete(this.now(), outcome);
        this.tellWaiters(store);
        this.onProgress();
        if (!this.isClosed) this.turn();
      });
      return;
    }
    const delay = store.nextDelay(now);
    if (delay < IDLE) {
      this.timer = setTimeout(() => this.turn(), Math.max(1, delay));
      // A disk that fails is tried for as long as the process has other things to do.
      if (store.isFailing && this.waiters.length === 0) this.timer.unref();
    }
  }

  private tellWaiters(store: DrivenStore): void {
    while (this.waiters.length > 0) {
      const waiter = this.waiters[0] as (typeof this.waiters)[number];
      if (store.durable >= waiter.ticket) waiter.resolve();
      else if (store.isFailing) {
        const message = `the disk of ${this.path} fails`;
        waiter.reject(storeError('STORE_NOT_DURABLE', message, 'check the disk and its free space'));
      } else return;
      this.waiters.shift();
    }
  }

  private execute(operation: DiskOperation, done: (outcome: number) => void): void {
    const { file } = operation;
    const end = (error: NodeJS.ErrnoException | null): void => done(error === null ? 0 : outcomeOf(error));
    switch (operation.kind) {
      case OperationKind.CREATE:
        this.create(file, operation.length, end);
        return;
      case OperationKind.WRITE:
        this.write(operation.bytes, operation.offset, operation.length, operation.position, end);
        return;
      case OperationKind.SYNC:
        // On macOS libuv asks for a full flush here.
        this.with(file, end, (descriptor) => fs.fdatasync(descriptor, end));
        return;
      case OperationKind.TRUNCATE:
        this.with(file, end, (descriptor) => fs.ftruncate(descriptor, operation.length, end));
        return;
      case OperationKind.READ: {
        const { bytes, offset, length, position } = operation;
        this.with(file, end, (descriptor) =>
          fs.read(descriptor, bytes, offset, length, position, (error, count) =>
            done(error === null ? count : outcomeOf(error)),
          ),
        );
        return;
      }
      case OperationKind.RENAME:
        this.disk.release(file);
        this.disk.release(operation.target);
        fs.rename(this.name(file), this.name(operation.target), end);
        return;
      case OperationKind.UNLINK:
        this.disk.release(file);
        fs.unlink(this.name(file), (error) => end(error?.code === 'ENOENT' ? null : error));
        return;
      default:
        this.syncDirectory(end);
    }
  }

  private name(file: number): string {
    return join(this.path, fileName(file));
  }

  private with(
    file: number,
    end: (error: NodeJS.ErrnoException | null) => void,
    use: (descriptor: number) => void,
  ): void {
    const descriptor = this.disk.open(file);
    if (descriptor >= 0) use(descriptor);
    else setImmediate(() => end(Object.assign(new Error('the file is gone'), { code: 'ENOENT' })));
  }

  private create(file: number, length: number, end: (error: NodeJS.ErrnoException | null) => void): void {
    fs.open(this.name(file), 'w+', 0o600, (error, descriptor) => {
      if (error !== null) {
        end(error);
        return;
      }
      this.disk.adopt(file, descriptor);
      if (length === 0) end(null);
      else fs.ftruncate(descriptor, length, end);
    });
  }

  private write(
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
    end: (error: NodeJS.ErrnoException | null) => void,
  ): void {
    this.with(this.operation.file, end, (descriptor) => {
      fs.write(descriptor, bytes, offset, length, position, (error, written) => {
        if (error === null && written < length)
          this.write(bytes, offset + written, length - written, position + written, end);
        else end(error);
      });
    });
  }

  /** Windows keeps its directories by itself and cannot open them. */
  private syncDirectory(end: (error: NodeJS.ErrnoException | null) => void): void {
    if (process.platform === 'win32') {
      setImmediate(end, null);
      return;
    }
    fs.open(this.path, 'r', (error, descriptor) => {
      if (error !== null) {
        end(error);
        return;
      }
      fs.fsync(descriptor, (failure) => {
        fs.closeSync(descriptor);
        end(failure);
      });
    });
  }
}

function outcomeOf({ code }: NodeJS.ErrnoException): number {
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG') return DiskError.FULL;
  return code === 'EROFS' || code === 'EACCES' || code === 'EPERM' || code === 'EBADF'
    ? DiskError.READ_ONLY
    : DiskError.FAILED;
}
