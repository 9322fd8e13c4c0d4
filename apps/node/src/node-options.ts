/** From a configuration to what `createNode` takes. */
import type { NodeOptions } from '@molia/dht';
import type { Config } from './config.ts';

/**
 * Addresses to try in turn. By default the port of the last run first, so that seed strings which were handed out stay
 * true: on both families, on IPv4 alone where the machine has no IPv6, and at last any port (undefined).
 */
export function listenAttempts(config: Config, lastPort: number): readonly (readonly string[] | undefined)[] {
  if (!config.listenIsDefault) return [config.listen];
  if (lastPort === 0) return [undefined];
  const both = config.listen.map((address) => address.replace(/:0$/, `:${lastPort}`));
  return [both, both.slice(0, 1), undefined];
}

/** Codes of a failed attempt after which the next one may do. */
export const listenRetryCodes: ReadonlySet<unknown> = new Set(['ADDRESS_IN_USE', 'ADDRESS_UNAVAILABLE']);

export function nodeOptions(config: Config, listen: readonly string[] | undefined): NodeOptions {
  return {
    network: config.networkSecret ?? config.network,
    ...(listen !== undefined && { listen }),
    seeds: config.seeds,
    dnsSeeds: config.dnsSeeds,
    bootstrap: config.bootstrap,
    mainline: config.mainline,
    client: config.client,
    limits: config.limits,
  };
}
