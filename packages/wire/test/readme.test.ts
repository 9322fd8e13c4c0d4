import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as limits from '../src/constants.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

it('the limits of the README are those of the code', () => {
  const numbers = (row: string) =>
    (new RegExp(`^\\| ${row} \\| (.*) \\|$`, 'm').exec(readme)?.[1] ?? '')
      .split(';')
      .map((part) => Number.parseInt(part.replaceAll(',', ''), 10));
  expect(numbers('message, header included')).toEqual([limits.MESSAGE_BYTES_MAX]);
  expect(numbers('value; inside a datagram')).toEqual([
    limits.VALUE_BYTES_MAX,
    limits.VALUE_INLINE_BYTES_MAX,
  ]);
  expect(numbers('encoded record')).toEqual([limits.RECORD_BYTES_MAX]);
  expect(numbers('namespace; salt')).toEqual([limits.NAMESPACE_BYTES_MAX, limits.SALT_BYTES_MAX]);
  expect(numbers('provider: endpoints; metadata')).toEqual([
    limits.PROVIDER_ENDPOINTS_MAX,
    limits.PROVIDER_METADATA_BYTES_MAX,
  ]);
  expect(numbers('contacts in an answer; beside a value')).toEqual([
    limits.CONTACTS_MAX,
    limits.CONTACTS_BESIDE_VALUE_MAX,
  ]);
  expect(numbers('providers in an answer')).toEqual([limits.PROVIDERS_MAX]);
  expect(numbers('data in a chunk')).toEqual([limits.CHUNK_BYTES_MAX]);
  expect(numbers('ping payload; error reason; stamp salt')).toEqual([
    limits.PING_PAYLOAD_BYTES_MAX,
    limits.REASON_BYTES_MAX,
    limits.STAMP_SALT_BYTES_MAX,
  ]);
  expect(numbers('node record; its entries of a kind')).toEqual([
    limits.NODE_RECORD_BYTES_MAX,
    limits.NODE_RECORD_ENTRIES_MAX,
  ]);
  expect(numbers('varint; nesting')).toEqual([limits.VARINT_BYTES_MAX, limits.NESTING_MAX]);
});
