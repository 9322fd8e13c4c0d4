/** Which host belongs to which worker, and how near hosts of different workers come: the look-ahead of a run. */
import { grow, NONE } from '@molia/core';
import { NAT_ADDRESS, SAME_ROW_US } from './constants.ts';
import type { LatencyMatrix } from './latency.ts';
import type { Network } from './network.ts';
import { placeRows } from './placement.ts';

export class Territory {
  /** The least time of a datagram between hosts of different workers, microseconds; Infinity while there is none. */
  readonly lookAheadUs = new Float64Array(1).fill(Number.POSITIVE_INFINITY);
  readonly #matrix: LatencyMatrix;
  readonly #network: Network;
  readonly #workers: number;
  /** Worker by row of the matrix, and by host. */
  readonly #workerOfRow: Uint8Array;
  #workerOf: Uint8Array = new Uint8Array(0);
  /** Least access delay by worker and row, microseconds. */
  readonly #access: Float64Array[];

  constructor(matrix: LatencyMatrix, network: Network, workers: number) {
    this.#matrix = matrix;
    this.#network = network;
    this.#workers = workers;
    this.#workerOfRow = placeRows(matrix, workers);
    this.#access = Array.from({ length: workers }, () =>
      new Float64Array(matrix.rows).fill(Number.POSITIVE_INFINITY),
    );
  }

  resize(rows: number): void {
    this.#workerOf = grow(this.#workerOf, rows);
  }

  workerOf(host: number): number {
    return this.#workerOf[host] as number;
  }

  /**
   * Gives a new host to the worker of its row, or of the first host behind its outermost NAT box. Throws RangeError when
   * another worker would have to know at once what happens at it.
   */
  add(host: number, nat: number): void {
    if (this.#workers === 1) return;
    const { nats } = this.#network;
    const row = this.#network.row(host);
    let worker = this.#workerOfRow[row] as number;
    if (nat !== NONE) {
      let root = nat;
      while (nats.parent(root) !== NONE) root = nats.parent(root);
      const first = this.#network.siteOf(NAT_ADDRESS + root);
      if (first !== host) worker = this.workerOf(first);
    }
    this.#workerOf[host] = worker;
    this.#bound(worker, row, this.#network.links.access[host] as number);
  }

  #bound(worker: number, row: number, accessUs: number): void {
    const own = this.#access[worker] as Float64Array;
    if (accessUs >= (own[row] as number)) return;
    own[row] = accessUs;
    let least = this.lookAheadUs[0] as number;
    for (let other = 0; other < this.#workers; other++) {
      if (other === worker) continue;
      const theirs = this.#access[other] as Float64Array;
      for (let away = 0; away < theirs.length; away++) {
        const middle = away === row ? SAME_ROW_US : this.#matrix.leastUs(row, away);
        least = Math.min(least, middle + accessUs + (theirs[away] as number));
      }
    }
    if (least < 1)
      throw new RangeError(
        `no time passes between row ${row} and one of another worker: use fewer workers, or times above zero`,
      );
    this.lookAheadUs[0] = least;
  }
}
