/** Real files of this repository as values: whole ones and slices, 1 B to 64 KiB, all different. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support.ts';

const VALUE_BYTES_MAX = 65_536;

export interface Sample {
  /** File and range, for messages. */
  readonly name: string;
  readonly bytes: Buffer;
}

/** `count` different values: half whole files, half slices whose sizes rise evenly on a logarithmic scale. */
export function samples(count: number): Sample[] {
  const files = trackedFiles()
    .map((name) => ({ name, bytes: readFileSync(join(root, name)) }))
    .filter((file) => file.bytes.length > 0);
  const seen = new Set<string>();
  const found: Sample[] = [];
  const add = (sample: Sample): boolean => {
    const digest = createHash('sha256').update(sample.bytes).digest('hex');
    if (seen.has(digest)) return false;
    seen.add(digest);
    found.push(sample);
    return true;
  };
  const sliceCount = Math.ceil(count / 2);
  const large = files.filter((file) => file.bytes.length >= VALUE_BYTES_MAX);
  for (let i = 0; i < sliceCount; i++) {
    const size = Math.round(2 ** ((16 * i) / (sliceCount - 1)));
    const sources = large.length > 0 ? large : files.filter((file) => file.bytes.length >= size);
    const { name, bytes } = sources[i % sources.length] as Sample;
    // BOUNDED: by the length of the file; short slices repeat soon, so the next offset is tried.
    for (let offset = (i * 977) % (bytes.length - size + 1); offset + size <= bytes.length; offset++) {
      if (add({ name: `${name}[${offset}, ${offset + size})`, bytes: bytes.subarray(offset, offset + size) }))
        break;
    }
  }
  const whole = files.filter((file) => file.bytes.length <= VALUE_BYTES_MAX);
  for (let i = 0; found.length < count && i < whole.length; i++) {
    // Spread over the whole list, so that all kinds of files take part.
    add(whole[(i * 37) % whole.length] as Sample);
  }
  if (found.length < count) throw new Error(`only ${found.length} different values in ${files.length} files`);
  return found;
}

/** Files that git tracks; without git (a tarball) those that are no build output. */
function trackedFiles(): string[] {
  try {
    const list = execFileSync('git', ['ls-files', '-z'], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] });
    const names = list
      .toString()
      .split('\0')
      .filter((name) => name !== '');
    return names.filter((name) => statSync(join(root, name), { throwIfNoEntry: false })?.isFile());
  } catch {
    return walk('');
  }
}

function walk(below: string): string[] {
  return readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    if (/^(node_modules|dist|\..*)$/.test(entry.name)) return [];
    const name = join(below, entry.name);
    return entry.isDirectory() ? walk(name) : [name];
  });
}
