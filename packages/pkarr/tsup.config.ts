import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    'name-server/index': 'src/name-server/index.ts',
    'relay/index': 'src/relay/index.ts',
  },
  format: ['esm'],
  target: 'es2022',
  platform: 'neutral',
  external: [/^node:/],
  sourcemap: true,
  clean: true,
});
