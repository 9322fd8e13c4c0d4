/** What makes a node reachable for this machine's people and programs: control socket, HTTP probes, metrics. */
import type { MoliaNode } from '@molia/dht';
import { EXPOSITION_CONTENT_TYPE } from '@molia/metrics';
import { createRoutes } from './control-routes.ts';
import { type ControlServer, serveSocket, serveTcp } from './control-server.ts';
import { createDaemonMetrics } from './daemon-metrics.ts';
import { type DataDir, writeToken } from './datadir.ts';
import type { Logger } from './log.ts';

export interface ServiceOptions {
  readonly node: MoliaNode;
  readonly dataDir: DataDir;
  readonly socketPath: string;
  readonly version: string;
  readonly log: Logger;
  readonly httpListen: string | undefined;
  /** Seeds are configured: a node without contacts is then not ready. */
  readonly hasSeeds: boolean;
  isClosing(): boolean;
}

export interface Service {
  /** Path of the control socket. */
  readonly control: string;
  /** HOST:PORT of the probes on TCP, if any. */
  readonly http: string | undefined;
  /** Resolves when somebody asked for a stop over the control API. */
  readonly stopRequested: Promise<void>;
  closeControl(): Promise<void>;
  closeHttp(): Promise<void>;
}

/** @throws MoliaError CONTROL_UNAVAILABLE; nothing is left open then. */
export async function openService(options: ServiceOptions): Promise<Service> {
  const { node, log, hasSeeds } = options;
  const ready = (): boolean =>
    !options.isClosing() && node.state !== 'closed' && (!hasSeeds || node.stats().contacts > 0);
  const metrics = createDaemonMetrics(options.version, ready);
  let requestStop = (): void => undefined;
  const stopRequested = new Promise<void>((resolve) => {
    requestStop = resolve;
  });
  const serving = {
    probes: {
      ready,
      metrics: () => `${node.metrics()}${metrics.expose()}`,
      metricsContentType: EXPOSITION_CONTENT_TYPE,
    },
    onInternalError: (error: unknown) => log.error({ error }, 'a request met a bug'),
    onAnswer: (route: string, status: number) => metrics.answered(route, status),
  };
  let http: ControlServer | undefined;
  try {
    if (options.httpListen !== undefined) http = await serveTcp(options.httpListen, serving);
    const routes = createRoutes({
      node,
      version: options.version,
      dataDir: options.dataDir.path,
      http: http?.address,
      hasSeeds,
      ready,
      stop: () => requestStop(),
    });
    const control = await serveSocket(options.socketPath, {
      ...serving,
      routes,
      token: writeToken(options.dataDir),
    });
    return {
      control: control.address,
      http: http?.address,
      stopRequested,
      closeControl: () => control.close(),
      async closeHttp() {
        await http?.close();
        metrics.close();
      },
    };
  } catch (error) {
    await http?.close();
    metrics.close();
    throw error;
  }
}
