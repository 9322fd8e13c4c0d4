/** `molia announce` and `molia providers`. */
import type { Context } from '../program.ts';
import { controlOf, hexKey, nodes } from './verb-io.ts';

export async function announce(context: Context, text: string): Promise<void> {
  const { output, options } = context;
  const wanted = hexKey(text, 'key');
  const result = await controlOf(context).json('POST', `providers/${wanted}`, {
    query: { ttl: options['ttl'] as number, timeout: options['timeout'] as number },
    body: Buffer.from(options['meta'] as string),
  });
  const { key, holders, elapsedMs } = result;
  output.emit({ key, holders, elapsedMs }, String(key));
  output.talk(`announced to ${nodes(holders)}`);
}

export async function providers(context: Context, text: string): Promise<void> {
  const { output, options } = context;
  const wanted = hexKey(text, 'key');
  const lines = controlOf(context).lines('GET', `providers/${wanted}`, {
    query: { max: options['max'] as number, timeout: options['timeout'] as number },
  });
  for await (const line of lines) {
    const { event, publicKey, id, seq, meta, key, count } = line;
    if (event === 'provider') {
      const shown = printable(Buffer.from(String(meta), 'base64'));
      output.emit({ event, publicKey, id, seq, meta }, `${publicKey}${shown === '' ? '' : `  ${shown}`}`);
    } else {
      output.emit({ event, key, count }, '');
      output.talk(count === 1 ? '1 provider' : `${count} providers`);
    }
  }
}

/** Text as it is, anything with control characters as hex: a terminal must not obey a stranger's metadata. */
function printable(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  const isText = Buffer.from(text).equals(bytes) && !/\p{C}/u.test(text);
  return isText ? text : bytes.toString('hex');
}
