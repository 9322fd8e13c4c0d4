/** Published measurements that plots show beside simulated curves. All were measured on live networks, none is simulated. */

export interface Record {
  /** Whose, where and when, as a legend says it. */
  readonly name: string;
  /** Share and milliseconds: single percentiles, or the two ends of a range at one share. */
  readonly points: readonly (readonly [number, number])[];
}

const MAINLINE: Record = {
  name: 'Mainline DHT, live, median 100 to 200 ms, 200 to 300 packets (Jiménez et al. 2011)',
  points: [
    [0.5, 100],
    [0.5, 200],
  ],
};
const UTORRENT: Record = {
  name: 'µTorrent, live: 0.8, 1.3, 1.5 s at P50, P90, P95 (quoted from the same authors)',
  points: [
    [0.5, 800],
    [0.9, 1_300],
    [0.95, 1_500],
  ],
};
const IPFS_FIND: Record = {
  name: 'IPFS, live: finding a provider, mean 0.62 s, drawn at 50 % (Trautwein et al. and ProbeLab 2022)',
  points: [[0.5, 620]],
};
const IPFS_PUT: Record = {
  name: 'IPFS, live: publishing, P5 to P90 (ProbeLab, July 2022)',
  points: [
    [0.05, 2_970],
    [0.25, 7_010],
    [0.5, 12_640],
    [0.75, 23_330],
    [0.9, 48_980],
  ],
};
const OPTIMISTIC: Record = {
  name: 'IPFS Optimistic Provide, live: below 1 s at P90 (ProbeLab)',
  points: [[0.9, 1_000]],
};

/** By scenario: what its latency may be compared with, at least in kind. */
export const records: Readonly<{ [scenario: string]: readonly Record[] }> = {
  steady: [MAINLINE, UTORRENT, IPFS_FIND, OPTIMISTIC, IPFS_PUT],
  cold: [MAINLINE, UTORRENT, IPFS_FIND],
  kad: [MAINLINE, IPFS_FIND],
};
