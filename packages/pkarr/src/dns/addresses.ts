/** Which addresses a stranger may make the server send questions to. */

/** IPv4 blocks that are not for the public Internet (IANA special-purpose registry, RFC 6890), as first address and prefix bits. */
const IPV4_SPECIAL: readonly (readonly [first: number, bits: number])[] = [
  [0x00000000, 8],
  [0x0a000000, 8],
  [0x64400000, 10],
  [0x7f000000, 8],
  [0xa9fe0000, 16],
  [0xac100000, 12],
  [0xc0000000, 24],
  [0xc0000200, 24],
  [0xc0586300, 24],
  [0xc0a80000, 16],
  [0xc6120000, 15],
  [0xc6336400, 24],
  [0xcb007100, 24],
  [0xe0000000, 4],
  [0xf0000000, 4],
];

/** Whether 4 or 16 bytes are an address of the public Internet: no private, local, multicast, tunnel or documentation one. */
export function isPublicAddress(address: Uint8Array): boolean {
  const view = new DataView(address.buffer, address.byteOffset, address.length);
  if (address.length === 4) {
    const word = view.getUint32(0);
    return !IPV4_SPECIAL.some(([first, bits]) => word >>> (32 - bits) === first >>> (32 - bits));
  }
  if (address.length !== 16) return false;
  const [first, second] = [view.getUint16(0), view.getUint16(2)];
  // Only 2000::/3 is given out. Of it: 2001::/23 protocols, 2001:db8::/32 and 3fff::/20 documentation, 2002::/16 6to4.
  if (first >>> 13 !== 1 || first === 0x2002) return false;
  if (first === 0x2001) return second >>> 9 !== 0 && second !== 0xdb8;
  return !(first === 0x3fff && second >>> 12 === 0);
}
