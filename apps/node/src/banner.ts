/** What `molia start` shows: who this node is, how others join it, what to type next. */
import type { Config } from './config.ts';
import type { Daemon } from './daemon.ts';
import { columns } from './output.ts';

export function startBanner({
  daemon,
  config,
  version,
}: {
  daemon: Daemon;
  config: Config;
  version: string;
}): string {
  const { node } = daemon;
  const seeds = node.seedStrings();
  const joins = config.seeds.length + config.dnsSeeds.length + config.bootstrap.length;
  const isDefault = config.entries.some(
    (entry) => entry.key.path === 'data_dir' && entry.origin === 'default',
  );
  const where = isDefault ? '' : ` --data-dir ${quoted(config.dataDir)}`;
  const isPrivate = config.networkSecret !== undefined || config.network !== 'public';
  const rows: [string, string][] = [
    ['id', node.id],
    ['public key', node.publicKey],
    [
      'network',
      config.networkSecret === undefined ? config.network : `${config.network} (private, by secret)`,
    ],
    ['addresses', node.stats().addresses.join(', ')],
    ['data', `${daemon.dataDir.path}${daemon.isNew ? ' (new identity made)' : ''}`],
    ['control', daemon.control],
  ];
  if (daemon.http !== undefined) rows.push(['http', `http://${daemon.http}/ (livez, readyz, metrics)`]);
  const lines = [
    `molia ${version}: ${joins === 0 ? 'running' : `joining through ${joins} seed${joins === 1 ? '' : 's'}`}`,
    '',
    columns(rows),
    '',
  ];
  if (seeds[0] !== undefined) {
    const network =
      isPrivate && config.networkSecret === undefined ? ` --network ${quoted(config.network)}` : '';
    const secret = config.networkSecret === undefined ? '' : ' --network-secret-file FILE';
    lines.push('Join from another machine:', `  npx molia start${network}${secret} --seed ${seeds[0]}`, '');
  }
  lines.push(
    'Next, in another terminal:',
    `  npx molia put README.md${where}`,
    `  npx molia get KEY${where}`,
    `  npx molia status${where}`,
    'Ctrl-C stops it.',
  );
  return lines.join('\n');
}

/** For a POSIX shell. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
