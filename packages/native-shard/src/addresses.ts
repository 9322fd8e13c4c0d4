/** Local addresses as text, and what went wrong when one could not be bound. */
import { type BoundAddress, endpointAddress, endpointPort, MoliaError, parseEndpoint } from '@molia/core';
import { PORT_ATTEMPTS_MAX } from './constants.ts';

/** Codes of a `MoliaError` with which `open` of a UDP transport rejects. */
export type UdpErrorCode =
  /** The local address is taken. */
  | 'ADDRESS_IN_USE'
  /** The local address cannot be bound: not ours, not permitted, family not supported. */
  | 'ADDRESS_UNAVAILABLE';

/** `'0.0.0.0:4711'` or `'[::]:4711'`; throws RangeError with code INVALID_ARGUMENT. */
export function parseLocal(text: string): BoundAddress {
  try {
    const bytes = parseEndpoint(text);
    return { family: bytes[0] === 4 ? 4 : 6, address: endpointAddress(bytes), port: endpointPort(bytes) };
  } catch (cause) {
    throw Object.assign(
      new RangeError(
        `listen address ${JSON.stringify(text)}: expected '0.0.0.0:4711' or '[::]:4711' (${(cause as Error).message})`,
      ),
      { code: 'INVALID_ARGUMENT' },
    );
  }
}

/** `system`: the name of the kernel's error, `EADDRINUSE`. */
export function bindError(local: BoundAddress, system: string, cause?: unknown): MoliaError<UdpErrorCode> {
  const at = local.family === 4 ? `${local.address}:${local.port}` : `[${local.address}]:${local.port}`;
  if (system === 'EADDRINUSE') {
    return new MoliaError('ADDRESS_IN_USE', `UDP address ${at} is taken by another process`, {
      cause,
      hint: 'stop the other process, or choose another port (0 = any free one)',
    });
  }
  const hint =
    system === 'EACCES'
      ? 'this user may not bind it: choose a port above 1023'
      : system === 'EADDRNOTAVAIL'
        ? 'it is no address of this machine: use 0.0.0.0 or [::] for all of them'
        : 'choose another address';
  return new MoliaError('ADDRESS_UNAVAILABLE', `UDP address ${at} cannot be bound (${system})`, {
    cause,
    hint,
  });
}

/**
 * Binds what was asked for or, without wishes, both families on one random port, IPv6 left out where there is none.
 * `bind` binds one address and resolves with what it became; `undo` closes everything that was bound.
 */
export async function bindAll(
  wanted: readonly BoundAddress[] | undefined,
  bind: (local: BoundAddress) => Promise<BoundAddress>,
  undo: () => Promise<void>,
): Promise<BoundAddress[]> {
  for (let attempt = 1; ; attempt++) {
    const bound: BoundAddress[] = [];
    try {
      if (wanted !== undefined) {
        for (const local of wanted) bound.push(await bind(local));
        return bound;
      }
      bound.push(await bind({ family: 4, address: '0.0.0.0', port: 0 }));
      const { port } = bound[0] as BoundAddress;
      bound.push(await bind({ family: 6, address: '::', port }));
      return bound;
    } catch (error) {
      const taken = (error as MoliaError).code === 'ADDRESS_IN_USE';
      // A machine without IPv6 has what it needs.
      if (wanted === undefined && bound.length === 1 && !taken) return bound;
      await undo();
      if (wanted !== undefined || bound.length === 0 || attempt >= PORT_ATTEMPTS_MAX) throw error;
    }
  }
}
