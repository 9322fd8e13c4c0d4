/**
 * Errors of the daemon and the command line: one table says for each code what happened and what to do.
 * `docs/errors.md` is generated from this table and from the one of `@molia/dht`.
 */
import { MoliaError } from '@molia/core';
import type { InputErrorCode, MoliaErrorCode } from '@molia/dht';

/** Codes that the daemon and the command line add to those of `@molia/dht`. */
export type CliErrorCode =
  | 'USAGE'
  | 'BAD_CONFIG'
  | 'DATA_DIR_UNUSABLE'
  | 'DATA_DIR_LOCKED'
  | 'KEY_PERMISSIONS'
  | 'KEY_MALFORMED'
  | 'FILE_NOT_FOUND'
  | 'FILE_UNREADABLE'
  | 'FILE_EXISTS'
  | 'STORE_DAMAGED'
  | 'DAEMON_NOT_RUNNING'
  | 'CONTROL_DENIED'
  | 'CONTROL_UNAVAILABLE'
  | 'TLS_UNUSABLE'
  | 'INTERNAL';

/** What a code means and what to do about it, in one sentence each. */
interface ErrorDoc {
  readonly meaning: string;
  readonly hint: string;
}

/** @public Read by tools/generate-errors.mjs. */
export const cliErrorDocs: Readonly<Record<CliErrorCode, ErrorDoc>> = {
  USAGE: {
    meaning: 'The command line is not one that molia understands.',
    hint: 'Run `molia help` or `molia help <verb>` for examples.',
  },
  BAD_CONFIG: {
    meaning: 'A configuration value (file, MOLIA_* variable or flag) is unknown or has the wrong form.',
    hint: 'Run `molia config --example` for every key.',
  },
  DATA_DIR_UNUSABLE: {
    meaning: 'The data directory cannot be created, read or written.',
    hint: 'Choose another one with --data-dir or MOLIA_DATA_DIR, or give yourself access to it.',
  },
  DATA_DIR_LOCKED: {
    meaning: 'Another daemon uses this data directory.',
    hint: 'Stop it with `molia stop`, or give this one its own --data-dir.',
  },
  KEY_PERMISSIONS: {
    meaning: 'Other users of this machine can read the identity key.',
    hint: 'Run chmod 600 on the key file.',
  },
  KEY_MALFORMED: {
    meaning: 'The identity key file does not hold 64 hexadecimal digits.',
    hint: 'Restore it from a backup; `molia keygen --out FILE` makes a new identity.',
  },
  FILE_NOT_FOUND: {
    meaning: 'A file named on the command line does not exist.',
    hint: 'Check the path; `-` reads standard input.',
  },
  FILE_UNREADABLE: {
    meaning: 'A file named on the command line cannot be read or written.',
    hint: 'Check that it is a file and that you have access to it.',
  },
  FILE_EXISTS: {
    meaning: 'A file that would be overwritten exists already.',
    hint: 'Choose another name, or move the file away first.',
  },
  STORE_DAMAGED: {
    meaning: 'A store in the data directory holds bytes that do not verify, or misses a file.',
    hint: 'Check the disk and keep a copy; a start uses all that verifies and says what is lost.',
  },
  DAEMON_NOT_RUNNING: {
    meaning: 'No daemon answers for this data directory.',
    hint: 'Start one in another terminal: npx molia start',
  },
  CONTROL_DENIED: {
    meaning: 'The control token of the data directory was refused or cannot be read.',
    hint: 'Use the account that started the daemon, and the same --data-dir.',
  },
  CONTROL_UNAVAILABLE: {
    meaning:
      'The control socket or the HTTP address cannot be opened, or a daemon gave an answer that is not understood.',
    hint: 'Check control.socket and http.listen; run the same version of molia on both sides.',
  },
  TLS_UNUSABLE: {
    meaning: 'The certificate or the private key for DNS over HTTPS cannot be used.',
    hint: 'Give a PEM certificate chain and the private key that belongs to it.',
  },
  INTERNAL: {
    meaning: 'Something that should not happen: a bug in molia.',
    hint: 'Please report it with the log of the daemon.',
  },
};

/** Codes whose cause is what was typed or configured: exit status 2. All others: 1. */
const usageCodes: ReadonlySet<string> = new Set([
  'USAGE',
  'BAD_CONFIG',
  'INVALID_KEY',
  'INVALID_SEED',
  'INVALID_ARGUMENT',
  'INVALID_ZONE',
]);

/** What to do about the codes of `@molia/dht`, for errors that bring no hint of their own. */
export const dhtHints: Readonly<Record<MoliaErrorCode | InputErrorCode, string>> = {
  NOT_FOUND: 'Check the key; records expire after their ttl, and nobody may hold it any more.',
  TIMEOUT: 'Try again, or allow more time with --timeout.',
  ABORTED: 'It was given up on request; run it again.',
  BUSY: 'Wait until some have finished, or raise limits.operations_max.',
  CLOSED: 'The node is shutting down; start it again with `molia start`.',
  NO_PEERS:
    'Check the seeds, the network name and secret, and that UDP may pass; `molia status` shows who answers.',
  PEER_UNREACHABLE: 'Check its public key, address and port, and that both sides use one network and secret.',
  NOT_ENOUGH_HOLDERS: 'Try again when more nodes have joined, or ask for fewer holders.',
  STALE_SEQUENCE: 'Read the record again with get-mutable and write with a higher --seq.',
  CAS_MISMATCH: 'Read the record again with get-mutable and repeat with its sequence as --cas.',
  EQUIVOCATION: 'Two values were signed under one sequence; write again with a higher --seq.',
  ADDRESS_IN_USE:
    'Choose another port (--listen; --port of `molia pkarr dns`), or stop the program that holds it; port 0 takes any.',
  ADDRESS_UNAVAILABLE:
    'Choose an address of this machine (--listen; --host of `molia pkarr dns`), or 0.0.0.0; ports below 1024 need a right of their own.',
  TRANSPORT_FAILED: 'Check the network of this machine and start the node again.',
  STORE_LOCKED: 'Stop the process that is named, or choose another --data-dir.',
  STORE_UNUSABLE:
    'Give yourself access to the data directory; `records` and `peerstore` in it must be directories.',
  STORE_VERSION: 'Start the version of molia that wrote it, or choose another --data-dir.',
  STORE_NOT_DURABLE: 'Check the disk of the data directory and its free space.',
  SEED_UNRESOLVED: 'Check the host name of the seed and your DNS.',
  UNSUPPORTED: 'Leave the option out, or update molia.',
  INVALID_ARGUMENT: 'Run `molia help <verb>` for examples.',
  INVALID_KEY: 'A key is 64 hexadecimal digits, as `molia put` prints it.',
  INVALID_SEED: 'A seed is PUBLIC_KEY@HOST:PORT, as `molia start` prints it.',
  VALUE_TOO_LARGE: 'A value holds at most 65536 bytes, metadata 128, a namespace 255, a salt 64: split it.',
};

/** An error of this program; `hint` defaults to the one of the table. */
export function cliError(
  code: CliErrorCode,
  message: string,
  options: { hint?: string; cause?: unknown } = {},
): MoliaError<CliErrorCode> {
  return new MoliaError(code, message, {
    hint: options.hint ?? cliErrorDocs[code].hint,
    ...(options.cause !== undefined && { cause: options.cause }),
  });
}

/** Misuse, as the library words it: a RangeError that carries `code`. */
export function misuse(code: InputErrorCode, message: string): RangeError {
  return Object.assign(new RangeError(message), { code });
}

/** An error in the form in which it is printed, sent over the control API and documented. */
export interface PlainError {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** Any thrown value as a plain error; what is neither misuse nor a failed operation becomes INTERNAL. */
export function plainError(error: unknown): PlainError {
  const message = oneLine(error instanceof Error ? error.message : String(error));
  const { code, hint } = (error ?? {}) as { code?: unknown; hint?: unknown };
  // Two copies of core may be loaded, so the name decides and not `instanceof`.
  if (error instanceof Error && error.name === 'MoliaError') {
    // Codes of the library have a hint in the words of the command line; that of the library speaks of options.
    const todo = hintOf(String(code)) ?? (typeof hint === 'string' ? hint : undefined);
    return { code: String(code), message, ...(todo !== undefined && { hint: oneLine(todo) }) };
  }
  // Misuse carries a code of the library; a TypeError without one (or with Node's ERR_) is a bug of ours.
  if (
    (error instanceof TypeError || error instanceof RangeError) &&
    typeof code === 'string' &&
    code in dhtHints
  ) {
    return { code, message, hint: dhtHints[code as InputErrorCode] };
  }
  return { code: 'INTERNAL', message, hint: cliErrorDocs.INTERNAL.hint };
}

function hintOf(code: string): string | undefined {
  return code in dhtHints ? dhtHints[code as MoliaErrorCode] : undefined;
}

/** 2 for what was typed or configured wrongly, else 1. */
export function exitCodeOf(code: string): 1 | 2 {
  return usageCodes.has(code) ? 2 : 1;
}

/** `molia: CODE: message. hint` */
export function errorLine(error: PlainError): string {
  const message = error.message.replace(/[.\s]+$/, '');
  const hint = error.hint ? ` ${capital(error.hint.replace(/[.\s]+$/, ''))}` : '';
  return `molia: ${error.code}: ${message}.${hint}`;
}

/** Hints of the library begin in lower case; a path or an option stays as it is. */
function capital(text: string): string {
  return /^[a-z]+ /.test(text) ? `${text.slice(0, 1).toUpperCase()}${text.slice(1)}` : text;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').trim();
}
