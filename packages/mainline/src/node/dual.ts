/**
 * Both families at once (BEP 32: two networks, one for each): a node of each, asked and written to together. What one family cannot
 * do, the other does; an operation fails when it fails in both, and a put also when one of them holds something newer.
 */
import type { BencodeInput } from '../bencode.ts';
import type { MutableItem } from '../items.ts';
import type { NodeInfo } from '../types.ts';
import {
  createMainline,
  type ImmutableValue,
  type Mainline,
  type MainlineInfo,
  type MainlineOptions,
  type Peer,
  type PutOutcome,
  type ReadOptions,
  type Signalled,
} from './mainline.ts';
import { OperationStream } from './stream.ts';

export type DualMainlineOptions = Omit<MainlineOptions, 'family' | 'host' | 'transport' | 'publicAddress'> & {
  /** Local addresses; all of them unless told. */
  readonly hosts?: { readonly ipv4?: string; readonly ipv6?: string };
};

const CONFLICTS = new Set(['NOT_MOST_RECENT', 'CAS_FAILED', 'CONCURRENT_WRITE']);

/**
 * Opens a node on IPv4 and one on IPv6, or on the one that this machine and the bootstrap nodes have. Rejects when neither can be
 * opened, with the reason of IPv4.
 */
export async function createDualMainline(options: DualMainlineOptions = {}): Promise<DualMainline> {
  const { hosts = {}, ...shared } = options;
  const open = (family: 4 | 6, host: string | undefined): Promise<Mainline> =>
    createMainline({ ...shared, family, ...(host === undefined ? {} : { host }) });
  const opened = await Promise.allSettled([open(4, hosts.ipv4), open(6, hosts.ipv6)]);
  const [ipv4, ipv6] = opened.map((result) => (result.status === 'fulfilled' ? result.value : undefined));
  if (ipv4 === undefined && ipv6 === undefined) throw (opened[0] as PromiseRejectedResult).reason;
  return new DualMainline(ipv4, ipv6);
}

/** Made by `createDualMainline`. Methods are those of `Mainline`. */
export class DualMainline {
  /** The node of a family; `undefined` where this machine or the bootstrap nodes do not have it. */
  readonly ipv4: Mainline | undefined;
  readonly ipv6: Mainline | undefined;

  constructor(ipv4: Mainline | undefined, ipv6: Mainline | undefined) {
    this.ipv4 = ipv4;
    this.ipv6 = ipv6;
  }

  info(): { readonly ipv4: MainlineInfo | undefined; readonly ipv6: MainlineInfo | undefined } {
    return { ipv4: this.ipv4?.info(), ipv6: this.ipv6?.info() };
  }

  exportBootstrap(): string[] {
    return this.#nodes.flatMap((node) => node.exportBootstrap());
  }

  async bootstrapped(options: Signalled = {}): Promise<boolean> {
    return (await this.#all((node) => node.bootstrapped(options))).includes(true);
  }

  /** The answering nodes nearest to a target, those of IPv4 first. */
  async findNode(
    target: string | Uint8Array,
    options: Signalled & { count?: number } = {},
  ): Promise<readonly NodeInfo[]> {
    return (await this.#all((node) => node.findNode(target, options))).flat();
  }

  getPeers(infoHash: string | Uint8Array, options: Signalled = {}): AsyncIterableIterator<readonly Peer[]> {
    return this.#merged((node) => node.getPeers(infoHash, options));
  }

  async announcePeer(
    infoHash: string | Uint8Array,
    options: Signalled & { port?: number } = {},
  ): Promise<PutOutcome> {
    return summed(await this.#all((node) => node.announcePeer(infoHash, options)));
  }

  async getImmutable(
    target: string | Uint8Array,
    options: Signalled = {},
  ): Promise<ImmutableValue | undefined> {
    return (await this.#all((node) => node.getImmutable(target, options))).find(
      (found) => found !== undefined,
    );
  }

  async putImmutable(value: BencodeInput, options: Signalled = {}): Promise<PutOutcome> {
    return summed(await this.#all((node) => node.putImmutable(value, options)));
  }

  /** Verified items, each newer than the one before, from whichever family brings them first. */
  getMutable(key: Uint8Array, options: Signalled & ReadOptions = {}): AsyncIterableIterator<MutableItem> {
    let newest = -1n;
    return this.#merged(
      (node) => node.getMutable(key, options),
      (item) => {
        if (item.seq <= newest) return false;
        newest = item.seq;
        return true;
      },
    );
  }

  async getMutableMostRecent(
    key: Uint8Array,
    options: Signalled & ReadOptions = {},
  ): Promise<MutableItem | undefined> {
    let newest: MutableItem | undefined;
    for await (const item of this.getMutable(key, options)) newest = item;
    return newest;
  }

  /** Rejects with NOT_MOST_RECENT, CAS_FAILED or CONCURRENT_WRITE when either family says so; the other may hold the item then. */
  async putMutable(item: MutableItem, options: Signalled & { cas?: bigint } = {}): Promise<PutOutcome> {
    return summed(await this.#all((node) => node.putMutable(item, options)));
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.close()));
  }

  get #nodes(): Mainline[] {
    return [this.ipv4, this.ipv6].filter((node) => node !== undefined);
  }

  /** What went well; rejects when nothing did, and with a conflict in any case. */
  async #all<Result>(work: (node: Mainline) => Promise<Result>): Promise<Result[]> {
    const results = await Promise.allSettled(this.#nodes.map(work));
    const failed = results.filter((result) => result.status === 'rejected');
    const conflict = failed.find(({ reason }) => CONFLICTS.has((reason as { code?: string }).code ?? ''));
    if (conflict !== undefined) throw conflict.reason;
    if (failed.length === results.length) throw (failed[0] as PromiseRejectedResult).reason;
    return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  }

  #merged<Item>(
    begin: (node: Mainline) => AsyncIterableIterator<Item>,
    wanted: (item: Item) => boolean = () => true,
  ): AsyncIterableIterator<Item> {
    const streams = this.#nodes.map(begin);
    const merged = new OperationStream<Item>(() => {
      for (const stream of streams) void stream.return?.();
    });
    const pump = async (stream: AsyncIterableIterator<Item>): Promise<void> => {
      for await (const item of stream) if (wanted(item)) merged.push(item);
    };
    void Promise.allSettled(streams.map(pump)).then((ends) => {
      const failed = ends.filter((end) => end.status === 'rejected');
      merged.end(failed.length === ends.length ? failed[0]?.reason : undefined);
    });
    return merged;
  }
}

function summed(outcomes: readonly PutOutcome[]): PutOutcome {
  return {
    target: (outcomes[0] as PutOutcome).target,
    storedAt: outcomes.reduce((sum, { storedAt }) => sum + storedAt, 0),
    sentTo: outcomes.reduce((sum, { sentTo }) => sum + sentTo, 0),
  };
}
