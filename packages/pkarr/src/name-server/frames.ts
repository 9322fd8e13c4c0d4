/** Messages over a stream: two octets of length before each (RFC 1035 §4.2.2). */

/** A message with its length in front, in one piece: some servers want both in one segment (RFC 7766 §8). */
export function frame(bytes: Uint8Array): Uint8Array {
  const framed = new Uint8Array(2 + bytes.length);
  framed.set([bytes.length >>> 8, bytes.length & 255]);
  framed.set(bytes, 2);
  return framed;
}

/** Cuts a stream into messages. Keeps one message at most, in a buffer that is made once its length is known. */
export class FrameReader {
  private readonly onMessage: (bytes: Uint8Array) => void;
  private readonly bytesMax: number;
  private readonly head = new Uint8Array(2);
  private headLength = 0;
  private body = new Uint8Array(0);
  private bodyLength = 0;

  /** `onMessage` owns what it gets. Messages longer than `bytesMax` end the stream. */
  constructor(onMessage: (bytes: Uint8Array) => void, bytesMax = 65_535) {
    this.onMessage = onMessage;
    this.bytesMax = bytesMax;
  }

  /** `false`: a message is longer than allowed, and the stream is of no use any more. */
  push(chunk: Uint8Array): boolean {
    let at = 0;
    while (at < chunk.length) {
      if (this.headLength < 2) {
        this.head[this.headLength++] = chunk[at++] as number;
        if (this.headLength < 2) continue;
        const length = ((this.head[0] as number) << 8) | (this.head[1] as number);
        if (length > this.bytesMax) return false;
        this.body = new Uint8Array(length);
        this.bodyLength = 0;
      }
      const taken = Math.min(this.body.length - this.bodyLength, chunk.length - at);
      this.body.set(chunk.subarray(at, at + taken), this.bodyLength);
      this.bodyLength += taken;
      at += taken;
      if (this.bodyLength === this.body.length) {
        this.headLength = 0;
        this.onMessage(this.body);
      }
    }
    return true;
  }
}
