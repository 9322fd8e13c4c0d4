/** UDP for Molia: the native addon and its node:dgram fallback behind one transport. */
export type { UdpErrorCode } from './addresses.ts';
export { type NativeGalois, type NativeGaloisName, nativeGalois } from './galois.ts';
export { nativeFailure } from './native.ts';
export { createUdpTransport, type UdpOptions } from './udp.ts';
