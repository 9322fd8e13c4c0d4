/**
 * The command tree: verbs, arguments, options, examples. Each verb's code is loaded when it runs, so that `molia get`
 * does not pay for the daemon.
 */
import { Command, InvalidArgumentError } from 'commander';
import type { Output } from './output.ts';
import { pkarrVerbs } from './pkarr-verbs.ts';
import { readVersion } from './version.ts';

/** What every verb gets beside its arguments. */
export interface Context {
  readonly output: Output;
  readonly options: Readonly<Record<string, unknown>>;
}

type Action = (context: Context, ...args: string[]) => Promise<void>;

const GLOBAL_HELP = `
Exit status: 0 done, 1 failed, 2 wrong usage or configuration.
Configuration: flag > MOLIA_* variable > molia.toml > default; see \`molia config --example\`.`;

export function createProgram(output: Output): Command {
  const program = new Command('molia')
    .description('Put and get data through an encrypted peer-to-peer network.')
    .option('--json', 'print one JSON object per line')
    .option('--data-dir <dir>', 'data directory of the daemon (default: ~/.molia)')
    .option('--config <file>', 'configuration file (default: molia.toml in the data directory)')
    .version(readVersion(), '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show help')
    .addHelpText('after', GLOBAL_HELP)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride()
    .configureOutput({ outputError: () => undefined });

  const verb: Verb = (usage, description, examples, parent = program) => {
    const command = parent
      .command(usage)
      .description(description)
      .helpOption('-h, --help', 'show help')
      .exitOverride()
      .configureOutput({ outputError: () => undefined })
      .configureHelp({ showGlobalOptions: true })
      .addHelpText('after', `\nExamples:\n${examples.map((line) => `  $ ${line}`).join('\n')}`);
    return command;
  };
  // Commander passes arguments, options, command: absent optional arguments are undefined.
  const runs = (command: Command, load: () => Promise<Action>): Command =>
    command.action(async (...given: unknown[]) => {
      const self = given.at(-1) as Command;
      const action = await load();
      const options = self.optsWithGlobals<Record<string, unknown>>();
      await action({ output, options }, ...(given.slice(0, -2) as string[]));
    });

  daemonVerbs(verb, runs);
  dataVerbs(verb, runs);
  blobVerbs(verb, runs);
  pinVerbs(verb, runs);
  storeVerbs(verb, runs);
  networkVerbs(verb, runs);
  pkarrVerbs(verb, runs);
  return program;
}

export type Verb = (
  usage: string,
  description: string,
  examples: readonly string[],
  parent?: Command,
) => Command;
export type Runs = (command: Command, load: () => Promise<Action>) => Command;

function daemonVerbs(verb: Verb, runs: Runs): void {
  runs(
    configOptions(
      verb('start', 'run the daemon in the foreground', [
        'molia start',
        'molia start --seed PUBLIC_KEY@192.0.2.7:49737',
        'molia start --network home --network-secret-file ~/.molia/secret --http 127.0.0.1:9464',
      ]),
    ),
    async () => (await import('./commands/start.ts')).start,
  );
  runs(
    verb('stop', 'stop the daemon and wait until it is gone', [
      'molia stop',
      'molia stop --data-dir /var/lib/molia',
    ]),
    async () => (await import('./commands/status.ts')).stop,
  );
  runs(
    verb('status', 'show what the daemon does; fails when it reaches no peer', [
      'molia status',
      'molia status --json',
    ]),
    async () => (await import('./commands/status.ts')).status,
  );
  runs(
    verb('id', 'show the identity of this data directory, with or without a daemon', [
      'molia id',
      'molia id --json',
    ]),
    async () => (await import('./commands/identity.ts')).id,
  );
  runs(
    verb('keygen', 'make a new identity; never overwrites one', [
      'molia keygen',
      'molia keygen --out backup.key',
    ]).option('--out <file>', 'where to write the key (default: identity.key in the data directory)'),
    async () => (await import('./commands/identity.ts')).keygen,
  );
  runs(
    configOptions(
      verb('config', 'show every effective setting, where it comes from, and the memory it allows', [
        'molia config',
        'molia config --example > ~/.molia/molia.toml',
      ]),
    ).option('--example', 'print a commented configuration file with every key'),
    async () => (await import('./commands/config.ts')).config,
  );
  runs(
    verb('version', 'show the versions of molia and of Node', ['molia version', 'molia version --json']),
    async () => (await import('./commands/version.ts')).version,
  );
}

function dataVerbs(verb: Verb, runs: Runs): void {
  runs(
    writeOptions(
      verb('put <file>', 'store a file of at most 64 KiB (- reads stdin) and print its key', [
        'molia put README.md',
        'echo hello | molia put -',
      ]),
    ),
    async () => (await import('./commands/values.ts')).put,
  );
  runs(
    timeoutOption(
      verb('get <key>', 'fetch a value, verify it and write it to stdout or a file', [
        'molia get KEY',
        'molia get KEY -o copy.md',
      ]),
    ).option('-o, --output <file>', 'write to this file instead of stdout'),
    async () => (await import('./commands/values.ts')).get,
  );
  runs(
    writeOptions(
      verb('put-mutable <namespace> <file>', 'sign and store a record that only this node can replace', [
        'molia put-mutable profile profile.json',
        'molia put-mutable profile profile.json --cas 3',
      ]),
    )
      .option('--salt <text>', 'distinguishes records of one namespace, at most 64 bytes')
      .option('--seq <n>', 'sequence (default: the highest one found plus one)', whole)
      .option('--cas <n>', 'write only where exactly this sequence is held (0: none)', whole),
    async () => (await import('./commands/mutable.ts')).putMutable,
  );
  runs(
    timeoutOption(
      verb('get-mutable <owner> <namespace>', 'fetch the newest record of a public key', [
        'molia get-mutable PUBLIC_KEY profile',
        'molia get-mutable PUBLIC_KEY profile --min-seq 4 -o profile.json',
      ]),
    )
      .option('--salt <text>', 'as given when it was written')
      .option('--min-seq <n>', 'only a record with at least this sequence will do', whole)
      .option('-o, --output <file>', 'write to this file instead of stdout'),
    async () => (await import('./commands/mutable.ts')).getMutable,
  );
  runs(
    timeoutOption(
      verb('delete <namespace>', 'replace an own record with a signed tombstone', ['molia delete profile']),
    ).option('--salt <text>', 'as given when it was written'),
    async () => (await import('./commands/mutable.ts')).deleteMutable,
  );
}

function blobVerbs(verb: Verb, runs: Runs): void {
  const blob = verb('blob', 'content of any length, in coded shards on many nodes', [
    'molia blob put film.mkv',
    'molia blob get KEY -o film.mkv',
  ]);
  runs(
    verb(
      'put <file>',
      'store a file of any length (- reads stdin) and print its key; again to go on where it broke off',
      ['molia blob put film.mkv', 'tar c photos | molia blob put - --encrypt random'],
      blob,
    )
      .option(
        '--coding <data:parity>',
        '10:4, 6:3 for fewer than 20 nodes, 10:10 for unsteady ones (default: 10:4)',
      )
      .option('--encrypt <how>', 'none, convergent (same content, same key) or random (default: none)')
      .option('--ttl <seconds>', 'how long nodes keep it, 60 to 86400 (default: 86400)', whole),
    async () => (await import('./commands/blob.ts')).put,
  );
  runs(
    verb(
      'get <key>',
      'fetch a blob, verified as it comes, to stdout or a file',
      ['molia blob get KEY -o film.mkv', 'molia blob get KEY --start 1000000 --end 2000000 | xxd'],
      blob,
    )
      .option('-o, --output <file>', 'write to this file instead of stdout')
      .option('--start <byte>', 'first byte of the content (default: 0)', whole)
      .option('--end <byte>', 'where to stop, this byte not included (default: the end)', whole),
    async () => (await import('./commands/blob.ts')).get,
  );
  runs(
    verb(
      'status <key>',
      'fetch shards and tell how many are missing; fails when a stripe cannot be read',
      ['molia blob status KEY', 'molia blob status KEY --samples 10'],
      blob,
    ).option('--samples <n>', 'fetch only so many shards of each stripe, at random', whole),
    async () => (await import('./commands/blob.ts')).status,
  );
  runs(
    verb(
      'repair <key>',
      'rebuild the shards that nobody has; fails when a stripe is beyond repair',
      ['molia blob repair KEY', 'molia blob repair KEY --json'],
      blob,
    ),
    async () => (await import('./commands/blob.ts')).repair,
  );
}

function pinVerbs(verb: Verb, runs: Runs): void {
  const pin = verb('pin', 'records and blobs that this node keeps alive, whoever wrote them', [
    'molia pin add KEY',
    'molia pin list',
  ]);
  runs(
    verb(
      'add <key>',
      'visit a key every hour from now on: renew it, and rebuild shards that are lost',
      ['molia pin add KEY'],
      pin,
    ),
    async () => (await import('./commands/pin.ts')).add,
  );
  runs(
    verb('rm <key>', 'leave a key to its time to live', ['molia pin rm KEY'], pin),
    async () => (await import('./commands/pin.ts')).remove,
  );
  runs(
    verb(
      'list',
      'pinned keys and how their last visit went',
      ['molia pin list', 'molia pin list --json'],
      pin,
    ),
    async () => (await import('./commands/pin.ts')).list,
  );
}

function storeVerbs(verb: Verb, runs: Runs): void {
  const store = verb('store', 'look at the files of a node that is stopped; changes nothing', [
    'molia store verify',
    'molia store dump records --json',
  ]);
  runs(
    verb(
      'verify',
      'check every byte of records and contacts; fails when something does not verify or is missing',
      ['molia store verify', 'molia store verify --data-dir /var/lib/molia --json'],
      store,
    ),
    async () => (await import('./commands/store.ts')).verify,
  );
  runs(
    verb(
      'dump [store]',
      'list every entry of the log (records, peerstore or both): kind, key, size and expiry, never a value',
      ['molia store dump', 'molia store dump records --json | jq -r .key'],
      store,
    ),
    async () => (await import('./commands/store.ts')).dump,
  );
}

function networkVerbs(verb: Verb, runs: Runs): void {
  runs(
    writeOptions(
      verb('announce <key>', 'announce that this node provides a key', [
        'molia announce KEY',
        'molia announce KEY --meta mirror-1',
      ]),
    ).option('--meta <text>', 'at most 128 bytes that readers get with it', ''),
    async () => (await import('./commands/providers.ts')).announce,
  );
  runs(
    timeoutOption(
      verb('providers <key>', 'list who announced a key, as they are found', [
        'molia providers KEY',
        'molia providers KEY --max 5',
      ]),
    ).option('--max <n>', 'stop after so many', whole),
    async () => (await import('./commands/providers.ts')).providers,
  );
  runs(
    timeoutOption(
      verb('lookup <target>', 'find the nodes closest to an id or key', [
        'molia lookup KEY',
        'molia lookup KEY --json',
      ]),
    ),
    async () => (await import('./commands/network.ts')).lookup,
  );
  runs(
    verb('peers', 'list the routing table, closest first', ['molia peers', 'molia peers --json']),
    async () => (await import('./commands/network.ts')).peers,
  );
  runs(
    timeoutOption(
      verb(
        'ping <peer>',
        'measure one round trip to PUBLIC_KEY@HOST:PORT, or to the id or key of a known peer',
        ['molia ping PUBLIC_KEY@192.0.2.7:49737', 'molia ping ID'],
      ),
    ),
    async () => (await import('./commands/network.ts')).ping,
  );
  runs(
    verb('testnet [n]', 'run a local network of n nodes (default 8) in one process', [
      'molia testnet',
      'molia testnet 32',
    ]).option('--log-level <level>', 'trace, debug, info, warn, error or silent'),
    async () => (await import('./commands/testnet.ts')).testnet,
  );
}

function timeoutOption(command: Command): Command {
  return command.option('--timeout <ms>', 'give up after so many milliseconds', whole);
}

function writeOptions(command: Command): Command {
  return timeoutOption(command).option(
    '--ttl <seconds>',
    'how long nodes keep it, 60 to 86400 (default: 86400)',
    whole,
  );
}

/** Flags of configuration keys. Secrets have none. */
function configOptions(command: Command): Command {
  return command
    .option('--network <name>', 'name of the network')
    .option('--network-secret-file <file>', 'file with the secret of a private network')
    .option('--listen <address>', 'UDP address such as 0.0.0.0:49737; may be repeated', collect)
    .option('--seed <seed>', 'join through PUBLIC_KEY@HOST:PORT; may be repeated', collect)
    .option('--dns-seed <domain>', 'domain whose TXT records list seeds; may be repeated', collect)
    .option('--bootstrap <source>', 'mainline:network or mainline:PUBLIC_KEY; may be repeated', collect)
    .option('--publish-mainline', 'publish key and addresses of this node in the Mainline DHT')
    .option('--client', 'ask and store through others, but never be listed by them')
    .option('--http <address>', 'serve /livez, /readyz and /metrics on this TCP address')
    .option('--control-socket <path>', 'path of the control socket')
    .option('--log-level <level>', 'trace, debug, info, warn, error or silent')
    .option('--log-format <format>', 'auto, pretty or json')
    .option('--log-file <file>', 'append the log to this file');
}

function collect(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

function whole(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value))
    throw new InvalidArgumentError('Expected a whole number.');
  return value;
}
