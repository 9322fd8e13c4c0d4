/** Modules of the peers' folder, for suites that compare functions in one process. */
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const resolver = join(dirname(dirname(fileURLToPath(import.meta.url))), 'peers/resolve.mjs');

interface Resolver {
  load(name: string): Promise<unknown>;
  loadCommonJs(name: string): unknown;
}

const resolve = async (): Promise<Resolver> => (await import(pathToFileURL(resolver).href)) as Resolver;

/** The default export of a peer's module, CommonJS or not. */
export async function peerModule(name: string): Promise<unknown> {
  return (await resolve()).load(name);
}

/** What `require` gives, for packages that are native code or whose modules assume CommonJS. */
export async function peerCommonJs(name: string): Promise<unknown> {
  return (await resolve()).loadCommonJs(name);
}
