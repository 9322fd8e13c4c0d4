/**
 * How far the simulator can be believed: the same nodes ask the same questions once as real processes over loopback and
 * once in virtual time; the requests of a lookup must agree within a tenth.
 */
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createNodeCurves } from '@molia/dht';
import { playForReal } from '../crosscheck/processes.ts';
import { drawScript } from '../crosscheck/script.ts';
import { playSimulated } from '../crosscheck/simulated.ts';
import type { Report } from '../report.ts';

export interface CrosscheckOptions {
  readonly nodes: number;
  /** Finds, and gets. */
  readonly lookups: number;
  readonly seed: number;
  /** Where `crosscheck-node.js` lies, when not beside this program. */
  readonly folder?: string;
}

export interface Agreement {
  readonly real: number;
  readonly simulated: number;
  /** Simulated over real. */
  readonly ratio: number;
}

const mean = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0) / numbers.length;

/** Mean requests of a find and of a get in both worlds. */
export async function crosscheck(
  options: CrosscheckOptions,
  progress: (line: string) => void,
): Promise<{ find: Agreement; get: Agreement }> {
  const { nodes, lookups, seed, folder = dirname(fileURLToPath(import.meta.url)) } = options;
  const curves = await createNodeCurves();
  const script = drawScript(nodes, lookups, seed, curves);
  const simulated = playSimulated(script, seed, curves);
  progress('simulated');
  const real = await playForReal(script, folder, progress);
  const compare = (of: 'finds' | 'gets'): Agreement => {
    const [a, b] = [mean(real[of]), mean(simulated[of])];
    return { real: a, simulated: b, ratio: b / a };
  };
  return { find: compare('finds'), get: compare('gets') };
}

export async function crosscheckSuite(options: CrosscheckOptions, report: Report): Promise<void> {
  const { find, get } = await crosscheck(options, (line) => report.progress(line));
  report.table(`requests of a lookup, ${options.nodes} nodes, ${options.lookups} finds and gets`, [
    { name: 'find: 20 closest', values: { ...find } },
    { name: 'get', values: { ...get } },
  ]);
}
