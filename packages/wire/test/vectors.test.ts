/** `MOLIA_VECTORS=write npx vitest run packages/wire/test/vectors.test.ts` writes the files after a change of the wire. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fromHex, nobleCurves, TAKEN } from '@molia/core';
import { describe, expect, it } from 'vitest';
import {
  attachValue,
  decodeNegotiate,
  decodeNodeRecord,
  HEADER_BYTES,
  Header,
  Negotiation,
  NodeDescription,
  RecordView,
  readHeader,
  readRecord,
  recordValue,
  verifyRecord,
} from '../src/index.ts';
import { codecs, plainRecordView } from './support/codecs.ts';
import { buildVectors, toJson } from './support/vectors.ts';

const built = buildVectors();
const url = (file: string) => new URL(`./vectors/${file}`, import.meta.url);
if (process.env['MOLIA_VECTORS'] === 'write') {
  for (const [file, content] of Object.entries(built)) writeFileSync(url(file), toJson(content));
}

interface MessageVector {
  readonly name: string;
  readonly type: number;
  readonly fields: { readonly [name: string]: unknown };
  readonly message: string;
}
interface RecordVector {
  readonly name: string;
  readonly fields: { readonly [name: string]: unknown };
  readonly encoded: string;
  readonly detached: string;
}
function load<Vector>(file: string): readonly Vector[] {
  return (JSON.parse(readFileSync(url(file), 'utf8')) as { vectors: Vector[] }).vectors;
}

describe.each(Object.keys(built))('%s', (file) => {
  it('is what the code makes today', () => {
    expect(readFileSync(url(file), 'utf8')).toBe(toJson(built[file]));
  });
});

describe('the committed messages', () => {
  const vectors = load<MessageVector>('messages.json');

  it('cover every type that version 1 uses', () => {
    const types = new Set(vectors.map(({ type }) => type));
    expect([...types].sort((a, b) => a - b)).toEqual([1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 13, 14, 255]);
  });

  it.each(vectors)('read as their fields: $name', ({ name, type, fields, message }) => {
    const bytes = fromHex(message);
    const header = new Header();
    expect(readHeader(bytes, 0, bytes.length, header)).toBe(TAKEN);
    expect(header).toMatchObject({ type, correlation: 0xa1b2_c3d4, stream: 7 });
    const codec = codecs.find((entry) => entry.name === name);
    if (codec === undefined) {
      const heard = new Negotiation();
      expect(decodeNegotiate(bytes, HEADER_BYTES, bytes.length - HEADER_BYTES, heard)).toBe(TAKEN);
      expect(heard.features).toBe(fields['features']);
      expect(decodeNodeRecord(heard.node as Uint8Array, nobleCurves, new NodeDescription())).toBe(TAKEN);
      return;
    }
    expect(codec.read(bytes, HEADER_BYTES, bytes.length - HEADER_BYTES)).toBe(TAKEN);
    expect(JSON.parse(toJson(codec.seen(bytes)))).toEqual(fields);
  });
});

describe('the committed records', () => {
  it.each(load<RecordVector>('records.json'))(
    'verify, whole and detached: $name',
    ({ fields, encoded, detached }) => {
      const view = new RecordView();
      const whole = fromHex(encoded);
      expect(readRecord(whole, 0, whole.length, view)).toBe(TAKEN);
      expect(verifyRecord(view, whole, nobleCurves)).toBe(TAKEN);
      expect(JSON.parse(toJson(plainRecordView(view, whole)))).toEqual(fields);
      const value = recordValue(whole, view);
      const envelope = fromHex(detached);
      expect(readRecord(envelope, 0, envelope.length, view)).toBe(TAKEN);
      expect(verifyRecord(view, envelope, nobleCurves)).toBe(TAKEN);
      expect(view.hasValue ? envelope : attachValue(envelope, value)).toEqual(whole);
    },
  );
});
