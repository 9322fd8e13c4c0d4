/** The measured data that the simulator's package carries. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { LatencyMatrix } from '@molia/sim';

/** Round-trip times between 490 PlanetLab hosts. */
export function planetLab(): LatencyMatrix {
  const home = dirname(createRequire(import.meta.url).resolve('@molia/sim/package.json'));
  return LatencyMatrix.of(
    gunzipSync(readFileSync(join(home, 'data/planetlab490/rtt_median_u16_0.1ms.bin.gz'))),
  );
}
