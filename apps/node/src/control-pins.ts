/** The control API's part for pinned keys. */
import type { PinInfo } from '@molia/dht';
import { found, mustHavePeers, type RouteContext, segment } from './control-arguments.ts';
import type { Route } from './control-server.ts';
import type { JsonObject } from './output.ts';

export function createPinRoutes(context: RouteContext): Record<string, Route> {
  const { node } = context;
  return {
    'PUT pins': async (request) => {
      const key = segment(request, 0, 'key');
      mustHavePeers(context);
      return { json: pinJson(await found(context, () => node.pin(key, { signal: request.signal }))) };
    },
    'DELETE pins': async (request) => {
      const key = segment(request, 0, 'key');
      return { json: { key: key.slice(0, 64), unpinned: await node.unpin(key) } };
    },
    'GET pins': async () => ({ json: { pins: node.pins().map(pinJson) } }),
  };
}

function pinJson({ key, kind, state, addedUnix, checkedUnix, missing, rebuilt, lost }: PinInfo): JsonObject {
  return { key, kind, state, addedUnix, checkedUnix, missing, rebuilt, lost };
}
