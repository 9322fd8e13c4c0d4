/** `molia pkarr republish`: keeps packets alive, whoever signed them. */
import { MoliaError } from '@molia/core';
import { createRepublisher, type RepublishEvent } from '@molia/pkarr';
import { cliError, plainError } from '../../errors.ts';
import type { Context } from '../../program.ts';
import { stopSignal } from '../../signals.ts';
import { nodes, readInput } from '../verb-io.ts';
import { keyArgument, openNetwork } from './network.ts';

export async function republish(context: Context, ...given: unknown[]): Promise<void> {
  const { output, options } = context;
  const list = options['list'] as string | undefined;
  const texts = [...(given.flat() as (string | undefined)[])].filter((text) => text !== undefined);
  if (list !== undefined) texts.push(...keysOf(new TextDecoder().decode(await readInput(list))));
  const keys = [...new Set(texts.map((text) => `${keyArgument(text)}`))];
  if (keys.length === 0)
    throw cliError('USAGE', 'there is no key to keep alive', {
      hint: 'Name keys, or a file of them with --list',
    });
  const isOnce = options['once'] === true;
  const stopping = stopSignal();
  const network = await openNetwork(context);
  const seen = new Set<string>();
  let failures = 0;
  let finish = (): void => undefined;
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const republisher = createRepublisher({
    client: network.client,
    onRound: (event) => {
      const key = tell(context, event);
      if (event.kind === 'failed' && !seen.has(key)) failures++;
      seen.add(key);
      output.talk(`${seen.size} of ${keys.length} keys tried`);
      if (isOnce && seen.size === keys.length) finish();
    },
  });
  try {
    output.emit({ event: 'started', keys: keys.length, pid: process.pid }, '');
    output.talk(`keeping ${keys.length} ${keys.length === 1 ? 'key' : 'keys'} alive; Ctrl-C stops`);
    for (const key of keys) republisher.add(key);
    await Promise.race([stopping.requested, finished]);
  } finally {
    await republisher.close();
    await network.close();
    stopping.done();
  }
  if (isOnce && failures > 0)
    throw new MoliaError('NOT_FOUND', `${failures} of ${keys.length} keys could not be written`);
}

function tell({ output }: Context, event: RepublishEvent): string {
  if (event.kind === 'failed') {
    const key = `${event.publicKey}`;
    output.warn({ ...plainError(event.error), message: `${key}: ${plainError(event.error).message}` });
    return key;
  }
  const key = `${event.packet.publicKey}`;
  const { copies, state } = event;
  output.emit(
    {
      event: 'written',
      publicKey: key,
      copies,
      probability: state.probability,
      probabilityAfterMiss: state.probabilityAfterMiss,
    },
    `${key} on ${nodes(copies)}`,
  );
  return key;
}

/** One key a line; `#` and what follows is a comment. */
function keysOf(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*$/, '').trim())
    .filter((line) => line !== '');
}
