import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  controlSocketPath,
  dataDirAt,
  openDataDir,
  prepareSocketDir,
  readIdentitySeed,
  readLastPort,
  writeIdentitySeed,
} from '../src/datadir.ts';
import { acquireLock, lockOwner } from '../src/lock.ts';

let dir = '';
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'molia-datadir-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'nothing';
}

describe('data directory', () => {
  it('is created for its owner alone', () => {
    const { path } = openDataDir(join(dir, 'a', 'b'));
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  it('keeps a key 0600 and never overwrites one', () => {
    const { keyFile } = openDataDir(join(dir, 'key'));
    expect(readIdentitySeed(keyFile)).toBeUndefined();
    writeIdentitySeed(keyFile, new Uint8Array(32).fill(7));
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(codeOf(() => writeIdentitySeed(keyFile, new Uint8Array(32)))).toBe('FILE_EXISTS');
    expect(readIdentitySeed(keyFile)).toEqual(new Uint8Array(32).fill(7));
  });

  it('refuses a key that others can read, and one that is no key', () => {
    const { keyFile } = openDataDir(join(dir, 'bad-key'));
    writeFileSync(keyFile, 'not a key\n', { mode: 0o600 });
    expect(codeOf(() => readIdentitySeed(keyFile))).toBe('KEY_MALFORMED');
    chmodSync(keyFile, 0o640);
    expect(codeOf(() => readIdentitySeed(keyFile))).toBe('KEY_PERMISSIONS');
    expect(readFileSync(keyFile, 'utf8')).toBe('not a key\n');
  });

  it('says why a directory cannot be used', () => {
    const file = join(dir, 'file');
    writeFileSync(file, '');
    expect(codeOf(() => openDataDir(join(file, 'below')))).toBe('DATA_DIR_UNUSABLE');
    expect(codeOf(() => openDataDir(file))).toBe('DATA_DIR_UNUSABLE');
  });

  it('remembers no port when the file is missing or damaged', () => {
    const data = openDataDir(join(dir, 'port'));
    expect(readLastPort(data)).toBe(0);
    writeFileSync(data.portFile, '99999\n');
    expect(readLastPort(data)).toBe(0);
    writeFileSync(data.portFile, '4100\n');
    expect(readLastPort(data)).toBe(4100);
  });

  it('moves the socket of a long path to a short one, the same each time', () => {
    const long = join(dir, 'x'.repeat(120));
    const path = controlSocketPath(long, undefined);
    expect(Buffer.byteLength(path)).toBeLessThanOrEqual(103);
    expect(controlSocketPath(long, undefined)).toBe(path);
    expect(controlSocketPath(`${long}y`, undefined)).not.toBe(path);
    expect(controlSocketPath(dir, undefined)).toBe(join(dir, 'control.sock'));
  });

  it('refuses a socket directory that others may enter', () => {
    const shared = join(dir, 'shared');
    prepareSocketDir(shared);
    prepareSocketDir(shared);
    chmodSync(shared, 0o755);
    expect(codeOf(() => prepareSocketDir(shared))).toBe('CONTROL_UNAVAILABLE');
  });
});

describe('lock', () => {
  it('lets one process in and names it to the next', () => {
    const data = openDataDir(join(dir, 'lock'));
    const lock = acquireLock(data, '/some/socket');
    expect(lockOwner(data)).toMatchObject({ pid: process.pid, socket: '/some/socket' });
    expect(() => acquireLock(data, 's')).toThrow(new RegExp(`pid ${process.pid}`));
    lock.release();
    lock.release();
    expect(existsSync(data.lockFile)).toBe(false);
    acquireLock(data, 's').release();
  });

  it('takes over from a process that died, also when its pid lives on in another one', async () => {
    const data = dataDirAt(openDataDir(join(dir, 'stale')).path);
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    writeFileSync(data.lockFile, JSON.stringify({ v: 1, pid: child.pid, started: '', socket: '' }));
    expect(lockOwner(data)).toBeUndefined();
    acquireLock(data, 's').release();
    if (process.platform === 'linux') {
      writeFileSync(data.lockFile, JSON.stringify({ v: 1, pid: process.pid, started: '1', socket: '' }));
      acquireLock(data, 's').release();
    }
    writeFileSync(data.lockFile, 'torn');
    acquireLock(data, 's').release();
  });

  it('is not released by somebody else’s handle', () => {
    const data = openDataDir(join(dir, 'theirs'));
    const lock = acquireLock(data, 'mine');
    writeFileSync(data.lockFile, 'theirs');
    lock.release();
    expect(readFileSync(data.lockFile, 'utf8')).toBe('theirs');
  });
});
