/** Limits of UDP. All ours. */

/** Largest datagram: 1200 of message, 32 of WireGuard, and an extended initiation stays below 1400. */
export const DATAGRAM_BYTES_MAX = 1452;
/** Kernel socket buffers: 4 MiB hold about 3 000 datagrams of 1200 bytes, 30 ms at 100 000 a second. The kernel may cap it. */
export const SOCKET_BUFFER_BYTES = 4 * 1024 * 1024;
/** Attempts to find one port that is free for both families. */
export const PORT_ATTEMPTS_MAX = 16;
/** Datagrams that wait in a socket's ring for a full kernel buffer; more are dropped, as a full network would. A power of two. */
export const SEND_SLOTS = 256;
/** node:dgram: bytes that may wait inside libuv for a full socket. */
export const SEND_QUEUE_BYTES_MAX = 4 * 1024 * 1024;
/** node:dgram: one send in so many asks for its result, so that errors are counted without a callback on every packet. */
export const SEND_CHECK_EVERY = 32;
/** Six bits of the IPv4 type of service and the IPv6 traffic class (RFC 2474). */
export const DSCP_MAX = 63;
