/** All rows of the gallery, one after the other or several at once, each in a process of its own. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';

interface Entry {
  /** Name of its files. */
  readonly name: string;
  /** Of `npm run sim`, without where results go. */
  readonly argv: string;
  /** On two cores of 2026, about. */
  readonly minutes: number;
  /** Wants the memory of the whole machine. */
  readonly alone?: boolean;
}

/** The targets of the evaluation first, so that an early stop leaves most of the gallery. */
export const entries: readonly Entry[] = [
  {
    name: 'steady-100k',
    argv: 'steady --nodes 100000 --population compact --seeds 10 --lookups 1000',
    minutes: 14,
  },
  {
    name: 'cold-100k',
    argv: 'cold --nodes 100000 --population compact --seeds 10 --lookups 1000',
    minutes: 14,
  },
  { name: 'churn', argv: 'churn --nodes 500 --population oracle --seeds 10 --lookups 500', minutes: 12 },
  { name: 'mute', argv: 'mute --nodes 1000 --population oracle --seeds 10 --lookups 500', minutes: 12 },
  {
    name: 'steady-10k',
    argv: 'steady --nodes 10000 --population compact --seeds 10 --lookups 1000 --baseline',
    minutes: 7,
  },
  { name: 'cold-10k', argv: 'cold --nodes 10000 --population compact --seeds 10 --lookups 1000', minutes: 4 },
  {
    name: 'partition',
    argv: 'partition --nodes 200 --population oracle --seeds 10 --lookups 300',
    minutes: 12,
  },
  { name: 'eclipse', argv: 'eclipse --nodes 100 --seeds 10', minutes: 10 },
  { name: 'liars', argv: 'liars --nodes 200 --seeds 10 --lookups 500', minutes: 12 },
  {
    name: 'rules-10k',
    argv: 'steady --nodes 10000 --population compact --seeds 3 --lookups 1000 --without each',
    minutes: 9,
  },
  { name: 'kad', argv: 'kad --nodes 100 --population oracle --seeds 2 --lookups 2000', minutes: 12 },
  { name: 'determinism', argv: 'sizes --nodes 2000 --population oracle --seeds 2 --lookups 300', minutes: 2 },
  {
    name: 'minority',
    argv: 'minority --nodes 200 --population oracle --seeds 10 --lookups 300',
    minutes: 12,
  },
  { name: 'chaos', argv: 'chaos --nodes 100 --seeds 10 --watch', minutes: 8 },
  { name: 'outage', argv: 'outage --nodes 500 --population oracle --seeds 3 --lookups 500', minutes: 6 },
  { name: 'flash', argv: 'flash --nodes 500 --seeds 2 --lookups 500', minutes: 6 },
  {
    name: 'full-10k',
    argv: 'steady --nodes 10000 --population oracle --seeds 1 --lookups 1000',
    minutes: 3,
    alone: true,
  },
  {
    name: 'steady-1m',
    argv: 'steady --nodes 1000000 --population compact --lookups 1000',
    minutes: 4,
    alone: true,
  },
];

export interface CampaignOptions {
  readonly out: string;
  readonly jobs: number;
  /** Names of entries; all when empty. */
  readonly only: readonly string[];
  /** The program that runs one scenario. */
  readonly program: string;
}

/** Runs what is not there yet; `true` = all of it is there now. Failing entries leave `NAME.json.failed` and the rest goes on. */
export async function campaign(options: CampaignOptions, told: (line: string) => void): Promise<boolean> {
  const { out, jobs, only, program } = options;
  mkdirSync(out, { recursive: true });
  const wanted = entries.filter(({ name }) => only.length === 0 || only.includes(name));
  const open = wanted.filter(({ name }) => !existsSync(join(out, `${name}.json`)));
  const minutes = open.reduce((sum, entry) => sum + entry.minutes, 0);
  told(
    `${wanted.length - open.length} of ${wanted.length} there; ${open.length} to run, about ${Math.ceil(minutes / jobs)} min`,
  );
  let failed = 0;
  const one = async (entry: Entry): Promise<void> => {
    const started = performance.now();
    told(`${entry.name}: npm run sim -- ${entry.argv} (about ${entry.minutes} min)`);
    const status = await runOne(program, entry, out);
    if (status !== 0) failed++;
    told(
      `${entry.name}: ${status === 0 ? 'done' : `status ${status}`} after ${((performance.now() - started) / 60_000).toFixed(1)} min`,
    );
  };
  const queue = open.filter((entry) => !entry.alone);
  const lane = async (): Promise<void> => {
    for (let entry = queue.shift(); entry !== undefined; entry = queue.shift()) await one(entry);
  };
  await Promise.all(Array.from({ length: jobs }, lane));
  for (const entry of open) if (entry.alone) await one(entry);
  return failed === 0;
}

/** Its files get their names only once they are whole. */
function runOne(program: string, { name, argv }: Entry, out: string): Promise<number> {
  const json = join(out, `${name}.json`);
  const part = `${json}.part`;
  const args = ['--max-old-space-size=16384', program, ...argv.split(' ')];
  const child = spawn(process.execPath, [...args, '--json', part, '--html', join(out, `${name}.html`)], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return new Promise((resolve) => {
    child.on('error', () => resolve(1));
    child.on('exit', (code) => {
      // A figure that missed its aim is a result; a broken invariant is kept apart.
      if (existsSync(part)) renameSync(part, code === 0 ? json : `${json}.failed`);
      resolve(code ?? 1);
    });
  });
}
