import { ENDPOINT_BYTES, formatEndpoint } from '@molia/core';
import { describe, expect, it } from 'vitest';
import { addressAt, portAt, writeEndpointAt } from '../src/addresses.ts';
import {
  BLOCK_ADDRESS,
  HOST_ADDRESS,
  HOSTS_MAX,
  NAT_ADDRESS,
  PRIVATE_ADDRESS,
  V6_ADDRESS,
} from '../src/constants.ts';

const BASES = { PRIVATE_ADDRESS, BLOCK_ADDRESS, HOST_ADDRESS, NAT_ADDRESS, V6_ADDRESS };
const endpointOf = (address: number, port = 4000): Uint8Array => {
  const out = new Uint8Array(ENDPOINT_BYTES);
  writeEndpointAt(out, 0, address, port);
  return out;
};

describe('simulated addresses', () => {
  it.each(Object.entries(BASES))(
    '%s: every number has an endpoint of its own, and comes back from it',
    (_, base) => {
      const seen = new Set<string>();
      for (let i = 0; i < HOSTS_MAX; i = i < 100 ? i + 1 : i + 40_009) {
        const endpoint = endpointOf(base + i, 1 + (i % 60_000));
        seen.add(formatEndpoint(endpoint));
        expect(addressAt(endpoint, 0)).toBe(base + i);
        expect(portAt(endpoint, 0)).toBe(1 + (i % 60_000));
      }
      expect(seen.size).toBe(100 + Math.ceil((HOSTS_MAX - 100) / 40_009));
    },
  );

  it('are strewn: of 100,000 hosts few share a /24, and a block has it for itself', () => {
    const networks = new Map<string, number>();
    for (let i = 0; i < 100_000; i++) {
      const name = endpointOf(HOST_ADDRESS + i)
        .subarray(0, 4)
        .join('.');
      networks.set(name, (networks.get(name) ?? 0) + 1);
    }
    expect(Math.max(...networks.values())).toBeLessThanOrEqual(2);
    expect(formatEndpoint(endpointOf(BLOCK_ADDRESS + 258))).toBe('13.0.1.2:4000');
  });

  it("that nobody has are nobody's", () => {
    const nobody = Uint8Array.of(4, 50, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1);
    expect(addressAt(nobody, 0)).toBeLessThan(0);
  });
});
