/** `molia status` and `molia stop`. */
import { dataDirAt } from '../datadir.ts';
import { cliError, dhtHints } from '../errors.ts';
import { lockOwner } from '../lock.ts';
import { columns, humanBytes } from '../output.ts';
import type { Context } from '../program.ts';
import { configOf, controlOf } from './verb-io.ts';

/** How long `stop` waits for the daemon to be gone. */
const STOP_MS_MAX = 15_000;

export async function status(context: Context): Promise<void> {
  const { output } = context;
  const { v: _v, ...found } = await controlOf(context).json('GET', 'status');
  output.emit(found, human(found));
  if (found['noPeers'] !== true) return;
  output.warn({ code: 'NO_PEERS', message: 'no peer answered', hint: dhtHints.NO_PEERS });
  process.exitCode = 1;
}

function human(s: Record<string, unknown>): string {
  const size = s['networkSize'] as { nodes: number; standardDeviation: number };
  const store = s['store'] as { records: number; bytes: number; providers: number };
  const providers = s['providers'] as Record<string, string>;
  const transport = s['transport'] as { datagramsIn: number; datagramsOut: number };
  return columns(
    [
      ['state', `${s['state']}${s['ready'] ? '' : ' (not ready)'}`],
      ['id', String(s['id'])],
      ['public key', String(s['publicKey'])],
      ['network', String(s['network'])],
      ['addresses', (s['addresses'] as string[]).join(', ')],
      ['up', `${Math.round(Number(s['uptimeMs']) / 1000)} s, pid ${s['pid']}, molia ${s['version']}`],
      ['contacts', `${s['contacts']} (${s['sessions']} sessions)`],
      ['network size', `about ${Math.round(size.nodes)} nodes (± ${Math.round(size.standardDeviation)})`],
      ['store', `${store.records} records, ${humanBytes(store.bytes)}, ${store.providers} provider entries`],
      ['datagrams', `${transport.datagramsIn} in, ${transport.datagramsOut} out (${providers['transport']})`],
      ['memory', humanBytes(Number(s['rssBytes']))],
    ],
    '',
  );
}

export async function stop(context: Context): Promise<void> {
  const { output } = context;
  const dir = dataDirAt(configOf(context).dataDir);
  const { pid } = await controlOf(context).json('POST', 'stop');
  const deadline = performance.now() + STOP_MS_MAX;
  while (lockOwner(dir) !== undefined) {
    if (performance.now() > deadline) {
      throw cliError(
        'CONTROL_UNAVAILABLE',
        `the daemon (pid ${pid}) still runs after ${STOP_MS_MAX / 1000} s`,
        {
          hint: `Look at its log; a second signal ends it at once: kill ${pid}`,
        },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  output.emit({ stopped: true, pid }, '');
  output.talk(`stopped (pid ${pid})`);
}
