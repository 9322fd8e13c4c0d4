/** From a configuration to what `createNode` takes. */
import type { NodeOptions } from '@molia/dht';
import type { Config } from './config.ts';

/** Addresses to try in turn: the port of the last run first, so that seed strings which were handed out stay true. */
export function listenAttempts(config: Config, lastPort: number): readonly (readonly string[])[] {
  if (!config.listenIsDefault || lastPort === 0) return [config.listen];
  return [config.listen.map((address) => address.replace(/:0$/, `:${lastPort}`)), config.listen];
}

export function nodeOptions(config: Config, listen: readonly string[]): NodeOptions {
  return {
    network: config.networkSecret ?? config.network,
    listen,
    seeds: config.seeds,
    dnsSeeds: config.dnsSeeds,
    client: config.client,
    limits: config.limits,
  };
}
