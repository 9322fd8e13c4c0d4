/**
 * What a node keeps between runs, in its data directory: `records/`, the record store, and `peerstore/`, its contacts and a
 * floor for handshake time stamps (so that a clock set back does not make peers drop our initiations as replays). Without
 * a directory records live in memory and nothing is kept.
 */
import { lstatSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MoliaError, type Rng } from '@molia/core';
import { type ContactInfo, createMemoryStore, type RecordStore } from '@molia/kademlia';
import {
  type ContactStore,
  createContactStore,
  createRecordStore,
  type KeyedStore,
  type KeyedStoreOptions,
  openKeyedStore,
  type StoreReport,
  type StoreReportCode,
} from '@molia/storage-wal';
import { type Directory, openDirectory } from '@molia/storage-wal/node-fs';
import { RECORD_BYTES_MAX } from '@molia/wire';
import {
  PEERSTORE_BYTES_MAX,
  PEERSTORE_CACHE_BYTES,
  PEERSTORE_CONTACTS_MAX,
  PEERSTORE_SAVE_MS,
  PEERSTORE_SEGMENT_BYTES,
} from './constants.ts';
import type { SeedContact } from './seeds.ts';
import type { NodeEvent, NodeLimits } from './types.ts';

type Bounds = Pick<Required<NodeLimits>, 'recordsMax' | 'storeBytesMax'>;

/** What is to be remembered now. */
export interface Acquaintances {
  readonly contacts: readonly ContactInfo[];
  /** `now` of the engine, which `lastSeenMs` of the contacts refers to. */
  readonly now: number;
  /** 12 bytes. */
  readonly tai64n: Uint8Array;
}

type StoreBounds = Pick<KeyedStoreOptions, 'countMax' | 'bytesMax' | 'segmentBytes' | 'cacheBytes'>;

const HINTS: Partial<Record<StoreReportCode, string>> = {
  DAMAGED: 'check the disk; what was lost comes back from other nodes where they hold it',
  MISSING_SEGMENT: 'put the file back and start again, if you have it',
  RECORDS_LOST: 'check the disk; other nodes may hold them still',
  DISK_FULL: 'free some space',
  DISK_READ_ONLY: 'make the data directory writable',
  DISK_FAILED: 'check the disk',
  WRITER_BEHIND: 'use a faster disk, or let the node take fewer writes',
};

/**
 * Opens what was kept in `dataDir`; `undefined` keeps nothing. `id`: our node id. Throws MoliaError STORE_LOCKED, STORE_VERSION, STORE_UNUSABLE; what is merely damaged is told as an
 * alert, and the rest is used. A peerstore of another version is set aside, with the alert PEERSTORE_SET_ASIDE:
 * contacts can be met again through the seeds, records cannot, so those of another version are refused.
 */
export function openNodeStorage(
  dataDir: string | undefined,
  bounds: Bounds,
  id: Uint8Array,
  rng: Rng,
  emit: (event: NodeEvent) => void,
): NodeStorage {
  return new NodeStorage(dataDir, bounds, id, rng, emit);
}

export class NodeStorage {
  readonly store: RecordStore;
  /** Last seen first. */
  readonly remembered: readonly SeedContact[];
  readonly tai64nFloor: Uint8Array | undefined;
  readonly #dataDir: string;
  readonly #rng: Rng;
  readonly #emit: (event: NodeEvent) => void;
  readonly #directories: Directory[] = [];
  readonly #contacts: ContactStore | undefined;
  #acquaintances: (() => Acquaintances) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    dataDir: string | undefined,
    { recordsMax, storeBytesMax }: Bounds,
    id: Uint8Array,
    rng: Rng,
    emit: (event: NodeEvent) => void,
  ) {
    this.#dataDir = dataDir ?? '';
    this.#rng = rng;
    this.#emit = emit;
    if (dataDir === undefined) {
      this.store = createMemoryStore({ id, rng, countMax: recordsMax, bytesMax: storeBytesMax });
      this.remembered = [];
      return;
    }
    try {
      const records = this.#open('records', { countMax: recordsMax, bytesMax: storeBytesMax });
      this.store = createRecordStore(records, { id, recordBytesMax: RECORD_BYTES_MAX });
      this.#contacts = createContactStore(this.#openPeers());
    } catch (error) {
      void this.close();
      throw error;
    }
    this.remembered = this.#contacts.contacts();
    this.tai64nFloor = this.#contacts.stamp();
  }

  /** From now on this says whom to remember. */
  attach(acquaintances: () => Acquaintances): void {
    this.#acquaintances = acquaintances;
  }

  /** The contacts changed: they are remembered a second later, and no more often. */
  changed(): void {
    if (this.#contacts === undefined || this.#timer !== undefined || this.#closing !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#remember();
    }, PEERSTORE_SAVE_MS);
    this.#timer.unref();
  }

  /** Remembers the contacts now; resolves when they are durable. */
  async save(): Promise<void> {
    this.#remember();
    await this.settled();
  }

  /** Resolves when all that the stores were given is durable; rejects with STORE_NOT_DURABLE. */
  async settled(): Promise<void> {
    await Promise.all(this.#directories.map((directory) => directory.settled()));
  }

  /** Makes all durable and gives the directory free. Idempotent; rejects with STORE_NOT_DURABLE, when all is closed. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    clearTimeout(this.#timer);
    const ends = await Promise.allSettled(this.#directories.map((directory) => directory.close()));
    const failed = ends.find((end) => end.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #openPeers(): KeyedStore {
    const open = (): KeyedStore =>
      this.#open('peerstore', {
        countMax: PEERSTORE_CONTACTS_MAX,
        bytesMax: PEERSTORE_BYTES_MAX,
        segmentBytes: PEERSTORE_SEGMENT_BYTES,
        cacheBytes: PEERSTORE_CACHE_BYTES,
      });
    const path = join(this.#dataDir, 'peerstore');
    // Before it was a directory it was one file.
    if (isFile(path)) this.#setAside(path, 'it is a file, as older versions wrote it');
    try {
      return open();
    } catch (error) {
      if (!(error instanceof MoliaError) || error.code !== 'STORE_VERSION') throw error;
      this.#setAside(path, error.message);
      return open();
    }
  }

  /** Nothing is deleted. Throws MoliaError STORE_UNUSABLE. */
  #setAside(path: string, why: string): void {
    const aside = freeName(path);
    try {
      renameSync(path, aside);
    } catch (cause) {
      const message = `${path} is of another version and cannot be set aside (${(cause as Error).message})`;
      throw new MoliaError('STORE_UNUSABLE', message, { cause, hint: 'move it away' });
    }
    this.#emit({
      type: 'alert',
      code: 'PEERSTORE_SET_ASIDE',
      message: `peerstore: ${why}; it is ${basename(aside)} now and the contacts in it are not used`,
      hint: 'the node joins through its seeds; start it with one',
    });
  }

  #open(name: string, bounds: StoreBounds): KeyedStore {
    const directory = openDirectory(join(this.#dataDir, name));
    let store: KeyedStore;
    try {
      store = openKeyedStore({
        disk: directory.disk,
        wake: directory.wake,
        rng: this.#rng,
        nowUnix: Math.floor(Date.now() / 1000),
        ...bounds,
      });
    } catch (error) {
      // Nothing drives it: its files are closed and the lock is given up before this returns.
      void directory.close();
      throw error;
    }
    this.#directories.push(directory);
    const tell = (): void => {
      for (let report = store.pollReport(); report !== undefined; report = store.pollReport())
        this.#tell(name, report);
    };
    tell();
    directory.drive(store, tell);
    return store;
  }

  #tell(name: string, { code, message }: StoreReport): void {
    const hint = HINTS[code];
    this.#emit({
      type: 'alert',
      code,
      message: `${name}: ${message}`,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  #remember(): void {
    const contacts = this.#contacts;
    const known = this.#acquaintances?.();
    if (contacts === undefined || known === undefined) return;
    const wallMs = Date.now();
    for (const { publicKey, endpoint, srttMs, lastSeenMs } of known.contacts) {
      const lastSeenUnix = Math.floor((wallMs - Math.max(0, known.now - lastSeenMs)) / 1000);
      contacts.remember({ publicKey, endpoint, srttMs, lastSeenUnix });
    }
    contacts.setStamp(known.tai64n);
  }
}

function isFile(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** A name beside `path` that nobody uses. */
function freeName(path: string): string {
  let name = `${path}.old`;
  // BOUNDED: by the entries of the directory.
  for (let n = 2; lstatSync(name, { throwIfNoEntry: false }) !== undefined; n++) name = `${path}.old-${n}`;
  return name;
}
