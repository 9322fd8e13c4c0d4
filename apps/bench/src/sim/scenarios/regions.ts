/** Parts of the world: which hosts lie near each other on the measured matrix. */
import type { Cluster } from '../cluster.ts';

/** About `part` (0 to 1) of the live hosts: those nearest to one place drawn by chance. */
export function near(cluster: Cluster, part: number): Set<number> {
  const { simulator, matrix } = cluster;
  const { network } = simulator;
  const centre = simulator.rng.u32() % matrix.rows;
  const byRow = Array.from({ length: matrix.rows }, (_, row) => row).sort(
    (a, b) => matrix.rttMs(centre, a) - matrix.rttMs(centre, b) || a - b,
  );
  const rank = new Map(byRow.map((row, i) => [row, i]));
  return new Set(
    cluster.alive
      .map((host) => ({ host, rank: rank.get(network.row(host)) as number }))
      .sort((a, b) => a.rank - b.rank || a.host - b.host)
      .slice(0, Math.round(part * cluster.population.live))
      .map(({ host }) => host),
  );
}
