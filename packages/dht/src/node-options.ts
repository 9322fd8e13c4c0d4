/** Options of a node: defaults, checks, and the frozen result that the rest reads. */
import { PUBLIC_NETWORK, SEED_BYTES, type Transport } from '@molia/core';
import { DEFAULTS as KADEMLIA_DEFAULTS } from '@molia/kademlia';
import { createUdpTransport } from '@molia/native-shard';
import * as limits from './constants.ts';
import { rangeError, typeError } from './errors.ts';
import { functionInput, intInput, optionsInput, stringsInput, textInput } from './inputs.ts';
import { type MainlineSource, parseMainlineSource } from './mainline-source.ts';
import { parseSeed, type Seed } from './seeds.ts';
import type { MainlineUse, NodeEvent, NodeLimits, NodeOptions } from './types.ts';

/** Characters of a network name or secret. */
const NETWORK_CHARS_MAX = 256;
/** Characters of a path. */
const PATH_CHARS_MAX = 4096;
/** A port is checked when it is used. */
const HOST_PORT = /^(?:\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/;
const INDEX_ROWS_MAX = 1_048_576;
const STORE_ROWS_MAX = 16_777_216;

/** Effective defaults of `NodeLimits`. */
export const NODE_LIMIT_DEFAULTS: Required<NodeLimits> = Object.freeze({
  peersMax: limits.PEERS_MAX,
  recordsMax: limits.RECORDS_MAX,
  storeBytesMax: limits.STORE_BYTES_MAX,
  operationsMax: limits.OPERATIONS_MAX,
  operationsQueuedMax: limits.OPERATIONS_QUEUED_MAX,
  peerUnitsPerSecond: KADEMLIA_DEFAULTS.peerUnitsPerSecond,
  stewardSecs: limits.STEWARD_PERIOD_MS / 1000,
});

const DEFAULTS = Object.freeze({
  network: PUBLIC_NETWORK as string,
  identity: undefined as Uint8Array | undefined,
  listen: undefined as readonly string[] | undefined,
  seeds: [] as readonly string[],
  dnsSeeds: [] as readonly string[],
  bootstrap: [] as readonly string[],
  mainline: undefined as MainlineUse | undefined,
  dataDir: undefined as string | undefined,
  client: false as boolean,
  transport: undefined as Transport | undefined,
  autoJoin: true as boolean,
  limits: undefined as NodeLimits | undefined,
  onEvent: undefined as ((event: NodeEvent) => void) | undefined,
  signal: undefined as AbortSignal | undefined,
});

export interface ResolvedOptions {
  readonly network: string;
  readonly identity: Uint8Array | undefined;
  readonly seeds: readonly Seed[];
  readonly dnsSeeds: readonly string[];
  readonly sources: readonly MainlineSource[];
  readonly mainline: Readonly<Required<MainlineUse>>;
  readonly dataDir: string | undefined;
  readonly client: boolean;
  readonly transport: Transport;
  readonly autoJoin: boolean;
  readonly limits: Readonly<Required<NodeLimits>>;
  readonly onEvent: ((event: NodeEvent) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** Throws TypeError or RangeError with a code; opens nothing. */
export function resolveNodeOptions(given: NodeOptions = {}): ResolvedOptions {
  const options = optionsInput('createNode', DEFAULTS, given);
  const { identity, transport, listen, signal } = options;
  if (identity !== undefined && !(identity instanceof Uint8Array)) {
    throw typeError('INVALID_ARGUMENT', `identity: expected the ${SEED_BYTES} bytes of a seed`);
  }
  if (identity !== undefined && identity.length !== SEED_BYTES) {
    throw rangeError('INVALID_ARGUMENT', `identity: expected ${SEED_BYTES} bytes, found ${identity.length}`);
  }
  if (transport !== undefined && listen !== undefined) {
    throw typeError(
      'INVALID_ARGUMENT',
      'listen belongs to the built-in UDP transport: give it or transport, not both',
    );
  }
  if (transport !== undefined && transport.apiVersion !== 1) {
    throw typeError('INVALID_ARGUMENT', `transport: apiVersion 1 expected, found ${transport.apiVersion}`);
  }
  for (const name of ['client', 'autoJoin'] as const) {
    if (typeof options[name] !== 'boolean') {
      throw typeError('INVALID_ARGUMENT', `${name}: expected true or false, found ${typeof options[name]}`);
    }
  }
  functionInput('onEvent', options.onEvent);
  if (signal !== undefined && typeof (signal as Partial<AbortSignal>)?.addEventListener !== 'function') {
    throw typeError('INVALID_ARGUMENT', 'signal: expected an AbortSignal');
  }
  const dnsSeeds = stringsInput('dnsSeeds', options.dnsSeeds);
  if (options.seeds.length > limits.SEEDS_MAX || dnsSeeds.length > limits.SEEDS_MAX) {
    throw rangeError('INVALID_ARGUMENT', `seeds: at most ${limits.SEEDS_MAX}`);
  }
  return Object.freeze({
    network: textInput('network', options.network, NETWORK_CHARS_MAX),
    identity,
    seeds: stringsInput('seeds', options.seeds).map(parseSeed),
    dnsSeeds,
    sources: sourcesInput(options.bootstrap),
    mainline: mainlineInput(options.mainline),
    dataDir:
      options.dataDir === undefined ? undefined : textInput('dataDir', options.dataDir, PATH_CHARS_MAX),
    client: options.client,
    transport:
      transport ?? createUdpTransport(listen === undefined ? {} : { listen: stringsInput('listen', listen) }),
    autoJoin: options.autoJoin,
    limits: resolveLimits(options.limits),
    onEvent: options.onEvent,
    signal,
  });
}

function sourcesInput(given: readonly string[]): readonly MainlineSource[] {
  const texts = stringsInput('bootstrap', given);
  if (texts.length > limits.SEEDS_MAX)
    throw rangeError('INVALID_ARGUMENT', `bootstrap: at most ${limits.SEEDS_MAX}`);
  return texts.map(parseMainlineSource);
}

function mainlineInput(given: MainlineUse | undefined): Readonly<Required<MainlineUse>> {
  const resolved = optionsInput(
    'mainline',
    { nodes: [] as readonly string[], publish: false as boolean },
    given,
  );
  const nodes = stringsInput('mainline.nodes', resolved.nodes);
  for (const text of nodes) {
    if (!HOST_PORT.test(text) || nodes.length > limits.SEEDS_MAX)
      throw rangeError(
        'INVALID_SEED',
        `mainline.nodes: expected at most ${limits.SEEDS_MAX} of host:port, found ${JSON.stringify(text)}`,
      );
  }
  if (typeof resolved.publish !== 'boolean')
    throw typeError(
      'INVALID_ARGUMENT',
      `mainline.publish: expected true or false, found ${typeof resolved.publish}`,
    );
  return Object.freeze({ nodes, publish: resolved.publish });
}

function resolveLimits(given: NodeLimits | undefined): Readonly<Required<NodeLimits>> {
  const resolved = optionsInput('limits', NODE_LIMIT_DEFAULTS, given);
  intInput('limits.peersMax', resolved.peersMax, 16, INDEX_ROWS_MAX);
  intInput('limits.recordsMax', resolved.recordsMax, 1, STORE_ROWS_MAX);
  intInput('limits.storeBytesMax', resolved.storeBytesMax, 1, Number.MAX_SAFE_INTEGER);
  intInput('limits.operationsMax', resolved.operationsMax, 1, 2048);
  intInput('limits.operationsQueuedMax', resolved.operationsQueuedMax, 0, 1_000_000);
  // Half the time that a record lives by default: a later visit may find it gone.
  intInput('limits.stewardSecs', resolved.stewardSecs, 1, limits.TTL_SECS_DEFAULT / 2);
  intInput('limits.peerUnitsPerSecond', resolved.peerUnitsPerSecond, 100, 1_000_000_000);
  return resolved;
}
