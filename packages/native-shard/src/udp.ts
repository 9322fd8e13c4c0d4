/** UDP over IPv4 and IPv6 behind core's transport contract: through the addon where it is built, else through node:dgram. */
import type { BoundAddress, Transport } from '@molia/core';
import { parseLocal } from './addresses.ts';
import { DSCP_MAX, SOCKET_BUFFER_BYTES } from './constants.ts';
import { DgramUdp } from './dgram-udp.ts';
import { native, nativeFailure } from './native.ts';
import { NativeUdp } from './native-udp.ts';

export interface UdpOptions {
  /** `'0.0.0.0:0'`, `'[::]:4711'`. Default: both families on one random port, without IPv6 where there is none. */
  readonly listen?: readonly string[];
  /** Kernel buffer of each direction, bytes; the kernel may cap it. Default 4 MiB. */
  readonly socketBufferBytes?: number;
  /**
   * `'native'`: the addon, or an error that says why there is none. `'dgram'`: node:dgram. Default `'auto'`: the addon
   * where it was built.
   */
  readonly driver?: 'auto' | 'native' | 'dgram';
  /** Differentiated services code point of everything sent, 0 to 63 (RFC 2474). Addon only; default 0. */
  readonly dscp?: number;
  /** Never let routers fragment; what is too long for a path is lost and reported. Addon on Linux only; default false. */
  readonly dontFragment?: boolean;
  /** Several sockets share the address (SO_REUSEPORT). Addon only; default false. */
  readonly reusePort?: boolean;
  /**
   * A router said that a path carries only `bytes`, IP header included. `endpoint`: 19 bytes, see core's
   * `ENDPOINT_BYTES`. Needs `dontFragment`. Unauthenticated: a hint, never a fact.
   */
  readonly onPathMtu?: (endpoint: Uint8Array, bytes: number) => void;
}

export interface ResolvedUdpOptions {
  readonly listen: readonly BoundAddress[] | undefined;
  readonly socketBufferBytes: number;
  readonly dscp: number;
  readonly dontFragment: boolean;
  readonly reusePort: boolean;
  readonly onPathMtu: UdpOptions['onPathMtu'];
}

const DRIVERS = ['auto', 'native', 'dgram'];

/**
 * A UDP transport. Throws RangeError (code INVALID_ARGUMENT) for a bad option and Error when `driver: 'native'` cannot be
 * had; its `open` rejects with ADDRESS_IN_USE or ADDRESS_UNAVAILABLE.
 */
export function createUdpTransport(options: UdpOptions = {}): Transport {
  const {
    listen,
    socketBufferBytes = SOCKET_BUFFER_BYTES,
    driver = 'auto',
    dscp = 0,
    dontFragment = false,
    reusePort = false,
    onPathMtu,
  } = options;
  check(DRIVERS.includes(driver), `driver: expected one of ${DRIVERS.join(', ')}, found ${String(driver)}`);
  check(
    Number.isInteger(dscp) && dscp >= 0 && dscp <= DSCP_MAX,
    `dscp: expected 0 to ${DSCP_MAX}, found ${String(dscp)}`,
  );
  check(
    Number.isInteger(socketBufferBytes) && socketBufferBytes > 0,
    `socketBufferBytes: expected a positive integer, found ${String(socketBufferBytes)}`,
  );
  const resolved: ResolvedUdpOptions = {
    listen: listen?.map(parseLocal),
    socketBufferBytes,
    dscp,
    dontFragment,
    reusePort,
    onPathMtu,
  };
  const addon = driver === 'dgram' ? undefined : native();
  if (addon !== undefined) return new NativeUdp(addon, resolved);
  if (driver === 'native')
    throw new Error('the native addon is not built: reinstall where a C++ compiler is, or use driver dgram', {
      cause: nativeFailure(),
    });
  return new DgramUdp(resolved);
}

function check(condition: boolean, message: string): void {
  if (!condition) throw Object.assign(new RangeError(message), { code: 'INVALID_ARGUMENT' });
}
