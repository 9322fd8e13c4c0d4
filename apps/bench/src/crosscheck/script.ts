/**
 * What both halves of the cross-check play: the same identities, hence the same ids and the same distances, the same
 * targets asked by the same nodes, the same values. Drawn from a seed.
 */
import { type Curves, compareDistance, createIdentity, createSeededRng, SEED_BYTES } from '@molia/core';
import { immutableKey } from '@molia/wire';

export interface Script {
  /** Seeds of the nodes' identities, in the order in which they join. */
  readonly identities: readonly Uint8Array[];
  /** `asker` and `writer` are indexes of nodes. */
  readonly finds: readonly { readonly asker: number; readonly target: Uint8Array }[];
  readonly puts: readonly { readonly writer: number; readonly value: Uint8Array }[];
  /** `put`: index of the put whose value is read. */
  readonly gets: readonly { readonly asker: number; readonly put: number }[];
}

/** Requests of each operation, in the order of the script. */
export interface Asked {
  readonly finds: readonly number[];
  readonly gets: readonly number[];
}

const VALUE_BYTES = 100;
const PUTS = 20;

/** A script for `nodes` nodes with `lookups` finds and as many gets. */
export function drawScript(nodes: number, lookups: number, seed: number, curves: Curves): Script {
  const rng = createSeededRng(seed);
  const bytes = (length: number): Uint8Array => {
    const out = new Uint8Array(length);
    rng.fill(out, 0, length);
    return out;
  };
  const any = (): number => rng.u32() % nodes;
  const identities = Array.from({ length: nodes }, () => bytes(SEED_BYTES));
  const ids = identities.map((identity) => createIdentity(curves, identity).id);
  const finds = Array.from({ length: lookups }, () => ({ asker: any(), target: bytes(32) }));
  const puts = Array.from({ length: PUTS }, () => ({ writer: any(), value: bytes(VALUE_BYTES) }));
  // Of the sixth of the nodes that is farthest from the key: they hold no copy that would save them the question.
  const far = Math.max(1, Math.floor(nodes / 6));
  const gets = Array.from({ length: lookups }, (_, i) => {
    const put = i % PUTS;
    const { writer, value } = puts[put] as (typeof puts)[number];
    const key = immutableKey(value);
    const byDistance = ids
      .map((id, node) => ({ id, node }))
      .filter(({ node }) => node !== writer)
      .sort((a, b) => compareDistance(key, 0, b.id, 0, a.id, 0));
    return { asker: byDistance[rng.u32() % far]?.node ?? 0, put };
  });
  return { identities, finds, puts, gets };
}
