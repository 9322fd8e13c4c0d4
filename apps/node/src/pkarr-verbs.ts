/** The command tree below `molia pkarr`: records under public keys in the Mainline DHT. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Runs, Verb } from './program.ts';

export function pkarrVerbs(verb: Verb, runs: Runs): void {
  const pkarr = verb('pkarr', 'records of the DNS under public keys, in the BitTorrent Mainline DHT', [
    'molia pkarr keygen',
    'molia pkarr publish my.zone',
    'molia pkarr resolve KEY',
  ]);
  runs(
    verb(
      'keygen',
      'make a key pair for a zone; never overwrites one',
      ['molia pkarr keygen', 'molia pkarr keygen --out my.key'],
      pkarr,
    ).option('--out <file>', 'where to write the secret key (default: pkarr.key in the data directory)'),
    async () => (await import('./commands/pkarr/keygen.ts')).keygen,
  );
  runs(
    networkOptions(
      verb(
        'publish <zone>',
        'sign the records of a zone file (- reads stdin), and store them over the ones before',
        ['molia pkarr publish my.zone', 'molia pkarr publish my.zone --key my.key --set ip=192.0.2.7'],
        pkarr,
      ),
    )
      .option('--key <file>', 'secret key (default: pkarr.key in the data directory)')
      .option('--set <name=value>', 'replaces {name} in the zone file; may be repeated', collect)
      .option('--ttl <seconds>', 'TTL of records that have none (default: 300)', whole),
    async () => (await import('./commands/pkarr/publish.ts')).publish,
  );
  runs(
    networkOptions(
      verb(
        'resolve <name>',
        'print the newest records of a key, or of a name below it',
        [
          'molia pkarr resolve KEY',
          'molia pkarr resolve www.KEY --type A',
          'molia pkarr resolve KEY --endpoints',
        ],
        pkarr,
      ),
    )
      .option('--type <type>', 'only records of this type')
      .option('--endpoints', 'follow HTTPS records to where the service is'),
    async () => (await import('./commands/pkarr/resolve.ts')).resolve,
  );
  runs(
    networkOptions(
      verb(
        'republish [keys...]',
        'keep packets alive, whoever signed them, until Ctrl-C',
        ['molia pkarr republish KEY', 'molia pkarr republish --list keys.txt --once'],
        pkarr,
      ),
    )
      .option('--list <file>', 'file with a key on each line (- reads stdin)')
      .option('--once', 'write each once and end; fails when one could not be written'),
    async () => (await import('./commands/pkarr/republish.ts')).republish,
  );
  runs(
    dhtOptions(
      verb(
        'relay',
        'serve packets over HTTP in the foreground',
        [
          'molia pkarr relay',
          'molia pkarr relay --listen 0.0.0.0:6881 --trusted-proxy 10.0.0.0/8',
          'molia pkarr relay --testnet',
        ],
        pkarr,
      ),
    )
      .option('--listen <address>', 'TCP address (default: 127.0.0.1:6881)')
      .option('--dht-port <port>', 'UDP port of the DHT (default: 6881, or any)', whole)
      .option('--trusted-proxy <network>', 'believe its X-Forwarded-For; may be repeated', collect)
      .option('--requests-per-second <n>', 'of one address; 0: no limit (default: 10)', whole)
      .option('--lookups-per-second <n>', 'of one address, that ask the DHT; 0: no limit (default: 2)', whole)
      .option('--cache <packets>', 'packets in memory (default: 20000)', whole)
      .option('--testnet', 'a network of ten nodes in this process instead of the real one'),
    async () => (await import('./commands/pkarr/relay.ts')).relay,
  );
}

function dhtOptions(command: Command): Command {
  return command.option(
    '--bootstrap <host:port>',
    'begin with this node of the DHT; may be repeated',
    collect,
  );
}

function networkOptions(command: Command): Command {
  return dhtOptions(command)
    .option('--relay <url>', 'ask this relay as well; may be repeated', collect)
    .option('--no-dht', 'ask relays only');
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
