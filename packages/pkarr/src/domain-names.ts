/**
 * Domain names: text (RFC 1035 §5.1: dots between labels, `\.` and `\DDD` for bytes that text cannot show) and labels, one
 * character a byte. Letters keep their case; no dot at the end. Nothing here knows of Unicode names: those are ASCII on the wire.
 */
import { LABEL_BYTES_MAX, NAME_BYTES_MAX } from './constants.ts';

export type Labels = readonly string[];

/** Labels of a text; `.`, the empty text and a dot at the end mean the root. Throws RangeError that quotes the text. */
export function labelsOf(text: string): Labels {
  const wrong = (why: string): RangeError =>
    new RangeError(`${JSON.stringify(text)} is no domain name: ${why}`);
  if (text === '' || text === '.') return [];
  const labels: string[] = [];
  let label = '';
  let bytes = 1;
  const end = (): void => {
    if (label === '') throw wrong('a label is empty');
    if (label.length > LABEL_BYTES_MAX) throw wrong(`a label has more than ${LABEL_BYTES_MAX} bytes`);
    bytes += 1 + label.length;
    if (bytes > NAME_BYTES_MAX) throw wrong(`it has more than ${NAME_BYTES_MAX} bytes`);
    labels.push(label);
    label = '';
  };
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (character === '.') {
      end();
      if (i === text.length - 1) return labels;
    } else if (character === '\\') {
      const code = /^\d{3}/.exec(text.slice(i + 1))?.[0];
      if (code !== undefined) {
        if (Number(code) > 255) throw wrong(`\\${code} is no byte`);
        label += String.fromCharCode(Number(code));
        i += 3;
      } else {
        const escaped = text[++i];
        if (escaped === undefined) throw wrong('it ends in a backslash');
        label += escaped;
      }
    } else label += character;
    if (label.length > 0 && label.charCodeAt(label.length - 1) > 255)
      throw wrong('it has characters beyond a byte; write it in ASCII (xn--…)');
  }
  end();
  return labels;
}

/** The text of labels; `.` for the root. */
export function nameOf(labels: Labels): string {
  if (labels.length === 0) return '.';
  return labels
    .map((label) =>
      label.replace(/[\\.]|[^!-~]/g, (c) =>
        c === '.' || c === '\\' ? `\\${c}` : `\\${String(c.charCodeAt(0)).padStart(3, '0')}`,
      ),
    )
    .join('.');
}

/** Labels of a name at an offset of a message, and where it ends there. */
export interface ReadName {
  readonly labels: Labels;
  readonly end: number;
}

/**
 * Reads a name, compressed or not; `undefined` when it is malformed. Never throws.
 * BOUNDED: by 255 bytes a name; pointers must point before the name they stand in and further back each time.
 */
export function readName(bytes: Uint8Array, offset: number): ReadName | undefined {
  const labels: string[] = [];
  let at = offset;
  let end = -1;
  let before = offset;
  let length = 1;
  while (at < bytes.length) {
    const octet = bytes[at] as number;
    if (octet === 0) return { labels, end: end < 0 ? at + 1 : end };
    if (octet >= 0xc0) {
      if (at + 1 >= bytes.length) return undefined;
      const target = ((octet & 0x3f) << 8) | (bytes[at + 1] as number);
      if (target >= before) return undefined;
      if (end < 0) end = at + 2;
      before = target;
      at = target;
      continue;
    }
    if (octet > LABEL_BYTES_MAX || at + 1 + octet > bytes.length) return undefined;
    length += 1 + octet;
    if (length > NAME_BYTES_MAX) return undefined;
    labels.push(String.fromCharCode(...bytes.subarray(at + 1, at + 1 + octet)));
    at += 1 + octet;
  }
  return undefined;
}
