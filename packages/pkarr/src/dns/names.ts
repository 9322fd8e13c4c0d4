/**
 * Names as the server holds them: the wire form of RFC 1035 §3.1 (length octets, ending in a zero octet), uncompressed, A to Z
 * in lower case, one octet a character of a string. Any label is exact this way, dots and zeros included; names compare by
 * `===` and have suffixes.
 */
import { KEY_DIGITS } from '../constants.ts';
import type { Labels } from '../domain-names.ts';
import { keyFromText } from '../z-base-32.ts';

export type WireName = string;

export const ROOT: WireName = '\0';

/** A name's parent; the root is its own. */
export function parentOf(name: WireName): WireName {
  return name === ROOT ? ROOT : name.slice(1 + name.charCodeAt(0));
}

/** Its first label without the length octet; empty for the root. */
export function firstLabel(name: WireName): string {
  return name.slice(1, 1 + name.charCodeAt(0));
}

/** Whether `name` is `ancestor` or lies below it. */
export function isWithin(name: WireName, ancestor: WireName): boolean {
  if (!name.endsWith(ancestor)) return false;
  // A suffix of octets may begin inside a label.
  let rest = name;
  while (rest.length > ancestor.length) rest = parentOf(rest);
  return rest.length === ancestor.length;
}

/** The name of labels as they are read from a message. */
export function wireOf(labels: Labels): WireName {
  let name = '';
  for (const label of labels)
    name +=
      String.fromCharCode(label.length) + label.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase());
  return name + ROOT;
}

/** Where a name's public-key label is. */
export interface KeyPlace {
  /** The key's 52 digits. */
  readonly text: string;
  readonly key: Uint8Array;
  /** The key's label and what follows it: the apex of the key's zone in this name's spelling. */
  readonly apex: WireName;
}

/**
 * The public key that a name ends in: its last label, or the one before `topLevel` (a label, `''` = none).
 * `null` when that label has the form of a key and is none (bits beyond the 256th are set). `undefined`: an ordinary name.
 */
export function keyOf(name: WireName, topLevel: string): KeyPlace | null | undefined {
  let below: WireName = ROOT;
  let beforeApex: WireName = ROOT;
  for (let rest = name; rest !== ROOT; rest = parentOf(rest)) {
    beforeApex = below;
    below = rest;
  }
  let apex = below;
  if (topLevel !== '' && firstLabel(apex) === topLevel && beforeApex !== ROOT) apex = beforeApex;
  const text = firstLabel(apex);
  if (text.length !== KEY_DIGITS || !/^[a-km-uw-z13-9]+$/.test(text)) return undefined;
  const key = keyFromText(text);
  return key === undefined ? null : { text, key, apex };
}
