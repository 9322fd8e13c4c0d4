/**
 * The daemon: data directory, identity, lock, node, control socket and HTTP, opened in this order and closed in the
 * reverse one. Nothing that a failed start has opened stays open.
 */
import { createSecureRng } from '@molia/core';
import { createNode, type MoliaNode, type NodeEvent } from '@molia/dht';
import type { Config } from './config.ts';
import {
  controlSocketPath,
  type DataDir,
  openDataDir,
  readIdentitySeed,
  readLastPort,
  writeAtomic,
  writeIdentitySeed,
} from './datadir.ts';
import { acquireLock } from './lock.ts';
import type { Logger } from './log.ts';
import { listenAttempts, listenRetryCodes, nodeOptions } from './node-options.ts';
import { openService } from './service.ts';

export interface Daemon {
  readonly node: MoliaNode;
  readonly dataDir: DataDir;
  /** Path of the control socket. */
  readonly control: string;
  /** HOST:PORT of the open paths on TCP, if configured. */
  readonly http: string | undefined;
  /** A fresh identity was made in this start. */
  readonly isNew: boolean;
  /** Resolves when somebody asked for a stop over the control API. */
  readonly stopRequested: Promise<void>;
  /** Graceful: not ready, node closed (all it holds durable), sockets removed, lock released. Idempotent. */
  close(): Promise<void>;
}

export interface DaemonHooks {
  readonly version: string;
  readonly log: Logger;
  /** Events of the node that an operator should see. */
  onEvent(event: NodeEvent): void;
}

/**
 * Starts a daemon; resolves as soon as it can be used, while the node still joins.
 * @throws MoliaError of this program's codes, and ADDRESS_IN_USE, ADDRESS_UNAVAILABLE, STORE_LOCKED, STORE_UNUSABLE, STORE_VERSION of the node.
 */
export async function startDaemon(config: Config, hooks: DaemonHooks): Promise<Daemon> {
  const opened: (() => Promise<void> | void)[] = [];
  const closeAll = async (): Promise<void> => {
    // BOUNDED: by what was opened; a step that fails does not keep the others from closing.
    for (let step = opened.pop(); step !== undefined; step = opened.pop()) {
      try {
        await step();
      } catch (error) {
        hooks.log.error({ error }, 'a step of the shutdown failed');
      }
    }
  };
  try {
    const dataDir = openDataDir(config.dataDir);
    const socketPath = controlSocketPath(dataDir.path, config.controlSocket);
    const lock = acquireLock(dataDir, socketPath);
    opened.push(() => lock.release());
    const { seed, isNew } = identity(dataDir);
    const node = await openNode(config, dataDir, seed, hooks);
    opened.push(() => node.close());
    seed.fill(0);
    rememberPort(dataDir, node);

    let isClosing = false;
    const service = await openService({
      node,
      dataDir,
      socketPath,
      version: hooks.version,
      log: hooks.log,
      httpListen: config.httpListen,
      hasSeeds: config.seeds.length + config.dnsSeeds.length + config.bootstrap.length > 0,
      isClosing: () => isClosing,
    });
    // The probes on TCP outlive the node, so that /readyz says 503 while it closes.
    opened.splice(1, 0, () => service.closeHttp());
    opened.push(() => service.closeControl());

    let closing: Promise<void> | undefined;
    return {
      node,
      dataDir,
      control: service.control,
      http: service.http,
      isNew,
      stopRequested: service.stopRequested,
      close() {
        isClosing = true;
        closing ??= closeAll();
        return closing;
      },
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

function identity(dataDir: DataDir): { seed: Uint8Array; isNew: boolean } {
  const found = readIdentitySeed(dataDir.keyFile);
  if (found !== undefined) return { seed: found, isNew: false };
  const seed = new Uint8Array(32);
  createSecureRng().fill(seed, 0, 32);
  writeIdentitySeed(dataDir.keyFile, seed);
  return { seed, isNew: true };
}

async function openNode(
  config: Config,
  dataDir: DataDir,
  seed: Uint8Array,
  hooks: DaemonHooks,
): Promise<MoliaNode> {
  const attempts = listenAttempts(config, readLastPort(dataDir));
  for (const [index, listen] of attempts.entries()) {
    try {
      return await createNode({
        ...nodeOptions(config, listen),
        identity: seed,
        dataDir: dataDir.path,
        onEvent: (event) => hooks.onEvent(event),
      });
    } catch (error) {
      const isLast = index === attempts.length - 1;
      if (isLast || !listenRetryCodes.has((error as { code?: unknown }).code)) throw error;
      hooks.log.info({ listen, error }, 'the port of the last run cannot be used on all addresses');
    }
  }
  throw new Error('no address to listen on');
}

/** Only for the next start: that it cannot be written is no reason to stop. */
function rememberPort(dataDir: DataDir, node: MoliaNode): void {
  const port = node.addresses[0]?.port;
  if (port === undefined || port === readLastPort(dataDir)) return;
  try {
    writeAtomic(dataDir.portFile, `${port}\n`);
  } catch {
    // The next start takes any port.
  }
}
