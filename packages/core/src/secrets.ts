/** Overwriting of secrets. Copies that the engine's garbage collector made before are beyond our reach. */

/** Fills secret bytes with zeros. */
export function wipe(bytes: Uint8Array): void {
  bytes.fill(0);
}
