/** A crowd comes at once. */
import { flashCrowd } from '@molia/sim';
import type { Attempt } from '../cluster-options.ts';
import { mean, ofHeld, overTime, quantiles, recallOf, Stage, share, times } from './load.ts';
import type { Scenario } from './scenario.ts';

const TAIL_MS = 60_000;
const LENGTH_MS = 300_000;

/**
 * A tenth of `nodes` is there and holds records. Then nine times as many join, most at once, the rest thinning out with a
 * mean of one minute, all through members drawn by chance. Gets by anybody meanwhile; finds five minutes after.
 */
export const flash: Scenario = {
  title: 'Ten times the network within minutes: a flash crowd',
  demands: 'joins that complete, records found meanwhile, recall after',
  aims: [
    { figure: 'joins that completed', least: 0.999 },
    { figure: 'gets that found', least: 0.999 },
    { figure: 'recall of a find 5 min after', least: 0.99 },
  ],
  run: (options) => {
    const first = Math.max(20, Math.ceil(options.nodes / 10));
    const stage = new Stage(options, { nodes: first });
    const { cluster, simulator } = stage;
    const puts = stage.publish(cluster.alive.slice(0, 10));
    const instants = flashCrowd(simulator.generators, simulator.script, options.nodes - first, 0, TAIL_MS);
    const startMs = simulator.nowMs;
    const joinsBefore = cluster.joins.length;
    for (const at of instants) simulator.call(at, () => cluster.join());
    const meter = stage.meter();
    const gets = ofHeld(
      stage.openLoop('crowd', options.lookups, options.lookups / (LENGTH_MS / 1000), (i) =>
        stage.read(puts[i % puts.length] as Attempt),
      ),
      puts,
    );
    stage.pass('crowd', Math.max(0, startMs + LENGTH_MS - simulator.nowMs));
    const traffic = meter.perNode(options.nodes);
    const joins = cluster.joins.slice(joinsBefore);
    cluster.collect(joins);
    const finds = stage.finds('finds', Math.ceil(options.lookups / 2), 10);
    return stage.outcome('flash', flash, {
      figures: {
        'nodes before': first,
        'nodes after': cluster.population.live,
        'joins that completed': share(joins),
        ...quantiles('join', times(joins, 'doneMs')),
        'gets that found': share(gets),
        ...quantiles('first answer', times(gets, 'firstMs')),
        'requests a get': mean(gets.map((get) => get.asked)),
        'recall of a find 5 min after': recallOf(finds),
        ...traffic,
      },
      latencies: [
        { name: 'join', samples: times(joins, 'doneMs') },
        { name: 'get meanwhile', samples: times(gets, 'firstMs') },
      ],
      timelines: [{ name: 'gets that found', unit: 'share', points: overTime(gets, 15, startMs) }],
    });
  },
};
