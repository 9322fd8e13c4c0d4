/**
 * CRC-32C (Castagnoli; RFC 3720 appendix B.4): polynomial 0x1EDC6F41 reflected, eight bytes a turn over eight tables
 * (Kounavis and Berry 2005, "slicing-by-8"). No allocation.
 */

const POLYNOMIAL = 0x82f63b78;
const TABLES = /* @__PURE__ */ makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let i = 0; i < 256; i++) {
    let crc = i;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
    tables[i] = crc;
  }
  for (let i = 256; i < 8 * 256; i++) {
    const before = tables[i - 256] as number;
    tables[i] = (before >>> 8) ^ (tables[before & 255] as number);
  }
  return tables;
}

/**
 * The checksum of `length` bytes at `offset`, as a signed 32-bit integer. `seed` is 0, or the checksum of what comes
 * before, or any number that the checksum is to depend on.
 */
export function crc32c(seed: number, bytes: Uint8Array, offset: number, length: number): number {
  const t = TABLES;
  let crc = ~seed;
  let at = offset;
  const end = offset + length;
  for (const stop = end - 7; at < stop; at += 8) {
    const low =
      crc ^
      ((bytes[at] as number) |
        ((bytes[at + 1] as number) << 8) |
        ((bytes[at + 2] as number) << 16) |
        ((bytes[at + 3] as number) << 24));
    crc =
      (t[1792 + (low & 255)] as number) ^
      (t[1536 + ((low >>> 8) & 255)] as number) ^
      (t[1280 + ((low >>> 16) & 255)] as number) ^
      (t[1024 + (low >>> 24)] as number) ^
      (t[768 + (bytes[at + 4] as number)] as number) ^
      (t[512 + (bytes[at + 5] as number)] as number) ^
      (t[256 + (bytes[at + 6] as number)] as number) ^
      (t[bytes[at + 7] as number] as number);
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ (t[(crc ^ (bytes[at] as number)) & 255] as number);
  return ~crc;
}
