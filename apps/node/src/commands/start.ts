/** `molia start`: the daemon in the foreground. */
import { MoliaError } from '@molia/core';
import type { NodeEvent } from '@molia/dht';
import { startBanner } from '../banner.ts';
import { dhtHints } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Context } from '../program.ts';
import { stopSignal } from '../signals.ts';
import { readVersion } from '../version.ts';
import { configOf } from './verb-io.ts';

export async function start(context: Context): Promise<void> {
  // In place before anything says that the daemon runs: a supervisor may signal as soon as it reads that.
  const stopping = stopSignal();
  const config = configOf(context);
  const version = readVersion();
  const [{ createLog }, { startDaemon }] = await Promise.all([import('../log.ts'), import('../daemon.ts')]);
  const log = await createLog(config);
  let tellClosed = (): void => undefined;
  const nodeClosed = new Promise<void>((resolve) => {
    tellClosed = resolve;
  });
  const onEvent = (event: NodeEvent): void => {
    report(log, event);
    if (event.type === 'closed') tellClosed();
  };
  const daemon = await startDaemon(config, { version, log, onEvent });
  if (!stopping.signal.aborted) {
    const { node } = daemon;
    context.output.emit(
      {
        event: 'started',
        id: node.id,
        publicKey: node.publicKey,
        addresses: node.stats().addresses,
        seeds: node.seedStrings(),
        control: daemon.control,
        http: daemon.http ?? null,
        dataDir: daemon.dataDir.path,
        pid: process.pid,
        version,
        startupMs: Math.round(performance.now()),
      },
      startBanner({ daemon, config, version }),
    );
    log.info({ id: node.id, startupMs: Math.round(performance.now()) }, 'started');
  }
  await Promise.race([stopping.requested, daemon.stopRequested, nodeClosed]);
  const isFailure = daemon.node.state === 'closed';
  log.info('stopping');
  await daemon.close();
  log.info('stopped');
  log.flush();
  stopping.done();
  // Nobody asked for it: what carries the datagrams broke, and the log says how.
  if (isFailure) throw new MoliaError('TRANSPORT_FAILED', 'the node lost its sockets and closed');
}

/** Events of the node as log lines. */
export function report(log: Logger, event: NodeEvent): void {
  switch (event.type) {
    case 'joined':
      log.info({ contacts: event.contacts, elapsedMs: Math.round(event.elapsedMs) }, 'joined the network');
      break;
    case 'isolated':
      log.warn({ code: 'NO_PEERS', hint: dhtHints.NO_PEERS }, 'no peer answered; the node keeps trying');
      break;
    case 'published':
      log.info({ holders: event.holders }, 'the record of this node is in the Mainline DHT');
      break;
    case 'alert':
      log.warn({ code: event.code, ...(event.hint !== undefined && { hint: event.hint }) }, event.message);
      break;
    case 'closed':
      log.debug('the node is closed');
  }
}
