/** Two network namespaces joined by a veth pair: wireguard-go with its TUN in one, our engine on a UDP socket in the other. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';

const OUR_OUTER = '10.99.0.1';
export const THEIR_OUTER = '10.99.0.2';
export const OUR_INNER = '10.66.0.1';
export const THEIR_INNER = '10.66.0.2';
export const THEIR_PORT = 51820;

function tool(command: string, args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Why the tests cannot run here, or `undefined`. */
export function missing(): string | undefined {
  if (process.platform !== 'linux') return 'network namespaces need Linux';
  if (process.getuid?.() !== 0) return 'network namespaces need root';
  for (const name of ['wireguard-go', 'wg', 'ip', 'ping']) {
    try {
      tool('sh', ['-c', `command -v ${name}`]);
    } catch {
      return `${name} is not installed (Debian: wireguard-go wireguard-tools iproute2 iputils-ping)`;
    }
  }
  if (!existsSync('/dev/net/tun')) return '/dev/net/tun is missing';
  const probe = `mwp${process.pid}`;
  try {
    tool('ip', ['netns', 'add', probe]);
    tool('ip', ['netns', 'del', probe]);
  } catch {
    return 'network namespaces cannot be made here';
  }
  return undefined;
}

/** Waits until `probe` answers something, at most `timeoutMs`. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => T | undefined | false,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = probe();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

export interface Report {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Our engine in its namespace. */
export class Driver {
  readonly reports: Report[] = [];
  private readonly child: ChildProcess;
  private next = 1;
  private readonly waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();

  constructor(namespace: string, script: string) {
    this.child = spawn('ip', ['netns', 'exec', namespace, process.execPath, script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const message = JSON.parse(line) as Report;
      const call = this.waiting.get(Number(message['id'] ?? -1));
      if (message.type === 'done') call?.resolve(message['result']);
      else if (message.type === 'failed') call?.reject(new Error(String(message['message'])));
      else this.reports.push(message);
    });
  }

  call(cmd: string, given: Record<string, unknown> = {}): Promise<unknown> {
    const id = this.next++;
    this.child.stdin?.write(`${JSON.stringify({ id, cmd, ...given })}\n`);
    return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
  }

  async stats(peer: number): Promise<Record<string, number | boolean | string>> {
    return (await this.call('stats', { peer })) as Record<string, number | boolean | string>;
  }

  /** Reports of a type that match. */
  find(type: string, match: (report: Report) => boolean = () => true): Report[] {
    return this.reports.filter((report) => report.type === type && match(report));
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once('exit', resolve));
    this.child.stdin?.end();
    await ended;
  }
}

/** One wireguard-go and room for our engines; names are unique to the run. */
export class Lab {
  private static built = 0;
  readonly tag = `mw${process.pid.toString(36)}${(Lab.built++).toString(36)}`;
  readonly ours = `${this.tag}o`;
  readonly theirs = `${this.tag}t`;
  private readonly folder = mkdtempSync(join(tmpdir(), 'molia-wg-'));
  private readonly script = join(this.folder, 'driver.mjs');
  private readonly drivers: Driver[] = [];
  private daemon: ChildProcess | undefined;

  constructor() {
    buildSync({
      entryPoints: [fileURLToPath(new URL('./driver.ts', import.meta.url))],
      outfile: this.script,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'es2022',
      conditions: ['molia-src'],
      logLevel: 'error',
    });
  }

  private ip(...args: string[]): string {
    return tool('ip', args);
  }

  /** Runs a tool in wireguard-go's namespace. */
  inTheirs(...command: string[]): string {
    return this.ip('netns', 'exec', this.theirs, ...command);
  }

  /** Starts wireguard-go with its secret and our public key as the peer; `endpoint` lets it initiate. */
  async start(options: {
    secret: Uint8Array;
    peer: Uint8Array;
    psk?: Uint8Array;
    endpointPort?: number;
  }): Promise<void> {
    const { ours, theirs, tag } = this;
    for (const name of [ours, theirs]) this.ip('netns', 'add', name);
    this.ip(
      'link',
      'add',
      `${tag}v`,
      'netns',
      ours,
      'type',
      'veth',
      'peer',
      'name',
      `${tag}w`,
      'netns',
      theirs,
    );
    this.ip('-n', ours, 'addr', 'add', `${OUR_OUTER}/24`, 'dev', `${tag}v`);
    this.ip('-n', theirs, 'addr', 'add', `${THEIR_OUTER}/24`, 'dev', `${tag}w`);
    for (const [name, device] of [
      [ours, `${tag}v`],
      [theirs, `${tag}w`],
    ] as const) {
      this.ip('-n', name, 'link', 'set', 'lo', 'up');
      this.ip('-n', name, 'link', 'set', device, 'up');
    }
    this.daemon = spawn('ip', ['netns', 'exec', theirs, 'wireguard-go', '-f', tag], {
      stdio: 'ignore',
      env: { ...process.env, WG_PROCESS_FOREGROUND: '1', LOG_LEVEL: 'error' },
    });
    await until('the control socket of wireguard-go', 5000, () => existsSync(this.socketPath));
    const key = this.file('key', options.secret);
    const args = [
      'set',
      tag,
      'private-key',
      key,
      'listen-port',
      String(THEIR_PORT),
      'peer',
      base64(options.peer),
    ];
    if (options.psk !== undefined) args.push('preshared-key', this.file('psk', options.psk));
    args.push('allowed-ips', `${OUR_INNER}/32`);
    if (options.endpointPort !== undefined) args.push('endpoint', `${OUR_OUTER}:${options.endpointPort}`);
    tool('wg', args);
    this.ip('-n', theirs, 'addr', 'add', `${THEIR_INNER}/24`, 'dev', tag);
    this.ip('-n', theirs, 'link', 'set', tag, 'mtu', '1420', 'up');
  }

  /** A line of `wg show`, for our peer. */
  show(field: 'endpoints' | 'latest-handshakes' | 'transfer'): string {
    return tool('wg', ['show', this.tag, field]).trim().split('\t').slice(1).join(' ');
  }

  setListenPort(port: number): void {
    tool('wg', ['set', this.tag, 'listen-port', String(port)]);
  }

  driver(namespace = this.ours): Driver {
    const driver = new Driver(namespace, this.script);
    this.drivers.push(driver);
    return driver;
  }

  /** Undoes everything, whatever failed before. */
  async close(): Promise<void> {
    for (const driver of this.drivers) await driver.close().catch(() => undefined);
    if (this.daemon !== undefined) {
      const { daemon } = this;
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGTERM');
      await ended;
    }
    for (const name of [this.ours, this.theirs]) {
      try {
        this.ip('netns', 'del', name);
      } catch {
        // It was never made.
      }
    }
    rmSync(this.socketPath, { force: true });
    rmSync(this.folder, { recursive: true, force: true });
  }

  private get socketPath(): string {
    return `/var/run/wireguard/${this.tag}.sock`;
  }

  private file(name: string, key: Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, `${base64(key)}\n`, { mode: 0o600 });
    return path;
  }
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
