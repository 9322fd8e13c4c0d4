/**
 * Speed of the simulator: events and simulated seconds in a second of wall time, and memory of a node; in one thread and in
 * two, with an engine for every node and with engines made on demand. Each run is a process of its own.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from '../report.ts';
import { medians } from '../statistics.ts';

const VARIANTS = [
  { name: 'full, one thread', argv: ['--population', 'oracle'] },
  { name: 'full, two threads', argv: ['--population', 'oracle', '--workers', '2'] },
  { name: 'compact, one thread', argv: ['--population', 'compact'] },
] as const;

interface Summary {
  readonly variants: readonly { readonly figures: Readonly<Record<string, { readonly median: number }>> }[];
}

/** `nodes` in every variant; `lookups` finds at 50 a second of simulated time. */
export function simSuite(options: { nodes: number; lookups: number; runs: number }, report: Report): void {
  const folder = mkdtempSync(join(tmpdir(), 'molia-bench-sim-'));
  const program = join(dirname(fileURLToPath(import.meta.url)), 'sim.js');
  const file = join(folder, 'sizes.json');
  const measured = new Map<string, Record<string, number>[]>();
  try {
    for (let run = 1; run <= options.runs; run++)
      for (const { name, argv } of VARIANTS) {
        report.progress(`sim: run ${run} of ${options.runs}, ${name}`);
        const size = ['--nodes', String(options.nodes), '--lookups', String(options.lookups)];
        const started = performance.now();
        execFileSync(process.execPath, [program, 'sizes', ...size, ...argv, '--no-watch', '--json', file], {
          stdio: 'ignore',
        });
        const seconds = (performance.now() - started) / 1000;
        const { variants } = JSON.parse(readFileSync(file, 'utf8')) as Summary;
        const figures = variants[0]?.figures ?? {};
        const row: Record<string, number> = { 'whole program, s': seconds };
        for (const [figure, { median }] of Object.entries(figures))
          if (figure.endsWith(', measured')) row[figure.replace(', measured', '')] = median;
        measured.set(name, [...(measured.get(name) ?? []), row]);
      }
  } finally {
    rmSync(folder, { recursive: true });
  }
  report.table(
    `sim: ${options.nodes} nodes, ${options.lookups} finds, played twice; medians of ${options.runs} runs`,
    [...measured].map(([name, runs]) => ({ name, values: medians(runs), runs })),
  );
}
