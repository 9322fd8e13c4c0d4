/** What verbs share: their configuration, their daemon, files in and out. */
import { readFileSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { type Config, loadConfig } from '../config.ts';
import { configKeys } from '../config-keys.ts';
import { type Control, connectControl } from '../control-client.ts';
import { BODY_BYTES_MAX } from '../control-protocol.ts';
import { reason } from '../datadir.ts';
import { cliError, misuse } from '../errors.ts';
import type { Context } from '../program.ts';

/**
 * The configuration as the flags, the environment and the file make it. `own`: options of the verb that are spelled like a flag of
 * the daemon and mean something else.
 */
export function configOf(context: Context, own: readonly string[] = []): Config {
  const flags: Record<string, unknown> = {};
  for (const key of configKeys) {
    if (key.flag === undefined) continue;
    const name = key.flag.slice(2).replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (context.options[name] !== undefined && !own.includes(name)) flags[key.path] = context.options[name];
  }
  return loadConfig({ flags, env: process.env, file: context.options['config'] as string | undefined });
}

/** The daemon of the configured data directory. */
export function controlOf(context: Context): Control {
  const config = configOf(context);
  return connectControl(config.dataDir, config.controlSocket);
}

/** 64 hex digits in lower case, checked before anybody is asked. */
export function hexKey(text: string, what: string): string {
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  const why = /^[0-9a-f]*$/i.test(text) ? `it has ${text.length} digits` : 'it holds other characters';
  throw misuse(
    'INVALID_KEY',
    `${what} ${JSON.stringify(shortened(text))} is not 64 hexadecimal digits: ${why}`,
  );
}

function shortened(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

/**
 * The bytes of a file, `-` for stdin. A file beyond the limit is refused before it is read.
 * @throws MoliaError FILE_NOT_FOUND, FILE_UNREADABLE; RangeError VALUE_TOO_LARGE
 */
export async function readInput(file: string): Promise<Uint8Array> {
  if (file === '-') return readStdin();
  try {
    const info = statSync(file);
    if (info.isDirectory()) throw Object.assign(new Error('is a directory'), { code: 'EISDIR' });
    if (info.size > BODY_BYTES_MAX) throw tooLarge(file, info.size);
    const bytes = readFileSync(file);
    if (bytes.length > BODY_BYTES_MAX) throw tooLarge(file, bytes.length);
    return bytes;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'VALUE_TOO_LARGE') throw error;
    if (code === 'ENOENT') throw cliError('FILE_NOT_FOUND', `${file} does not exist`);
    const why = code === 'EISDIR' ? 'it is a directory' : reason(code);
    throw cliError('FILE_UNREADABLE', `${file} cannot be read (${why})`, { cause: error });
  }
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of process.stdin as AsyncIterable<Uint8Array>) {
    length += chunk.length;
    if (length > BODY_BYTES_MAX) throw tooLarge('standard input', undefined);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function tooLarge(what: string, bytes: number | undefined): Error {
  const size = bytes === undefined ? 'more than' : `${bytes} bytes, more than`;
  return misuse('VALUE_TOO_LARGE', `${what} holds ${size} the ${BODY_BYTES_MAX} bytes of a value`);
}

/** Writes a result to a file, whole or not at all. */
export function writeOutput(file: string, bytes: Uint8Array): void {
  const temporary = `${file}.${process.pid}.part`;
  try {
    writeFileSync(temporary, bytes);
    renameSync(temporary, file);
  } catch (error) {
    try {
      unlinkSync(temporary);
    } catch {
      // Never made.
    }
    const { code } = error as NodeJS.ErrnoException;
    const why =
      code === 'EISDIR'
        ? 'it is a directory'
        : code === 'ENOENT'
          ? 'its directory does not exist'
          : reason(code);
    throw cliError('FILE_UNREADABLE', `${file} cannot be written (${why})`, { cause: error });
  }
}

/** `1 node`, `3 nodes`. */
export function nodes(count: unknown): string {
  return count === 1 ? '1 node' : `${count} nodes`;
}
