/** One node of the cross-check in a process of its own: opened, asked and closed over IPC. */
import { createNode, type MoliaNode } from '@molia/dht';

/** What the parent asks for; byte strings travel in hexadecimal. */
export type Order =
  | { readonly do: 'open'; readonly identity: string; readonly seeds: readonly string[] }
  | { readonly do: 'join' }
  | { readonly do: 'put'; readonly value: string }
  | { readonly do: 'get'; readonly key: string }
  | { readonly do: 'find'; readonly target: string }
  | { readonly do: 'sent' }
  | { readonly do: 'close' };

let node: MoliaNode;

const sent = (): number => node.stats().counters.kademlia['requests_sent'] ?? 0;

/** Runs an operation and says how many requests this node sent meanwhile. */
async function counted(operation: () => Promise<unknown>): Promise<number> {
  const before = sent();
  await operation();
  return sent() - before;
}

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'open': {
      const identity = Uint8Array.from(Buffer.from(order.identity, 'hex'));
      node = await createNode({ identity, listen: ['127.0.0.1:0'], seeds: order.seeds });
      if (order.seeds.length > 0) await node.joinBootstrap();
      return node.seedStrings()[0];
    }
    case 'join':
      await node.joinBootstrap();
      return null;
    case 'put':
      return (await node.put(Uint8Array.from(Buffer.from(order.value, 'hex')))).key;
    case 'get':
      return counted(() => node.get(order.key));
    case 'find':
      return (await node.lookup(order.target)).asked;
    case 'sent':
      return sent();
    case 'close':
      await node.close();
      setImmediate(() => process.disconnect());
      return null;
  }
}

process.on('message', ({ id, order }: { id: number; order: Order }) => {
  obey(order).then(
    (result) => process.send?.({ id, result }),
    (error: Error) => process.send?.({ id, error: error.stack ?? String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
