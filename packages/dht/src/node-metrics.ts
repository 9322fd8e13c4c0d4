/** What a node shows at `/metrics`: its storeys' counters and a few gauges, read when somebody scrapes; who does what in it. */
import { type BoundAddress, blake3Provider, type Curves, type Transport } from '@molia/core';
import type { RecordStore } from '@molia/kademlia';
import { Registry } from '@molia/metrics';
import { defaultCipher } from '@molia/wireguard';
import type { Shard } from './shard.ts';
import type { NodeStats } from './types.ts';

/** A registry over one shard; `stats` is asked once per scrape. */
export function createNodeRegistry(shard: Shard, stats: () => NodeStats): () => string {
  const registry = new Registry();
  let now: NodeStats = stats();
  registry.counters('shard', shard.counters);
  registry.counters('wireguard', shard.wireguard.counters);
  registry.counters('kademlia', shard.kademlia.counters);
  registry.gauge('up', 'Whether this node is open.', () => (now.state === 'closed' ? 0 : 1));
  registry.gauge('contacts', 'Contacts in the routing table.', () => now.contacts);
  registry.gauge('sessions', 'WireGuard sessions that can carry data.', () => now.sessions);
  registry.gauge('network_nodes', 'Estimated nodes of the network.', () => now.networkSize.nodes);
  registry.gauge('store_records', 'Records held.', () => now.store.records);
  registry.gauge('store_bytes', 'Bytes of the records held.', () => now.store.bytes);
  registry.gauge('store_providers', 'Provider records held.', () => now.store.providers);
  registry.gauge('operations_running', 'Client operations that run.', () => now.operations.running);
  registry.gauge('operations_queued', 'Client operations that wait.', () => now.operations.queued);
  registry.gauge('uptime_seconds', 'Time since the node was created.', () => now.uptimeMs / 1000);
  registry.gauge('pins', 'Pinned keys.', () => now.steward.pins);
  registry.gauge(
    'pins_alive',
    'Pinned keys that were whole at their last visit, or made so.',
    () => now.steward.alive,
  );
  registry.counter(
    'steward_rounds_total',
    'Visits to pinned keys that ended well.',
    () => now.steward.rounds,
  );
  registry.counter(
    'steward_failures_total',
    'Visits to pinned keys that failed.',
    () => now.steward.failures,
  );
  registry.counter(
    'steward_shards_rebuilt_total',
    'Shards of pinned blobs made again.',
    () => now.steward.rebuilt,
  );
  const direction = 'Datagrams carried by the transport.';
  registry.counter('transport_datagrams_total', direction, () => now.transport.datagramsIn, {
    direction: 'in',
  });
  registry.counter('transport_datagrams_total', direction, () => now.transport.datagramsOut, {
    direction: 'out',
  });
  const bytes = 'Bytes of those datagrams.';
  registry.counter('transport_bytes_total', bytes, () => now.transport.bytesIn, { direction: 'in' });
  registry.counter('transport_bytes_total', bytes, () => now.transport.bytesOut, { direction: 'out' });
  registry.counter(
    'transport_send_errors_total',
    'Datagrams that could not be sent, as far as the kernel said.',
    () => now.transport.sendErrors,
  );
  return () => {
    now = stats();
    return registry.expose();
  };
}

/** Which of several implementations does what. */
export function providersOf(curves: Curves, transport: Transport): Readonly<Record<string, string>> {
  return {
    aead: defaultCipher().name,
    curves: curves.name,
    blake3: blake3Provider,
    transport: transport.driver ?? transport.scheme,
  };
}

/** What the stack counts, as `NodeStats` shows it. */
export function shardStats({
  kademlia,
  wireguard,
  counters,
}: Shard): Pick<NodeStats, 'contacts' | 'networkSize' | 'sessions' | 'counters'> {
  const { nodes, standardDeviation } = kademlia.sizeEstimate();
  return {
    contacts: kademlia.contactCount,
    networkSize: { nodes, standardDeviation },
    sessions: wireguard.sessionCount,
    counters: {
      shard: counters.snapshot(),
      wireguard: wireguard.counters.snapshot(),
      kademlia: kademlia.counters.snapshot(),
    },
  };
}

export function storeStats(store: RecordStore): NodeStats['store'] {
  const { count, bytes, providers } = store.stats();
  return { records: count, bytes, providers };
}

/** `address:port`, IPv6 in brackets. */
export function addressTexts(addresses: readonly BoundAddress[]): string[] {
  return addresses.map(({ family, address, port }) =>
    family === 4 ? `${address}:${port}` : `[${address}]:${port}`,
  );
}
