/**
 * What a node remembers between runs: contacts, and a floor for handshake time stamps (so that a clock set back does not
 * make peers drop our initiations as replays). One small checksummed file, replaced atomically.
 *
 *     "molia/peerstore/1" · tai64n (12) · u16 count · count × (public key (32) · endpoint (19)) · BLAKE3 of all before (32)
 *
 * Bytes that do not verify are never used and never lost: they are set aside under another name.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { blake3, ENDPOINT_BYTES, equalBytes } from '@molia/core';
import { PEERSTORE_BYTES_MAX, PEERSTORE_CONTACTS_MAX } from './constants.ts';
import { dhtError } from './errors.ts';
import type { SeedContact } from './seeds.ts';
import type { PeerstoreDriver } from './types.ts';

export interface PeerstoreSnapshot {
  readonly contacts: readonly SeedContact[];
  /** 12 bytes. */
  readonly tai64nFloor: Uint8Array;
}

const MAGIC = new TextEncoder().encode('molia/peerstore/1');
const STAMP_BYTES = 12;
const KEY_BYTES = 32;
const ENTRY_BYTES = KEY_BYTES + ENDPOINT_BYTES;
const HEAD_BYTES = MAGIC.length + STAMP_BYTES + 2;
const CHECK_BYTES = 32;

/** Keeps the first `PEERSTORE_CONTACTS_MAX` contacts. */
export function encodePeerstore(snapshot: PeerstoreSnapshot): Uint8Array {
  const contacts = snapshot.contacts.slice(0, PEERSTORE_CONTACTS_MAX);
  const bytes = new Uint8Array(HEAD_BYTES + contacts.length * ENTRY_BYTES + CHECK_BYTES);
  bytes.set(MAGIC, 0);
  bytes.set(snapshot.tai64nFloor, MAGIC.length);
  new DataView(bytes.buffer).setUint16(HEAD_BYTES - 2, contacts.length);
  contacts.forEach(({ publicKey, endpoint }, i) => {
    bytes.set(publicKey, HEAD_BYTES + i * ENTRY_BYTES);
    bytes.set(endpoint, HEAD_BYTES + i * ENTRY_BYTES + KEY_BYTES);
  });
  const checked = bytes.length - CHECK_BYTES;
  bytes.set(blake3(bytes.subarray(0, checked)), checked);
  return bytes;
}

/** `undefined` when the bytes are not exactly what `encodePeerstore` writes. */
export function decodePeerstore(bytes: Uint8Array): PeerstoreSnapshot | undefined {
  if (bytes.length < HEAD_BYTES + CHECK_BYTES || bytes.length > PEERSTORE_BYTES_MAX) return undefined;
  if (!equalBytes(bytes, 0, MAGIC, 0, MAGIC.length)) return undefined;
  const count = ((bytes[HEAD_BYTES - 2] as number) << 8) | (bytes[HEAD_BYTES - 1] as number);
  const checked = HEAD_BYTES + count * ENTRY_BYTES;
  if (count > PEERSTORE_CONTACTS_MAX || bytes.length !== checked + CHECK_BYTES) return undefined;
  if (!equalBytes(blake3(bytes.subarray(0, checked)), 0, bytes, checked, CHECK_BYTES)) return undefined;
  const contacts: SeedContact[] = [];
  for (let at = HEAD_BYTES; at < checked; at += ENTRY_BYTES) {
    const family = bytes[at + KEY_BYTES];
    if (family !== 4 && family !== 6) return undefined;
    contacts.push({
      publicKey: bytes.slice(at, at + KEY_BYTES),
      endpoint: bytes.slice(at + KEY_BYTES, at + ENTRY_BYTES),
    });
  }
  return { contacts, tai64nFloor: bytes.slice(MAGIC.length, MAGIC.length + STAMP_BYTES) };
}

/** A driver over one file, mode 0600; its directory is created. Rejects with PEERSTORE_UNREADABLE. */
export function createFilePeerstore(path: string): PeerstoreDriver {
  const failed = (verb: string, cause: unknown) =>
    dhtError('PEERSTORE_UNREADABLE', `peerstore ${path} cannot be ${verb} (${(cause as Error).message})`, {
      cause,
      hint: 'check that the directory exists and that this user may read and write it',
    });
  return {
    async load() {
      try {
        return await readFile(path);
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw failed('read', cause);
      }
    },
    async save(bytes) {
      const next = `${path}.${randomBytes(6).toString('hex')}.tmp`;
      try {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        const file = await open(next, 'wx', 0o600);
        try {
          await file.writeFile(bytes);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(next, path);
      } catch (cause) {
        await rm(next, { force: true }).catch(() => {});
        throw failed('written', cause);
      }
    },
    async setAside() {
      const aside = `${path}.corrupt-${Date.now()}`;
      try {
        await rename(path, aside);
      } catch (cause) {
        throw failed('set aside', cause);
      }
      return aside;
    },
  };
}
