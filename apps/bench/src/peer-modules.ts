/** Modules of the peers' folder, for suites that compare functions in one process. */
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const resolver = join(dirname(dirname(fileURLToPath(import.meta.url))), 'peers/resolve.mjs');

/** The default export of a peer's module, CommonJS or not. */
export async function peerModule(name: string): Promise<unknown> {
  const { load } = (await import(pathToFileURL(resolver).href)) as { load(name: string): Promise<unknown> };
  return load(name);
}
