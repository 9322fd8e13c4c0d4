/** `molia store verify` and `molia store dump`: the files of a node that is stopped, read and never changed. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { toHex } from '@molia/core';
import { dumpStore, fileName, type SegmentCheck, type StoreCheck, verifyStore } from '@molia/storage-wal';
import { openDisk } from '@molia/storage-wal/node-fs';
import { dataDirAt } from '../datadir.ts';
import { cliError, misuse } from '../errors.ts';
import { lockOwner } from '../lock.ts';
import { humanBytes, jsonLine } from '../output.ts';
import type { Context } from '../program.ts';
import { configOf } from './verb-io.ts';

/** What a data directory holds, each in a directory of its own. */
const STORES = ['records', 'peerstore'] as const;
/** Lines are handed over in pieces of this size. */
const PIECE_CHARS = 65_536;

export async function verify(context: Context): Promise<void> {
  const { output } = context;
  const damaged: string[] = [];
  for (const { store, path } of stopped(context, STORES)) {
    const check = verified(path);
    if (check === undefined) output.emit({ store, isThere: false, isWhole: false }, `${store}: not there`);
    else output.emit({ store, isThere: true, ...check }, described(store, check));
    if (check?.isWhole !== true) damaged.push(store);
  }
  requireWhole(damaged);
}

export async function dump(context: Context, name: string | undefined): Promise<void> {
  const { output } = context;
  const chosen = STORES.filter((store) => name === undefined || store === name);
  if (chosen.length === 0)
    throw misuse('INVALID_ARGUMENT', `store: expected ${STORES.join(' or ')}, not ${JSON.stringify(name)}`);
  const damaged: string[] = [];
  for (const { store, path } of stopped(context, chosen)) {
    if (!existsSync(path)) {
      damaged.push(store);
      continue;
    }
    const disk = openDisk(path);
    let piece = '';
    try {
      for (const { key, ...frame } of dumpStore(disk)) {
        const line = { store, ...frame, key: toHex(key) };
        piece += output.json ? jsonLine(line) : `${frameText(line)}\n`;
        if (piece.length < PIECE_CHARS) continue;
        await output.raw(Buffer.from(piece));
        piece = '';
      }
      await output.raw(Buffer.from(piece));
    } finally {
      disk.close();
    }
    if (verified(path)?.isWhole !== true) damaged.push(store);
  }
  requireWhole(damaged);
}

/** Where the stores of the data directory lie. Throws DATA_DIR_LOCKED while a daemon runs, FILE_NOT_FOUND when there are none. */
function stopped(context: Context, stores: readonly string[]): { store: string; path: string }[] {
  const { dataDir } = configOf(context);
  const owner = lockOwner(dataDirAt(dataDir));
  if (owner !== undefined) {
    throw cliError('DATA_DIR_LOCKED', `a daemon (pid ${owner.pid}) uses ${dataDir}`, {
      hint: 'Stop it with `molia stop` first, or read a copy of the directory',
    });
  }
  const found = stores.map((store) => ({ store, path: join(dataDir, store) }));
  if (found.some(({ path }) => existsSync(path))) return found;
  throw cliError('FILE_NOT_FOUND', `there is no ${stores.join(' and no ')} in ${dataDir}`, {
    hint: 'Name the data directory of a node that ran before with --data-dir',
  });
}

/** `undefined`: the store is not there. */
function verified(path: string): StoreCheck | undefined {
  if (!existsSync(path)) return undefined;
  const disk = openDisk(path);
  try {
    return verifyStore(disk);
  } finally {
    disk.close();
  }
}

function requireWhole(damaged: readonly string[]): void {
  if (damaged.length === 0) return;
  throw cliError('STORE_DAMAGED', `${damaged.join(' and ')}: not all that should be there verifies`);
}

function described(store: string, { segments, missing, snapshot, isWhole }: StoreCheck): string {
  const frames = segments.reduce((sum, segment) => sum + segment.frames, 0);
  const bytes = segments.reduce((sum, { size }) => sum + size, 0);
  const lines = segments.flatMap((segment) => findings(segment));
  const gone = missing.map((sequence) => `  ${fileName(sequence)}: missing`);
  const state = isWhole ? 'whole' : 'DAMAGED';
  const held = `${segments.length} segments, ${frames} frames, ${humanBytes(bytes)}, snapshot: ${snapshot}`;
  return [`${store}: ${state}; ${held}`, ...lines, ...gone].join('\n');
}

function findings({ sequence, damagedBytes, lostBytes, tornBytes }: SegmentCheck): string[] {
  const texts: [number, string][] = [
    [damagedBytes, 'do not verify'],
    [lostBytes, 'are gone from its end'],
    [tornBytes, 'at its end were not written whole, as a crash may leave it'],
  ];
  return texts
    .filter(([bytes]) => bytes > 0)
    .map(([b, text]) => `  ${fileName(sequence)}: ${b} bytes ${text}`);
}

interface Line {
  readonly store: string;
  readonly segment: number;
  readonly position: number;
  readonly kind: string;
  readonly key: string;
  readonly expiresUnix: number;
  readonly valueBytes: number;
}

function frameText({ store, segment, position, kind, key, expiresUnix, valueBytes }: Line): string {
  const place = `${store} ${segment}:${position}`;
  const size = kind === 'put' ? ` ${valueBytes} B` : '';
  // The last second of a u32 stands for never.
  const until = expiresUnix === 0 || expiresUnix === 0xffff_ffff ? '' : ` until ${instant(expiresUnix)}`;
  return `${place} ${kind} ${key}${size}${until}`.trimEnd();
}

const instant = (unix: number): string => new Date(unix * 1000).toISOString().replace('.000', '');
