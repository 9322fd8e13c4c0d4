import type { Context } from '../program.ts';
import { readVersion } from '../version.ts';

/** `molia version` */
export async function version({ output }: Context): Promise<void> {
  const own = readVersion();
  output.emit(
    { version: own, node: process.versions.node, platform: process.platform, arch: process.arch },
    `molia ${own} (Node ${process.versions.node}, ${process.platform} ${process.arch})`,
  );
}
