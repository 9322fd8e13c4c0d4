/** Our program of the `mainline` suite. Argument `native`: over the addon's batches of datagrams instead of node:dgram. */
import { createMainline, type Mainline } from '@molia/mainline/node';
import { createUdpTransport } from '@molia/native-shard';
import { lookups, type MainlineClient, store } from './measure.ts';
import { answerRequests, type Request } from './program.ts';

const nodes: Mainline[] = [];
const addresses = (ports: readonly number[]): string[] => ports.map((port) => `127.0.0.1:${port}`);

async function open(ports: readonly number[], mode: 'client' | 'server'): Promise<Mainline> {
  const node = await createMainline({
    bootstrap: addresses(ports),
    ...(process.argv[2] === 'native'
      ? { transport: createUdpTransport({ listen: ['127.0.0.1:0'], driver: 'native' }) }
      : { host: '127.0.0.1', port: 0 }),
    mode,
    // All queries come from one address here.
    queriesPerSecondPerAddress: 0,
  });
  nodes.push(node);
  if (ports.length > 0) await node.bootstrapped();
  return node;
}

function client(node: Mainline): MainlineClient {
  return {
    put: async (value) => (await node.putImmutable(value)).target,
    get: async (target) => (await node.getImmutable(target))?.value as Uint8Array | undefined,
  };
}

async function handle(request: Request): Promise<unknown> {
  const [writer, reader] = nodes as [Mainline, Mainline];
  switch (request.do) {
    case 'serve': {
      const ports = [...request.ports];
      for (let i = 0; i < request.count; i++) {
        const node = await open(ports.slice(0, 3), 'server');
        ports.push(node.info().localAddress.port);
      }
      return ports.slice(request.ports.length);
    }
    case 'join':
      for (let i = 0; i < 2; i++) await open(request.ports, 'client');
      return null;
    case 'cpu': {
      const { user, system } = process.cpuUsage();
      return user + system;
    }
    case 'queries':
      return nodes.reduce((sum, node) => sum + (node.info().counters['queries'] ?? 0), 0);
    case 'store':
      return store(client(writer), client(reader), request.count, request.valueBytes);
    case 'lookups':
      return lookups(client(reader), request.inFlight, request.seconds);
    default:
      throw new Error(`no request for a node: ${request.do}`);
  }
}

answerRequests(handle, async () => {
  await Promise.all(nodes.map((node) => node.close()));
});
