/** `molia put` and `molia get`: immutable values under their hash. */
import type { Context } from '../program.ts';
import { controlOf, hexKey, nodes, readInput, writeOutput } from './verb-io.ts';

export async function put(context: Context, file: string): Promise<void> {
  const { output, options } = context;
  const value = await readInput(file);
  const result = await controlOf(context).json('PUT', 'values', {
    query: { ttl: options['ttl'] as number, timeout: options['timeout'] as number },
    body: value,
  });
  const { key, holders, bytes, elapsedMs } = result;
  output.emit({ key, holders, bytes, elapsedMs }, String(key));
  output.talk(`${bytes} bytes, held by ${nodes(holders)}`);
}

export async function get(context: Context, text: string): Promise<void> {
  const { output, options } = context;
  const key = hexKey(text, 'key');
  const { bytes } = await controlOf(context).raw('GET', `values/${key}`, {
    query: { timeout: options['timeout'] as number },
  });
  await deliver(context, { key }, bytes);
  output.talk(`${bytes.length} bytes, verified`);
}

/** A value to stdout or to `--output`; with `--json` as base64 unless it went to a file. */
export async function deliver(
  { output, options }: Context,
  fields: Readonly<Record<string, unknown>>,
  bytes: Uint8Array,
): Promise<void> {
  const file = options['output'] as string | undefined;
  if (file !== undefined) writeOutput(file, bytes);
  if (output.json) {
    const rest = file === undefined ? { value: Buffer.from(bytes).toString('base64') } : { file };
    output.emit({ ...fields, bytes: bytes.length, ...rest }, '');
  } else if (file === undefined) await output.raw(bytes);
}
