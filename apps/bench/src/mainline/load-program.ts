/**
 * The load of the server measurements: raw queries to one port, so many under way, over the fastest socket there is here. The
 * same for every server; what it costs is counted nowhere.
 */
import { randomBytes } from 'node:crypto';
import { ENDPOINT_BYTES, writeEndpoint } from '@molia/core';
import { decodeBencode, encodeBencode, immutableTarget } from '@molia/mainline';
import { createUdpTransport } from '@molia/native-shard';
import { answerRequests, type Rate, type Request } from './program.ts';

/** A query that is unanswered for so long is lost, and asked again. */
const LOST_MS = 1000;
const ID = new Uint8Array(randomBytes(20));
const VALUE = encodeBencode(new Uint8Array(200).fill(7));

const endpoint = new Uint8Array(ENDPOINT_BYTES);
let onAnswer: (bytes: Uint8Array) => void = () => {};
const udp = createUdpTransport({ listen: ['127.0.0.1:0'] });
const ready = udp.open({
  path: () => 0,
  endpointPath: () => 0,
  receive: (_path, bytes, offset, length) => onAnswer(bytes.subarray(offset, offset + length)),
  fail: (error) => {
    throw error;
  },
});

const send = (bytes: Uint8Array): void => udp.send(0, endpoint, 0, bytes, 0, bytes.length);

/** A query whose transaction id (4 bytes) and argument (20 bytes, where there is one) are patched in place. */
interface Template {
  readonly bytes: Uint8Array;
  readonly tidAt: number;
  readonly argumentAt: number;
}

const MARK = new Uint8Array(20).fill(0xa5);
const TID = new Uint8Array([0xf1, 0xf2, 0xf3, 0xf4]);

function template(method: string): Template {
  const argument = method === 'get_peers' ? { info_hash: MARK } : method === 'ping' ? {} : { target: MARK };
  const bytes = encodeBencode({ a: { id: ID, ...argument }, q: method, t: TID, y: 'q' });
  const buffer = Buffer.from(bytes);
  return { bytes, tidAt: buffer.indexOf(TID), argumentAt: buffer.indexOf(MARK) };
}

/** Stores a value at the server, so that `get` finds one. */
async function putValue(): Promise<Uint8Array> {
  const target = immutableTarget(VALUE);
  const answers = new Map<string, (r: { [key: string]: unknown }) => void>();
  onAnswer = (bytes) => {
    const message = decodeBencode(bytes) as { t?: Uint8Array; r?: { [key: string]: unknown } };
    if (message?.t !== undefined && message.r !== undefined)
      answers.get(Buffer.from(message.t).toString())?.(message.r);
  };
  const query = async (t: string, q: string, a: object): Promise<{ [key: string]: unknown }> => {
    const answer = new Promise<{ [key: string]: unknown }>((resolve) => answers.set(t, resolve));
    const bytes = encodeBencode({ a: { id: ID, ...a }, q, t, y: 'q' });
    const repeat = setInterval(() => send(bytes), LOST_MS);
    send(bytes);
    return answer.finally(() => clearInterval(repeat));
  };
  const { token } = await query('get0', 'get', { target });
  await query('put0', 'put', { token: token as Uint8Array, v: new Uint8Array(200).fill(7) });
  return target;
}

async function ask(request: Extract<Request, { do: 'ask' }>): Promise<Rate & { answerBytes: number }> {
  await ready;
  writeEndpoint(endpoint, 0, '127.0.0.1', request.port);
  const { inFlight, method } = request;
  const { bytes, tidAt, argumentAt } = template(method);
  const fixed = method === 'get' ? await putValue() : undefined;
  const random = randomBytes(65_536);
  let randomAt = 0;
  const sentAt = new Float64Array(inFlight);
  const generations = new Uint16Array(inFlight);
  let done = 0;
  let failed = 0;
  let answerBytes = 0;
  let running = true;
  const next = (slot: number): void => {
    const generation = ((generations[slot] as number) + 1) & 0xffff;
    generations[slot] = generation;
    bytes[tidAt] = slot >>> 8;
    bytes[tidAt + 1] = slot;
    bytes[tidAt + 2] = generation >>> 8;
    bytes[tidAt + 3] = generation;
    if (argumentAt >= 0) {
      randomAt = (randomAt + 20) % (random.length - 20);
      bytes.set(fixed ?? random.subarray(randomAt, randomAt + 20), argumentAt);
    }
    sentAt[slot] = performance.now();
    send(bytes);
  };
  // The transaction id follows the last `1:t4:` of an answer in every one of the servers.
  const mark = Buffer.from('1:t4:');
  onAnswer = (answer) => {
    const buffer = Buffer.from(answer.buffer, answer.byteOffset, answer.length);
    const at = buffer.lastIndexOf(mark) + mark.length;
    if (at < mark.length) return;
    const slot = buffer.readUInt16BE(at);
    if (slot >= inFlight || buffer.readUInt16BE(at + 2) !== generations[slot]) return;
    done++;
    answerBytes += answer.length;
    if (running) next(slot);
  };
  const start = performance.now();
  for (let slot = 0; slot < inFlight; slot++) next(slot);
  const lost = setInterval(() => {
    for (let slot = 0; slot < inFlight; slot++) {
      if (performance.now() - (sentAt[slot] as number) < LOST_MS) continue;
      failed++;
      next(slot);
    }
  }, LOST_MS / 4);
  await new Promise((resolve) => setTimeout(resolve, request.seconds * 1000));
  running = false;
  clearInterval(lost);
  const seconds = (performance.now() - start) / 1000;
  return { done, failed, seconds, answerBytes: answerBytes / done };
}

answerRequests(
  async (request) => {
    if (request.do !== 'ask') throw new Error(`no request for a load: ${request.do}`);
    return ask(request);
  },
  () => udp.close(),
);
