/**
 * Child process of the interop tests, run inside a network namespace: one engine on one UDP socket, told what to do by JSON
 * lines on stdin, reporting by JSON lines on stdout. Plays the host: answers inner ICMP echoes and UDP datagrams.
 */
import { createSocket, type Socket } from 'node:dgram';
import { createInterface } from 'node:readline';
import {
  createIdentity,
  createSecureRng,
  createTransmit,
  formatEndpoint,
  fromHex,
  HEADROOM,
  nobleCurves,
  PLAINTEXT,
  parseEndpoint,
  ROOM,
  SEALED,
  TransmitFlag,
  toHex,
} from '@molia/core';
import { nobleCipher } from '../../src/cipher-noble.ts';
import { createWireguard, createWireguardEvent, type Wireguard } from '../../src/index.ts';
import { Macs } from '../../src/macs.ts';
import { answerInner } from './packets.ts';

interface Command {
  readonly id: number;
  readonly cmd: string;
  readonly [argument: string]: unknown;
}

const rng = createSecureRng();
const started = performance.now();
const out = createTransmit();
const event = createWireguardEvent();
const buffer = new Uint8Array(HEADROOM + ROOM);
const incoming = new Uint8Array(HEADROOM + 2048);
const paths: string[] = [];
let advanced = 0;
let engine: Wireguard | undefined;
let socket: Socket | undefined;
let timer: NodeJS.Timeout | undefined;
let echo = true;

function now(): number {
  return Math.floor(performance.now() - started) + advanced;
}

function report(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function pathTo(address: string, port: number): number {
  const text = address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  const known = paths.indexOf(text);
  return known >= 0 ? known : paths.push(text) - 1;
}

function transmit(path: number, bytes: Uint8Array): void {
  const text = paths[path] as string;
  const at = text.lastIndexOf(':');
  const address = text.slice(0, at).replace(/[[\]]/g, '');
  report({
    type: 'sent',
    kind: bytes[0],
    extended: bytes[1] === 1,
    length: bytes.length,
    mac2: bytes.length >= 92 && bytes.slice(-16).some((byte) => byte !== 0),
  });
  socket?.send(bytes, Number(text.slice(at + 1)), address);
}

function drain(wg: Wireguard): void {
  while (wg.pollTransmit(now(), out)) transmit(out.to, out.bytes.slice(out.offset, out.offset + out.length));
  while (wg.pollEvent(event)) report({ type: 'event', ...event, address: paths[event.path] });
  clearTimeout(timer);
  const delay = wg.nextDelay(now());
  timer = setTimeout(() => tick(wg), Math.min(delay, 1000));
}

function tick(wg: Wireguard): void {
  wg.handleTimeout(now());
  drain(wg);
}

function send(wg: Wireguard, peer: number, message: Uint8Array, flags: number): number {
  buffer.set(message, HEADROOM);
  const verdict = wg.send(now(), peer, buffer, HEADROOM, message.length, flags);
  if (verdict === SEALED) {
    transmit(wg.sealedTo, buffer.slice(wg.sealedOffset, wg.sealedOffset + wg.sealedLength));
  }
  return verdict;
}

function receive(wg: Wireguard, message: Uint8Array, address: string, port: number): void {
  incoming.set(message, HEADROOM);
  const path = pathTo(address, port);
  const verdict = wg.handleDatagram(now(), path, incoming, HEADROOM, message.length);
  if (message[0] !== 4) report({ type: 'got', kind: message[0], verdict });
  if (verdict === PLAINTEXT) {
    const inner = incoming.slice(wg.plainOffset, wg.plainOffset + wg.plainLength);
    const { peer } = wg;
    report({ type: 'inner', peer, hex: toHex(inner), early: wg.early, address: `${address}:${port}` });
    const answer = echo ? answerInner(inner) : undefined;
    if (answer !== undefined) send(wg, peer, answer, 0);
  }
  drain(wg);
}

function bind(wg: Wireguard, port: number): Promise<number> {
  const bound = createSocket('udp4');
  bound.on('message', (message, from) => receive(wg, message, from.address, from.port));
  return new Promise((resolve, reject) => {
    bound.once('error', reject);
    bound.bind(port, () => {
      bound.setRecvBufferSize(4 << 20);
      socket?.close();
      socket = bound;
      resolve(bound.address().port);
    });
  });
}

/** Initiations with a valid mac1 and random contents: each costs the receiver a Diffie-Hellman. */
async function flood(
  key: Uint8Array,
  address: string,
  port: number,
  count: number,
  perSecond: number,
): Promise<number> {
  const attacker = createSocket('udp4');
  let cookies = 0;
  attacker.on('message', (message) => {
    if (message[0] === 3) cookies++;
  });
  const macs = new Macs(nobleCipher, rng, key);
  const mac1Key = new Uint8Array(32);
  macs.mac1Key(mac1Key, 0, key, 0);
  const batch = perSecond === 0 ? 200 : Math.max(1, Math.round(perSecond / 50));
  const messages: Uint8Array[] = [];
  for (let i = 0; i < Math.min(count, 200); i++) {
    const message = new Uint8Array(148);
    rng.fill(message, 4, 112);
    message[0] = 1;
    macs.writeMacs(message, 0, 148, mac1Key, 0, mac1Key, 0, false);
    messages.push(message);
  }
  for (let sent = 0; sent < count; ) {
    for (let i = 0; i < batch && sent < count; i++, sent++) {
      attacker.send(messages[sent % messages.length] as Uint8Array, port, address);
    }
    await new Promise((resolve) => (perSecond === 0 ? setImmediate(resolve) : setTimeout(resolve, 20)));
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  attacker.close();
  return cookies;
}

async function execute(command: Command): Promise<unknown> {
  const text = (name: string) => String(command[name]);
  const number = (name: string) => Number(command[name] ?? 0);
  if (command.cmd === 'start') {
    const identity = createIdentity(nobleCurves, fromHex(text('seed')));
    engine = createWireguard({
      staticSecret: identity.transportSecret(),
      identityKey: identity.publicKey,
      presharedKey: command['psk'] === undefined ? undefined : fromHex(text('psk')),
      curves: nobleCurves,
      rng,
      wallMsAtZero: Date.now(),
      handshakesPerSecondMax:
        command['handshakesPerSecondMax'] === undefined ? undefined : number('handshakesPerSecondMax'),
      handshakesBurst: command['handshakesBurst'] === undefined ? undefined : number('handshakesBurst'),
      pathBytes: (path, target, offset) => {
        target.set(parseEndpoint(paths[path] as string), offset);
        return 19;
      },
    });
    return { port: await bind(engine, number('port')), cipher: engine.cipherName };
  }
  if (command.cmd === 'flood') {
    return {
      cookies: await flood(
        fromHex(text('key')),
        text('address'),
        number('port'),
        number('count'),
        number('perSecond'),
      ),
    };
  }
  const wg = engine as Wireguard;
  let result: unknown = {};
  if (command.cmd === 'openKey') {
    result = wg.openTransportKey(now(), fromHex(text('key')), 0, pathTo(text('address'), number('port')));
  } else if (command.cmd === 'open') {
    result = wg.open(now(), fromHex(text('key')), 0, pathTo(text('address'), number('port')));
  } else if (command.cmd === 'send') {
    result = send(
      wg,
      number('peer'),
      fromHex(text('hex')),
      command['early'] === true ? TransmitFlag.EARLY : 0,
    );
  } else if (command.cmd === 'advance') {
    advanced += number('ms');
    wg.handleTimeout(now());
  } else if (command.cmd === 'rebind') {
    result = await bind(wg, 0);
  } else if (command.cmd === 'echo') {
    echo = command['on'] === true;
  } else if (command.cmd === 'stats') {
    result = {
      ...wg.counters.snapshot(),
      connected: wg.connected(now(), number('peer')),
      path: paths[wg.path(number('peer'))],
      formatted: formatEndpoint(parseEndpoint('127.0.0.1:1')),
    };
  } else {
    throw new Error(`unknown command ${command.cmd}`);
  }
  drain(wg);
  return result;
}

const lines = createInterface({ input: process.stdin });
let queue = Promise.resolve();
lines.on('line', (line) => {
  const command = JSON.parse(line) as Command;
  const run = async () => {
    try {
      report({ type: 'done', id: command.id, result: await execute(command) });
    } catch (error) {
      report({ type: 'failed', id: command.id, message: String(error) });
    }
  };
  // A flood runs beside the other commands.
  if (command.cmd === 'flood') void run();
  else queue = queue.then(run);
});
lines.on('close', () => process.exit(0));
