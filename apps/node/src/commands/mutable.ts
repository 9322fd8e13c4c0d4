/** `molia put-mutable`, `get-mutable`, `delete`: records that only their owner can replace. */
import { Header } from '../control-protocol.ts';
import type { Context } from '../program.ts';
import { deliver } from './values.ts';
import { controlOf, hexKey, nodes, readInput } from './verb-io.ts';

export async function putMutable(context: Context, namespace: string, file: string): Promise<void> {
  const { output, options } = context;
  const value = await readInput(file);
  const result = await controlOf(context).json('PUT', `mutable/${encodeURIComponent(namespace)}`, {
    query: {
      salt: options['salt'] as string,
      seq: options['seq'] as number,
      cas: options['cas'] as number,
      ttl: options['ttl'] as number,
      timeout: options['timeout'] as number,
    },
    body: value,
  });
  const { key, owner, seq, holders, bytes, elapsedMs } = result;
  output.emit({ key, owner, namespace, seq, holders, bytes, elapsedMs }, String(key));
  output.talk(
    `sequence ${seq}, held by ${nodes(holders)}; read it with: molia get-mutable ${owner} ${namespace}`,
  );
}

export async function getMutable(context: Context, ownerText: string, namespace: string): Promise<void> {
  const { output, options } = context;
  const owner = hexKey(ownerText, 'owner');
  const { bytes, headers } = await controlOf(context).raw(
    'GET',
    `mutable/${owner}/${encodeURIComponent(namespace)}`,
    {
      query: {
        salt: options['salt'] as string,
        min_seq: options['minSeq'] as number,
        timeout: options['timeout'] as number,
      },
    },
  );
  const seq = Number(headers[Header.SEQ]);
  const equivocated = headers[Header.EQUIVOCATED] === 'true';
  await deliver(context, { key: headers[Header.KEY], owner, namespace, seq, equivocated }, bytes);
  output.talk(
    `${bytes.length} bytes, sequence ${seq}${equivocated ? ', the owner signed another value under it too' : ''}`,
  );
}

export async function deleteMutable(context: Context, namespace: string): Promise<void> {
  const { output, options } = context;
  const result = await controlOf(context).json('DELETE', `mutable/${encodeURIComponent(namespace)}`, {
    query: { salt: options['salt'] as string, timeout: options['timeout'] as number },
  });
  const { key, owner, seq, holders, elapsedMs } = result;
  output.emit({ key, owner, namespace, seq, holders, elapsedMs }, String(key));
  output.talk(`deleted: tombstone with sequence ${seq} on ${nodes(holders)}`);
}
