/** The heap that a simulation needs: V8 gives a process a few GiB unless it is told otherwise. */
import { spawnSync } from 'node:child_process';
import { getHeapStatistics } from 'node:v8';
import type { ScenarioOptions } from './scenarios/scenario.ts';

/** Objects of an engine after use, measured at 65 to 75 KiB with some room for the collector; columns lie outside. */
const ENGINE_KIB = 128;
/** Of a host that sleeps. */
const HOST_KIB = 0.25;
/** Engines that one lookup wakes at most. */
const MET_PER_LOOKUP = 40;
const REST_MIB = 1_024;

/** MiB of old space for a run. */
export function heapMiB(options: Pick<ScenarioOptions, 'nodes' | 'lookups' | 'population'>): number {
  const { nodes, lookups } = options;
  const engines = options.population === 'compact' ? Math.min(nodes, lookups * 2 * MET_PER_LOOKUP) : nodes;
  return Math.ceil(REST_MIB + (engines * ENGINE_KIB + nodes * HOST_KIB) / 1024);
}

/** Starts this very program again with that much heap where it has less, and ends as it ended. */
export function ensureHeap(mib: number): void {
  if (getHeapStatistics().heap_size_limit >= mib * 2 ** 20) return;
  const heap = `--max-old-space-size=${mib}`;
  if (process.execArgv.includes(heap)) return;
  const { status, error } = spawnSync(
    process.execPath,
    [...process.execArgv, heap, ...process.argv.slice(1)],
    { stdio: 'inherit' },
  );
  if (error !== undefined) throw error;
  process.exit(status ?? 1);
}
