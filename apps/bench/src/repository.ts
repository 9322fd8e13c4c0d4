import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The checkout this program was built in: apps/bench/dist lies three levels below it. */
export const repositoryRoot = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url)))));
