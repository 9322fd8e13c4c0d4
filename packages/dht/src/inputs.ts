/** Checks of arguments, all synchronous: what comes out is copied, typed and within its limits. */
import { fromHex, type GivenOptions, resolveOptions } from '@molia/core';
import { TIMEOUT_MS_MAX } from './constants.ts';
import { type InputErrorCode, rangeError, typeError } from './errors.ts';
import type { Key, OperationOptions } from './types.ts';

const KEY_TEXT = /^[0-9a-f]{64}$/;
const KEY_BYTES = 32;

/** The 32 bytes of a key; a copy. */
export function keyInput(name: string, key: Key): Uint8Array {
  if (typeof key === 'string') {
    if (KEY_TEXT.test(key)) return fromHex(key);
    throw rangeError('INVALID_KEY', `${name}: expected 64 lower-case hex digits, found ${quoted(key)}`);
  }
  if (!(key instanceof Uint8Array)) {
    throw typeError(
      'INVALID_KEY',
      `${name}: expected 64 lower-case hex digits or 32 bytes, found ${typeof key}`,
    );
  }
  if (key.length !== KEY_BYTES) {
    throw rangeError('INVALID_KEY', `${name}: expected 32 bytes, found ${key.length}`);
  }
  return key.slice();
}

/** Bytes of a value, salt or namespace; text counts as UTF-8. A copy, at most `bytesMax` long. */
export function bytesInput(name: string, value: unknown, bytesMax: number): Uint8Array {
  let bytes: Uint8Array;
  if (typeof value === 'string') bytes = new TextEncoder().encode(value);
  else if (value instanceof Uint8Array) bytes = new Uint8Array(value);
  else
    throw typeError('INVALID_ARGUMENT', `${name}: expected a Uint8Array or a string, found ${typeOf(value)}`);
  if (bytes.length > bytesMax) {
    throw rangeError('VALUE_TOO_LARGE', `${name}: at most ${bytesMax} bytes, found ${bytes.length}`);
  }
  return bytes;
}

/** A string of 1 to `charsMax` characters. */
export function textInput(name: string, value: unknown, charsMax: number): string {
  if (typeof value !== 'string') {
    throw typeError('INVALID_ARGUMENT', `${name}: expected a string, found ${typeOf(value)}`);
  }
  if (value.length === 0 || value.length > charsMax) {
    throw rangeError(
      'INVALID_ARGUMENT',
      `${name}: expected 1 to ${charsMax} characters, found ${value.length}`,
    );
  }
  return value;
}

/** An integer within bounds. */
export function intInput(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') {
    throw typeError('INVALID_ARGUMENT', `${name}: expected an integer, found ${typeOf(value)}`);
  }
  if (!Number.isInteger(value) || value < min || value > max) {
    throw rangeError(
      'INVALID_ARGUMENT',
      `${name}: expected an integer from ${min} to ${max}, found ${value}`,
    );
  }
  return value;
}

/** `resolveOptions` of core, whose errors carry our code. */
export function optionsInput<T extends object>(
  name: string,
  defaults: T,
  given: GivenOptions<T> | undefined,
): Readonly<T> {
  try {
    return resolveOptions(name, defaults, given);
  } catch (error) {
    throw Object.assign(error as Error, { code: 'INVALID_ARGUMENT' satisfies InputErrorCode });
  }
}

/** Checks what every operation takes. */
export function operationInput(name: string, options: OperationOptions): void {
  const { timeoutMs, signal, onProgress } = options;
  if (timeoutMs !== undefined) intInput(`${name}.timeoutMs`, timeoutMs, 1, TIMEOUT_MS_MAX);
  if (signal !== undefined && typeof (signal as Partial<AbortSignal>)?.addEventListener !== 'function') {
    throw typeError('INVALID_ARGUMENT', `${name}.signal: expected an AbortSignal, found ${typeOf(signal)}`);
  }
  functionInput(`${name}.onProgress`, onProgress);
}

/** A function or `undefined`. */
export function functionInput(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') {
    throw typeError('INVALID_ARGUMENT', `${name}: expected a function, found ${typeOf(value)}`);
  }
}

/** An array of strings, as given or empty. */
export function stringsInput(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value) || value.some((entry) => typeof entry !== 'string')) {
    throw typeError('INVALID_ARGUMENT', `${name}: expected an array of strings, found ${typeOf(value)}`);
  }
  return value.slice() as string[];
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'an array' : typeof value;
}

function quoted(text: string): string {
  return text.length > 80
    ? `${JSON.stringify(text.slice(0, 80))}… (${text.length} characters)`
    : JSON.stringify(text);
}
