/** How others can reach this machine: what a wildcard address stands for. */
import { networkInterfaces } from 'node:os';
import type { BoundAddress } from '@molia/core';

const ANY = new Set(['0.0.0.0', '::']);

/** `'<public key>@host:port'` for every address that is bound; wildcards expanded, loopback last, link-local left out. */
export function seedTexts(publicKey: string, bound: readonly BoundAddress[]): string[] {
  const texts: string[] = [];
  const loopback: string[] = [];
  for (const { family, address, port } of bound) {
    for (const { host, internal } of ANY.has(address)
      ? localHosts(family)
      : [{ host: address, internal: false }]) {
      const text = `${publicKey}@${family === 4 ? host : `[${host}]`}:${port}`;
      (internal ? loopback : texts).push(text);
    }
  }
  return [...texts, ...loopback];
}

function localHosts(family: 4 | 6): { host: string; internal: boolean }[] {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter((entry) => entry.family === `IPv${family}` && !entry.address.startsWith('fe80:'))
    .map((entry) => ({ host: entry.address, internal: entry.internal }));
}
