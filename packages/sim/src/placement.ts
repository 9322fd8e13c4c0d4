/**
 * Which rows of the latency matrix go to which worker, so that no two hosts of different workers are near each other: the
 * least time between them is the look-ahead, for which a worker may go on without hearing from the others.
 *
 * Rows nearer than a threshold stay together; the groups so found are packed into workers, the largest first; the largest
 * threshold that still gives every worker about its share wins. The result depends on the matrix and the number alone.
 */
import { SHARE_SLACK } from './constants.ts';
import type { LatencyMatrix } from './latency.ts';

/** Worker by row. */
export function placeRows(matrix: LatencyMatrix, workers: number): Uint8Array {
  const { rows } = matrix;
  if (workers === 1) return new Uint8Array(rows);
  const tree = spanningTree(matrix);
  // Groups at a threshold are what is left of the least spanning tree without its edges from there on. Fewer edges give
  // smaller groups, which pack better: the first threshold that packs, from the largest down, is the best.
  let kept = tree.length;
  let placed: Uint8Array | undefined;
  while (placed === undefined && kept > 0) {
    do kept--;
    while (kept > 0 && tree[kept - 1]?.us === tree[kept]?.us);
    placed = pack(groups(rows, tree.slice(0, kept)), rows, workers);
  }
  return placed ?? Uint8Array.from({ length: rows }, (_, row) => row % workers);
}

interface Edge {
  readonly us: number;
  readonly a: number;
  readonly b: number;
}

/** Edges of the least spanning tree (Prim 1957), the shortest first. */
function spanningTree(matrix: LatencyMatrix): Edge[] {
  const { rows } = matrix;
  const away = new Float64Array(rows).fill(Number.POSITIVE_INFINITY);
  const through = new Int32Array(rows);
  const done = new Uint8Array(rows);
  const edges: Edge[] = [];
  let row = 0;
  for (let count = 1; count < rows; count++) {
    done[row] = 1;
    let nearest = -1;
    for (let other = 0; other < rows; other++) {
      if (done[other] === 1) continue;
      const us = matrix.leastUs(row, other);
      if (us < (away[other] as number)) {
        away[other] = us;
        through[other] = row;
      }
      if (nearest < 0 || (away[other] as number) < (away[nearest] as number)) nearest = other;
    }
    edges.push({ us: away[nearest] as number, a: through[nearest] as number, b: nearest });
    row = nearest;
  }
  return edges.sort((x, y) => x.us - y.us || x.b - y.b);
}

/** Group by row, named by one of its rows. */
function groups(rows: number, edges: readonly Edge[]): Int32Array {
  const root = Int32Array.from({ length: rows }, (_, row) => row);
  const find = (row: number): number => {
    let at = row;
    while (root[at] !== at) at = root[at] as number;
    return at;
  };
  for (const { a, b } of edges) root[find(a)] = find(b);
  return root.map((_, row) => find(row));
}

/** Worker by row with whole groups; `undefined` when the fullest worker would get too much more than its share. */
function pack(group: Int32Array, rows: number, workers: number): Uint8Array | undefined {
  const sizes = new Map<number, number>();
  for (const name of group) sizes.set(name, (sizes.get(name) ?? 0) + 1);
  const worker = new Map<number, number>();
  const load = new Int32Array(workers);
  for (const [name, size] of [...sizes].sort((x, y) => y[1] - x[1] || x[0] - y[0])) {
    const least = load.indexOf(Math.min(...load));
    worker.set(name, least);
    load[least] = (load[least] as number) + size;
  }
  if (Math.min(...load) === 0 || Math.max(...load) > (rows / workers) * SHARE_SLACK) return undefined;
  return Uint8Array.from(group, (name) => worker.get(name) as number);
}
