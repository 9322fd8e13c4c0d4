import { createSeededRng, formatEndpoint, NONE, parseEndpoint } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { PathTable } from '../src/paths.ts';

const table = (max = 1000) => new PathTable(createSeededRng(7), max);
const text = (paths: PathTable, path: number) => formatEndpoint(paths.bytes, paths.offsetOf(path));

describe('PathTable', () => {
  it('gives one endpoint one handle, however it is written', () => {
    const paths = table();
    const path = paths.ofAddress('192.0.2.1', 4711);
    expect(paths.ofAddress('192.0.2.1', 4711)).toBe(path);
    expect(paths.ofAddress('::ffff:192.0.2.1', 4711)).toBe(path);
    expect(paths.of(parseEndpoint('192.0.2.1:4711'), 0)).toBe(path);
    expect(paths.ofAddress('192.0.2.1', 4712)).not.toBe(path);
    expect(paths.ofAddress('2001:db8::1', 4711)).toBe(paths.ofAddress('2001:0db8:0::1', 4711));
    expect(text(paths, path)).toBe('192.0.2.1:4711');
    expect(paths.count).toBe(3);
  });

  it('answers NONE to what is no address', () => {
    const paths = table();
    for (const bad of ['', '1.2.3', '1.2.3.256', '1.2.3.4.5', '1..2.3', 'example.org', ':::']) {
      expect(paths.ofAddress(bad, 1), bad).toBe(NONE);
    }
    expect(paths.count).toBe(0);
  });

  it('keeps every handle valid while it grows', () => {
    const paths = table();
    const handles = Array.from({ length: 1000 }, (_, i) =>
      paths.ofAddress(`10.0.${i >> 8}.${i & 255}`, 1 + i),
    );
    expect(new Set(handles).size).toBe(1000);
    for (const [i, handle] of handles.entries()) {
      expect(text(paths, handle)).toBe(`10.0.${i >> 8}.${i & 255}:${1 + i}`);
      expect(paths.ofAddress(`10.0.${i >> 8}.${i & 255}`, 1 + i)).toBe(handle);
    }
  });

  it('evicts an unused path when it is full, and its handle goes stale', () => {
    const paths = table(64);
    const first = paths.ofAddress('10.0.0.1', 1);
    const others = Array.from({ length: 63 }, (_, i) => paths.ofAddress('10.0.1.1', 1 + i));
    expect(paths.ofAddress('10.0.0.1', 1)).toBe(first);
    for (let i = 0; i < 500; i++) {
      paths.ofAddress('10.9.9.9', 1 + i);
      expect(paths.ofAddress('10.0.0.1', 1), 'a path in use stays').toBe(first);
    }
    expect(paths.count).toBe(64);
    expect(paths.evictions).toBe(500);
    expect(others.every((path) => paths.offsetOf(path) === NONE)).toBe(true);
  });
});
