/**
 * What the harness asks of every DHT that it measures. Molia's driver is `drivers/molia.ts`; those of its peers are
 * plain modules under `peers/`, whose dependencies are installed on first use. Each driver runs in a process of its
 * own, so that no implementation shares an event loop with the load it is put under.
 */

export interface Driver {
  readonly name: string;
  /** Does every RPC travel encrypted? */
  readonly encrypted: boolean;
  /** Starts a network of `count` nodes in this process; resolves when it is ready to serve. */
  host(count: number): Promise<Host>;
  /** Starts one more node that joins through `bootstrap` (what `Host.bootstrap` gave, over IPC). */
  client(bootstrap: unknown): Promise<Client>;
}

export interface Host {
  /** JSON-serialisable. */
  readonly bootstrap: unknown;
  close(): Promise<void>;
}

export interface Client {
  /** Stores an immutable value; resolves with what `get` needs. */
  put(value: Uint8Array): Promise<unknown>;
  /** Rejects when the value is not found or differs in length from what was put. */
  get(key: unknown): Promise<Uint8Array>;
  /** One iterative lookup of a random 32-byte target, to convergence. Rejects when it found nothing. */
  lookup(target: Uint8Array): Promise<void>;
  /** One PING to a fixed node of the network. */
  ping(): Promise<void>;
  /** One FIND_NODE request to a fixed node, answered; absent where the library has no such call. */
  findNode?(target: Uint8Array): Promise<void>;
  close(): Promise<void>;
}
