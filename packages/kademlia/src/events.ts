/** Events that the host has not polled yet: a ring of reused slots. Progress may be dropped, outcomes never are. */
import type { Op } from './types.ts';
import { createKademliaEvent, type KademliaEvent } from './types.ts';

const NO_BYTES = new Uint8Array(0);

export class Events {
  private ring: KademliaEvent[] = Array.from({ length: 4 }, createKademliaEvent);
  private head = 0;
  private used = 0;
  private readonly softMax: number;

  /** Beyond `softMax` waiting events only `must` ones are taken. */
  constructor(softMax: number) {
    this.softMax = softMax;
  }

  get length(): number {
    return this.used;
  }

  /** Queues an event and returns its slot for the fields that `push` does not set, or undefined when it was dropped. */
  push(
    kind: number,
    op: Op,
    code: number,
    a: number,
    b: number,
    c: number,
    must: boolean,
  ): KademliaEvent | undefined {
    if (!must && this.used >= this.softMax) return undefined;
    if (this.used === this.ring.length) this.double();
    const slot = this.ring[(this.head + this.used) & (this.ring.length - 1)] as KademliaEvent;
    this.used++;
    slot.kind = kind;
    slot.op = op;
    slot.code = code;
    slot.a = a;
    slot.b = b;
    slot.c = c;
    slot.sequence = 0;
    slot.bytes = NO_BYTES;
    slot.offset = 0;
    slot.length = 0;
    return slot;
  }

  /** `false` = drained. */
  pop(out: KademliaEvent): boolean {
    if (this.used === 0) return false;
    const slot = this.ring[this.head] as KademliaEvent;
    this.head = (this.head + 1) & (this.ring.length - 1);
    this.used--;
    out.kind = slot.kind;
    out.op = slot.op;
    out.code = slot.code;
    out.a = slot.a;
    out.b = slot.b;
    out.c = slot.c;
    out.sequence = slot.sequence;
    out.bytes = slot.bytes;
    out.offset = slot.offset;
    out.length = slot.length;
    slot.bytes = NO_BYTES;
    return true;
  }

  /** BOUNDED: by softMax and the outcomes of `operationsMax` operations. */
  private double(): void {
    const ring: KademliaEvent[] = [];
    for (let i = 0; i < this.ring.length; i++) {
      ring.push(this.ring[(this.head + i) & (this.ring.length - 1)] as KademliaEvent);
    }
    while (ring.length < this.ring.length * 2) ring.push(createKademliaEvent());
    this.ring = ring;
    this.head = 0;
  }
}
