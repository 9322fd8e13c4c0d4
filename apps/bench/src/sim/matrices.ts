/** The measured data that the simulator's package carries. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { LatencyMatrix } from '@molia/sim';

/** An assumption: the data do not say how long a slice is. */
const SEATTLE_SLICE_MS = 110_000;

function data(path: string): Uint8Array {
  const home = dirname(createRequire(import.meta.url).resolve('@molia/sim/package.json'));
  return gunzipSync(readFileSync(join(home, 'data', path)));
}

/** Round-trip times between 490 PlanetLab hosts. */
export function planetLab(): LatencyMatrix {
  return LatencyMatrix.of(data('planetlab490/rtt_median_u16_0.1ms.bin.gz'));
}

/** Round-trip times between 99 loaded devices over time: a stress, last miles included, and nothing was tuned on it. */
export function seattle(): LatencyMatrix {
  return LatencyMatrix.of(data('seattle99/rtt_slices_u16_10ms.bin.gz'), {
    unitMs: 10,
    slices: 99,
    sliceMs: SEATTLE_SLICE_MS,
  });
}
