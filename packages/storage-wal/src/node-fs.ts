/**
 * The Node driver: a store in a directory. Reads are synchronous and by position (what is read lies in the page cache
 * or costs one disk access); everything else runs in Node's thread pool, one operation at a time, so that the event loop
 * never waits for a write or a sync. This is the one file of the package that knows Node, a clock and promises.
 *
 * One process a directory: `lock` holds the pid and, on Linux, the instant at which that process began.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import { IDLE, MoliaError } from '@molia/core';
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
import type { StorageErrorCode } from './recovery.ts';

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

/** Reads the files of a directory that may be in use: for `verify` and `dump`. Takes no lock, changes nothing. */
export function openDisk(path: string): Disk & { close(): void } {
  return new NodeDisk(path);
}

function storeError(code: StorageErrorCode, message: string, cause: unknown, hint: string): MoliaError {
  return new MoliaError<StorageErrorCode>(code, message, { cause, hint });
}

class NodeDisk implements Disk {
  readonly path: string;
  private readonly descriptors = new Map<number, number>();

  constructor(path: string) {
    this.path = path;
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

  /** The descriptor of a file, read and write where allowed; -1 = it cannot be opened. */
  open(file: number): number {
    const held = this.descriptors.get(file);
    if (held !== undefined) return held;
    const name = join(this.path, fileName(file));
    for (const mode of ['r+', 'r']) {
      try {
        const descriptor = fs.openSync(name, mode);
        this.descriptors.set(file, descriptor);
        return descriptor;
      } catch {
        // Read-only next, then not at all.
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
      return Promise.reject(
        storeError('STORE_CLOSED', `the store in ${this.path} is closed`, undefined, 'open it'),
      );
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
      throw storeError('STORE_NOT_DURABLE', message, undefined, 'check the disk and its free space');
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
        waiter.reject(
          storeError('STORE_NOT_DURABLE', message, undefined, 'check the disk and its free space'),
        );
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

function unusable(path: string, cause: unknown): MoliaError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const text = `store directory ${path} cannot be used (${code ?? message})`;
  return storeError('STORE_UNUSABLE', text, cause, 'check that this user may read and write it');
}

/** Takes the lock of a directory; the result gives it up. */
function lock(path: string): () => void {
  const file = join(path, 'lock');
  const text = `${JSON.stringify({ v: 1, pid: process.pid, started: startedAt(process.pid) })}\n`;
  // BOUNDED: by 8 attempts; each takes the lock, finds a live owner, or removes one stale file.
  for (let attempt = 0; attempt < 8; attempt++) {
    if (tryLock(path, file, text)) {
      return () => {
        if (textOf(file) === text) fs.unlinkSync(file);
      };
    }
    const found = textOf(file);
    if (found === undefined) continue;
    const owner = parse(found);
    if (owner !== undefined && isAlive(owner)) {
      const message = `store directory ${path} is in use by process ${owner.pid}`;
      throw storeError('STORE_LOCKED', message, undefined, 'stop that process, or choose another directory');
    }
    removeStale(file, found);
  }
  throw storeError(
    'STORE_LOCKED',
    `store directory ${path} is being opened by another process`,
    undefined,
    'retry',
  );
}

/** The file appears with its content or not at all: written aside, then linked to its name. */
function tryLock(path: string, file: string, text: string): boolean {
  const aside = `${file}.${process.pid}.new`;
  try {
    fs.writeFileSync(aside, text, { mode: 0o600 });
    try {
      fs.linkSync(aside, file);
    } finally {
      fs.unlinkSync(aside);
    }
    return true;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw unusable(path, cause);
  }
}

/** Two starters may judge the same file stale: the one whose rename caught a newer lock puts that one back. */
function removeStale(file: string, judged: string): void {
  const aside = `${file}.${process.pid}.stale`;
  try {
    fs.renameSync(file, aside);
    if (fs.readFileSync(aside, 'utf8') !== judged) fs.linkSync(aside, file);
    fs.unlinkSync(aside);
  } catch {
    // Gone or replaced meanwhile: the next attempt looks again.
  }
}

interface Owner {
  readonly pid: number;
  readonly started: string;
}

function isAlive({ pid, started }: Owner): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return started === '' || startedAt(pid) === started;
}

function textOf(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function parse(text: string): Owner | undefined {
  try {
    const { pid, started } = JSON.parse(text) as Record<string, unknown>;
    if (!Number.isInteger(pid) || (pid as number) <= 0) return undefined;
    return { pid: pid as number, started: typeof started === 'string' ? started : '' };
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat; the command name before it may hold spaces and brackets. */
function startedAt(pid: number): string {
  if (process.platform !== 'linux') return '';
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
