/** `molia config`: effective values with their origin, memory terms, or a commented example file. */
import type { ConfigEntry } from '../config.ts';
import { type ConfigKey, configKeys } from '../config-keys.ts';
import { memoryTerms } from '../memory.ts';
import { columns, humanBytes } from '../output.ts';
import type { Context } from '../program.ts';
import { configOf } from './verb-io.ts';

export async function config(context: Context): Promise<void> {
  const { output, options } = context;
  if (options['example'] === true) {
    output.emit({ example: exampleFile() }, exampleFile().trimEnd());
    return;
  }
  const effective = configOf(context);
  const terms = memoryTerms(effective);
  const total = terms.reduce((sum, term) => sum + term.bytes, 0);
  const values: Record<string, unknown> = {};
  for (const entry of effective.entries)
    values[entry.key.path] = { value: shown(entry), origin: entry.origin };
  output.emit(
    { file: effective.file ?? null, values, memory: { terms, totalBytes: total } },
    [
      columns(
        effective.entries.map((entry) => [
          `${entry.key.path} = ${tomlText(shown(entry))}`,
          `# ${entry.origin}`,
        ]),
        '',
      ),
      '',
      '# Memory that these limits allow',
      columns(
        [
          ...terms.map((term): [string, string] => [
            term.name,
            `${humanBytes(term.bytes).padStart(9)}  ${term.how}`,
          ]),
          ['sum', humanBytes(total).padStart(9)],
        ],
        '# ',
      ),
    ].join('\n'),
  );
}

/** A secret shows only that it is set. */
function shown({ key, value }: ConfigEntry): unknown {
  return key.secret && value !== '' ? '(set)' : value;
}

function tomlText(value: unknown): string {
  return Array.isArray(value)
    ? `[${value.map((item) => JSON.stringify(item)).join(', ')}]`
    : JSON.stringify(value);
}

/** Every key, commented out, with its default, its variable and its flag. */
export function exampleFile(): string {
  const lines = [
    '# Configuration of the molia daemon. Every key is here with its default; remove the # to change one.',
    '# A flag wins over the MOLIA_* variable, which wins over this file, which wins over the default.',
  ];
  let table = '';
  for (const key of configKeys) {
    const [first = '', second] = key.path.split('.');
    if (second !== undefined && first !== table) {
      table = first;
      lines.push('', `[${table}]`);
    }
    lines.push('', `# ${key.doc}`, `# ${sources(key)}`, `# ${second ?? first} = ${tomlText(key.default)}`);
  }
  return `${lines.join('\n')}\n`;
}

function sources(key: ConfigKey): string {
  return key.flag === undefined ? `Variable: ${key.env}` : `Variable: ${key.env}; flag: ${key.flag}`;
}
