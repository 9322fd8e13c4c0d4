import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    main: 'src/main.ts',
    sim: 'src/sim.ts',
    'sim-worker': 'src/sim/sim-worker.ts',
    'crosscheck-node': 'src/crosscheck/node.ts',
  },
  format: ['esm'],
  target: 'es2022',
  platform: 'node',
  splitting: true,
  sourcemap: true,
  clean: true,
});
