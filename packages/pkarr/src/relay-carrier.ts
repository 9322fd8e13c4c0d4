/**
 * Packets through an HTTP relay: GET and PUT of `/<key>` with the payload as body, by `fetch` alone. What a relay says is
 * verified like everything else; it can withhold packets, not forge them.
 */
import { type Curves, MoliaError } from '@molia/core';
import type { Carrier, Found, ResolvePolicy } from './carrier.ts';
import { INVALID_SEQ_HEADER, PAYLOAD_BYTES_MAX, PAYLOAD_TYPE, STORED_NODES_HEADER } from './constants.ts';
import { failure, type PkarrErrorCode } from './errors.ts';
import type { PublicKey } from './keys.ts';
import { SignedPacket } from './signed-packet.ts';

/** HTTP dates have whole seconds; one less than what is known, so that the same packet is answered in full. */
const CONDITION_SLACK_MS = 1000;

export class RelayCarrier implements Carrier {
  readonly name: string;
  readonly #base: string;
  readonly #timeoutMs: number;
  readonly #curves: Curves;

  /** Throws TypeError unless the text is an http or https URL. */
  constructor(url: string, timeoutMs: number, curves: Curves) {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
      throw new TypeError(`${JSON.stringify(url)} is no relay: expected an http or https URL`);
    this.name = `relay ${parsed.host}`;
    this.#base = `${parsed.origin}${parsed.pathname.replace(/\/+$/, '')}/`;
    this.#timeoutMs = timeoutMs;
    this.#curves = curves;
  }

  async resolve(
    key: PublicKey,
    policy: ResolvePolicy,
    known: SignedPacket | undefined,
    report: (found: Found) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const headers: Record<string, string> = {};
    if (known !== undefined && policy !== 'CacheOnly') {
      const since = Number(known.timestamp / 1000n) - CONDITION_SLACK_MS;
      if (since > 0 && since < 8.64e15) headers['If-Modified-Since'] = new Date(since).toUTCString();
    }
    await this.#request(
      `${key}?policy=${policy}`,
      { headers, cache: 'no-store' },
      signal,
      async (response) => {
        if (response.status === 404) {
          await response.body?.cancel();
          const seq = response.headers.get(INVALID_SEQ_HEADER);
          if (seq !== null && /^\d{1,19}$/.test(seq)) report({ invalidSeq: BigInt(seq) });
          return;
        }
        const lastSeen = lastSeenOf(response.headers);
        if (response.status === 304) {
          await response.body?.cancel();
          if (known !== undefined) report(known.withLastSeen(Math.max(known.lastSeen, lastSeen)));
          return;
        }
        if (response.status !== 200) throw await this.#refusal(response);
        const packet = SignedPacket.read(key, await bodyOf(response, this.name), lastSeen, this.#curves);
        if (typeof packet === 'string')
          throw failure('UNAVAILABLE', `${this.name} sent no signed packet: ${packet}`, 'use another relay');
        report(packet);
      },
    );
  }

  async publish(packet: SignedPacket, cas: bigint | undefined, signal: AbortSignal): Promise<number> {
    const headers: Record<string, string> = { 'Content-Type': PAYLOAD_TYPE };
    if (cas !== undefined) headers['If-Match'] = String(cas);
    const body = packet.toRelayPayload() as Uint8Array<ArrayBuffer>;
    const init = { method: 'PUT', headers, body };
    return this.#request(`${packet.publicKey}`, init, signal, async (response) => {
      if (!response.ok) throw await this.#refusal(response);
      await response.body?.cancel();
      const stored = Number(response.headers.get(STORED_NODES_HEADER) ?? 1);
      return Number.isSafeInteger(stored) && stored >= 0 ? stored : 1;
    });
  }

  /** The timeout covers the body, too. */
  async #request<Result>(
    path: string,
    init: RequestInit,
    signal: AbortSignal,
    use: (response: Response) => Promise<Result>,
  ): Promise<Result> {
    const timeout = AbortSignal.timeout(this.#timeoutMs);
    try {
      return await use(
        await fetch(this.#base + path, { ...init, signal: AbortSignal.any([signal, timeout]) }),
      );
    } catch (cause) {
      if (cause instanceof MoliaError) throw cause;
      if (signal.aborted) throw signal.reason;
      if (timeout.aborted)
        throw failure(
          'TIMEOUT',
          `${this.name} gave no answer within ${this.#timeoutMs} ms`,
          'try again',
          cause,
        );
      throw failure('UNAVAILABLE', `${this.name} cannot be reached`, 'check the URL and the network', cause);
    }
  }

  async #refusal(response: Response): Promise<MoliaError<PkarrErrorCode>> {
    await response.body?.cancel();
    const { status } = response;
    const said = `${this.name} answered ${status}`;
    if (status === 409)
      return failure('NOT_MOST_RECENT', `${said}: a newer packet exists`, 'resolve it first');
    if (status === 412) return failure('CAS_FAILED', `${said}: it holds another packet`, 'resolve it first');
    if (status === 428) return failure('CONCURRENT_WRITE', `${said}: the key is being written`, 'try again');
    if (status === 429) return failure('RATE_LIMITED', `${said}: too many requests`, 'wait a little');
    if (status >= 400 && status < 500) return failure('REJECTED', said, 'check the URL of the relay');
    return failure('UNAVAILABLE', said, 'try again, or use another relay');
  }
}

function lastSeenOf(headers: Headers): number {
  const now = Date.now();
  const seen = Date.parse(headers.get('Memento-Datetime') ?? '');
  return Number.isNaN(seen) || seen > now ? now : seen;
}

/** The body, which may not be longer than a payload. */
async function bodyOf(response: Response, name: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(PAYLOAD_BYTES_MAX);
  let length = 0;
  const reader = response.body?.getReader();
  try {
    for (let next = await reader?.read(); next?.value !== undefined; next = await reader?.read()) {
      if (length + next.value.length > PAYLOAD_BYTES_MAX) {
        await reader?.cancel();
        throw failure(
          'UNAVAILABLE',
          `${name} sent more than ${PAYLOAD_BYTES_MAX} bytes`,
          'use another relay',
        );
      }
      bytes.set(next.value, length);
      length += next.value.length;
    }
  } finally {
    reader?.releaseLock();
  }
  return bytes.subarray(0, length);
}
