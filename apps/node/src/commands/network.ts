/** `molia lookup`, `peers`, `ping`. */
import { columns } from '../output.ts';
import type { Context } from '../program.ts';
import { controlOf, hexKey } from './verb-io.ts';

export async function lookup(context: Context, text: string): Promise<void> {
  const { output, options } = context;
  const wanted = hexKey(text, 'target');
  const lines = controlOf(context).lines('GET', `lookup/${wanted}`, {
    query: { timeout: options['timeout'] as number },
  });
  for await (const line of lines) {
    const { event, target, contacts, asked, answered, closestBits, elapsedMs } = line;
    if (event === 'progress') output.emit({ event, asked, answered, closestBits, elapsedMs }, '');
    else {
      const found = contacts as { id: string; endpoint: string }[];
      output.emit(
        { event, target, contacts, asked, answered, elapsedMs },
        found.length === 0
          ? ''
          : columns(
              found.map(({ id, endpoint }) => [id, endpoint]),
              '',
            ),
      );
      output.talk(
        `${found.length} nodes; ${answered} of ${asked} asked answered in ${Math.round(Number(elapsedMs))} ms`,
      );
    }
  }
}

interface PeerLine {
  readonly id: string;
  readonly endpoint: string;
  readonly rttMs: number | null;
}

export async function peers(context: Context): Promise<void> {
  const { output } = context;
  const { count, peers: list } = await controlOf(context).json('GET', 'peers');
  const rows = (list as PeerLine[]).map(({ id, endpoint, rttMs }): [string, string] => [
    id,
    `${endpoint.padEnd(21)}  ${rttMs === null ? '' : `${rttMs.toFixed(1)} ms`}`,
  ]);
  output.emit({ count, peers: list }, rows.length === 0 ? '' : columns(rows, ''));
  output.talk(count === 1 ? '1 peer' : `${count} peers`);
}

export async function ping(context: Context, peer: string): Promise<void> {
  const { output, options } = context;
  const address = peer.includes('@')
    ? peer.replace(/^[^@]+/, (key) => hexKey(key, 'public key'))
    : hexKey(peer, 'peer');
  const { publicKey, id, endpoint, rttMs } = await controlOf(context).json(
    'POST',
    `ping/${encodeURIComponent(address)}`,
    {
      query: { timeout: options['timeout'] as number },
    },
  );
  output.emit({ publicKey, id, endpoint, rttMs }, `${endpoint}  ${Number(rttMs).toFixed(1)} ms`);
}
