/**
 * What a verb prints: data to stdout, talk to stderr. With `--json` every line of stdout is one object that begins
 * with `"v":1`; fields are only ever added, never renamed or removed, within version 1.
 */
import { once } from 'node:events';
import { errorLine, type PlainError } from './errors.ts';

/** Version of every JSON object that the command line and the control API emit. */
const JSON_VERSION = 1;

export type JsonObject = { readonly [name: string]: unknown };

export interface Output {
  readonly json: boolean;
  /** One result: the object as a JSON line, or the text for people. Empty text prints nothing. */
  emit(object: JsonObject, human: string): void;
  /** Talk, for people only: silent with `--json`. */
  talk(text: string): void;
  /** A warning: `molia: CODE: message. hint` to stderr, as a JSON line there with `--json`. */
  warn(warning: PlainError): void;
  /** The error that ends the verb. */
  fail(error: PlainError): void;
  /** Raw bytes to stdout; resolves when they are handed over. */
  raw(bytes: Uint8Array): Promise<void>;
}

/** `{"v":1,...}` on one line. */
export function jsonLine(object: JsonObject): string {
  return `${JSON.stringify({ v: JSON_VERSION, ...object })}\n`;
}

export function createOutput(json: boolean): Output {
  const { stdout, stderr } = process;
  // `molia get … | head` closes our stdout early: that is not a failure.
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  return {
    json,
    emit(object, human) {
      if (json) stdout.write(jsonLine(object));
      else if (human !== '') stdout.write(`${human}\n`);
    },
    talk(text) {
      if (!json) stderr.write(`${text}\n`);
    },
    warn(warning) {
      stderr.write(json ? jsonLine({ warning }) : `${errorLine(warning)}\n`);
    },
    fail(error) {
      if (json) stdout.write(jsonLine({ error }));
      else stderr.write(`${errorLine(error)}\n`);
    },
    async raw(bytes) {
      if (!stdout.write(bytes)) await once(stdout, 'drain');
    },
  };
}

/** Resolves when a full stream takes more, or nobody reads it any more. */
export function drained(stream: Pick<NodeJS.EventEmitter, 'on' | 'off'>): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      stream.off('drain', over);
      stream.off('close', over);
      resolve();
    };
    stream.on('drain', over);
    stream.on('close', over);
  });
}

/** Two columns, the first as wide as its widest cell. */
export function columns(rows: readonly (readonly [string, string])[], indent = '  '): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${indent}${name.padEnd(width)}  ${value}`.trimEnd()).join('\n');
}

/** `1.5 KiB` and the like. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB'];
  let n = bytes / 1024;
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) {
    n /= 1024;
    unit++;
  }
  return `${n.toFixed(n < 10 ? 1 : 0)} ${units[unit]}`;
}
