/** The command tree below `molia pkarr`: records under public keys in the Mainline DHT. */
import { type Command, InvalidArgumentError } from 'commander';
import type { Runs, Verb } from './program.ts';

export function pkarrVerbs(verb: Verb, runs: Runs): void {
  const pkarr = verb('pkarr', 'records of the DNS under public keys, in the BitTorrent Mainline DHT', [
    'molia pkarr keygen',
    'molia pkarr publish my.zone',
    'molia pkarr resolve KEY',
    'molia pkarr dns --port 5300 --upstream 9.9.9.9',
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
  runs(
    networkOptions(
      verb(
        'dns',
        'serve DNS: names under public keys from their packets, all others from upstream servers',
        [
          'molia pkarr dns --port 5300 --upstream 9.9.9.9 --upstream 1.1.1.1:53',
          'molia pkarr dns --port 5300 --no-dht --relay https://pkarr.pubky.org',
          'molia pkarr dns --host 0.0.0.0 --upstream 9.9.9.9 --https-port 443 --tls-cert cert.pem --tls-key key.pem',
        ],
        pkarr,
      ),
    )
      .option('--host <address>', 'address to listen on (default: 127.0.0.1)')
      .option('--port <port>', 'UDP and TCP port, 0 takes any (default: 53)', whole)
      .option('--upstream <address>', 'forward ordinary names to ADDRESS[:PORT]; may be repeated', collect)
      .option('--dht-host <address>', 'address of the UDP socket for the DHT (default: 0.0.0.0)')
      .option('--https-port <port>', 'serve DNS over HTTPS on this TCP port, 0 takes any', whole)
      .option('--https-host <address>', 'address for HTTPS (default: that of --host)')
      .option(
        '--tls-cert <file>',
        'PEM certificate chain; without it HTTPS is plain HTTP for a proxy in front',
      )
      .option('--tls-key <file>', 'PEM private key of the certificate')
      .option('--trusted-proxy <network>', 'believe its X-Forwarded-For; may be repeated', collect)
      .option('--top-level-domain <label>', 'label that may stand behind a key (default: key)')
      .option('--queries-per-second <n>', 'of one client network, 0 = no limit (default: 200)', whole)
      .option('--ttl-min <seconds>', 'use a packet for so long at least (default: 60)', whole)
      .option('--ttl-max <seconds>', 'look a key up again after so long at most (default: 86400)', whole)
      .option('--cache-bytes <n>', 'size of the cache (default: 33554432)', whole)
      .option('--stats <seconds>', 'print statistics so often, 0 = never (default: 60 with --json)', whole)
      .option('--log-level <level>', 'trace, debug, info, warn, error or silent'),
    async () => (await import('./commands/pkarr/dns.ts')).dns,
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
