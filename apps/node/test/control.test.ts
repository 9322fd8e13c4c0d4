import { chmodSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectControl } from '../src/control-client.ts';
import { type ControlServer, type Route, serveSocket, serveTcp } from '../src/control-server.ts';
import { controlSocketPath, openDataDir, writeToken } from '../src/datadir.ts';

let dir = '';
let token = '';
let server: ControlServer;
const internal: unknown[] = [];
const answered: string[] = [];
let ready = true;
const aborted: string[] = [];

const routes: Record<string, Route> = {
  'PUT echo': async (request) => ({
    raw: await request.body(),
    headers: { 'molia-key': request.segments.join('|') },
  }),
  'GET query': async (request) => ({ json: { all: [...request.query] } }),
  'GET count': async (request) => {
    for (let i = 0; i < 3; i++) await request.line({ i });
    return undefined;
  },
  'GET half': async (request) => {
    await request.line({ i: 0 });
    throw new Error('secret detail');
  },
  'GET forever': async (request) => {
    await request.line({ begun: true });
    await new Promise((resolve) => request.signal.addEventListener('abort', resolve));
    aborted.push('forever');
    return undefined;
  },
};
const probes = { ready: () => ready, metrics: () => 'molia_x 1\n', metricsContentType: 'text/plain' };
const common = {
  probes,
  onInternalError: (error: unknown) => internal.push(error),
  onAnswer: (route: string, status: number) => answered.push(`${route} ${status}`),
};

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'molia-control-'));
  token = writeToken(openDataDir(dir));
  server = await serveSocket(controlSocketPath(dir, undefined), { ...common, routes, token });
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true, force: true });
});

async function raw(
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: server.address, path, headers, method, agent: false }, (answer) => {
      let text = '';
      answer.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('control API', () => {
  it('carries raw bodies and encoded path segments unchanged', async () => {
    const body = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 7) & 255);
    const control = connectControl(dir, undefined);
    const { bytes, headers } = await control.raw('PUT', `echo/${encodeURIComponent('a/b c')}/d`, { body });
    expect(Buffer.compare(bytes, body)).toBe(0);
    expect(headers['molia-key']).toBe('a/b c|d');
    const { all } = await control.json('GET', 'query', { query: { x: 'ä&=', y: 1, z: undefined } });
    expect(all).toEqual([
      ['x', 'ä&='],
      ['y', '1'],
    ]);
  });

  it('refuses a request without the token or with a wrong one', async () => {
    for (const authorization of [
      '',
      'Bearer ',
      `Bearer ${'0'.repeat(64)}`,
      `Basic ${token}`,
      `Bearer ${token}0`,
    ]) {
      const { status, text } = await raw('/v1/query', authorization === '' ? {} : { authorization });
      expect(status).toBe(401);
      expect(JSON.parse(text)).toMatchObject({ v: 1, error: { code: 'CONTROL_DENIED' } });
    }
    expect((await raw('/v1/query', { authorization: `Bearer ${token}` })).status).toBe(200);
  });

  it('refuses a body beyond the limit and goes on serving', async () => {
    const control = connectControl(dir, undefined);
    const body = new Uint8Array(65_537);
    await expect(control.raw('PUT', 'echo', { body })).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' });
    expect((await control.raw('PUT', 'echo', { body: body.subarray(1) })).bytes.length).toBe(65_536);
  });

  it('streams lines, and an error in the middle as the last one', async () => {
    const control = connectControl(dir, undefined);
    const lines: unknown[] = [];
    for await (const line of control.lines('GET', 'count')) lines.push(line);
    expect(lines).toEqual([0, 1, 2].map((i) => ({ v: 1, i })));
    const half = control.lines('GET', 'half');
    expect((await half.next()).value).toEqual({ v: 1, i: 0 });
    await expect(half.next()).rejects.toMatchObject({ code: 'INTERNAL' });
    expect(internal).toHaveLength(1);
  });

  it('aborts what a client no longer waits for', async () => {
    for await (const line of connectControl(dir, undefined).lines('GET', 'forever')) {
      expect(line).toEqual({ v: 1, begun: true });
      break;
    }
    const deadline = performance.now() + 5000;
    while (aborted.length === 0 && performance.now() < deadline)
      await new Promise((resolve) => setTimeout(resolve, 10));
    expect(aborted).toEqual(['forever']);
  });

  it('answers an unknown path and a malformed one with USAGE', async () => {
    const authorization = `Bearer ${token}`;
    expect((await raw('/v1/nothing', { authorization })).status).toBe(400);
    expect((await raw('/v1/%ff', { authorization })).status).toBe(400);
    expect((await raw('/elsewhere')).status).toBe(404);
  });

  it('keeps the socket to its owner and counts answers by route', async () => {
    expect(statSync(server.address).mode & 0o777).toBe(0o600);
    await raw('/livez');
    expect(answered).toContain('livez 200');
    expect(answered).toContain('query 200');
  });

  it('serves only probes and metrics on TCP', async () => {
    const tcp = await serveTcp('127.0.0.1:0', common);
    const base = `http://${tcp.address}`;
    expect((await fetch(`${base}/livez`)).status).toBe(200);
    expect((await fetch(`${base}/readyz`)).status).toBe(200);
    ready = false;
    expect((await fetch(`${base}/readyz`)).status).toBe(503);
    expect((await fetch(`${base}/livez`)).status).toBe(200);
    ready = true;
    expect(await (await fetch(`${base}/metrics`)).text()).toBe('molia_x 1\n');
    const denied = await fetch(`${base}/v1/query`, { headers: { authorization: `Bearer ${token}` } });
    expect(denied.status).toBe(404);
    expect((await fetch(`${base}/livez`, { method: 'POST' })).status).toBe(405);
    await expect(serveTcp(tcp.address, common)).rejects.toMatchObject({ code: 'CONTROL_UNAVAILABLE' });
    await tcp.close();
  });

  it('takes over the socket of a daemon that died, and nothing else', async () => {
    const options = { ...common, routes, token };
    await expect(serveSocket(server.address, options)).rejects.toMatchObject({ code: 'CONTROL_UNAVAILABLE' });
    const file = join(dir, 'file.sock');
    writeFileSync(file, 'precious');
    await expect(serveSocket(file, options)).rejects.toMatchObject({ code: 'CONTROL_UNAVAILABLE' });
    expect(statSync(file).size).toBe(8);
  });

  it('says what to do when no daemon runs or the token is unreadable', async () => {
    const empty = join(dir, 'empty');
    openDataDir(empty);
    expect(() => connectControl(empty, undefined)).toThrow(/no daemon answers/);
    const dead = openDataDir(join(dir, 'dead'));
    writeToken(dead);
    await expect(connectControl(dead.path, undefined).json('GET', 'query')).rejects.toMatchObject({
      code: 'DAEMON_NOT_RUNNING',
      hint: expect.stringContaining('npx molia start'),
    });
    if (process.getuid?.() !== 0) {
      chmodSync(dead.tokenFile, 0);
      expect(() => connectControl(dead.path, undefined)).toThrow(/permission denied/);
    }
  });
});
