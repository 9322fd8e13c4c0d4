/** The portable half as a browser gets it: one bundle, nothing of Node in it, and it works where Node's names are absent. */
import { fileURLToPath } from 'node:url';
import { runInNewContext } from 'node:vm';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';

const PROGRAM = `
import { Keypair, PacketBuilder, PublicKey, SignedPacket } from '../src/index.ts';
const keypair = Keypair.random();
const packet = new PacketBuilder().a('www', '192.0.2.1', 60).sign(keypair);
const again = SignedPacket.fromRelayPayload(PublicKey.parse(keypair.publicKey.toUri()), packet.toRelayPayload());
globalThis.result = again.resourceRecords('www')[0].data.address;
`;

describe('in a browser', () => {
  test('the bundle holds nothing of Node and signs, parses and verifies', async () => {
    const { outputFiles, metafile } = await build({
      stdin: { contents: PROGRAM, loader: 'ts', resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
      bundle: true,
      write: false,
      metafile: true,
      platform: 'browser',
      format: 'iife',
      target: 'es2022',
      conditions: ['molia-src'],
      logLevel: 'silent',
    });
    const inputs = Object.keys(metafile.inputs);
    expect(inputs.filter((file) => /node:|polyfill|node_modules\/(buffer|b4a|events)\//.test(file))).toEqual(
      [],
    );
    // What a page has, and no more.
    const page: Record<string, unknown> = { TextEncoder, TextDecoder, URL, AbortController, crypto, fetch };
    page['globalThis'] = page;
    runInNewContext(outputFiles[0]?.text as string, page);
    expect(page['result']).toBe('192.0.2.1');
  });
});
