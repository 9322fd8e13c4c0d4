/** Textual IP addresses: strict dotted decimal, and IPv6 as RFC 4291 section 2.2 reads and RFC 5952 writes it. */

/** Four decimal numbers without leading zeros into 4 bytes at `offset`; `false` when it is none. */
export function parseIpv4(out: Uint8Array, offset: number, text: string): boolean {
  const parts = text.split('.');
  if (parts.length !== 4) return false;
  for (let i = 0; i < 4; i++) {
    const part = parts[i] as string;
    if (!/^(?:0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return false;
    out[offset + i] = Number(part);
  }
  return true;
}

/** An IPv6 address into 16 bytes at `offset`; `false` when it is none. A zone (`%eth0`) is refused. */
export function parseIpv6(out: Uint8Array, offset: number, text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const head = parseGroups(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1] as string, true) : [];
  if (head === undefined || tail === undefined) return false;
  const given = head.length + tail.length;
  if (halves.length === 2 ? given > 14 : given !== 16) return false;
  out.fill(0, offset, offset + 16);
  out.set(head, offset);
  out.set(tail, offset + 16 - tail.length);
  return true;
}

/** The bytes of colon-separated groups; the last may be dotted decimal where `ipv4Last`. */
function parseGroups(text: string, ipv4Last: boolean): number[] | undefined {
  const bytes: number[] = [];
  if (text === '') return bytes;
  const groups = text.split(':');
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i] as string;
    if (/^[0-9a-fA-F]{1,4}$/.test(group)) {
      const value = Number.parseInt(group, 16);
      bytes.push(value >>> 8, value & 255);
    } else if (ipv4Last && i === groups.length - 1) {
      const quad = new Uint8Array(4);
      if (!parseIpv4(quad, 0, group)) return undefined;
      bytes.push(...quad);
    } else {
      return undefined;
    }
  }
  return bytes;
}

/** RFC 5952: lower case, no leading zeros, the longest run of at least two zero groups (the first of equals) as `::`. */
export function formatIpv6(bytes: Uint8Array, offset: number): string {
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) {
    groups.push(((bytes[offset + i] as number) << 8) | (bytes[offset + i + 1] as number));
  }
  let bestStart = -1;
  let bestLength = 1;
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > bestLength) {
      bestStart = start;
      bestLength = length;
    }
  }
  const words = groups.map((group) => group.toString(16));
  if (bestStart < 0) return words.join(':');
  return `${words.slice(0, bestStart).join(':')}::${words.slice(bestStart + bestLength).join(':')}`;
}
