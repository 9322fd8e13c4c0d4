/** What a cluster is told, and what it tells of each operation. */
import type { Tuning } from '@molia/kademlia';
import type { AccessClass, Crew, LatencyMatrix, SimulatorOptions } from '@molia/sim';
import type { Crypto } from './stack.ts';

export interface ClusterOptions {
  readonly nodes: number;
  readonly seed: number;
  readonly matrix: LatencyMatrix;
  readonly crypto?: Crypto;
  readonly tuning?: Partial<Tuning>;
  readonly replay?: string;
  /**
   * `joined`: everybody joins through a few others. `oracle`: everybody is there from the start with the table that a
   * node has which has been up for long, made from the truth: a thousandth of the work.
   */
  readonly population?: 'joined' | 'oracle';
  /**
   * Of an oracle's network: an engine is made when the first datagram reaches it or the script uses it, and nobody does
   * any upkeep. For networks of a million, in which most nodes are never met.
   */
  readonly compact?: boolean;
  /** Of an oracle's tables: contacts that a node has met, by bucket from the farthest. */
  readonly met?: readonly number[];
  /** The threads that share this network; one alone unless told. */
  readonly crew?: Crew | undefined;
  /** Time between two joins. */
  readonly joinStepMs?: number;
  readonly settleMs?: number;
  readonly links?: readonly AccessClass[];
  readonly cpuMicros?: SimulatorOptions['cpuMicros'];
}

/** One operation from its start to its end. Times in milliseconds; Infinity = never. */
export interface Attempt {
  /** Its number in the script, the same in every worker that follows it. */
  readonly index: number;
  readonly kind: 'find' | 'get' | 'put' | 'join';
  readonly host: number;
  readonly startedMs: number;
  /** First valid answer of a get. */
  firstMs: number;
  doneMs: number;
  ok: boolean;
  /** The node that asked left before it knew: counted apart. */
  censored: boolean;
  /** Requests sent. */
  asked: number;
  /** Holders of a put. */
  holders: number;
  /** Of the 20 closest live nodes, the share that a find named; NaN for other kinds. */
  recall: number;
  /** Of the last record a get was given; -1 before. */
  sequence: number;
  /** What a get asked for at least. */
  readonly sequenceMin: number;
  readonly target: Uint8Array;
}

/** How one node joins; what is missing is drawn. */
export interface JoinOptions {
  /** 32 bytes; puts the node into a network of its own. */
  readonly presharedKey?: Uint8Array;
  readonly link?: AccessClass;
  readonly row?: number;
  /** Its address follows those of other such nodes: one owner's block. */
  readonly inBlock?: boolean;
  /** Seed of its identity, 32 bytes. */
  readonly seed?: Uint8Array;
  /** Hosts that it joins through; three at random when missing. */
  readonly through?: readonly number[];
}
