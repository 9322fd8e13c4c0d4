/** What a run counts, over all hosts and workers. */
import type { Network } from './network.ts';

/** Sums over all hosts and workers. */
export interface Totals {
  readonly events: number;
  readonly datagramsSent: number;
  readonly datagramsDelivered: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** By `Drop`. */
  readonly dropped: readonly number[];
}

/** What one worker counted. */
export function totalsOf(network: Network, events: number): Totals {
  return {
    events,
    datagramsSent: network.datagramsSent,
    datagramsDelivered: network.datagramsDelivered,
    bytesOut: network.bytesOut.reduce((a, b) => a + b, 0),
    bytesIn: network.bytesIn.reduce((a, b) => a + b, 0),
    dropped: [...network.dropped],
  };
}

export function sumOf(parts: readonly Totals[]): Totals {
  return parts.reduce((a, b) => ({
    events: a.events + b.events,
    datagramsSent: a.datagramsSent + b.datagramsSent,
    datagramsDelivered: a.datagramsDelivered + b.datagramsDelivered,
    bytesOut: a.bytesOut + b.bytesOut,
    bytesIn: a.bytesIn + b.bytesIn,
    dropped: a.dropped.map((count, cause) => count + (b.dropped[cause] as number)),
  }));
}
