/** Seeded fuzzing of what strangers send: `MOLIA_FUZZ_RUNS` inputs of each kind, 5,000 unless told. */
import { createSeededRng, randomBelow } from '@molia/core';
import { expect, test } from 'vitest';
import { DnsVerdict } from '../../src/name-server/index.ts';
import { a, cname, KEY, Lab, ns, packet, query, read, replyTo, soa, txt } from './lab.ts';

const RUNS = Number(process.env['MOLIA_FUZZ_RUNS'] ?? 5_000);
const SEED = Number(process.env['MOLIA_FUZZ_SEED'] ?? 3);

function mutated(original: Uint8Array, rng: ReturnType<typeof createSeededRng>): Uint8Array {
  const copy = original.slice(
    0,
    randomBelow(rng, 8) === 0 ? randomBelow(rng, original.length + 1) : original.length,
  );
  if (copy.length === 0) return copy;
  for (let i = 0; i <= randomBelow(rng, 4); i++) {
    const at =
      randomBelow(rng, 2) === 0 ? randomBelow(rng, Math.min(12, copy.length)) : randomBelow(rng, copy.length);
    copy[at] = [0, 0xc0, 0xff, 12, 1][randomBelow(rng, 6)] ?? randomBelow(rng, 256);
  }
  return copy;
}

test(`mutated queries are answered with a message or not at all (seed ${SEED})`, () => {
  const rng = createSeededRng(SEED);
  const lab = new Lab({ queriesPerSecond: 0, udpBytesPerSecond: 0, keyLookupsPerSecond: 0 }, SEED);
  lab.zones.set(KEY, packet(a(KEY, '192.0.2.1'), cname(`c.${KEY}`, `d.${KEY}`), ns(`s.${KEY}`, 'ns.test')));
  const originals = [
    query(KEY, 'A', { edns: 1232, dnssecOk: true }),
    query(`c.${KEY}`, 'TXT'),
    query(`a.s.${KEY}`, 'AAAA'),
    query('www.example.com', 'A', { edns: 512 }),
  ];
  for (let i = 0; i < RUNS; i++) {
    const verdict = lab.query(mutated(originals[i % 4] as Uint8Array, rng));
    if (verdict !== DnsVerdict.TAKEN) expect(lab.answers).toHaveLength(0);
    for (const { bytes: answer } of lab.answers.splice(0)) {
      expect(answer.length).toBeLessThanOrEqual(1232);
      expect(read(answer)).toMatchObject({ flag_qr: true });
    }
    if (i % 500 !== 0) continue;
    lab.pass(5_000);
    lab.answers.length = 0;
  }
  lab.pass(60_000);
  expect(lab.engine.pending).toBe(0);
});

test(`mutated replies leave an answer behind all the same (seed ${SEED})`, () => {
  const rng = createSeededRng(SEED);
  const lab = new Lab({ queriesPerSecond: 0, udpBytesPerSecond: 0 }, SEED);
  for (let i = 0; i < RUNS; i++) {
    const name = `n${i}.example.com`;
    lab.query(query(name, 'A'));
    const reply = replyTo(lab.asks.at(-1)?.bytes as Uint8Array, {
      answers: [cname(name, 'b.example.com'), a('b.example.com', '192.0.2.1')],
      authorities: [soa('example.com', 60, 60)],
    });
    lab.replyBytes(mutated(reply, rng));
    if (lab.answers.length === 0) lab.pass(10_000);
    const answer = lab.answers.splice(0);
    expect(answer).toHaveLength(1);
    expect((answer[0]?.bytes.length ?? 0) <= 512).toBe(true);
    lab.asks.length = 0;
  }
  expect(lab.engine.pending).toBe(0);
});

test(`mutated packets are answered from, or SERVFAIL (seed ${SEED})`, () => {
  const rng = createSeededRng(SEED);
  const lab = new Lab({ queriesPerSecond: 0, keyLookupsPerSecond: 0, udpBytesPerSecond: 0 }, SEED);
  const dns = packet(a('@', '192.0.2.1'), cname(`w.${KEY}`, KEY), ns(`s.${KEY}`, `n.${KEY}`), txt('x', 'y'));
  for (let i = 0; i < RUNS; i++) {
    lab.zones.set(KEY, mutated(dns, rng));
    lab.query(query(i % 2 === 0 ? `w.${KEY}` : `a.s.${KEY}`, 'A', { edns: 1232 }));
    lab.pass(90_000);
    for (const { bytes: answer } of lab.answers.splice(0)) expect(answer[2] as number).toBeGreaterThan(127);
  }
  expect(lab.engine.pending).toBe(0);
});
