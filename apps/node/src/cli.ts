/** Entry of `molia`: runs one verb and turns whatever it throws into one line and an exit status. */
import { CommanderError } from 'commander';
import { exitCodeOf, type PlainError, plainError } from './errors.ts';
import { createOutput } from './output.ts';
import { createProgram } from './program.ts';

const argv = process.argv.slice(2);
// Known before the arguments are understood, so that a usage error is JSON too when it should be.
const end = argv.indexOf('--');
const output = createOutput((end < 0 ? argv : argv.slice(0, end)).includes('--json'));

try {
  await createProgram(output).parseAsync(argv, { from: 'user' });
} catch (error) {
  const plain = error instanceof CommanderError ? usageError(error) : plainError(error);
  if (plain !== undefined) {
    output.fail(plain);
    process.exitCode = exitCodeOf(plain.code);
    if (plain.code === 'INTERNAL' && process.env['NODE_DEBUG'] !== undefined) console.error(error);
  }
}

/** Commander's own words on one line; undefined when it only printed help or the version. */
function usageError(error: CommanderError): PlainError | undefined {
  if (error.exitCode === 0) return undefined;
  if (error.code === 'commander.help') {
    // No verb at all: the help went to stderr.
    process.exitCode = 2;
    return undefined;
  }
  const text = error.message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ');
  const guess = /\(Did you mean (.*)\?\)/.exec(text);
  const message = text.replace(/\s*\(Did you mean .*\)/, '');
  const hint = guess ? `Did you mean ${guess[1]}?` : 'Run `molia help` or `molia help VERB` for examples';
  return { code: 'USAGE', message, hint };
}
