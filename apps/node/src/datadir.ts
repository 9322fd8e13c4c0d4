/**
 * The data directory: created 0700, holds the identity (0600), what the node keeps (`records/`,
 * `peerstore/`), the control token (0600) and the lock.
 * Refuses a key that other users can read, and never overwrites one.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  accessSync,
  chmodSync,
  constants,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromHex, toHex } from '@molia/core';
import { cliError } from './errors.ts';

/** Longest path that a unix socket takes on every platform we know (macOS: 104 bytes with its end). */
const SOCKET_PATH_BYTES_MAX = 103;

export interface DataDir {
  readonly path: string;
  readonly keyFile: string;
  readonly tokenFile: string;
  readonly lockFile: string;
  readonly portFile: string;
}

/** Names inside a data directory; touches nothing. */
export function dataDirAt(path: string): DataDir {
  return {
    path,
    keyFile: join(path, 'identity.key'),
    tokenFile: join(path, 'control.token'),
    lockFile: join(path, 'lock'),
    portFile: join(path, 'port'),
  };
}

/**
 * Creates the directory if it is missing and checks that it can be written.
 * @throws MoliaError DATA_DIR_UNUSABLE
 */
export function openDataDir(path: string): DataDir {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    if (!statSync(path).isDirectory()) throw Object.assign(new Error('not a directory'), { code: 'ENOTDIR' });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw cliError('DATA_DIR_UNUSABLE', `data directory ${path} cannot be used (${reason(code)})`, {
      cause: error,
    });
  }
  return dataDirAt(path);
}

/** What an errno means, for people. */
export function reason(code: string | undefined): string {
  switch (code) {
    case 'EACCES':
    case 'EPERM':
      return 'permission denied';
    case 'ENOTDIR':
    case 'EEXIST':
      return 'a part of the path is not a directory';
    case 'EROFS':
      return 'the file system is read-only';
    case 'ENOSPC':
      return 'no space left';
    case 'ENOENT':
      return 'it does not exist and cannot be created';
    default:
      return code ?? 'unknown reason';
  }
}

/**
 * The 32-byte identity seed, or undefined when there is no key file yet.
 * @throws MoliaError KEY_PERMISSIONS, KEY_MALFORMED, DATA_DIR_UNUSABLE
 */
export function readIdentitySeed(keyFile: string): Uint8Array | undefined {
  let text: string;
  try {
    const { mode } = statSync(keyFile);
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw cliError(
        'KEY_PERMISSIONS',
        `${keyFile} can be read by other users (mode ${(mode & 0o777).toString(8)})`,
        {
          hint: `Run: chmod 600 ${keyFile}`,
        },
      );
    }
    text = readFileSync(keyFile, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'KEY_PERMISSIONS') throw error;
    if (code === 'ENOENT') return undefined;
    throw cliError('DATA_DIR_UNUSABLE', `${keyFile} cannot be read (${reason(code)})`, { cause: error });
  }
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw cliError('KEY_MALFORMED', `${keyFile} does not hold 64 hexadecimal digits`);
  }
  return fromHex(text.toLowerCase());
}

/**
 * Writes a new seed, 0600, whole or not at all.
 * @throws MoliaError FILE_EXISTS when there is a file already: an identity is never overwritten.
 */
export function writeIdentitySeed(keyFile: string, seed: Uint8Array): void {
  const temporary = `${keyFile}.${process.pid}.new`;
  try {
    writeFileSync(temporary, `${toHex(seed)}\n`, { mode: 0o600, flag: 'wx', flush: true });
    try {
      linkSync(temporary, keyFile); // fails if the name exists, unlike rename
    } finally {
      unlinkSync(temporary);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') {
      throw cliError('FILE_EXISTS', `${keyFile} exists and is not overwritten`, {
        hint: 'Choose another name with --out',
      });
    }
    throw cliError('FILE_UNREADABLE', `${keyFile} cannot be written (${reason(code)})`, { cause: error });
  }
}

/** A fresh control token (32 random bytes in hex), written 0600 in place of the last run's. */
export function writeToken(dir: DataDir): string {
  const token = randomBytes(32).toString('hex');
  writeAtomic(dir.tokenFile, `${token}\n`);
  return token;
}

/** Whole or not at all, 0600. */
export function writeAtomic(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.new`;
  writeFileSync(temporary, text, { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, file);
}

/** The UDP port of the last run, so that a seed string pasted elsewhere stays true; 0 = none. */
export function readLastPort(dir: DataDir): number {
  try {
    const port = Number(readFileSync(dir.portFile, 'utf8').trim());
    return Number.isInteger(port) && port > 0 && port < 65536 ? port : 0;
  } catch {
    return 0;
  }
}

/**
 * Where the control socket of a data directory lies. A path that a unix socket cannot take falls back to a short
 * one below the OS's temporary directory, in a directory of our own (0700, checked by `prepareSocketDir`).
 */
export function controlSocketPath(dataDir: string, configured: string | undefined): string {
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  if (process.platform === 'win32') return configured ?? `\\\\.\\pipe\\molia-${name}`;
  const natural = configured ?? join(dataDir, 'control.sock');
  if (Buffer.byteLength(natural) <= SOCKET_PATH_BYTES_MAX) return natural;
  const short = (base: string): string =>
    join(base, `molia-${process.getuid?.() ?? 0}-${name}`, 'control.sock');
  const preferred = short(tmpdir());
  return Buffer.byteLength(preferred) <= SOCKET_PATH_BYTES_MAX ? preferred : short('/tmp');
}

/**
 * Makes the directory of a fallback socket and checks that it is ours alone: in a shared temporary directory
 * somebody else may have made it first.
 * @throws MoliaError CONTROL_UNAVAILABLE
 */
export function prepareSocketDir(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
    return;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EEXIST') {
      throw cliError(
        'CONTROL_UNAVAILABLE',
        `socket directory ${directory} cannot be made (${reason(code)})`,
        {
          cause: error,
        },
      );
    }
  }
  const info = lstatSync(directory);
  if (!info.isDirectory() || info.uid !== process.getuid?.() || (info.mode & 0o077) !== 0) {
    throw cliError('CONTROL_UNAVAILABLE', `socket directory ${directory} is not ours alone`, {
      hint: `Remove it, or set control.socket to a short path`,
    });
  }
}
