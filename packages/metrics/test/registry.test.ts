import { createCounters, Histogram } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { Registry } from '../src/index.ts';
import { parseExposition } from './exposition-parser.ts';

function histogramOf(values: number[]): Histogram {
  const histogram = new Histogram({ valueMax: 60_000 });
  for (const value of values) histogram.record(value);
  return histogram;
}

describe('the strict parser', () => {
  it('refuses what a scraper may misread', () => {
    const good = '# HELP a_total A.\n# TYPE a_total counter\na_total{k="v"} 1\n';
    expect(parseExposition(good).size).toBe(1);
    for (const bad of [
      good.slice(0, -1),
      good.replace('1\n', '1 \n'),
      good.replace('"v"', '"v'),
      good.replace('"v"', '"\\x"'),
      good.replace('# HELP a_total A.\n', ''),
      `${good}a_total{k="v"} 2\n`,
      good.replace('a_total{', 'b_total{'),
      good.replaceAll('a_total', 'a'),
      good.replace(' 1\n', ' -1\n'),
    ]) {
      expect(() => parseExposition(bad), bad).toThrow();
    }
  });
});

describe('Registry', () => {
  it('prints counters, gauges and histograms that a strict parser accepts', () => {
    const registry = new Registry();
    const counters = createCounters(['datagramsIn', 'dropBadMac1']);
    counters.add(0, 3);
    counters.add(1, 4);
    registry.counters('wireguard', counters);
    registry.gauge('contacts', 'Contacts in the table.', () => 12);
    registry.histogram(
      'lookup_duration_seconds',
      'Time of a lookup.',
      histogramOf([1, 20, 300, 4000]),
      { bounds: [0.005, 0.05, 0.5], scale: 0.001 },
      { kind: 'value' },
    );
    const families = parseExposition(registry.expose());
    expect([...families.keys()]).toEqual([
      'molia_contacts',
      'molia_lookup_duration_seconds',
      'molia_wireguard_datagrams_in_total',
      'molia_wireguard_drop_bad_mac1_total',
    ]);
    expect(families.get('molia_wireguard_drop_bad_mac1_total')?.samples).toEqual([
      { name: 'molia_wireguard_drop_bad_mac1_total', labels: {}, value: 4 },
    ]);
    const histogram = families.get('molia_lookup_duration_seconds');
    expect(histogram?.samples.map((sample) => sample.value)).toEqual([1, 2, 3, 4, 4.321, 4]);
  });

  it('escapes help and label values so that they read back unchanged', () => {
    const registry = new Registry();
    const nasty = 'a "quoted" \\ back\nslash';
    registry.gauge('odd', nasty, () => 1, { reason: nasty });
    const family = parseExposition(registry.expose()).get('molia_odd');
    expect(family?.help).toBe(nasty);
    expect(family?.samples[0]?.labels).toEqual({ reason: nasty });
  });

  it('reads at the time of the scrape and sums the shards', () => {
    const registry = new Registry();
    const one = { names: ['sent'], values: new Float64Array(1) };
    const two = { names: ['sent'], values: new Float64Array(1) };
    registry.counters('udp', one);
    registry.counters('udp', two);
    one.values[0] = 5;
    two.values[0] = 7;
    const samples = parseExposition(registry.expose()).get('molia_udp_sent_total')?.samples;
    expect(samples).toEqual([{ name: 'molia_udp_sent_total', labels: {}, value: 12 }]);
  });

  it('prints values that are not finite as the format spells them', () => {
    const registry = new Registry();
    registry.gauge('plus', 'P.', () => Number.POSITIVE_INFINITY);
    registry.gauge('none', 'N.', () => Number.NaN);
    registry.gauge('small', 'S.', () => 1e-9);
    const families = parseExposition(registry.expose());
    expect(families.get('molia_plus')?.samples[0]?.value).toBe(Number.POSITIVE_INFINITY);
    expect(families.get('molia_none')?.samples[0]?.value).toBeNaN();
    expect(families.get('molia_small')?.samples[0]?.value).toBe(1e-9);
  });

  it('refuses derived units, a misplaced _total, foreign names and a changed kind', () => {
    const registry = new Registry();
    const zero = () => 0;
    expect(() => registry.gauge('rtt_ms', 'R.', zero)).toThrow(/base units/);
    expect(() => registry.counter('wait_ms_total', 'R.', zero)).toThrow(/base units/);
    expect(() => registry.counter('sent', 'S.', zero)).toThrow(/_total/);
    expect(() => registry.gauge('sent_total', 'S.', zero)).toThrow(/_total/);
    expect(() => registry.gauge('Bad-Name', 'S.', zero)).toThrow(/snake_case/);
    expect(() => registry.gauge('molia_x', 'S.', zero)).toThrow(/prefix/);
    expect(() => registry.gauge('x_bucket', 'S.', zero)).toThrow(/reserved/);
    expect(() => registry.gauge('x', '', zero)).toThrow(/help/);
    expect(() => registry.gauge('x', 'X.', zero, { le: '1' })).toThrow(/label name/);
    registry.counter('x_total', 'X.', zero);
    expect(() => registry.histogram('y', 'Y.', histogramOf([]), { bounds: [2, 1] })).toThrow(/rising/);
  });

  it('bounds the series of a family, so that labels from peers show as an error', () => {
    const registry = new Registry();
    const add = (i: number) => registry.gauge('by_peer', 'B.', () => 0, { peer: String(i) });
    for (let i = 0; i < 64; i++) add(i);
    expect(() => add(64)).toThrow(/small set/);
    expect(() => registry.gauge('long', 'L.', () => 0, { k: 'x'.repeat(65) })).toThrow(/64 characters/);
  });
});
