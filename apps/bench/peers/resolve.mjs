import { createRequire } from 'node:module';

/** Imports a package as seen from this folder, where the peers are installed. */
export async function load(name) {
  const module = await import(name);
  return module.default ?? module;
}

/** The same by `require`, for packages that are native code or whose modules assume CommonJS. */
export const loadCommonJs = createRequire(import.meta.url);
