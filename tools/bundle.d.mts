/** Bundles a TypeScript file and what it imports, for another process or thread; `remove` deletes the bundle. */
export function bundle(file: string): { readonly path: string; remove(): void };
