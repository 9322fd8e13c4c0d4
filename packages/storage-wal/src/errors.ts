/** The errors of this package. */
import { MoliaError } from '@molia/core';
import { FORMAT_VERSION } from './constants.ts';

/** Codes of a `MoliaError` of this package. */
export type StorageErrorCode =
  /** Another process has the directory open. */
  | 'STORE_LOCKED'
  /** The files are of a version of the format that this program does not know. */
  | 'STORE_VERSION'
  /** The directory cannot be created, read or written. */
  | 'STORE_UNUSABLE'
  /** The store was closed. */
  | 'STORE_CLOSED'
  /** The disk did not make durable what was to be. */
  | 'STORE_NOT_DURABLE';

export function storeError(
  code: StorageErrorCode,
  message: string,
  hint: string,
  cause?: unknown,
): MoliaError<StorageErrorCode> {
  return new MoliaError<StorageErrorCode>(code, message, {
    hint,
    ...(cause !== undefined && { cause }),
  });
}

/** STORE_VERSION: `version` is what the files say. */
export function unknownVersion(version: number): MoliaError<StorageErrorCode> {
  return storeError(
    'STORE_VERSION',
    `the store is written in version ${version} of its format, this program knows ${FORMAT_VERSION}`,
    'start the program that wrote it, or choose another directory',
  );
}
