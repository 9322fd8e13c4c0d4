/** Datagrams that wait for the host, in slots that are made once and used again. */
import { ENDPOINT_BYTES } from '@molia/core';
import { OUTBOX_MAX, SENT_BYTES_MAX } from './constants.ts';

/** A datagram and the endpoint (19 bytes) it goes to or comes from. The host owns the slot it hands in. */
export interface Datagram {
  endpoint: Uint8Array;
  bytes: Uint8Array;
  length: number;
}

/** A slot with room for the largest datagram we send. */
export function createDatagram(): Datagram {
  return { endpoint: new Uint8Array(ENDPOINT_BYTES), bytes: new Uint8Array(SENT_BYTES_MAX), length: 0 };
}

export class Outbox {
  private slots: Datagram[] = [];
  private head = 0;
  private count = 0;

  /** A slot at the end, to be filled at once; `undefined` when `OUTBOX_MAX` wait. */
  push(endpoint: Uint8Array, at: number): Datagram | undefined {
    if (this.count === this.slots.length) {
      if (this.count === OUTBOX_MAX) return undefined;
      // INVARIANT: the ring starts at 0 while it grows, so that new slots come after the waiting ones.
      this.slots = this.slots.slice(this.head).concat(this.slots.slice(0, this.head));
      this.head = 0;
      for (let i = 0; i < 4; i++) this.slots.push(createDatagram());
    }
    const slot = this.slots[(this.head + this.count++) % this.slots.length] as Datagram;
    for (let i = 0; i < ENDPOINT_BYTES; i++) slot.endpoint[i] = endpoint[at + i] as number;
    slot.length = 0;
    return slot;
  }

  /** Takes back the slot pushed last: there was nothing to say. */
  dropLast(): void {
    this.count--;
  }

  /** Swaps the first waiting datagram's buffers with the caller's; `false` = none. */
  pop(out: Datagram): boolean {
    if (this.count === 0) return false;
    const slot = this.slots[this.head] as Datagram;
    const { endpoint, bytes } = out;
    out.endpoint = slot.endpoint;
    out.bytes = slot.bytes;
    out.length = slot.length;
    slot.endpoint = endpoint;
    slot.bytes = bytes;
    this.head = (this.head + 1) % this.slots.length;
    this.count--;
    return true;
  }
}
