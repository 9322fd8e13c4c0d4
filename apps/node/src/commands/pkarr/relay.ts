/** `molia pkarr relay`: the HTTP relay in the foreground. */
import { formatEndpoint, parseEndpoint } from '@molia/core';
import { createRelay } from '@molia/pkarr/relay';
import { cliError } from '../../errors.ts';
import { columns } from '../../output.ts';
import type { Context } from '../../program.ts';
import { stopSignal } from '../../signals.ts';
import { openMainline } from './network.ts';

export async function relay(context: Context): Promise<void> {
  const stopping = stopSignal();
  const { output, options } = context;
  const { host, port } = listenOf((options['listen'] as string | undefined) ?? '127.0.0.1:6881');
  const dhtPort = options['dhtPort'] as number | undefined;
  const dht = await openMainline(context, {
    mode: 'adaptive',
    ...(dhtPort === undefined ? {} : { port: dhtPort }),
  });
  try {
    const running = await createRelay({
      mainline: dht.mainline,
      host,
      port,
      trustedProxies: options['trustedProxy'] as string[] | undefined,
      requestsPerSecond: options['requestsPerSecond'] as number | undefined,
      lookupsPerSecond: options['lookupsPerSecond'] as number | undefined,
      cachePacketsMax: options['cache'] as number | undefined,
    }).catch((error: unknown) => {
      if (error instanceof RangeError) throw cliError('USAGE', error.message);
      if ((error as NodeJS.ErrnoException).syscall === 'listen')
        throw cliError(
          'CONTROL_UNAVAILABLE',
          `${host}:${port} cannot be opened (${(error as NodeJS.ErrnoException).code})`,
          {
            hint: 'Choose another address with --listen; port 0 takes any',
          },
        );
      throw error;
    });
    try {
      const { localAddress } = dht.mainline.info();
      const udp = `${localAddress.host}:${localAddress.port}`;
      output.emit(
        { event: 'started', url: running.url, dht: udp, pid: process.pid },
        columns([
          ['relay', running.url],
          ['health', `${running.url}/readyz`],
          ['DHT', `UDP ${udp}`],
        ]),
      );
      output.talk('Ctrl-C stops it');
      await stopping.requested;
    } finally {
      await running.close();
    }
  } finally {
    await dht.close();
    stopping.done();
  }
}

function listenOf(text: string): { host: string; port: number } {
  try {
    const endpoint = formatEndpoint(parseEndpoint(text));
    const at = endpoint.lastIndexOf(':');
    return { host: endpoint.slice(0, at).replace(/^\[|\]$/g, ''), port: Number(endpoint.slice(at + 1)) };
  } catch {
    throw cliError('USAGE', `--listen takes an address like 127.0.0.1:6881, not ${JSON.stringify(text)}`);
  }
}
