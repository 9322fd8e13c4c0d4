/**
 * Every configuration key: where it may come from, its form, its default and one sentence for `molia config --example`.
 * A key `a.b` is `b` in the TOML table `[a]`, the variable `MOLIA_A_B`, and the flag named here, if any.
 */
import * as z from 'zod';

const hostPort = z
  .string()
  .regex(
    /^(\d{1,3}(\.\d{1,3}){3}|\[[0-9a-fA-F:.]+\]):\d{1,5}$/,
    'expected ADDRESS:PORT, such as 0.0.0.0:4100 or [::]:4100',
  )
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65535, 'a port is 0 to 65535');

const seed = z
  .string()
  .regex(/^[0-9a-fA-F]{64}@.+:\d{1,5}$/, 'expected PUBLIC_KEY@HOST:PORT, as `molia start` prints it');

/** One key. `secret` values are never printed and have no flag. */
export interface ConfigKey {
  readonly path: string;
  readonly env: string;
  readonly flag?: string;
  readonly kind: 'text' | 'list' | 'boolean' | 'number';
  readonly schema: z.ZodType;
  readonly default: string | number | boolean | readonly string[];
  readonly secret?: true;
  readonly doc: string;
}

function key(
  path: string,
  kind: ConfigKey['kind'],
  schema: z.ZodType,
  fallback: ConfigKey['default'],
  doc: string,
  extra: { flag?: string; secret?: true } = {},
): ConfigKey {
  const env = `MOLIA_${path.toUpperCase().replaceAll('.', '_')}`;
  return { path, env, kind, schema, default: fallback, doc, ...extra };
}

/** Empty default of `data_dir`: stands for `~/.molia`, which is only known when the process runs. */
export const configKeys: readonly ConfigKey[] = [
  key(
    'data_dir',
    'text',
    z.string().min(1),
    '~/.molia',
    'Where the identity, records, contacts and the control socket live.',
    {
      flag: '--data-dir',
    },
  ),
  key(
    'network',
    'text',
    z.string().min(1).max(255),
    'public',
    'Name of the network; any other name than "public" is a network of its own.',
    {
      flag: '--network',
    },
  ),
  key(
    'network_secret',
    'text',
    z.string().min(8).max(1024),
    '',
    'Secret of a private network, at least 8 characters; used instead of the name. Better kept in network_secret_file.',
    { secret: true },
  ),
  key(
    'network_secret_file',
    'text',
    z.string().min(1),
    '',
    'File that holds the secret of a private network (mode 0600).',
    {
      flag: '--network-secret-file',
    },
  ),
  key(
    'listen',
    'list',
    z.array(hostPort).min(1).max(16),
    ['0.0.0.0:0', '[::]:0'],
    'UDP addresses. Port 0: the port of the last run if it is free, else any.',
    { flag: '--listen' },
  ),
  key('seeds', 'list', z.array(seed).max(256), [], 'Nodes to join through, PUBLIC_KEY@HOST:PORT.', {
    flag: '--seed',
  }),
  key(
    'dns_seeds',
    'list',
    z.array(z.string().min(1).max(253)).max(32),
    [],
    'Domain names whose TXT records list seeds.',
    {
      flag: '--dns-seed',
    },
  ),
  key(
    'bootstrap',
    'list',
    z
      .array(
        z
          .string()
          .regex(/^mainline:(network|[0-9a-f]{64})$/, 'expected mainline:network or mainline:PUBLIC_KEY'),
      )
      .max(256),
    [],
    'Where to look when no seed answers: mainline:network, or mainline:PUBLIC_KEY of a node that publishes.',
    { flag: '--bootstrap' },
  ),
  key('client', 'boolean', z.boolean(), false, 'Ask and store through others, but never be listed by them.', {
    flag: '--client',
  }),
  key(
    'mainline.nodes',
    'list',
    z.array(z.string().regex(/^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):\d{1,5}$/, 'expected HOST:PORT')).max(256),
    [],
    'Nodes of the BitTorrent Mainline DHT to begin with; empty: the well-known ones.',
  ),
  key(
    'mainline.publish',
    'boolean',
    z.boolean(),
    false,
    'Publish key and addresses of this node in the Mainline DHT, for everybody to see.',
    { flag: '--publish-mainline' },
  ),
  key('limits.peers_max', 'number', z.int().min(16).max(1_048_576), 65_536, 'WireGuard peers held at once.'),
  key('limits.records_max', 'number', z.int().min(1).max(16_777_216), 100_000, 'Records held for others.'),
  key(
    'limits.store_bytes_max',
    'number',
    z
      .int()
      .min(65_536)
      .max(2 ** 40),
    268_435_456,
    'Bytes of those records.',
  ),
  key(
    'limits.operations_max',
    'number',
    z.int().min(1).max(2048),
    256,
    'Operations of this node that run at once.',
  ),
  key(
    'limits.peer_units_per_second',
    'number',
    z.int().min(100).max(1_000_000_000),
    10_000,
    'Work one peer may ask for in a second: a question or a chunk is 1, a write 8.',
  ),
  key(
    'http.listen',
    'text',
    hostPort,
    '',
    'TCP address for /livez, /readyz and /metrics; empty: only on the control socket.',
    {
      flag: '--http',
    },
  ),
  key(
    'control.socket',
    'text',
    z.string().min(1),
    '',
    'Path of the control socket; empty: control.sock in the data directory.',
    {
      flag: '--control-socket',
    },
  ),
  key(
    'log.level',
    'text',
    z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']),
    'info',
    'trace, debug, info, warn, error or silent.',
    {
      flag: '--log-level',
    },
  ),
  key(
    'log.format',
    'text',
    z.enum(['auto', 'pretty', 'json']),
    'auto',
    'auto (pretty on a terminal, else json), pretty or json.',
    {
      flag: '--log-format',
    },
  ),
  key('log.file', 'text', z.string().min(1), '', 'Append the log to this file instead of stderr.', {
    flag: '--log-file',
  }),
];

/** Variables that begin with MOLIA_ and are not configuration. */
export const otherVariables: ReadonlySet<string> = new Set(['MOLIA_CONFIG', 'MOLIA_INTEROP']);

/** The known name nearest to `name` and how many edits away it is. */
export function nearest(name: string, known: Iterable<string>): { name: string; edits: number } {
  let best = { name: '', edits: Number.POSITIVE_INFINITY };
  for (const candidate of known) {
    const edits = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (edits < best.edits) best = { name: candidate, edits };
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next[j] = Math.min(change, (row[j] as number) + 1, (next[j - 1] as number) + 1);
    }
    row = next;
  }
  return row[b.length] as number;
}
