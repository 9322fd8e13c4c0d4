/**
 * Makes log lines safe to keep and to share: no address, key, id or secret of a person survives whole.
 *
 * Addresses keep their network half (`203.0.x.x`, `2001:db8:…`) and lose the port; loopback and unspecified addresses
 * stay, they tell nothing. Runs of 32 or more hex digits (keys, ids, hashes, signatures) keep their first 8 digits,
 * enough to correlate lines. Fields whose *name* says secret lose their value altogether.
 */
import { REDACT_CHARS_MAX, REDACT_DEPTH_MAX, REDACT_ENTRIES_MAX } from './constants.ts';

const HEX = /\b[0-9a-fA-F]{32,}\b/g;
const IPV4 = /(?<!\d)(?:::ffff:)?(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(:\d{1,5})?(?!\d)/g;
/** Candidates; `isIpv6` decides. */
const IPV6 = /\[?(?<![0-9A-Za-z:])[0-9a-fA-F:]*:[0-9a-fA-F:]*:[0-9a-fA-F:]*(?:%\w+)?(?:\]:\d{1,5}|\])?/g;
const SECRET_NAME = /secret|seed$|token|password|passphrase|psk|private.?key|authorization|cookie/i;

/** `text` without whole addresses, keys and ids; at most `REDACT_CHARS_MAX` characters of it. */
export function redact(text: string): string {
  const cut = text.length > REDACT_CHARS_MAX ? `${text.slice(0, REDACT_CHARS_MAX)}…` : text;
  return cut
    .replaceAll(HEX, (digits) => `${digits.slice(0, 8)}…`)
    .replaceAll(IPV4, redactIpv4)
    .replaceAll(IPV6, redactIpv6);
}

/** A copy of `value` that may be logged: strings redacted, byte arrays as their length, secrets by name removed. */
export function redactFields(value: unknown): unknown {
  return redactAt(value, 0);
}

function redactAt(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redact(value);
  if (typeof value === 'bigint') return redact(String(value));
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (depth >= REDACT_DEPTH_MAX) return '[deep]';
  if (value instanceof Error) return redactError(value, depth);
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) {
    const kept: unknown[] = value.slice(0, REDACT_ENTRIES_MAX).map((entry) => redactAt(entry, depth + 1));
    if (value.length > REDACT_ENTRIES_MAX) kept.push(`[${value.length - REDACT_ENTRIES_MAX} more]`);
    return kept;
  }
  const out: Record<string, unknown> = {};
  let count = 0;
  for (const [name, entry] of Object.entries(value)) {
    if (count++ >= REDACT_ENTRIES_MAX) {
      out['…'] = '[more]';
      break;
    }
    out[redact(name)] =
      SECRET_NAME.test(name) && entry !== undefined ? '[secret]' : redactAt(entry, depth + 1);
  }
  return out;
}

function redactError(error: Error, depth: number): Record<string, unknown> {
  const out: Record<string, unknown> = { name: error.name, message: redact(error.message) };
  const { code, hint } = error as { code?: unknown; hint?: unknown };
  if (code !== undefined) out['code'] = redactAt(code, depth + 1);
  if (hint !== undefined) out['hint'] = redactAt(hint, depth + 1);
  if (error.stack !== undefined) out['stack'] = redact(error.stack);
  if (error.cause !== undefined) out['cause'] = redactAt(error.cause, depth + 1);
  return out;
}

function redactIpv4(whole: string, a: string, b: string, c: string, d: string): string {
  if (Number(a) > 255 || Number(b) > 255 || Number(c) > 255 || Number(d) > 255) return whole;
  if (a === '127' || (a === '0' && b === '0' && c === '0' && d === '0')) return whole;
  return `${a}.${b}.x.x`;
}

function redactIpv6(whole: string): string {
  const bare = whole.replace(/^\[/, '').replace(/\](:\d+)?$/, '');
  const address = bare.replace(/%\w+$/, '');
  if (!isIpv6(address) || address === '::1' || address === '::') return whole;
  const head = (address.split('::', 1)[0] as string).split(':').slice(0, 2).join(':');
  return `${head}:…`;
}

/** Eight groups, or fewer around exactly one `::`: a time like 12:30:45 is not one. */
function isIpv6(text: string): boolean {
  const groups = text.split(':');
  if (groups.some((group) => group.length > 4)) return false;
  const gaps = text.split('::').length - 1;
  if (gaps > 1 || text.includes(':::')) return false;
  return gaps === 1
    ? groups.length <= 9 && /[0-9a-fA-F]/.test(text + (text === '::' ? '0' : ''))
    : groups.length === 8;
}
