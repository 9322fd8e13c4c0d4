/** A network of nodes in one process, for people who develop against Molia, and for tests. */
import * as limits from './constants.ts';
import { functionInput, intInput, optionsInput } from './inputs.ts';
import { createNode } from './node.ts';
import type { MoliaNode, NodeOptions, Testnet, TestnetOptions } from './types.ts';

/** Nodes that every other node gets as seeds: enough that one may be closed. */
const SEED_NODES = 3;

/**
 * Opens `count` nodes (1 to 500) on `host`, joined to each other. Resolves when all have joined; when one fails, all are
 * closed and it rejects. Throws RangeError for a bad count.
 */
export function createTestnet(count: number, options: TestnetOptions = {}): Promise<Testnet> {
  intInput('count', count, 1, limits.TESTNET_NODES_MAX);
  const { host = '127.0.0.1', onProgress, ...shared } = options;
  functionInput('onProgress', onProgress);
  optionsInput('createTestnet', { host }, { host });
  return openTestnet(count, host, shared, onProgress);
}

async function openTestnet(
  count: number,
  host: string,
  shared: NodeOptions,
  onProgress: TestnetOptions['onProgress'],
): Promise<Testnet> {
  const nodes: MoliaNode[] = [];
  const seeds: string[] = [];
  const listen = [host.includes(':') ? `[${host}]:0` : `${host}:0`];
  let joined = 0;
  let closing: Promise<void> | undefined;

  async function addNode(given: NodeOptions = {}): Promise<MoliaNode> {
    const known = [...(shared.seeds ?? []), ...seeds];
    const address = given.transport === undefined && given.listen === undefined ? { listen } : {};
    const node = await createNode({ ...shared, ...address, ...given, seeds: given.seeds ?? known });
    nodes.push(node);
    if (known.length > 0) await node.joinBootstrap();
    if (seeds.length < SEED_NODES) seeds.push(...node.seedStrings().slice(0, 1));
    joined++;
    onProgress?.(joined, count);
    return node;
  }

  function close(): Promise<void> {
    closing ??= Promise.all(nodes.map((node) => node.close())).then(() => {});
    return closing;
  }

  try {
    // The first ones one by one, so that the rest has seeds; then several at a time.
    while (nodes.length < Math.min(SEED_NODES, count)) await addNode();
    await inTurns(Array.from({ length: count - nodes.length }), () => addNode());
    // The first nodes joined an almost empty network: now each meets its neighbours.
    if (count > 1) await inTurns(nodes, (node) => node.joinBootstrap(seeds));
  } catch (error) {
    await close();
    throw error;
  }
  return { nodes, seeds, addNode, close };
}

/** Runs `work` on each, some at a time; waits for all, then rejects with the first failure. */
async function inTurns<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    while (queue.length > 0) await work(queue.shift() as T);
  };
  const workers = await Promise.allSettled(Array.from({ length: limits.TESTNET_JOINS_MAX }, worker));
  const failed = workers.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
