/**
 * The floors of the house: who may import whom, where Node and the clock may be touched. A package on one floor
 * imports only lower floors; siblings never import each other; engines know neither clock nor chance nor socket.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { manifest, packageNames, root, trackedFiles } from './repository.ts';

/** What each package may import of ours. A package that is not listed fails the check. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  core: [],
  wire: ['core'],
  wireguard: ['core'],
  metrics: ['core'],
  erasure: ['core'],
  'native-shard': ['core'],
  sim: ['core'],
  'storage-wal': ['core'],
  kademlia: ['core', 'wire'],
  mainline: ['core'],
  pkarr: ['core', 'mainline'],
  dht: [
    'core',
    'wire',
    'wireguard',
    'metrics',
    'native-shard',
    'kademlia',
    'storage-wal',
    'erasure',
    'mainline',
  ],
};

/** Files that may import `node:*`: the edges where sockets, files and native libraries live. */
const NODE_EDGE =
  /^packages\/(?:(?:dht|native-shard)\/src\/|mainline\/src\/node\/|pkarr\/src\/(?:relay|name-server)\/|storage-wal\/src\/node-(?:fs|lock)\.ts$)/;
/** Packages whose sources are engines: no clock, chance, timer or console. */
const ENGINES = ['core', 'wire', 'wireguard', 'kademlia', 'metrics', 'erasure', 'storage-wal', 'mainline'];
/** Engines inside packages that also have other parts. */
const ENGINE_DIRS = /^packages\/pkarr\/src\/dns\//;
const LINES_MAX = 500;

const sources = trackedFiles().filter(
  (f) => /^(packages|apps)\/[^/]+\/src\/.*\.ts$/.test(f) && !f.includes('/gen/'),
);
const text = new Map(sources.map((f) => [f, readFileSync(join(root, f), 'utf8')]));
const importsOf = (source: string): string[] =>
  [
    ...source.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^;'"]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s*['"]([^'"]+)['"]/g,
    ),
  ].map((m) => (m[1] ?? m[2] ?? m[3]) as string);
/** Code without comments, so that prose may speak of clocks. */
const codeOf = (source: string): string =>
  source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '');

describe('floors', () => {
  test('every package has its place in the table', () => {
    expect([...packageNames].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
  });

  test('no package imports a sibling or a higher floor', () => {
    const crossed: string[] = [];
    for (const [file, source] of text) {
      const own = /^packages\/([^/]+)\//.exec(file)?.[1];
      if (!own) continue;
      for (const name of importsOf(source)) {
        const other = /^@molia\/([^/]+)/.exec(name)?.[1];
        if (other && !MAY_IMPORT[own]?.includes(other)) crossed.push(`${file} imports ${name}`);
        if (name.startsWith('.') && /\.\.\/\.\.\/(?!src)/.test(name))
          crossed.push(`${file} reaches out: ${name}`);
      }
    }
    expect(crossed).toEqual([]);
  });

  test('manifests declare no more than the floor allows', () => {
    const crossed: string[] = [];
    for (const name of packageNames)
      for (const dependency of Object.keys(manifest(`packages/${name}`).dependencies ?? {})) {
        const other = /^@molia\/(.+)/.exec(dependency)?.[1];
        if (other && !MAY_IMPORT[name]?.includes(other)) crossed.push(`${name} depends on ${dependency}`);
      }
    expect(crossed).toEqual([]);
  });

  test('node: modules are imported at the edges only', () => {
    const crossed: string[] = [];
    for (const [file, source] of text)
      if (file.startsWith('packages/') && !NODE_EDGE.test(file))
        for (const name of importsOf(source))
          if (name.startsWith('node:')) crossed.push(`${file} imports ${name}`);
    expect(crossed).toEqual([]);
  });

  test('engines know no clock, chance, timer, promise or console', () => {
    const banned =
      /Date\.now\(|new Date\(|Math\.random\(|performance\.now\(|\bset(?:Timeout|Interval|Immediate)\(|\bconsole\.|\basync\s|new Promise\b|queueMicrotask\(/;
    const crossed: string[] = [];
    for (const [file, source] of text) {
      const own = /^packages\/([^/]+)\//.exec(file)?.[1];
      if (!own || !(ENGINES.includes(own) || ENGINE_DIRS.test(file)) || NODE_EDGE.test(file)) continue;
      const hit = banned.exec(codeOf(source));
      if (hit) crossed.push(`${file}: ${hit[0]}`);
    }
    expect(crossed).toEqual([]);
  });
});

describe('tidiness', () => {
  test('no source file grows past its bound', () => {
    const long = [...text]
      .map(([f, s]) => [f, s.split('\n').length - 1] as const)
      .filter(([, n]) => n > LINES_MAX);
    expect(long).toEqual([]);
  });

  test('nothing unfinished or switched off is left behind', () => {
    const words = new RegExp(
      [
        'TO' + 'DO',
        'FIX' + 'ME',
        'X' + 'XX',
        '@ts-' + 'ignore',
        'as ' + 'any\\b',
        '\\b(?:it|test|describe)\\.(?:only|to' + 'do)\\(',
      ].join('|'),
    );
    const left: string[] = [];
    for (const file of trackedFiles().filter((f) => /\.(ts|mjs)$/.test(f) && !/\/(gen|wasm)\//.test(f))) {
      const hit = words.exec(readFileSync(join(root, file), 'utf8'));
      if (hit) left.push(`${file}: ${hit[0]}`);
    }
    expect(left).toEqual([]);
  });
});
