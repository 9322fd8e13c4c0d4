/**
 * Our engine against the real wireguard-go. Skips aloud where it, root or namespaces are missing; with
 * MOLIA_INTEROP=require that is a failure. MOLIA_LONG=1 adds the natural rekey after 120 s.
 */
import { spawn } from 'node:child_process';
import { createIdentity, fromHex, type Identity, nobleCurves, toHex } from '@molia/core';
import { afterEach, describe, expect, it } from 'vitest';
import { WireguardEventKind } from '../../src/index.ts';
import { type Driver, Lab, missing, OUR_INNER, THEIR_INNER, THEIR_OUTER, THEIR_PORT, until } from './lab.ts';
import { describeInner, ping, udp } from './packets.ts';

const reason = missing();
const required = process.env['MOLIA_INTEROP'] === 'require';
if (reason !== undefined)
  console.warn(`interop with wireguard-go: ${required ? 'FAILS' : 'SKIPPED'}, ${reason}`);

const OUR_SEED = '11'.repeat(32);
const PSK = fromHex('5c'.repeat(32));
const OUR_PORT = 40_001;

interface Setup {
  readonly lab: Lab;
  readonly driver: Driver;
  readonly them: Identity;
  readonly peer: number;
}

const labs: Lab[] = [];
afterEach(async () => {
  for (const lab of labs.splice(0)) await lab.close();
});

async function setUp(
  options: { psk?: Uint8Array; theyKnowUs?: boolean; limits?: object } = {},
): Promise<Setup> {
  const lab = new Lab();
  labs.push(lab);
  const us = createIdentity(nobleCurves, fromHex(OUR_SEED));
  const them = createIdentity(nobleCurves, fromHex('22'.repeat(32)));
  const { psk } = options;
  await lab.start({
    secret: them.transportSecret(),
    peer: us.transportPublicKey,
    ...(psk === undefined ? {} : { psk }),
    ...(options.theyKnowUs ? { endpointPort: OUR_PORT } : {}),
  });
  const driver = lab.driver();
  await driver.call('start', {
    seed: OUR_SEED,
    port: OUR_PORT,
    ...(psk === undefined ? {} : { psk: toHex(psk) }),
    ...options.limits,
  });
  const peer = Number(
    await driver.call('openKey', {
      key: toHex(them.transportPublicKey),
      address: THEIR_OUTER,
      port: THEIR_PORT,
    }),
  );
  return { lab, driver, them, peer };
}

let sequence = 0;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Pings through the tunnel, again every half second, until the kernel behind wireguard-go answers. */
async function echo({ driver, peer }: Setup, text: string, timeoutMs = 5000): Promise<void> {
  const answered = () =>
    driver.reports.some(
      (r) => r.type === 'inner' && describeInner(fromHex(String(r['hex']))) === `echo-reply:${text}`,
    );
  for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; ) {
    const hex = toHex(ping(OUR_INNER, THEIR_INNER, ++sequence, text));
    expect(await driver.call('send', { peer, hex })).toBeGreaterThanOrEqual(0);
    for (let i = 0; i < 25; i++) {
      if (answered()) return;
      await pause(20);
    }
  }
  throw new Error(`no echo of ${text} in ${timeoutMs} ms`);
}

function pingUs(lab: Lab, waitSeconds = 5): void {
  lab.inTheirs('ping', '-c', '1', '-W', String(waitSeconds), OUR_INNER);
}

describe('with wireguard-go', () => {
  if (required) {
    it('finds everything it needs, because MOLIA_INTEROP=require', () => {
      expect(reason).toBeUndefined();
    });
  }

  describe.skipIf(reason !== undefined)('in network namespaces', () => {
    it.each([
      ['without a pre-shared key', undefined],
      ['with a pre-shared key', PSK],
    ] as const)('we initiate %s: echoes and UDP come back', async (_, psk) => {
      const setup = await setUp(psk === undefined ? {} : { psk });
      await echo(setup, 'molia');
      const { driver, peer, lab } = setup;
      const socket = spawn('ip', ['netns', 'exec', lab.theirs, process.execPath, '-e', ECHO_SOCKET], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      try {
        await new Promise((resolve) => socket.stdout.once('data', resolve));
        await driver.call('send', { peer, hex: toHex(udp(OUR_INNER, 999, THEIR_INNER, 777, 'datagram')) });
        await until('the UDP answer', 3000, () =>
          driver.reports.some(
            (r) => r.type === 'inner' && describeInner(fromHex(String(r['hex']))) === 'udp:re:datagram',
          ),
        );
      } finally {
        socket.kill();
      }
      expect(await driver.stats(peer)).toMatchObject({
        initiations_sent: 1,
        responses_received: 1,
        drop_bad_data: 0,
      });
    });

    it.each([
      ['without a pre-shared key', undefined],
      ['with a pre-shared key', PSK],
    ] as const)('it initiates %s: our host answers its ping', async (_, psk) => {
      const { lab, driver, peer } = await setUp({ theyKnowUs: true, ...(psk === undefined ? {} : { psk }) });
      pingUs(lab);
      expect(await driver.stats(peer)).toMatchObject({
        initiations_received: 1,
        responses_sent: 1,
        initiations_sent: 0,
        connected: true,
      });
    });

    it('refuses each other over different pre-shared keys', async () => {
      const setup = await setUp({ psk: PSK });
      const other = setup.lab.driver();
      await other.call('start', { seed: OUR_SEED, port: OUR_PORT + 1, psk: '77'.repeat(32) });
      const peer = await other.call('openKey', {
        key: toHex(setup.them.transportPublicKey),
        address: THEIR_OUTER,
        port: THEIR_PORT,
      });
      await other.call('send', { peer, hex: toHex(ping(OUR_INNER, THEIR_INNER, 1, 'x')) });
      await until('its response', 3000, () => other.find('got', (r) => r['kind'] === 2).length > 0);
      expect(await other.stats(Number(peer))).toMatchObject({ drop_bad_handshake: 1, connected: false });
    });

    it('rekeys when our clock passes 120 s, and data flows on', async () => {
      const setup = await setUp();
      const { driver, peer } = setup;
      await echo(setup, 'before');
      await pause(50); // it drops a second initiation within 20 ms of its own clock
      await driver.call('advance', { ms: 121_000 });
      await echo(setup, 'at 121 s');
      await until('the second response', 3000, () => driver.find('got', (r) => r['kind'] === 2).length === 2);
      await echo(setup, 'after');
      expect(await driver.stats(peer)).toMatchObject({
        initiations_sent: 2,
        responses_received: 2,
        drop_bad_data: 0,
      });
    });

    it('gets through its cookies when it is flooded', async () => {
      const setup = await setUp();
      const { driver, peer, them } = setup;
      const target = { key: toHex(them.transportPublicKey), address: THEIR_OUTER, port: THEIR_PORT };
      const flood = driver.call('flood', { ...target, count: 30_000, perSecond: 10_000 });
      await pause(100);
      const got = (kind: number) =>
        driver.find('got', (r) => r['kind'] === kind && r['verdict'] === 0).length;
      const proved = () =>
        driver.reports.findIndex((r) => r.type === 'sent' && r['kind'] === 1 && r['mac2'] === true);
      const answered = () =>
        proved() >= 0 &&
        driver.reports.slice(proved()).some((r) => r.type === 'got' && r['kind'] === 2 && r['verdict'] === 0);
      // The flood may crowd any single datagram out of its socket, so our retry timer is made to run again and again.
      for (let i = 0; i < 30 && !answered(); i++) {
        await driver.call('send', { peer, hex: toHex(ping(OUR_INNER, THEIR_INNER, 1, 'flooded')) });
        await pause(100);
        await driver.call('advance', { ms: got(3) > 0 ? 5400 : 125_000 });
      }
      expect(got(3)).toBeGreaterThan(0);
      expect(answered()).toBe(true);
      await echo(setup, 'through');
      const { cookies } = (await flood) as { cookies: number };
      expect(cookies).toBeGreaterThan(0);
    });

    it('answers its initiation under our load with a cookie, and then with a session', async () => {
      const { lab, driver, peer } = await setUp({
        theyKnowUs: true,
        limits: { handshakesPerSecondMax: 10, handshakesBurst: 5 },
      });
      const us = createIdentity(nobleCurves, fromHex(OUR_SEED));
      const attacker = lab.driver(lab.theirs);
      const target = { key: toHex(us.transportPublicKey), address: '10.99.0.1', port: OUR_PORT };
      const flood = attacker.call('flood', { ...target, count: 700, perSecond: 100 });
      await until('load', 3000, () => driver.find('sent', (r) => r['kind'] === 3).length > 0);
      const pinger = spawn('ip', ['netns', 'exec', lab.theirs, 'ping', '-c', '12', '-i', '1', OUR_INNER], {
        stdio: 'ignore',
      });
      try {
        await until(
          'its session',
          12_000,
          () => driver.find('event', (r) => r['kind'] === WireguardEventKind.PEER_CONNECTED).length > 0,
        );
      } finally {
        pinger.kill();
      }
      expect(await driver.stats(peer)).toMatchObject({ responses_sent: 1, connected: true });
      const stats = await driver.stats(peer);
      expect(stats['drop_cookie_required']).toBeGreaterThan(1);
      expect(((await flood) as { cookies: number }).cookies).toBeGreaterThan(0);
    });

    it('follows us to another port without a new handshake', async () => {
      const setup = await setUp();
      const { lab, driver, peer } = setup;
      await echo(setup, 'home');
      const before = lab.show('endpoints');
      const port = await driver.call('rebind');
      await echo(setup, 'away');
      expect(before).toBe(`10.99.0.1:${OUR_PORT}`);
      expect(lab.show('endpoints')).toBe(`10.99.0.1:${port}`);
      expect(await driver.stats(peer)).toMatchObject({ initiations_sent: 1, initiations_received: 0 });
    });

    it('is followed by us to another port without a new handshake', async () => {
      const setup = await setUp();
      const { lab, driver, peer } = setup;
      await echo(setup, 'home');
      lab.setListenPort(THEIR_PORT + 1);
      pingUs(lab);
      await echo(setup, 'away');
      expect(driver.find('event', (r) => r['kind'] === WireguardEventKind.PEER_ROAMED)).toMatchObject([
        { address: `${THEIR_OUTER}:${THEIR_PORT + 1}` },
      ]);
      expect(await driver.stats(peer)).toMatchObject({
        initiations_sent: 1,
        path: `${THEIR_OUTER}:${THEIR_PORT + 1}`,
      });
    });

    it('ignores our extended initiations, and gets a plain one on the second retry', async () => {
      const setup = await setUp();
      const { driver, them } = setup;
      const stranger = setup.lab.driver();
      await stranger.call('start', { seed: OUR_SEED, port: OUR_PORT + 1 });
      const peer = Number(
        await stranger.call('open', { key: toHex(them.publicKey), address: THEIR_OUTER, port: THEIR_PORT }),
      );
      await stranger.call('send', {
        peer,
        hex: toHex(ping(OUR_INNER, THEIR_INNER, 1, 'early')),
        early: true,
      });
      for (let retry = 0; retry < 2; retry++) {
        await pause(100);
        expect(stranger.find('got')).toEqual([]);
        await stranger.call('advance', { ms: 5400 });
      }
      await until('the echo', 3000, () => stranger.reports.some((r) => r.type === 'inner'));
      expect(stranger.find('sent', (r) => r['kind'] === 1).map((r) => r['extended'])).toEqual([
        true,
        true,
        false,
      ]);
      expect(driver.find('got')).toEqual([]);
    });

    it.runIf(process.env['MOLIA_LONG'] === '1')(
      'rekeys by real clocks after 120 s, whoever initiated',
      { timeout: 320_000 },
      async () => {
        const ourTurn = await setUp();
        const theirTurn = await setUp({ theyKnowUs: true });
        const pinger = spawn('ip', ['netns', 'exec', theirTurn.lab.theirs, 'ping', '-i', '2', OUR_INNER], {
          stdio: 'ignore',
        });
        try {
          const started = Date.now();
          while (Date.now() - started < 135_000) {
            await echo(ourTurn, `at ${Date.now() - started}`);
            await pause(2000);
          }
        } finally {
          pinger.kill();
        }
        expect(await ourTurn.driver.stats(ourTurn.peer)).toMatchObject({
          responses_received: 2,
          drop_bad_data: 0,
        });
        expect(await theirTurn.driver.stats(theirTurn.peer)).toMatchObject({
          initiations_received: 2,
          responses_sent: 2,
          drop_bad_data: 0,
        });
      },
    );
  });
});

const ECHO_SOCKET = `
const socket = require('node:dgram').createSocket('udp4');
socket.on('message', (message, from) => socket.send('re:' + message, from.port, from.address));
socket.bind(777, '${THEIR_INNER}', () => console.log('ready'));
`;
