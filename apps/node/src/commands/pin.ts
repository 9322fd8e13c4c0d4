/** `molia pin add|rm|list`: keys that the daemon keeps alive. */
import { MoliaError } from '@molia/core';
import type { Context } from '../program.ts';
import { blobKey } from './blob.ts';
import { controlOf } from './verb-io.ts';

type Pin = Record<'key' | 'kind' | 'state', string> & Record<'checkedUnix' | 'missing' | 'lost', number>;

export async function add(context: Context, text: string): Promise<void> {
  const { output } = context;
  const pin = await controlOf(context).json('PUT', `pins/${blobKey(text)}`);
  output.emit(pin, String(pin['key']));
  output.talk(`a ${pin['kind']}, kept alive from now on`);
}

export async function remove(context: Context, text: string): Promise<void> {
  const { output } = context;
  const done = await controlOf(context).json('DELETE', `pins/${blobKey(text)}`);
  if (done['unpinned'] !== true) {
    throw new MoliaError('NOT_FOUND', 'this key is not pinned', { hint: 'see `molia pin list`' });
  }
  output.emit(done, String(done['key']));
}

export async function list(context: Context): Promise<void> {
  const { output } = context;
  const { pins } = (await controlOf(context).json('GET', 'pins')) as unknown as { pins: readonly Pin[] };
  output.emit({ pins }, pins.map(line).join('\n'));
  if (pins.length === 0) output.talk('nothing is pinned');
}

function line({ key, kind, state, checkedUnix, missing, lost }: Pin): string {
  const seen =
    checkedUnix === 0 ? 'not visited yet' : `visited ${new Date(checkedUnix * 1000).toISOString()}`;
  const shards = kind === 'record' ? '' : `, ${missing} shards were missing, ${lost} stripes lost`;
  return `${key} ${kind} ${state}, ${seen}${shards}`;
}
