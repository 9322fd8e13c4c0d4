/** Lookups in a network that does nothing but age. */

import type { ClusterOptions } from '../cluster.ts';
import type { Attempt } from '../cluster-options.ts';
import { mean, ofHeld, quantiles, recallOf, Stage, share, times } from './load.ts';
import { type Outcome, type Scenario, type ScenarioOptions, within } from './scenario.ts';

/** First byte of a WireGuard message. */
const INITIATION = 1;
const RESPONSE = 2;
/** Making or taking one handshake message with JavaScript curves, microseconds; each receiver takes one and makes one. */
const HANDSHAKE_STEP_US = 1_200;
const PACKET_US = 5;
/** WireGuard forgets a session after 180 s. */
const SESSIONS_GONE_MS = 190_000;

/**
 * A tenth of the nodes vanishes in silence just before the measurement, so a tenth of every table is stale. Gets of
 * records that their publishers stored, then finds of random targets; both arrive at Poisson instants.
 */
export const steady: Scenario = {
  title: 'Lookups with a tenth of the nodes gone unnoticed',
  demands: 'time to the first answer, convergence and recall with 10 % stale contacts, sessions warm',
  aims: [
    ...within('first answer', 150, 450, 800),
    { figure: 'requests a get', most: 30 },
    { figure: 'gets that found', least: 0.9999 },
    { figure: 'convergence P50 ms', most: 700 },
    { figure: 'convergence P99 ms', most: 2_000 },
    { figure: 'recall of a find', least: 0.99 },
    { figure: 'put P50 ms', most: 500 },
    { figure: 'put P99 ms', most: 1_500 },
  ],
  run: (options) => lookups('steady', steady, options, {}, 0),
};

/**
 * As `steady`, but nobody has a session with anybody when the measurement begins: 190 s of silence, in which maintenance
 * is off; everybody has a full table from the start. Every handshake costs its processor time, charged to the host's one core.
 */
export const cold: Scenario = {
  title: 'The same with cold sessions: every first contact pays for its handshake',
  demands: 'time to the first answer when no session exists and a handshake costs 1.2 ms a step',
  aims: [...within('first answer', 220, 650, 1_000), { figure: 'gets that found', least: 0.9999 }],
  run: (options) =>
    lookups(
      'cold',
      cold,
      options,
      {
        population: 'oracle',
        tuning: { maintenance: false },
        cpuMicros: (bytes, offset) =>
          bytes[offset] === INITIATION || bytes[offset] === RESPONSE ? 2 * HANDSHAKE_STEP_US : PACKET_US,
      },
      SESSIONS_GONE_MS,
    ),
};

function lookups(
  name: string,
  scenario: Scenario,
  options: ScenarioOptions,
  cluster: Partial<ClusterOptions>,
  silentMs: number,
): Outcome {
  const stage = new Stage(options, cluster);
  const puts = stage.publish(stage.cluster.alive.slice(0, 10));
  if (silentMs > 0) stage.pass('silence', silentMs);
  // Silent, and unnoticed so far: stale entries.
  const gone = Math.floor(options.nodes / 10);
  const publishers = new Set(puts.map((put) => put.host));
  for (let i = 0; i < gone; i++) {
    let host = stage.cluster.someone();
    while (publishers.has(host)) host = stage.cluster.someone();
    stage.cluster.leave(host);
  }
  const meter = stage.meter();
  const gets: Attempt[] = ofHeld(stage.reads('gets', puts, 20), puts);
  const traffic = meter.perNode(options.nodes - gone);
  const finds = stage.finds('finds', Math.ceil(options.lookups / 2), 10);
  return stage.outcome(name, scenario, {
    figures: {
      ...quantiles('first answer', times(gets, 'firstMs')),
      'requests a get': mean(gets.map((get) => get.asked)),
      'gets that found': share(gets),
      ...quantiles('convergence', times(finds, 'doneMs')),
      'requests a find': mean(finds.map((find) => find.asked)),
      'recall of a find': recallOf(finds),
      ...quantiles('put', times(puts, 'doneMs')),
      'holders of a put': mean(puts.map((put) => put.holders)),
      ...traffic,
    },
    latencies: [
      { name: 'get, first valid answer', samples: times(gets, 'firstMs') },
      { name: 'find, 20 closest answered', samples: times(finds, 'doneMs') },
      { name: 'put, 15 of 20 hold it', samples: times(puts, 'doneMs') },
    ],
  });
}
