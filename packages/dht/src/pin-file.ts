/** What is pinned, in `pins.json` of the data directory: replaced whole, so that a crash leaves the old list or the new one. */
import { readFileSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { dhtError } from './errors.ts';

export interface SavedPin {
  /** 64 hex digits; the read key of a sealed blob is not needed and not kept. */
  readonly key: string;
  readonly kind: 'record' | 'blob';
  readonly addedUnix: number;
  /** Last complete visit; 0 = none yet. */
  checkedUnix: number;
}

const VERSION = 1;

export class PinFile {
  readonly #path: string | undefined;
  #writing: Promise<void> = Promise.resolve();

  /** Without a data directory nothing is kept. */
  constructor(dataDir: string | undefined) {
    this.#path = dataDir === undefined ? undefined : join(dataDir, 'pins.json');
  }

  /** Throws MoliaError STORE_UNUSABLE, STORE_VERSION: to forget what is pinned would let it die. */
  load(): readonly SavedPin[] {
    if (this.#path === undefined) return [];
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw unusable(this.#path, error);
    }
    let kept: { version?: unknown; pins?: readonly SavedPin[] };
    try {
      kept = JSON.parse(text);
    } catch (error) {
      throw unusable(this.#path, error);
    }
    if (kept.version !== VERSION) {
      throw dhtError('STORE_VERSION', `${this.#path} is of version ${String(kept.version)}, not ${VERSION}`, {
        hint: 'update this program',
      });
    }
    const pins = kept.pins;
    if (!Array.isArray(pins) || !pins.every(isPin)) throw unusable(this.#path, undefined);
    return pins;
  }

  /** Resolves when the list is on the disk; one write after the other. */
  save(pins: readonly SavedPin[]): Promise<void> {
    const path = this.#path;
    if (path === undefined) return Promise.resolve();
    const write = async () => {
      const file = await open(`${path}.new`, 'w', 0o600);
      try {
        await file.writeFile(`${JSON.stringify({ version: VERSION, pins }, null, 1)}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(`${path}.new`, path);
    };
    const done = this.#writing.then(write).catch((error: unknown) => {
      throw dhtError('STORE_NOT_DURABLE', `${path} cannot be written`, { cause: error });
    });
    this.#writing = done.catch(() => {});
    return done;
  }

  /** Resolves when nothing is being written. */
  settled(): Promise<void> {
    return this.#writing;
  }
}

function isPin(pin: Partial<SavedPin> | null): boolean {
  return (
    typeof pin?.key === 'string' &&
    /^[0-9a-f]{64}$/.test(pin.key) &&
    (pin.kind === 'record' || pin.kind === 'blob') &&
    Number.isSafeInteger(pin.addedUnix) &&
    Number.isSafeInteger(pin.checkedUnix)
  );
}

function unusable(path: string, cause: unknown): Error {
  return dhtError('STORE_UNUSABLE', `${path} cannot be read`, {
    cause,
    hint: 'repair it, or move it away: then nothing is pinned',
  });
}
