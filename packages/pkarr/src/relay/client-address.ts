/** Whose request it is: the address of the connection or, behind a trusted proxy, the one that it names. */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** Addresses of a list that are looked at: the rest would be made up anyway. */
const HOPS_MAX = 32;

export class ClientAddresses {
  readonly #proxies = new BlockList();

  /** `proxies`: addresses and networks (`10.0.0.0/8`, `::1`) whose X-Forwarded-For is believed. Throws RangeError. */
  constructor(proxies: readonly string[]) {
    for (const text of proxies) {
      const [address = '', bits] = text.split('/');
      const family = isIP(address);
      const width = Number(bits ?? (family === 6 ? 128 : 32));
      if (family === 0 || !Number.isInteger(width) || width < 0 || width > (family === 6 ? 128 : 32))
        throw new RangeError(
          `${JSON.stringify(text)} is no proxy: expected an address or a network like 10.0.0.0/8`,
        );
      this.#proxies.addSubnet(address, width, family === 6 ? 'ipv6' : 'ipv4');
    }
  }

  /** Walks X-Forwarded-For from its end, past trusted proxies, to the first address that nobody we trust vouches for. */
  of(request: Pick<IncomingMessage, 'headers' | 'socket'>): string {
    let address = plain(request.socket.remoteAddress ?? '');
    if (!this.#isProxy(address)) return address;
    const header = request.headers['x-forwarded-for'];
    const hops = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',').slice(-HOPS_MAX);
    for (const hop of hops.reverse()) {
      const next = plain(hop.trim());
      if (isIP(next) === 0) break;
      address = next;
      if (!this.#isProxy(address)) break;
    }
    return address;
  }

  #isProxy(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#proxies.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }
}

/** Without brackets, port, zone and the IPv6 form of an IPv4 address. */
function plain(text: string): string {
  const bare = /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? text.replace(/^([\d.]+):\d+$/, '$1');
  return bare.replace(/%.*$/, '').replace(/^::ffff:(?=[\d.]+$)/i, '');
}

/** What a limit counts: an IPv4 address, or the /64 of an IPv6 address, which belongs to one customer. */
export function limitedAs(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const left = head.split(':').filter(Boolean);
  const right = (tail ?? '').split(':').filter(Boolean);
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
