/** Options of the node's methods: their defaults, and the checks that all of one kind share. */
import * as limits from './constants.ts';
import { dhtError } from './errors.ts';
import { intInput, operationInput, optionsInput } from './inputs.ts';
import type { GetOptions, OperationOptions } from './types.ts';

export const OPERATION: { [K in keyof OperationOptions]-?: OperationOptions[K] | undefined } = {
  timeoutMs: undefined,
  signal: undefined,
  onProgress: undefined,
};
export const GET = { ...OPERATION, privacy: 'none' as GetOptions['privacy'] };
export const WRITE = { ...OPERATION, ttlSec: limits.TTL_SECS_DEFAULT as number, holdersMin: 1 };
export const MUTABLE = {
  ...WRITE,
  salt: '' as string | Uint8Array,
  seq: undefined as number | undefined,
  cas: undefined as number | undefined,
  notBeforeUnix: 0,
};
const HOLDERS_MAX = 64;

export type Filled<T> = Readonly<T> & OperationOptions;

/** Operation options with their defaults; throws as `optionsInput` does. */
export function callOptions<T extends object>(
  name: string,
  defaults: T,
  given: object | undefined,
): Filled<T> {
  const resolved = optionsInput<T>(name, defaults, given as never);
  operationInput(name, resolved);
  return resolved as Filled<T>;
}

/** The same for writes. */
export function writeOptions<T extends { ttlSec: number; holdersMin: number }>(
  name: string,
  defaults: T,
  given: object | undefined,
): Filled<T> {
  const resolved = callOptions(name, defaults, given);
  intInput(`${name}.ttlSec`, resolved.ttlSec, limits.TTL_SECS_MIN, limits.TTL_SECS_MAX);
  intInput(`${name}.holdersMin`, resolved.holdersMin, 1, HOLDERS_MAX);
  return resolved;
}

/** Throws UNSUPPORTED for a privacy that this version lacks. */
export function requirePlain(privacy: GetOptions['privacy']): void {
  if (privacy === undefined || privacy === 'none') return;
  throw dhtError('UNSUPPORTED', `privacy ${JSON.stringify(privacy)} is not part of this version`, {
    hint: "leave privacy out, or say 'none'",
  });
}

/** How long a write may take by default. */
export function writeTimeout(value: Uint8Array): number {
  return value.length > limits.INLINE_BYTES_MAX ? limits.TIMEOUT_MS_LARGE : limits.TIMEOUT_MS_DEFAULT;
}
