import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    main: 'src/main.ts',
    sim: 'src/sim.ts',
    'sim-worker': 'src/sim/sim-worker.ts',
    'crosscheck-node': 'src/crosscheck/node.ts',
    'mainline-molia': 'src/mainline/molia-program.ts',
    'mainline-load': 'src/mainline/load-program.ts',
  },
  format: ['esm'],
  target: 'es2022',
  platform: 'node',
  splitting: true,
  sourcemap: true,
  clean: true,
});
