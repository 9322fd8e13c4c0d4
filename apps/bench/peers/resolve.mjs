/** Imports a package as seen from this folder, where the peers are installed. */
export async function load(name) {
  const module = await import(name);
  return module.default ?? module;
}
