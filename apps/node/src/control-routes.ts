/**
 * What the control API can do: each route reads its arguments, calls the node and words the answer. The field names of
 * these answers are the stable JSON of the command line; they are listed one by one, never passed through whole.
 */
import type { MoliaNode, PeerInfo } from '@molia/dht';
import { found, mustHavePeers, numbers, operation, type RouteContext, segment } from './control-arguments.ts';
import { createBlobRoutes } from './control-blobs.ts';
import { createPinRoutes } from './control-pins.ts';
import { Header, SMALL_BODY_BYTES_MAX } from './control-protocol.ts';
import type { ControlRequest, Route } from './control-server.ts';
import type { JsonObject } from './output.ts';

export function createRoutes(context: RouteContext): Record<string, Route> {
  const { node } = context;
  return {
    ...createBlobRoutes(context),
    ...createPinRoutes(context),
    'GET status': async () => ({ json: status(context) }),
    'POST stop': async () => {
      context.stop();
      return { json: { stopping: true, pid: process.pid } };
    },
    'PUT values': async (request) => {
      const value = await request.body();
      mustHavePeers(context);
      const result = await node.put(value, { ...operation(request), ...numbers(request, { ttl: 'ttlSec' }) });
      return {
        json: { key: result.key, holders: result.holders, bytes: value.length, elapsedMs: result.elapsedMs },
      };
    },
    'GET values': async (request) => {
      const key = segment(request, 0, 'key');
      const value = await found(context, () => node.get(key, operation(request)));
      return { raw: value, headers: {} };
    },
    'PUT mutable': async (request) => {
      const namespace = segment(request, 0, 'namespace');
      const value = await request.body();
      mustHavePeers(context);
      const result = await node.putMutable(namespace, value, {
        ...operation(request),
        ...salt(request),
        ...numbers(request, { ttl: 'ttlSec', seq: 'seq', cas: 'cas' }),
      });
      return { json: { ...mutable(node, namespace, result), bytes: value.length } };
    },
    'GET mutable': async (request) => {
      const [owner, namespace] = [segment(request, 0, 'owner'), segment(request, 1, 'namespace')];
      const options = { ...operation(request), ...salt(request), ...numbers(request, { min_seq: 'minSeq' }) };
      const record = await found(context, () => node.getMutable(owner, namespace, options));
      return {
        raw: record.value,
        headers: {
          [Header.KEY]: record.key,
          [Header.OWNER]: record.owner,
          [Header.SEQ]: String(record.seq),
          [Header.EQUIVOCATED]: String(record.equivocated),
        },
      };
    },
    'DELETE mutable': async (request) => {
      const namespace = segment(request, 0, 'namespace');
      mustHavePeers(context);
      const result = await node.delete(namespace, { ...operation(request), ...salt(request) });
      return { json: mutable(node, namespace, result) };
    },
    'POST providers': async (request) => {
      const key = segment(request, 0, 'key');
      const meta = await request.body(SMALL_BODY_BYTES_MAX);
      mustHavePeers(context);
      const result = await node.announceProvider(key, meta, {
        ...operation(request),
        ...numbers(request, { ttl: 'ttlSec' }),
      });
      return { json: { key: result.key, holders: result.holders, elapsedMs: result.elapsedMs } };
    },
    'GET providers': async (request) => {
      const key = segment(request, 0, 'key');
      let count = 0;
      for await (const provider of node.findProviders(key, {
        ...operation(request),
        ...numbers(request, { max: 'max' }),
      })) {
        count++;
        const { publicKey, id, seq } = provider;
        await request.line({
          event: 'provider',
          publicKey,
          id,
          seq,
          meta: Buffer.from(provider.meta).toString('base64'),
        });
      }
      await request.line({ event: 'done', key, count });
      return undefined;
    },
    'GET lookup': async (request) => {
      const target = segment(request, 0, 'target');
      const result = await node.lookup(target, {
        ...operation(request),
        onProgress(progress) {
          const { asked, answered, closestBits, elapsedMs } = progress;
          void request.line({ event: 'progress', asked, answered, closestBits, elapsedMs });
        },
      });
      await request.line({
        event: 'result',
        target: result.target,
        contacts: result.contacts.map(({ id, publicKey, endpoint }) => ({ id, publicKey, endpoint })),
        asked: result.asked,
        answered: result.answered,
        elapsedMs: result.elapsedMs,
      });
      return undefined;
    },
    'GET peers': async () => {
      mustHavePeers(context);
      const peers = node.peers();
      return { json: { count: peers.length, peers: peers.map(peerObject) } };
    },
    'POST ping': async (request) => {
      const result = await node.ping(peerAddress(node, segment(request, 0, 'peer')), operation(request));
      const { publicKey, id, endpoint, rttMs } = result;
      return { json: { publicKey, id, endpoint, rttMs } };
    },
  };
}

/** The object of `molia status --json`. */
function status(context: RouteContext): JsonObject {
  const stats = context.node.stats();
  return {
    id: stats.id,
    publicKey: stats.publicKey,
    state: stats.state,
    ready: context.ready(),
    network: stats.network,
    client: stats.client,
    version: context.version,
    pid: process.pid,
    dataDir: context.dataDir,
    uptimeMs: stats.uptimeMs,
    addresses: stats.addresses,
    seeds: context.node.seedStrings(),
    http: context.http ?? null,
    contacts: stats.contacts,
    sessions: stats.sessions,
    networkSize: stats.networkSize,
    store: stats.store,
    operations: stats.operations,
    transport: stats.transport,
    providers: stats.providers,
    rssBytes: process.memoryUsage.rss(),
    noPeers: context.hasSeeds && stats.contacts === 0 && stats.state !== 'joining',
  };
}

function peerObject(peer: PeerInfo): JsonObject {
  return {
    id: peer.id,
    publicKey: peer.publicKey,
    endpoint: peer.endpoint,
    rttMs: peer.rttMs ?? null,
    bucket: peer.bucket,
    lastSeenMs: peer.lastSeenMs,
  };
}

function mutable(
  node: MoliaNode,
  namespace: string,
  result: { key: string; seq: number; holders: number; elapsedMs: number },
): JsonObject {
  const { key, seq, holders, elapsedMs } = result;
  return { key, owner: node.publicKey, namespace, seq, holders, elapsedMs };
}

/** The id of a known peer stands for its key and address; everything else the node reads itself. */
function peerAddress(node: MoliaNode, text: string): string {
  if (text.includes('@')) return text;
  const known = node.peers().find((peer) => peer.id === text || peer.publicKey === text);
  return known === undefined ? text : `${known.publicKey}@${known.endpoint}`;
}

function salt({ query }: ControlRequest): { salt?: string } {
  const text = query.get('salt');
  return text === null ? {} : { salt: text };
}
