/** Order statistics over samples. Failed attempts count as Infinity, so they show in the upper percentiles. */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) return Number.NaN;
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[
    Math.min(sorted.length - 1, Math.ceil(q * sorted.length) - 1 < 0 ? 0 : Math.ceil(q * sorted.length) - 1)
  ] as number;
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);

/** The median of each numeric field over several runs of the same shape. */
export function medians(runs: readonly Record<string, number>[]): Record<string, number> {
  const out: Record<string, number> = {};
  for (const key of Object.keys(runs[0] ?? {})) out[key] = median(runs.map((r) => r[key] as number));
  return out;
}
