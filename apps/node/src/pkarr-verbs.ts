/** The command tree below `molia pkarr`: records under public keys in the Mainline DHT. */
import type { Runs, Verb } from './program.ts';

export function pkarrVerbs(verb: Verb, runs: Runs): void {
  const pkarr = verb('pkarr', 'records of the DNS under public keys, in the BitTorrent Mainline DHT', [
    'molia pkarr keygen --out my.key',
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
}
