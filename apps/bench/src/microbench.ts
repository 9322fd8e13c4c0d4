/** Times one operation in this process: warmed up, several samples, the median. */
import { median } from './statistics.ts';

const SAMPLES = 7;
const SAMPLE_MS = 60;

/** Nanoseconds of one `operation`. */
export function nanoseconds(operation: () => void): number {
  // Enough rounds that a sample lasts SAMPLE_MS, found while the code warms up.
  let rounds = 1;
  for (;;) {
    const ms = time(operation, rounds);
    if (ms >= SAMPLE_MS) break;
    rounds = Math.ceil(rounds * Math.min(16, (SAMPLE_MS * 1.2) / Math.max(ms, 0.01)));
  }
  const samples: number[] = [];
  for (let i = 0; i < SAMPLES; i++) samples.push((time(operation, rounds) * 1e6) / rounds);
  return median(samples);
}

function time(operation: () => void, rounds: number): number {
  const start = performance.now();
  for (let i = 0; i < rounds; i++) operation();
  return performance.now() - start;
}
