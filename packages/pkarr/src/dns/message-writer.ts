/** DNS messages written into one buffer, owner names and targets compressed (RFC 1035 §4.1.4). */
import { HEADER_BYTES } from '../constants.ts';
import { CLASS_IN, DNSSEC_OK, MESSAGE_BYTES_MAX, Type, UDP_BYTES_MAX } from './constants.ts';
import { type ResourceRecord, targetOf } from './message.ts';
import { parentOf, ROOT, type WireName } from './names.ts';

/** What a compression pointer can name. */
const POINTER_MAX = 0x3fff;

export class MessageWriter {
  private readonly bytes = new Uint8Array(MESSAGE_BYTES_MAX);
  private length = 0;
  private isFull = false;
  private readonly places = new Map<WireName, number>();

  /** Begins a message. `question`: the section's bytes, or none. */
  begin(id: number, flags: number, question: Uint8Array, name: WireName | undefined): void {
    this.length = 0;
    this.isFull = false;
    this.places.clear();
    this.u16(id);
    this.u16(flags);
    this.u16(question.length === 0 ? 0 : 1);
    for (let i = 0; i < 3; i++) this.u16(0);
    this.bytes.set(question, HEADER_BYTES);
    this.length = HEADER_BYTES + question.length;
    let at = HEADER_BYTES;
    for (let rest = name ?? ROOT; rest !== ROOT; rest = parentOf(rest)) {
      this.places.set(rest, at);
      at += 1 + rest.charCodeAt(0);
    }
  }

  /** One record; sections come in their order: 0 answer, 1 authority, 2 additional. */
  record(section: 0 | 1 | 2, record: ResourceRecord, ttl: number): void {
    const { name, type, data } = record;
    if (this.length + name.length + 10 + data.length > MESSAGE_BYTES_MAX) this.isFull = true;
    if (this.isFull) return;
    this.name(name);
    this.u16(type);
    this.u16(CLASS_IN);
    this.u16(ttl >>> 16);
    this.u16(ttl & 0xffff);
    const lengthAt = this.length;
    this.length += 2;
    if (type === Type.CNAME || type === Type.NS || type === Type.PTR) this.name(targetOf(record));
    else {
      this.bytes.set(data, this.length);
      this.length += data.length;
    }
    const written = this.length - lengthAt - 2;
    this.bytes[lengthAt] = written >>> 8;
    this.bytes[lengthAt + 1] = written & 255;
    this.count(section);
  }

  /** The OPT record (RFC 6891). `rcode`: of it the upper eight bits. */
  opt(rcode: number, dnssecOk: boolean): void {
    if (this.length + 11 > MESSAGE_BYTES_MAX) this.isFull = true;
    if (this.isFull) return;
    this.bytes[this.length++] = 0;
    this.u16(Type.OPT);
    this.u16(UDP_BYTES_MAX);
    this.u16((rcode >>> 4) << 8);
    this.u16(dnssecOk ? DNSSEC_OK : 0);
    this.u16(0);
    this.count(2);
  }

  /** A copy of the message; `undefined` when it does not fit one. */
  finish(): Uint8Array | undefined {
    return this.isFull ? undefined : this.bytes.slice(0, this.length);
  }

  private name(name: WireName): void {
    let rest = name;
    for (; rest !== ROOT; rest = parentOf(rest)) {
      const place = this.places.get(rest);
      if (place !== undefined) {
        this.u16(0xc000 | place);
        return;
      }
      if (this.length <= POINTER_MAX) this.places.set(rest, this.length);
      const end = 1 + rest.charCodeAt(0);
      for (let i = 0; i < end; i++) this.bytes[this.length++] = rest.charCodeAt(i);
    }
    this.bytes[this.length++] = 0;
  }

  private count(section: 0 | 1 | 2): void {
    const at = 6 + 2 * section;
    const count = (((this.bytes[at] as number) << 8) | (this.bytes[at + 1] as number)) + 1;
    this.bytes[at] = count >>> 8;
    this.bytes[at + 1] = count & 255;
  }

  private u16(value: number): void {
    this.bytes[this.length++] = (value >>> 8) & 255;
    this.bytes[this.length++] = value & 255;
  }
}
