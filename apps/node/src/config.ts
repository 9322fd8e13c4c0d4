/**
 * Configuration: flag > MOLIA_* variable > TOML file > default, with the origin of each effective value.
 * Unknown keys are refused by name with the nearest known one; nothing is read twice and nothing is written.
 */
import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { type ConfigKey, configKeys, nearest, otherVariables } from './config-keys.ts';
import { cliError } from './errors.ts';

/** Where an effective value came from: `default`, `file PATH`, `env NAME` or `flag --name`. */
type Origin = string;

export interface Config {
  readonly dataDir: string;
  readonly network: string;
  /** The secret of a private network if one is configured, else undefined: the name alone decides. */
  readonly networkSecret: string | undefined;
  readonly listen: readonly string[];
  /** True when nobody configured `listen`: the port of the last run is tried first. */
  readonly listenIsDefault: boolean;
  readonly seeds: readonly string[];
  readonly dnsSeeds: readonly string[];
  readonly bootstrap: readonly string[];
  readonly mainline: { readonly nodes: readonly string[]; readonly publish: boolean };
  readonly client: boolean;
  readonly limits: {
    readonly peersMax: number;
    readonly recordsMax: number;
    readonly storeBytesMax: number;
    readonly operationsMax: number;
    readonly peerUnitsPerSecond: number;
  };
  readonly httpListen: string | undefined;
  readonly controlSocket: string | undefined;
  readonly logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly logFormat: 'auto' | 'pretty' | 'json';
  readonly logFile: string | undefined;
  /** Effective value and origin of every key, in the order of `configKeys`. */
  readonly entries: readonly ConfigEntry[];
  /** The file that was read, if any. */
  readonly file: string | undefined;
}

export interface ConfigEntry {
  readonly key: ConfigKey;
  readonly value: unknown;
  readonly origin: Origin;
}

export interface ConfigSources {
  /** Values by key path, as given by flags; undefined = not given. */
  readonly flags?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** `--config FILE`: must exist. Without it `MOLIA_CONFIG`, else `molia.toml` in the data directory if it exists. */
  readonly file?: string | undefined;
}

const keysByPath = new Map(configKeys.map((key) => [key.path, key]));

/**
 * Resolves the configuration.
 * @throws MoliaError BAD_CONFIG naming the key and its origin, FILE_NOT_FOUND for a missing --config file.
 */
export function loadConfig(sources: ConfigSources): Config {
  const env = sources.env ?? {};
  const flags = sources.flags ?? {};
  checkVariables(env);
  const named = sources.file ?? nonEmpty(env['MOLIA_CONFIG']);
  const directory = pathOf(String(flags['data_dir'] ?? nonEmpty(env['MOLIA_DATA_DIR']) ?? '~/.molia'));
  const file = named ? pathOf(named) : join(directory, 'molia.toml');
  const fromFile = readConfigFile(file, named !== undefined);

  const entries = configKeys.map((key): ConfigEntry => {
    const given = flags[key.path];
    if (given !== undefined) return checked(key, given, `flag ${key.flag ?? key.path}`);
    const variable = nonEmpty(env[key.env]);
    if (variable !== undefined) return checked(key, fromText(key, variable), `env ${key.env}`);
    const value = fromFile?.get(key.path);
    if (value !== undefined && value !== '') return checked(key, value, `file ${file}`);
    return { key, value: key.default, origin: 'default' };
  });
  return assemble(entries, fromFile === undefined ? undefined : file);
}

function assemble(entries: readonly ConfigEntry[], file: string | undefined): Config {
  const entry = (path: string): ConfigEntry => entries.find((e) => e.key.path === path) as ConfigEntry;
  const text = (path: string): string => entry(path).value as string;
  const optional = (path: string): string | undefined => nonEmpty(text(path));
  const number = (path: string): number => entry(path).value as number;
  const secretFile = optional('network_secret_file');
  const secret = optional('network_secret');
  if (secret !== undefined && secretFile !== undefined) {
    throw cliError('BAD_CONFIG', 'network_secret and network_secret_file are both set', {
      hint: 'Keep one of the two',
    });
  }
  return {
    dataDir: pathOf(text('data_dir')),
    network: text('network'),
    networkSecret: secret ?? (secretFile === undefined ? undefined : readSecret(pathOf(secretFile))),
    listen: entry('listen').value as string[],
    listenIsDefault: entry('listen').origin === 'default',
    seeds: entry('seeds').value as string[],
    dnsSeeds: entry('dns_seeds').value as string[],
    bootstrap: entry('bootstrap').value as string[],
    mainline: {
      nodes: entry('mainline.nodes').value as string[],
      publish: entry('mainline.publish').value as boolean,
    },
    client: entry('client').value as boolean,
    limits: {
      peersMax: number('limits.peers_max'),
      recordsMax: number('limits.records_max'),
      storeBytesMax: number('limits.store_bytes_max'),
      operationsMax: number('limits.operations_max'),
      peerUnitsPerSecond: number('limits.peer_units_per_second'),
    },
    httpListen: optional('http.listen'),
    controlSocket: mapDefined(optional('control.socket'), pathOf),
    logLevel: text('log.level') as Config['logLevel'],
    logFormat: text('log.format') as Config['logFormat'],
    logFile: mapDefined(optional('log.file'), pathOf),
    entries,
    file,
  };
}

function checked(key: ConfigKey, value: unknown, origin: Origin): ConfigEntry {
  const result = key.schema.safeParse(value);
  if (result.success) return { key, value: result.data, origin };
  const issue = result.error.issues[0];
  const at = issue && issue.path.length > 0 ? ` (item ${Number(issue.path[0]) + 1})` : '';
  throw cliError('BAD_CONFIG', `${key.path}${at} from ${origin}: ${issue?.message ?? 'wrong form'}`, {
    hint: `It is: ${key.doc}`,
  });
}

/** A variable's text in the form of its key; a form that does not fit is left for the schema to refuse. */
function fromText(key: ConfigKey, text: string): unknown {
  if (key.kind === 'list') {
    return text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
  }
  if (key.kind === 'boolean') {
    if (/^(1|true|yes|on)$/i.test(text)) return true;
    if (/^(0|false|no|off)$/i.test(text)) return false;
    return text;
  }
  return key.kind === 'number' ? Number(text) : text;
}

function readConfigFile(file: string, required: boolean): Map<string, unknown> | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    // An unusable data directory is reported where it is opened, with its own code.
    if (!required && code !== 'EACCES' && code !== 'EISDIR') return undefined;
    throw code === 'ENOENT'
      ? cliError('FILE_NOT_FOUND', `configuration file ${file} does not exist`, {
          hint: 'Check --config or MOLIA_CONFIG',
        })
      : cliError('FILE_UNREADABLE', `configuration file ${file} cannot be read (${code})`, { cause: error });
  }
  let table: Record<string, unknown>;
  try {
    table = parse(text);
  } catch (error) {
    const first = (error as Error).message.split('\n')[0] ?? '';
    const { line } = error as { line?: number };
    throw cliError('BAD_CONFIG', `${file}${line ? `, line ${line}` : ''}: ${first}`, { cause: error });
  }
  const found = new Map<string, unknown>();
  collect(table, '', found);
  const tables = new Set([...keysByPath.keys()].filter((p) => p.includes('.')).map((p) => p.split('.')[0]));
  for (const path of found.keys()) {
    if (keysByPath.has(path)) continue;
    const near = nearest(path, keysByPath.keys());
    const hint = tables.has(path) ? `[${path}] is a table` : `Did you mean "${near.name}"?`;
    throw cliError('BAD_CONFIG', `unknown key "${path}" in ${file}`, {
      hint: `${hint} \`molia config --example\` shows every key`,
    });
  }
  return found;
}

function collect(table: Record<string, unknown>, prefix: string, found: Map<string, unknown>): void {
  for (const [name, value] of Object.entries(table)) {
    const path = `${prefix}${name}`;
    const isTable =
      typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
    if (isTable) collect(value as Record<string, unknown>, `${path}.`, found);
    else found.set(path, value);
  }
}

/** A misspelt MOLIA_NETWORK_SECRET would silently join the public network: near misses are refused. */
function checkVariables(env: Readonly<Record<string, string | undefined>>): void {
  const known = new Set([...configKeys.map((key) => key.env), ...otherVariables]);
  for (const name of Object.keys(env)) {
    if (!name.startsWith('MOLIA_') || known.has(name)) continue;
    const near = nearest(name, known);
    if (near.edits <= 3) {
      throw cliError('BAD_CONFIG', `unknown variable ${name} in the environment`, {
        hint: `Did you mean ${near.name}?`,
      });
    }
  }
}

function readSecret(file: string): string {
  let text: string;
  try {
    if (process.platform !== 'win32' && (statSync(file).mode & 0o077) !== 0) {
      throw cliError('KEY_PERMISSIONS', `network_secret_file ${file} can be read by other users`, {
        hint: `Run: chmod 600 ${file}`,
      });
    }
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'KEY_PERMISSIONS') throw error;
    if (code === 'ENOENT') {
      throw cliError('FILE_NOT_FOUND', `network_secret_file ${file} does not exist`, {
        hint: 'Check the path',
      });
    }
    throw cliError('FILE_UNREADABLE', `network_secret_file ${file} cannot be read (${code})`, {
      cause: error,
    });
  }
  if (text.length < 8) {
    throw cliError('BAD_CONFIG', `network_secret_file ${file} holds fewer than 8 characters`, {
      hint: `Make a secret: openssl rand -hex 32 > ${file}`,
    });
  }
  return text;
}

/** `~` expanded, absolute. */
function pathOf(text: string): string {
  const home = homedir();
  const expanded = text === '~' ? home : text.startsWith('~/') ? join(home, text.slice(2)) : text;
  return isAbsolute(expanded) ? expanded : resolve(expanded);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text;
}

function mapDefined<A, B>(value: A | undefined, map: (value: A) => B): B | undefined {
  return value === undefined ? undefined : map(value);
}
