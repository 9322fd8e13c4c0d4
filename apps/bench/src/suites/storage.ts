/**
 * Stores at equal durability: a put counts when it would survive a power cut (each store's own synced commit), in commits
 * of 1, 1,000 and 20,000 records. Then random gets, a SIGKILL, and the time until the store is open again. Each store
 * runs in processes of its own; every value read is checked.
 */
import { fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Report, Row } from '../report.ts';
import { medians } from '../statistics.ts';
import { SUBJECTS, VALUE_BYTES } from './storage-subjects.ts';

const KEY_BYTES = 32;
/** Puts that wait for a commit each: slow everywhere. */
const SINGLE = 200;
const BATCHED = 20_000;
const LARGE = 20_000;
const COMMIT = 1_000;

export interface StorageOptions {
  readonly records: number;
  readonly seconds: number;
  readonly runs: number;
  /** Where the files go: a directory on the disk to be measured. */
  readonly directory: string;
}

/** Reads that this process was asked to write to disk, by the kernel's account; NaN where there is none. */
function writtenBytes(): number {
  try {
    return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);
  } catch {
    return Number.NaN;
  }
}

const seconds = (from: number): number => (performance.now() - from) / 1000;

/** Fills a store and reads it, then dies as a killed process does. */
async function fill(name: string, path: string, records: number, length: number): Promise<object> {
  const subject = await (SUBJECTS[name] as NonNullable<(typeof SUBJECTS)[string]>)(path);
  let next = 0;
  let from = performance.now();
  for (; next < SINGLE; next++) await subject.put(next, 1);
  const single = SINGLE / seconds(from);
  from = performance.now();
  for (; next < SINGLE + BATCHED; next += COMMIT) await subject.put(next, COMMIT);
  const batched = BATCHED / seconds(from);
  const before = writtenBytes();
  const first = next;
  from = performance.now();
  for (; next < records; next += LARGE) await subject.put(next, Math.min(LARGE, records - next));
  const large = (records - first) / seconds(from);
  const amplification = (writtenBytes() - before) / ((records - first) * (KEY_BYTES + VALUE_BYTES));
  let gets = 0;
  from = performance.now();
  let index = 1;
  while (seconds(from) < length) {
    for (let i = 0; i < 1_000; i++, gets++) {
      index = (Math.imul(index, 1_103_515_245) + 12_345) >>> 0;
      const wanted = index % records;
      const value = subject.get(wanted);
      if (((value[0] as number) | ((value[1] as number) << 8)) !== (wanted & 0xffff))
        throw new Error(`record ${wanted} differs`);
    }
  }
  return {
    'durable puts/s, 1 a commit': single,
    'durable puts/s, 1,000 a commit': batched,
    'durable puts/s, 20,000 a commit': large,
    'gets/s': gets / seconds(from),
    'bytes written per byte put': amplification,
  };
}

/** Opens what the killed process left. */
async function reopen(name: string, path: string, records: number, label: string): Promise<object> {
  const memory = process.memoryUsage().rss;
  const from = performance.now();
  const subject = await (SUBJECTS[name] as NonNullable<(typeof SUBJECTS)[string]>)(path);
  subject.get(records - 1);
  const ms = seconds(from) * 1000;
  (globalThis as { gc?: () => void }).gc?.();
  const bytes = process.memoryUsage().rss - memory;
  await subject.close();
  return {
    [`open after ${label}, ms`]: ms,
    ...(label === 'a close' && { 'RSS per record, bytes': bytes / records }),
  };
}

/** One step in its own process; called by the hidden command `storage-worker`. */
export async function storageWorker(
  step: string,
  name: string,
  path: string,
  records: number,
  length: number,
): Promise<void> {
  const result =
    step === 'fill'
      ? await fill(name, path, records, length)
      : await reopen(name, path, records, step === 'kill' ? 'a kill' : 'a close');
  await new Promise<void>((resolve) => process.send?.(result, () => resolve()));
  // Without any of the store's own endings.
  process.kill(process.pid, 'SIGKILL');
}

function inProcess(args: readonly string[]): Promise<Record<string, number>> {
  return new Promise((resolve, reject) => {
    const child = fork(process.argv[1] as string, ['storage-worker', ...args], { execArgv: ['--expose-gc'] });
    let result: Record<string, number> | undefined;
    child.on('message', (message) => {
      result = message as Record<string, number>;
    });
    child.on('exit', (code) => {
      if (result === undefined) reject(new Error(`it ended with ${code}`));
      else resolve(result);
    });
  });
}

function sizeOf(path: string): number {
  const info = statSync(path);
  // Blocks, not lengths: files may be reserved larger than they are filled.
  return info.isDirectory()
    ? readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0)
    : info.blocks * 512;
}

export async function storage(options: StorageOptions, report: Report): Promise<void> {
  const { records, runs } = options;
  const measured = new Map<string, Record<string, number>[]>();
  mkdirSync(options.directory, { recursive: true });
  for (let run = 0; run < runs; run++) {
    for (const name of Object.keys(SUBJECTS)) {
      report.progress(`storage, run ${run + 1}: ${name}`);
      const path = mkdtempSync(join(options.directory, 'storage-'));
      try {
        const args = [name, path, String(records), String(options.seconds)];
        const filled = await inProcess(['fill', ...args]);
        const killed = await inProcess(['kill', ...args]);
        const closed = await inProcess(['close', ...args]);
        const bytes = { 'disk bytes per record': sizeOf(path) / records };
        measured.set(name, [...(measured.get(name) ?? []), { ...filled, ...killed, ...closed, ...bytes }]);
      } catch (error) {
        report.progress(`skipped ${name}: ${(error as Error).message}`);
      } finally {
        rmSync(path, { recursive: true, force: true });
      }
    }
  }
  const rows: Row[] = [...measured].map(([name, all]) => ({ name, values: medians(all), runs: all }));
  report.table(`storage: ${records} records of ${KEY_BYTES} + ${VALUE_BYTES} bytes`, rows);
}
