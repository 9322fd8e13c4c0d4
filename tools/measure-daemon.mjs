/**
 * Measures what a person waits for and what a machine pays: time from spawn to the banner (second and later starts) and
 * resident memory of an idle daemon. `node tools/measure-daemon.mjs [starts] [idle seconds]`, after a build.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const starts = Number(process.argv[2] ?? 5);
const idleSec = Number(process.argv[3] ?? 10);
const dataDir = mkdtempSync(join(tmpdir(), 'molia-measure-'));

async function start() {
  const begun = performance.now();
  const child = spawn(
    process.execPath,
    [join(root, 'apps/node/bin/molia.js'), 'start', '--data-dir', dataDir],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  await once(child.stdout, 'data');
  return { child, ms: performance.now() - begun };
}

async function stop(child) {
  const closed = once(child, 'close');
  const begun = performance.now();
  child.kill('SIGTERM');
  await closed;
  return performance.now() - begun;
}

/** Linux says it in /proc; elsewhere `ps` does. */
function rssBytes(pid) {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;
}

try {
  await stop((await start()).child);
  const times = [];
  const stops = [];
  for (let i = 0; i < starts; i++) {
    const { child, ms } = await start();
    times.push(ms);
    stops.push(await stop(child));
  }
  const { child } = await start();
  await new Promise((resolve) => setTimeout(resolve, idleSec * 1000));
  const rss = rssBytes(child.pid);
  await stop(child);
  const show = (list) => list.map((ms) => ms.toFixed(0)).join(' ');
  console.log(
    `banner after ${show(times)} ms, stopped after ${show(stops)} ms, RSS after ${idleSec} s idle: ${(rss / 1e6).toFixed(1)} MB`,
  );
} finally {
  rmSync(dataDir, { recursive: true, force: true });
}
