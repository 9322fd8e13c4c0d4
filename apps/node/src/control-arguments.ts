/** What control routes share: the daemon they serve, and how they read arguments and word what is missing. */
import { MoliaError } from '@molia/core';
import type { MoliaNode, OperationOptions } from '@molia/dht';
import type { ControlRequest } from './control-server.ts';
import { dhtHints, misuse } from './errors.ts';

/** What the routes need of the daemon. */
export interface RouteContext {
  readonly node: MoliaNode;
  readonly version: string;
  readonly dataDir: string;
  /** Where `/metrics` and the probes are on TCP, if anywhere. */
  readonly http: string | undefined;
  /** Seeds are configured: a node without contacts then has failed to join. */
  readonly hasSeeds: boolean;
  ready(): boolean;
  /** Begins a graceful stop; returns at once. */
  stop(): void;
}

/** A node that was given seeds and knows nobody must not answer as if it were the network. */
export function mustHavePeers({ hasSeeds, node }: RouteContext): void {
  if (!hasSeeds || node.state === 'joining' || node.stats().contacts > 0) return;
  throw noPeers();
}

/** The first node of a network that nobody has joined yet: what it does not hold does not exist. */
export async function found<T>(context: RouteContext, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const isAlone = (error as { code?: unknown }).code === 'NO_PEERS' && context.node.state === 'ready';
    if (!isAlone) throw error;
    throw new MoliaError('NOT_FOUND', 'this node does not hold it, and no other node has joined yet', {
      cause: error,
    });
  }
}

function noPeers(): Error {
  return new MoliaError('NO_PEERS', 'no peer answered', { hint: dhtHints.NO_PEERS });
}

/** The library's options that every operation takes. */
export function operation(request: ControlRequest): OperationOptions {
  return { signal: request.signal, ...numbers(request, { timeout: 'timeoutMs' }) };
}

/** Query parameters that are whole numbers, under the names of the library's options. */
export function numbers<Name extends string>(
  { query }: ControlRequest,
  names: Readonly<Record<string, Name>>,
): Partial<Record<Name, number>> {
  const found: Partial<Record<Name, number>> = {};
  for (const [parameter, option] of Object.entries(names)) {
    const text = query.get(parameter);
    if (text === null) continue;
    if (!/^\d{1,16}$/.test(text))
      throw misuse(
        'INVALID_ARGUMENT',
        `${parameter}: expected a whole number, found ${JSON.stringify(text)}`,
      );
    found[option] = Number(text);
  }
  return found;
}

/** A path segment that must be there. */
export function segment({ segments }: ControlRequest, index: number, name: string): string {
  const text = segments[index];
  if (text === undefined || text === '') throw misuse('INVALID_ARGUMENT', `${name} is missing`);
  return text;
}
