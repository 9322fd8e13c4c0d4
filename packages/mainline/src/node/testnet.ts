/** A small network of one process on the loopback address, for tests of programs that use the DHT. */
import { createMainline, type Mainline, type MainlineOptions } from './mainline.ts';

export interface Testnet {
  readonly nodes: readonly Mainline[];
  /** For `createMainline({ bootstrap, host: '127.0.0.1' })`. */
  readonly bootstrap: readonly string[];
  close(): Promise<void>;
}

/** Starts `count` serving nodes (1 to 1000) that know each other. */
export async function createTestnet(count: number, options: MainlineOptions = {}): Promise<Testnet> {
  if (!Number.isInteger(count) || count < 1 || count > 1000)
    throw new RangeError(`a testnet has 1 to 1000 nodes, not ${count}`);
  const nodes: Mainline[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.close()));
  };
  const bootstrap: string[] = [];
  try {
    for (let i = 0; i < count; i++) {
      const node = await createMainline({
        host: '127.0.0.1',
        port: 0,
        mode: 'server',
        queriesPerSecondPerAddress: 0,
        ...options,
        bootstrap,
      });
      nodes.push(node);
      const { host, port } = node.info().localAddress;
      if (i === 0) bootstrap.push(host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);
      else await node.bootstrapped();
    }
  } catch (cause) {
    await close();
    throw cause;
  }
  return { nodes, bootstrap, close };
}
