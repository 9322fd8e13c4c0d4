/**
 * One daemon a data directory. The lock is a file with the owner's pid and, where the system tells it, the instant at
 * which that process began: a pid that was given to another process since does not keep a directory locked.
 */
import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { type DataDir, reason } from './datadir.ts';
import { cliError } from './errors.ts';

export interface LockInfo {
  readonly pid: number;
  /** Start instant of the process in ticks (Linux), else ''. */
  readonly started: string;
  readonly socket: string;
}

export interface Lock {
  /** Idempotent; removes the file only while it is ours. */
  release(): void;
}

/**
 * Takes the lock.
 * @throws MoliaError DATA_DIR_LOCKED naming the pid, DATA_DIR_UNUSABLE
 */
export function acquireLock(dir: DataDir, socket: string): Lock {
  const mine: LockInfo = { pid: process.pid, started: startedAt(process.pid), socket };
  const text = `${JSON.stringify({ v: 1, ...mine })}\n`;
  // BOUNDED: by 8 attempts; each one takes the lock, finds a live owner, or removes one stale file.
  for (let attempt = 0; attempt < 8; attempt++) {
    if (tryCreate(dir, text)) return { release: () => release(dir.lockFile, text) };
    const found = readText(dir.lockFile);
    if (found === undefined) continue;
    const owner = parseLock(found);
    if (owner !== undefined && isAlive(owner)) {
      throw cliError('DATA_DIR_LOCKED', `another daemon (pid ${owner.pid}) uses ${dir.path}`);
    }
    removeStale(dir.lockFile, found);
  }
  throw cliError('DATA_DIR_LOCKED', `another daemon is starting in ${dir.path}`);
}

/** Who holds the lock of a directory now, if a live process does. */
export function lockOwner(dir: DataDir): LockInfo | undefined {
  const text = readText(dir.lockFile);
  const owner = text === undefined ? undefined : parseLock(text);
  return owner !== undefined && isAlive(owner) ? owner : undefined;
}

function isAlive(owner: LockInfo): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return owner.started === '' || startedAt(owner.pid) === owner.started;
}

/** The file appears with its content or not at all: written aside, then linked to its name. */
function tryCreate(dir: DataDir, text: string): boolean {
  const temporary = `${dir.lockFile}.${process.pid}.new`;
  try {
    writeFileSync(temporary, text, { mode: 0o600 });
    try {
      linkSync(temporary, dir.lockFile);
    } finally {
      unlinkSync(temporary);
    }
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return false;
    throw cliError('DATA_DIR_UNUSABLE', `data directory ${dir.path} cannot be written (${reason(code)})`, {
      cause: error,
    });
  }
}

/** Two starters may judge the same file stale: the one whose rename caught a newer lock puts that one back. */
function removeStale(lockFile: string, judged: string): void {
  const aside = `${lockFile}.${process.pid}.stale`;
  try {
    renameSync(lockFile, aside);
    if (readFileSync(aside, 'utf8') !== judged) linkSync(aside, lockFile);
    unlinkSync(aside);
  } catch {
    // Gone or replaced meanwhile: the next attempt looks again.
  }
}

function release(lockFile: string, text: string): void {
  if (readText(lockFile) === text) unlinkSync(lockFile);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function parseLock(text: string): LockInfo | undefined {
  try {
    const { pid, started, socket } = JSON.parse(text) as Record<string, unknown>;
    if (!Number.isInteger(pid) || (pid as number) <= 0) return undefined;
    return {
      pid: pid as number,
      started: typeof started === 'string' ? started : '',
      socket: typeof socket === 'string' ? socket : '',
    };
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/PID/stat; the command name before it may hold spaces and brackets. */
function startedAt(pid: number): string {
  if (process.platform !== 'linux') return '';
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
