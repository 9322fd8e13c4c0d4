/**
 * One process a directory: `lock` holds the pid and, on Linux, the instant at which that process began, so that a pid
 * that was given to another process since does not keep a directory locked.
 */
import * as fs from 'node:fs';
import { join } from 'node:path';
import type { MoliaError } from '@molia/core';
import { storeError } from './errors.ts';

/** STORE_UNUSABLE: what the system said. */
export function unusable(path: string, cause: unknown): MoliaError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const text = `store directory ${path} cannot be used (${code ?? message})`;
  return storeError('STORE_UNUSABLE', text, 'check that this user may read and write it', cause);
}

/** Takes the lock of a directory; the result gives it up. Throws MoliaError STORE_LOCKED or STORE_UNUSABLE. */
export function lock(path: string): () => void {
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
    const owner = ownerOf(found);
    if (owner !== undefined) throw locked(path, owner);
    removeStale(file, found);
  }
  throw storeError('STORE_LOCKED', `store directory ${path} is being opened by another process`, 'retry');
}

/** Throws MoliaError STORE_LOCKED while a live process has the directory open; takes nothing, writes nothing. */
export function requireUnlocked(path: string): void {
  const owner = ownerOf(textOf(join(path, 'lock')));
  if (owner !== undefined) throw locked(path, owner);
}

function locked(path: string, { pid }: Owner): MoliaError {
  const message = `store directory ${path} is in use by process ${pid}`;
  return storeError('STORE_LOCKED', message, 'stop that process, or choose another directory');
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

/** The live process that a lock file names; `undefined` = there is none. */
function ownerOf(text: string | undefined): Owner | undefined {
  const owner = text === undefined ? undefined : parse(text);
  return owner !== undefined && isAlive(owner) ? owner : undefined;
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
