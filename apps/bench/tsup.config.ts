import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/main.ts', 'src/sim.ts'],
  format: ['esm'],
  target: 'es2022',
  platform: 'node',
  splitting: true,
  sourcemap: true,
  clean: true,
});
