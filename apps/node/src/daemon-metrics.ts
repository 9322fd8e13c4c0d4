/** What the daemon measures beside its node: the process, the event loop and its own HTTP answers. */
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { Registry } from '@molia/metrics';

/** Routes that are counted by name; every other path is `other`, so that the label values stay few. */
const ROUTES = [
  'livez',
  'readyz',
  'healthz',
  'metrics',
  'status',
  'stop',
  'values',
  'mutable',
  'providers',
  'lookup',
  'peers',
  'ping',
  'other',
] as const;

export interface DaemonMetrics {
  /** One answer of the HTTP server. */
  answered(route: string, status: number): void;
  expose(): string;
  close(): void;
}

export function createDaemonMetrics(version: string, isReady: () => boolean): DaemonMetrics {
  const registry = new Registry();
  const startedSec = Date.now() / 1000 - process.uptime();
  const loop: IntervalHistogram = monitorEventLoopDelay({ resolution: 20 });
  loop.enable();
  registry.gauge('build', 'Always 1; the label says which version runs.', () => 1, { version });
  registry.gauge('ready', '1 while the node takes work, else 0.', () => (isReady() ? 1 : 0));
  registry.gauge('process_start_time_seconds', 'Unix time at which the process began.', () => startedSec);
  registry.gauge('process_resident_memory_bytes', 'Resident memory.', () => process.memoryUsage.rss());
  registry.gauge('process_heap_used_bytes', 'JavaScript heap in use.', () => process.memoryUsage().heapUsed);
  registry.counter('process_cpu_seconds_total', 'Processor time, user and system.', () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  for (const [label, percentile] of [
    ['0.5', 50],
    ['0.99', 99],
  ] as const) {
    registry.gauge(
      'event_loop_delay_seconds',
      'Delay of the event loop since the start.',
      () => loop.percentile(percentile) / 1e9,
      { q: label },
    );
  }
  // Columns: route by class of status, 2xx to 5xx.
  const values = new Float64Array(ROUTES.length * 4);
  for (const [row, route] of ROUTES.entries()) {
    for (let klass = 2; klass <= 5; klass++) {
      const at = row * 4 + klass - 2;
      registry.counter(
        'http_requests_total',
        'Answers on the control socket and on HTTP.',
        () => values[at] ?? 0,
        {
          route,
          code: `${klass}xx`,
        },
      );
    }
  }
  return {
    answered(route, status) {
      const row = (ROUTES as readonly string[]).indexOf(route);
      const at = (row < 0 ? ROUTES.length - 1 : row) * 4 + Math.floor(status / 100) - 2;
      values[at] = (values[at] ?? 0) + 1;
    },
    expose: () => registry.expose(),
    close: () => loop.disable(),
  };
}
