/** Modules of the peers' folder, for suites that compare functions in one process. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const peersDir = join(dirname(dirname(fileURLToPath(import.meta.url))), 'peers');
const require = createRequire(join(peersDir, 'package.json'));

/** The default export of a peer's module, CommonJS or not. */
export async function peerModule(name: string): Promise<unknown> {
  const module = (await import(pathToFileURL(require.resolve(name)).href)) as { default?: unknown };
  return module.default ?? module;
}
