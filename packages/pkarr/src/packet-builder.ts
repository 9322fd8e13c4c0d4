/** Records collected one by one, and signed at the end. */
import type { Keypair } from './keys.ts';
import { type RecordData, type ResourceRecord, txtData } from './records.ts';
import { SignedPacket } from './signed-packet.ts';
import type { SvcParams } from './svcb.ts';

/** Collects records. Owners are relative to the key that signs: `@` or `.` is the key itself. TTLs are seconds. */
export class PacketBuilder {
  readonly #records: ResourceRecord[] = [];
  #timestamp: bigint | undefined;

  a(name: string, address: string, ttl: number): this {
    return this.record(name, { type: 'A', address }, ttl);
  }

  aaaa(name: string, address: string, ttl: number): this {
    return this.record(name, { type: 'AAAA', address }, ttl);
  }

  /** A or AAAA, as the address is. */
  address(name: string, address: string, ttl: number): this {
    return address.includes(':') ? this.aaaa(name, address, ttl) : this.a(name, address, ttl);
  }

  cname(name: string, target: string, ttl: number): this {
    return this.record(name, { type: 'CNAME', target }, ttl);
  }

  ns(name: string, target: string, ttl: number): this {
    return this.record(name, { type: 'NS', target }, ttl);
  }

  mx(name: string, preference: number, target: string, ttl: number): this {
    return this.record(name, { type: 'MX', preference, target }, ttl);
  }

  /** A text of any length, cut into strings of 255 bytes; or the strings themselves. */
  txt(name: string, text: string | readonly string[], ttl: number): this {
    return this.record(name, txtData(text), ttl);
  }

  /** A URI as TXT data. Throws RangeError when it is none. */
  uri(name: string, uri: string, ttl: number): this {
    if (!URL.canParse(uri)) throw new RangeError(`${JSON.stringify(uri)} is no URI`);
    return this.txt(name, uri, ttl);
  }

  srv(
    name: string,
    service: {
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    },
    ttl: number,
  ): this {
    const { priority, weight, port, target } = service;
    return this.record(name, { type: 'SRV', priority, weight, port, target }, ttl);
  }

  /** `priority` 0 is an alias; `target` `.` is the owner itself. */
  https(name: string, priority: number, target: string, ttl: number, params: SvcParams = {}): this {
    return this.record(name, { type: 'HTTPS', priority, target, params }, ttl);
  }

  svcb(name: string, priority: number, target: string, ttl: number, params: SvcParams = {}): this {
    return this.record(name, { type: 'SVCB', priority, target, params }, ttl);
  }

  record(name: string, data: RecordData, ttl: number): this {
    this.#records.push({ name, ttl, data });
    return this;
  }

  /** Microseconds since 1970, instead of the clock's. */
  timestamp(micros: bigint): this {
    this.#timestamp = micros;
    return this;
  }

  /** Throws PACKET_TOO_LARGE, and RangeError for a record that cannot be written. */
  sign(keypair: Keypair): SignedPacket {
    return SignedPacket.sign(keypair, this.#records, this.#timestamp);
  }
}
