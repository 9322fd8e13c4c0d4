/**
 * The way of a datagram: the sender's uplink and NAT boxes, partitions, loss, the path's time with jitter and the sender's
 * burst, duplication and reordering; then the receiver's NAT boxes, loss, downlink and burst. What is drawn comes from the
 * generator of the host whose link it concerns, so that one host's traffic never shifts another's chance.
 *
 * INVARIANT: leaving reads and changes only what belongs to the sender, coming in what belongs to the receiver; what both
 * sides read (places, groups, who is up) only the script changes. Hosts of one NAT box belong together.
 *
 * Refuses nothing loudly: what cannot be carried is counted by cause.
 */
import { ENDPOINT_BYTES, grow, NONE } from '@molia/core';
import { addressAt, addressBase, isV6, portAt, writeEndpointAt } from './addresses.ts';
import { Clock } from './clock.ts';
import {
  BLOCK_ADDRESS,
  GROUPS_MAX,
  HOST_ADDRESS,
  HOSTS_MAX,
  JITTER_SHARE,
  NAT_ADDRESS,
  PORT_DEFAULT,
  PRIVATE_ADDRESS,
  SAME_ROW_US,
  V6_ADDRESS,
} from './constants.ts';
import type { LatencyMatrix } from './latency.ts';
import { type AccessClass, Links } from './links.ts';
import { NatBoxes } from './nat.ts';
import { Payloads } from './payloads.ts';
import type { Generators } from './random.ts';

/** Faults that strike every datagram, on top of the links' own. */
export interface Faults {
  /** Shares of datagrams. */
  loss: number;
  duplication: number;
  /** Held back by up to `reorderMs`, so that later ones overtake. */
  reordering: number;
  reorderMs: number;
}

export const HostState = { UP: 0, DOWN: 1, MUTE: 2 } as const;

/** Why datagrams were lost; indices of `Network.dropped`. */
export const Drop = {
  /** The sender is down or mute. */
  SILENT: 0,
  /** A full queue at an access link. */
  QUEUE: 1,
  LINK_LOSS: 2,
  FAULT_LOSS: 3,
  PARTITION: 4,
  /** Larger than the path's MTU. */
  SIZE: 5,
  /** A NAT box let it neither out nor in, or it would have had to hairpin. */
  NAT: 6,
  /** Nobody has the address, or listens on the port. */
  UNREACHABLE: 7,
  /** The receiver is down or mute. */
  GONE: 8,
} as const;
export const dropNames: readonly string[] = Object.keys(Drop).map((name) => name.toLowerCase());

export interface NetworkOptions {
  readonly matrix: LatencyMatrix;
  /** Bytes of a datagram, without IP and UDP headers. */
  readonly mtuBytes: number;
  readonly jitterShare?: number;
}

/** Where a host is, and how it is reached. */
export interface PlaceOptions {
  /** Row of the latency matrix. */
  readonly row: number;
  readonly link: AccessClass;
  /** A box of `nats`, none unless told. */
  readonly nat?: number;
  readonly port?: number;
  /** It has an open IPv6 address beside its IPv4 one, past any NAT box. */
  readonly v6?: boolean;
  /** Its IPv4 address follows those of other such hosts, as one operator has them; else no two hosts are neighbours. */
  readonly inBlock?: boolean;
}

export class Network {
  readonly nats: NatBoxes;
  readonly links: Links;
  readonly payloads = new Payloads();
  readonly dropped = new Float64Array(dropNames.length);
  readonly faults: Faults = { loss: 0, duplication: 0, reordering: 0, reorderMs: 0 };
  /** By host. */
  state: Uint8Array = new Uint8Array(0);
  bytesOut: Float64Array = new Float64Array(0);
  bytesIn: Float64Array = new Float64Array(0);
  readonly clock = new Clock();
  /** After `depart`: the datagram and its copy, or `NONE`. */
  payload: number = NONE;
  copy: number = NONE;
  /** After `depart`: a host at the place to which the datagram goes. */
  site: number = NONE;
  /** Hash of what the script did to groups and partitions. */
  scriptLane = 0;
  /** Microseconds: when the datagram and its copy arrive. */
  readonly arrivals = new Float64Array(2);
  #count = 0;
  /** Sent, delivered. */
  readonly #totals = new Float64Array(2);
  #row: Uint16Array = new Uint16Array(0);
  #port: Uint16Array = new Uint16Array(0);
  #nat: Int32Array = new Int32Array(0);
  /** 1 = also has an IPv6 address. */
  #hasV6: Uint8Array = new Uint8Array(0);
  #inBlock: Uint8Array = new Uint8Array(0);
  #group: Uint8Array = new Uint8Array(0);
  #generator: Int32Array = new Int32Array(0);
  /** Host that stands for the place of each NAT box. */
  readonly #site: number[] = [];
  readonly #blocked = new Uint8Array(GROUPS_MAX * GROUPS_MAX);
  readonly #generators: Generators;
  readonly #drawn: Float64Array;
  readonly #options: NetworkOptions;
  readonly #jitter: number;

  constructor(options: NetworkOptions, generators: Generators) {
    this.#options = options;
    this.#generators = generators;
    this.#drawn = generators.drawn;
    this.#jitter = options.jitterShare ?? JITTER_SHARE;
    this.nats = new NatBoxes(generators);
    this.links = new Links(generators, this.clock);
  }

  /** Datagrams that hosts handed over, whatever became of them. */
  get datagramsSent(): number {
    return this.#totals[0] as number;
  }

  get datagramsDelivered(): number {
    return this.#totals[1] as number;
  }

  get hosts(): number {
    return this.#count;
  }

  /** One more host, up; its index. */
  addHost({ row, link, nat = NONE, port = PORT_DEFAULT, v6 = false, inBlock = false }: PlaceOptions): number {
    const host = this.#count++;
    if (host >= HOSTS_MAX) throw new RangeError(`a simulation has at most ${HOSTS_MAX} hosts`);
    if (host >= this.state.length) this.#resize(Math.max(64, host * 2));
    const generator = this.#generators.add();
    this.#row[host] = row % this.#options.matrix.rows;
    this.#port[host] = port;
    this.#nat[host] = nat;
    this.#hasV6[host] = v6 ? 1 : 0;
    this.#inBlock[host] = inBlock ? 1 : 0;
    this.#generator[host] = generator;
    for (let box = nat; box !== NONE; box = this.nats.parent(box)) this.#site[box] ??= host;
    this.links.set(host, link, generator);
    return host;
  }

  row(host: number): number {
    return this.#row[host] as number;
  }

  group(host: number): number {
    return this.#group[host] as number;
  }

  /** Puts a host into a group for partitions, below `GROUPS_MAX`. */
  setGroup(host: number, group: number): void {
    if (!(group >= 0 && group < GROUPS_MAX))
      throw new RangeError(`group must be below ${GROUPS_MAX}, not ${group}`);
    this.#group[host] = group;
    this.#note(host, group);
  }

  /** Stops or lets pass what goes from one group to another: one direction only. */
  setBlocked(from: number, to: number, blocked: boolean): void {
    this.#blocked[from * GROUPS_MAX + to] = blocked ? 1 : 0;
    this.#note(from * GROUPS_MAX + to, blocked ? 1 : 2);
  }

  /** Undoes every partition. */
  heal(): void {
    this.#blocked.fill(0);
    this.#note(0, 3);
  }

  /** The endpoint that a host is bound to, 19 bytes: private when it is behind a NAT box. */
  boundEndpoint(host: number): Uint8Array {
    const out = new Uint8Array(ENDPOINT_BYTES);
    this.writeBoundEndpoint(host, out, 0);
    return out;
  }

  /** The IPv6 endpoint of a host, 19 bytes; `undefined` unless it has one. */
  v6Endpoint(host: number): Uint8Array | undefined {
    if (this.#hasV6[host] !== 1) return undefined;
    const out = new Uint8Array(ENDPOINT_BYTES);
    writeEndpointAt(out, 0, V6_ADDRESS + host, this.#port[host] as number);
    return out;
  }

  /** `boundEndpoint` into the caller's 19 bytes. */
  writeBoundEndpoint(host: number, out: Uint8Array, offset: number): void {
    writeEndpointAt(out, offset, this.#address(host), this.#port[host] as number);
  }

  /** Milliseconds there and back between two hosts on an idle path, now: matrix and access links. */
  baseRttMs(a: number, b: number): number {
    this.#path(a, b);
    const there = this.clock.result;
    this.#path(b, a);
    return (there + this.clock.result) / 1000;
  }

  /**
   * A host sends a datagram to the 19-byte endpoint at `endpointOffset`. `true`: it is under way, see `payload`, `copy`
   * and `arrivals`; `false`: lost already, and counted.
   */
  depart(
    host: number,
    endpoint: Uint8Array,
    endpointOffset: number,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): boolean {
    this.#totals[0] = (this.#totals[0] as number) + 1;
    if (this.state[host] !== HostState.UP) return this.#lose(Drop.SILENT);
    if (length > this.#options.mtuBytes) return this.#lose(Drop.SIZE);
    this.bytesOut[host] = (this.bytesOut[host] as number) + length;
    const remote = addressAt(endpoint, endpointOffset);
    const overV6 = isV6(remote);
    if (remote === NONE || (overV6 && this.#hasV6[host] === 0)) return this.#lose(Drop.UNREACHABLE);
    if (!this.links.up(host, length)) return this.#lose(Drop.QUEUE);
    const left = this.clock.result;
    const remotePort = portAt(endpoint, endpointOffset);
    const nowMs = Math.floor(this.clock.now / 1000);

    let address = overV6 ? V6_ADDRESS + host : this.#address(host);
    let port = this.#port[host] as number;
    for (let box = overV6 ? NONE : (this.#nat[host] as number); box !== NONE; box = this.nats.parent(box)) {
      const own = NAT_ADDRESS + box;
      if (remote === own && !this.nats.hairpins(box)) return this.#lose(Drop.NAT);
      port = this.nats.outbound(nowMs, box, address, port, remote, remotePort);
      if (port === NONE) return this.#lose(Drop.NAT);
      address = own;
      if (remote === own) break;
    }
    const site = this.siteOf(remote);
    if (site === NONE) return this.#lose(Drop.UNREACHABLE);
    if (this.#blocked[(this.#group[host] as number) * GROUPS_MAX + (this.#group[site] as number)] === 1)
      return this.#lose(Drop.PARTITION);
    const generator = this.#generator[host] as number;
    const { faults } = this;
    if (this.links.loses(host)) return this.#lose(Drop.LINK_LOSS);
    if (faults.loss > 0 && this.#draw(generator) && (this.#drawn[0] as number) < faults.loss)
      return this.#lose(Drop.FAULT_LOSS);

    const payload = this.payloads.add(bytes, offset, length);
    this.payloads.sourceAddress[payload] = address;
    this.payloads.sourcePort[payload] = port;
    this.payloads.address[payload] = remote;
    this.payloads.port[payload] = remotePort;
    this.payload = payload;
    this.site = site;
    this.#travel(host, site, generator);
    this.arrivals[0] = left + this.clock.result;
    this.copy = NONE;
    if (faults.duplication > 0 && this.#draw(generator) && (this.#drawn[0] as number) < faults.duplication) {
      this.copy = this.payloads.duplicate(payload);
      this.#travel(host, site, generator);
      this.arrivals[1] = left + this.clock.result;
    }
    return true;
  }

  /** A datagram reached the far side: the host that gets it, or `NONE` when it was lost there. Frees nothing. */
  arrive(payload: number): number {
    const { payloads } = this;
    const nowMs = Math.floor(this.clock.now / 1000);
    const remote = payloads.sourceAddress[payload] as number;
    const remotePort = payloads.sourcePort[payload] as number;
    let address = payloads.address[payload] as number;
    let port = payloads.port[payload] as number;
    while (address >= NAT_ADDRESS) {
      const row = this.nats.inbound(nowMs, address - NAT_ADDRESS, port, remote, remotePort);
      if (row === NONE) return this.#loseAt(Drop.NAT);
      address = this.nats.address(row);
      port = this.nats.port(row);
    }
    const base = addressBase(address);
    const host = address - (isV6(address) ? V6_ADDRESS : base === NONE ? PRIVATE_ADDRESS : base);
    if (host >= this.#count || port !== this.#port[host]) return this.#loseAt(Drop.UNREACHABLE);
    if (this.links.loses(host)) return this.#loseAt(Drop.LINK_LOSS);
    return host;
  }

  /** Hands it to the downlink of its host: `clock.result` is when the host has it; `false` = lost in its queue. */
  passDown(host: number, payload: number): boolean {
    if (!this.links.down(host, this.payloads.length[payload] as number)) return this.#lose(Drop.QUEUE);
    this.links.addBurst(host);
    return true;
  }

  /** Counts a datagram as handed to its host; `false` = the host is down or mute. */
  delivered(host: number, length: number): boolean {
    if (this.state[host] !== HostState.UP) return this.#lose(Drop.GONE);
    this.#totals[1] = (this.#totals[1] as number) + 1;
    this.bytesIn[host] = (this.bytesIn[host] as number) + length;
    return true;
  }

  #note(what: number, how: number): void {
    this.scriptLane = Math.imul(this.scriptLane ^ what, 0x85ebca6b) ^ how;
  }

  #lose(cause: number): false {
    this.dropped[cause] = (this.dropped[cause] as number) + 1;
    return false;
  }

  #loseAt(cause: number): number {
    this.#lose(cause);
    return NONE;
  }

  #address(host: number): number {
    if (this.#nat[host] !== NONE) return PRIVATE_ADDRESS + host;
    return (this.#inBlock[host] === 1 ? BLOCK_ADDRESS : HOST_ADDRESS) + host;
  }

  /** The public host that has the 19-byte endpoint at `offset`, or whose box does; `NONE` when nobody has. */
  hostAt(endpoint: Uint8Array, offset: number): number {
    const address = addressAt(endpoint, offset);
    return address === NONE ? NONE : this.siteOf(address);
  }

  /** The host whose place an address has; `NONE` when nobody public has it. */
  siteOf(address: number): number {
    if (address >= NAT_ADDRESS) return this.#site[address - NAT_ADDRESS] ?? NONE;
    if (isV6(address)) return this.#hasV6[address - V6_ADDRESS] === 1 ? address - V6_ADDRESS : NONE;
    const host = address - addressBase(address);
    return host >= 0 && host < this.#count && address === this.#address(host) ? host : NONE;
  }

  /** `clock.result` becomes the microseconds, one way, of an idle path. */
  #path(a: number, b: number): void {
    const rowA = this.#row[a] as number;
    const rowB = this.#row[b] as number;
    const { matrix } = this.#options;
    const slice = matrix.sliceAt(this.clock.now);
    const middle = rowA === rowB ? SAME_ROW_US : matrix.oneWayUs(rowA, rowB, slice);
    this.clock.result = middle + (this.links.access[a] as number) + (this.links.access[b] as number);
  }

  /** `clock.result` becomes the microseconds that a datagram which leaves now is under way. INVARIANT: an idle path's at least. */
  #travel(from: number, to: number, generator: number): void {
    const { clock, faults } = this;
    this.#path(from, to);
    // Always drawn, so that a path without jitter leaves the same chance to what comes after.
    this.#draw(generator);
    clock.result += -Math.log(this.#drawn[0] as number) * clock.result * this.#jitter;
    this.links.addBurst(from);
    if (faults.reordering > 0 && this.#draw(generator) && (this.#drawn[0] as number) < faults.reordering) {
      this.#draw(generator);
      clock.result += (this.#drawn[0] as number) * faults.reorderMs * 1000;
    }
    clock.result = Math.round(clock.result);
  }

  /** Always true: it only sets `#drawn`. */
  #draw(generator: number): true {
    this.#generators.draw(generator);
    return true;
  }

  #resize(rows: number): void {
    this.state = grow(this.state, rows);
    this.bytesOut = grow(this.bytesOut, rows);
    this.bytesIn = grow(this.bytesIn, rows);
    this.#row = grow(this.#row, rows);
    this.#port = grow(this.#port, rows);
    this.#nat = grow(this.#nat, rows);
    this.#hasV6 = grow(this.#hasV6, rows);
    this.#inBlock = grow(this.#inBlock, rows);
    this.#group = grow(this.#group, rows);
    this.#generator = grow(this.#generator, rows);
    this.links.resize(rows);
  }
}
