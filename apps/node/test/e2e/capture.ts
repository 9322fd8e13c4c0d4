/** A packet capture of loopback UDP by tcpdump, and a search for plaintext in it. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';

/** Bytes of the windows that are searched for. */
const WINDOW = 16;
/** Windows with fewer different bytes (runs of zeros or spaces) say nothing: zeros stand in every handshake's mac2. */
const DIFFERENT_MIN = 6;

export interface Capture {
  /** Stops tcpdump; UDP payloads of packets from or to one of `ports`. */
  finish(ports: ReadonlySet<number>): Promise<Buffer[]>;
}

/** Starts tcpdump on `lo`; undefined with the reason when this machine has none or does not allow it. */
export async function startCapture(file: string): Promise<Capture | { readonly missing: string }> {
  if (spawnSync('tcpdump', ['--version']).error !== undefined) return { missing: 'tcpdump is not installed' };
  // -Z root: do not change user, the file lies in a directory of ours alone.
  const args = [
    '-i',
    'lo',
    '-w',
    file,
    '-s',
    '0',
    '-B',
    '65536',
    '-U',
    '--immediate-mode',
    '-Z',
    userName(),
    'udp',
  ];
  const child = spawn('tcpdump', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const deadline = performance.now() + 5000;
  while (!/listening on/.test(text) || !existsSync(file)) {
    if (child.exitCode !== null)
      return { missing: `tcpdump is not allowed here: ${text.trim().split('\n').at(-1)}` };
    if (performance.now() > deadline) {
      child.kill('SIGKILL');
      return { missing: 'tcpdump did not begin' };
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { finish: (ports) => finish(child, file, ports) };
}

function userName(): string {
  return process.getuid?.() === 0 ? 'root' : String(process.env['USER'] ?? 'nobody');
}

async function finish(child: ChildProcess, file: string, ports: ReadonlySet<number>): Promise<Buffer[]> {
  const closed = once(child, 'close');
  child.kill('SIGINT');
  await closed;
  return udpPayloads(readFileSync(file), ports);
}

/** Classic pcap, Ethernet framing (as Linux gives for lo), IPv4 and IPv6 without extension headers. */
export function udpPayloads(pcap: Buffer, ports: ReadonlySet<number>): Buffer[] {
  const little = pcap.readUInt32LE(0) === 0xa1b2c3d4;
  const u32 = (at: number): number => (little ? pcap.readUInt32LE(at) : pcap.readUInt32BE(at));
  if (u32(20) !== 1) throw new Error(`link type ${u32(20)} is not Ethernet`);
  const payloads: Buffer[] = [];
  for (let at = 24; at + 16 <= pcap.length; ) {
    const length = u32(at + 8);
    const frame = pcap.subarray(at + 16, at + 16 + length);
    at += 16 + length;
    const kind = frame.readUInt16BE(12);
    const ip = 14;
    const udp = kind === 0x0800 ? ip + (frame.readUInt8(ip) & 15) * 4 : kind === 0x86dd ? ip + 40 : -1;
    if (udp < 0 || frame.length < udp + 8) continue;
    if (ports.has(frame.readUInt16BE(udp)) || ports.has(frame.readUInt16BE(udp + 2)))
      payloads.push(frame.subarray(udp + 8));
  }
  return payloads;
}

/** Finds any 16-byte window of any secret in a haystack: a rolling hash over the haystack, then an exact comparison. */
export class PlaintextSearch {
  readonly #text: Buffer;
  readonly #names: { readonly end: number; readonly name: string }[] = [];
  /** Open addressing: hash and position in `#text` plus one. */
  readonly #hashes: Uint32Array;
  readonly #positions: Uint32Array;
  readonly #mask: number;

  constructor(secrets: readonly { readonly name: string; readonly bytes: Uint8Array }[]) {
    this.#text = Buffer.concat(secrets.map((secret) => secret.bytes));
    const size = 2 ** Math.ceil(Math.log2(Math.max(1024, this.#text.length * 2)));
    this.#mask = size - 1;
    this.#hashes = new Uint32Array(size);
    this.#positions = new Uint32Array(size);
    let start = 0;
    for (const { name, bytes } of secrets) {
      const end = start + bytes.length;
      this.#names.push({ end, name });
      eachWindow(this.#text, start, end, (hash, position) => {
        if (isTelling(this.#text, position)) this.#insert(hash, position);
      });
      start = end;
    }
  }

  /** Name of the first secret of which a window stands in `haystack`, with the offset there. */
  find(haystack: Uint8Array): string | undefined {
    let found: string | undefined;
    eachWindow(haystack, 0, haystack.length, (hash, position) => {
      if (found !== undefined) return;
      for (let slot = mixed(hash) & this.#mask; this.#positions[slot] !== 0; slot = (slot + 1) & this.#mask) {
        if (this.#hashes[slot] !== hash) continue;
        const at = (this.#positions[slot] as number) - 1;
        if (this.#text.compare(haystack, position, position + WINDOW, at, at + WINDOW) !== 0) continue;
        found = `${this.#names.find(({ end }) => at < end)?.name} at offset ${position}`;
        return;
      }
    });
    return found;
  }

  #insert(hash: number, position: number): void {
    let slot = mixed(hash) & this.#mask;
    for (; this.#positions[slot] !== 0; slot = (slot + 1) & this.#mask) {
      const at = (this.#positions[slot] as number) - 1;
      if (
        this.#hashes[slot] === hash &&
        this.#text.compare(this.#text, position, position + WINDOW, at, at + WINDOW) === 0
      )
        return;
    }
    this.#hashes[slot] = hash;
    this.#positions[slot] = position + 1;
  }
}

const BASE = 0x01000193;
const BASE_TO_WINDOW = Array.from({ length: WINDOW }).reduce<number>((power) => Math.imul(power, BASE), 1);

function eachWindow(
  bytes: Uint8Array,
  from: number,
  to: number,
  visit: (hash: number, position: number) => void,
): void {
  let hash = 0;
  for (let i = from; i < to; i++) {
    hash = (Math.imul(hash, BASE) + (bytes[i] as number) + 1) | 0;
    if (i - from >= WINDOW) hash = (hash - Math.imul(BASE_TO_WINDOW, (bytes[i - WINDOW] as number) + 1)) | 0;
    if (i - from >= WINDOW - 1) visit(hash >>> 0, i - WINDOW + 1);
  }
}

function mixed(hash: number): number {
  return Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) >>> 4;
}

function isTelling(bytes: Uint8Array, at: number): boolean {
  return new Set(bytes.subarray(at, at + WINDOW)).size >= DIFFERENT_MIN;
}
