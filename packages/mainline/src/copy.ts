/** Copies that stay ours: `slice` of a Node Buffer would be a view of the caller's bytes. */
export function copyOf(bytes: Uint8Array, at: number, length: number): Uint8Array {
  const copy = new Uint8Array(length);
  copy.set(bytes.subarray(at, at + length));
  return copy;
}
