/** `molia testnet [n]`: a network in one process; the first node has a control socket for the other verbs. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestnet } from '@molia/dht';
import { quoted } from '../banner.ts';
import { controlSocketPath, openDataDir } from '../datadir.ts';
import { cliError } from '../errors.ts';
import { acquireLock } from '../lock.ts';
import { createLog } from '../log.ts';
import { columns } from '../output.ts';
import type { Context } from '../program.ts';
import { openService } from '../service.ts';
import { stopSignal } from '../signals.ts';
import { readVersion } from '../version.ts';
import { report } from './start.ts';
import { configOf } from './verb-io.ts';

/** Nodes in one process; each has a socket and a routing table. */
const NODES_MAX = 256;

export async function testnet(context: Context, text = '8'): Promise<void> {
  const { output, options } = context;
  const count = Number(text);
  if (!/^\d{1,3}$/.test(text) || count < 1 || count > NODES_MAX) {
    throw cliError('USAGE', `testnet takes 1 to ${NODES_MAX} nodes, not ${JSON.stringify(text)}`, {
      hint: 'Try: molia testnet 8',
    });
  }
  const stopping = stopSignal();
  const config = configOf(context);
  const given = options['dataDir'] as string | undefined;
  const path = given === undefined ? mkdtempSync(join(tmpdir(), 'molia-testnet-')) : config.dataDir;
  const log = await createLog({
    ...config,
    logLevel: options['logLevel'] === undefined ? 'warn' : config.logLevel,
  });
  try {
    const dataDir = openDataDir(path);
    const socketPath = controlSocketPath(path, config.controlSocket);
    const lock = acquireLock(dataDir, socketPath);
    try {
      const version = readVersion();
      const net = await createTestnet(count, {
        onEvent: (event) => report(log, event),
        signal: stopping.signal,
      });
      let isClosing = false;
      const node = net.nodes[0];
      if (node === undefined) throw new Error('a testnet without nodes');
      const service = await openService({
        node,
        dataDir,
        socketPath,
        version,
        log,
        httpListen: config.httpListen,
        hasSeeds: false,
        isClosing: () => isClosing,
      });
      const [seed = ''] = net.seeds;
      output.emit(
        {
          event: 'started',
          nodes: count,
          seeds: net.seeds,
          control: service.control,
          dataDir: path,
          pid: process.pid,
        },
        [
          `molia ${version}: a network of ${count} nodes, ready after ${Math.round(performance.now())} ms`,
          '',
          columns(net.seeds.map((one, index) => [index === 0 ? 'seeds' : '', one])),
          '',
          'Next, in another terminal:',
          `  npx molia put README.md --data-dir ${quoted(path)}`,
          `  npx molia start --data-dir /tmp/molia-guest --seed ${seed}`,
          'Ctrl-C stops all of it.',
        ].join('\n'),
      );
      await Promise.race([stopping.requested, service.stopRequested]);
      isClosing = true;
      await service.closeControl();
      await net.close();
      await service.closeHttp();
    } finally {
      lock.release();
    }
  } finally {
    if (given === undefined) rmSync(path, { recursive: true, force: true });
    stopping.done();
  }
}
