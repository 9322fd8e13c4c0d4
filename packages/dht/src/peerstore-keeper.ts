/** Keeps a peerstore up to date: loads it once, saves it some time after changes and at the end, sets aside what is corrupt. */
import { PEERSTORE_SAVE_MS } from './constants.ts';
import { decodePeerstore, encodePeerstore, type PeerstoreSnapshot } from './peerstore.ts';
import type { NodeEvent, PeerstoreDriver } from './types.ts';

export class PeerstoreKeeper {
  readonly #driver: PeerstoreDriver | undefined;
  readonly #emit: (event: NodeEvent) => void;
  #snapshot: (() => PeerstoreSnapshot) | undefined;
  #loaded: PeerstoreSnapshot | undefined;
  #timer: NodeJS.Timeout | undefined;
  #saving: Promise<void> = Promise.resolve();

  constructor(driver: PeerstoreDriver | undefined, emit: (event: NodeEvent) => void) {
    this.#driver = driver;
    this.#emit = emit;
  }

  /** Rejects when the store exists and cannot be read, or when corrupt bytes cannot be set aside. */
  async load(): Promise<PeerstoreSnapshot | undefined> {
    const bytes = await this.#driver?.load();
    if (bytes === undefined) return undefined;
    this.#loaded = decodePeerstore(bytes);
    if (this.#loaded === undefined) {
      const where = await this.#driver?.setAside?.(bytes);
      this.#emit({
        type: 'alert',
        code: 'PEERSTORE_CORRUPT',
        message: `the peerstore (${bytes.length} bytes) does not verify and is not used`,
        hint: where === undefined ? 'the node joins through its seeds' : `it was kept as ${where}`,
      });
    }
    return this.#loaded;
  }

  /** From now on `snapshot` says what to save. */
  attach(snapshot: () => PeerstoreSnapshot): void {
    this.#snapshot = snapshot;
  }

  /** Something changed: it is saved within a minute. */
  changed(): void {
    if (this.#driver === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.save().catch((error: Error & { code?: string; hint?: string }) => {
        const { code = 'PEERSTORE_UNREADABLE', message, hint } = error;
        this.#emit({ type: 'alert', code, message, ...(hint === undefined ? {} : { hint }) });
      });
    }, PEERSTORE_SAVE_MS);
    this.#timer.unref();
  }

  /** Saves now, after a save that runs. */
  save(): Promise<void> {
    const driver = this.#driver;
    const next = this.#saving
      .catch(() => {})
      .then(async () => {
        const snapshot = this.#snapshot?.();
        if (driver === undefined || snapshot === undefined) return;
        await driver.save(encodePeerstore(this.#withRemembered(snapshot)));
      });
    this.#saving = next;
    return next;
  }

  /** Stops saving by itself. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A node that found nobody in this run must not forget whom it knew before. */
  #withRemembered(snapshot: PeerstoreSnapshot): PeerstoreSnapshot {
    if (snapshot.contacts.length > 0 || this.#loaded === undefined) return snapshot;
    return { ...snapshot, contacts: this.#loaded.contacts };
  }
}
