/** Numbers of the simulator. All are models, none is a specification. */
import type { AccessClass } from './links.ts';
import type { NatClass } from './nat.ts';

// Ours

/** Unix milliseconds at the start of a simulation, the same in every run: 15 January 2027. */
export const WALL_MS_AT_ZERO = 1_800_000_000_000;
/** UDP port of every host that does not ask for another. */
export const PORT_DEFAULT = 4_000;
/** IPv4 and UDP headers: what a datagram costs on the wire beyond its bytes. */
export const HEADER_BYTES = 28;
/**
 * What addresses are numbered from: hosts behind a NAT box (10.0.0.0), hosts whose addresses follow each other (13.0.0.0), hosts of the
 * public internet and NAT boxes, 2^22 of each at most. The latter two are seen strewn over 2^28 addresses (32.0.0.0 to 47.255.255.255,
 * 80.0.0.0 to 95.255.255.255), so that two of them rarely share a network.
 */
export const PRIVATE_ADDRESS = 0x0a000000;
export const BLOCK_ADDRESS = 0x0d000000;
export const HOST_ADDRESS = 0x20000000;
export const NAT_ADDRESS = 0x50000000;
/** Numbers that stand for IPv6 addresses by host; nobody's in IPv4. */
export const V6_ADDRESS = 0x0c000000;
/** A million at once, and room for those who come while others go: a new node on a new host. */
export const HOSTS_MAX = 2 ** 22;
/** One-way time between two hosts of one matrix row, microseconds: the middle of 1 to 5 ms there and back. */
export const SAME_ROW_US = 1_500;
/** Jitter of every datagram: exponential with this share of the path's own time as its mean. */
export const JITTER_SHARE = 0.02;
/** Events at one instant after which a run is stuck: a node asks to be called at once, again and again. */
export const EVENTS_AT_ONCE_MAX = 1_000_000;
/** Groups that partitions may tell apart. */
export const GROUPS_MAX = 64;

/** Threads of one run. */
export const CREW_MAX = 64;
/** Bytes of mail for one ordered pair of threads and turn: some 5000 datagrams; what is beyond takes one more turn. */
export const MAIL_BYTES = 2 ** 20;
/** Bytes that each thread shows the others at a time when they gather. */
export const GATHER_BYTES = 2 ** 18;
/** Looks at a barrier before a thread goes to sleep: some microseconds, about what waking costs. */
export const SPINS = 2_000;
/** The fullest worker may have so much of an even share of the places. */
export const SHARE_SLACK = 1.15;

/**
 * Access links of homes and phones. The delays (medians there and back, log-normal) and mean losses are assumptions that
 * follow published summaries; rates are common contracts. A burst is a spell of a loaded link or radio.
 */
export const ACCESS_CLASSES: readonly AccessClass[] = Object.freeze([
  {
    name: 'fibre',
    share: 0.3,
    accessMs: 3,
    accessSigma: 0.5,
    upMbps: 200,
    downMbps: 500,
    queueMs: 50,
    lossMean: 0.001,
    lossSpellMs: 50,
    burstEveryMs: 300_000,
    burstLengthMs: 1_000,
    burstMs: 20,
  },
  {
    name: 'cable',
    share: 0.35,
    accessMs: 12,
    accessSigma: 0.6,
    upMbps: 20,
    downMbps: 200,
    queueMs: 150,
    lossMean: 0.004,
    lossSpellMs: 100,
    burstEveryMs: 120_000,
    burstLengthMs: 3_000,
    burstMs: 40,
  },
  {
    name: 'dsl',
    share: 0.15,
    accessMs: 20,
    accessSigma: 0.5,
    upMbps: 8,
    downMbps: 40,
    queueMs: 200,
    lossMean: 0.004,
    lossSpellMs: 100,
    burstEveryMs: 120_000,
    burstLengthMs: 3_000,
    burstMs: 50,
  },
  {
    name: 'mobile',
    share: 0.2,
    accessMs: 35,
    accessSigma: 0.6,
    upMbps: 15,
    downMbps: 50,
    queueMs: 300,
    lossMean: 0.01,
    lossSpellMs: 200,
    burstEveryMs: 60_000,
    burstLengthMs: 5_000,
    burstMs: 90,
  },
]);

/** A link without delay of its own, loss, queue or bursts: for tests of one thing at a time. */
export const PERFECT_LINK: AccessClass = Object.freeze({
  name: 'perfect',
  share: 1,
  accessMs: 0,
  accessSigma: 0,
  upMbps: 1e6,
  downMbps: 1e6,
  queueMs: 1_000,
  lossMean: 0,
  lossSpellMs: 1,
  burstEveryMs: 0,
  burstLengthMs: 0,
  burstMs: 0,
});

/**
 * NAT classes of a consumer network, with their shares of all hosts; the rest, 0.3, has a public address or a mapped
 * port. The behaviours are RFC 4787's; no recent measurement of the shares was found, so they are an assumption.
 */
export const NAT_CLASSES: readonly NatClass[] = Object.freeze([
  nat('full-cone', 0.05, 'endpoint', 'endpoint', 'preserve', true, 300),
  nat('restricted', 0.15, 'endpoint', 'address', 'preserve', true, 180),
  nat('port-restricted', 0.2, 'endpoint', 'address-and-port', 'preserve', false, 120),
  nat('carrier', 0.12, 'endpoint', 'address-and-port', 'random', false, 60),
  nat('symmetric', 0.13, 'address-and-port', 'address-and-port', 'random', false, 120),
  { ...nat('udp-blocked', 0.05, 'endpoint', 'endpoint', 'preserve', false, 60), blocked: true },
]);

function nat(
  name: string,
  share: number,
  mapping: NatClass['mapping'],
  filtering: NatClass['filtering'],
  ports: NatClass['ports'],
  hairpin: boolean,
  timeoutSecs: number,
): NatClass {
  return { name, share, mapping, filtering, ports, hairpin, timeoutMs: timeoutSecs * 1000, blocked: false };
}
