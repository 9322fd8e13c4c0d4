import { TAKEN } from '@molia/core';
import { describe, expect, it } from 'vitest';
import {
  HEADER_BYTES,
  Header,
  HeaderFlag,
  isMessageType,
  MessageType,
  Qos,
  readHeader,
  WIRE_DROP_BASE,
  WireDrop,
  wireDropIndex,
  wireDropNames,
  writeHeader,
} from '../src/index.ts';

describe('the header', () => {
  it('carries every field in network byte order and touches nothing else', () => {
    const bytes = new Uint8Array(20).fill(0xee);
    writeHeader(
      bytes,
      3,
      MessageType.STORE,
      HeaderFlag.MORE | HeaderFlag.TRACE,
      Qos.HINTS,
      0xfedc_ba98,
      0x8000_0001,
    );
    expect([...bytes]).toEqual([
      ...[0xee, 0xee, 0xee],
      ...[1, 9, 10, 2, 0xfe, 0xdc, 0xba, 0x98, 0x80, 0, 0, 1],
      ...[0xee, 0xee, 0xee, 0xee, 0xee],
    ]);
    const header = new Header();
    expect(readHeader(bytes, 3, HEADER_BYTES, header)).toBe(TAKEN);
    expect(header).toEqual({
      version: 1,
      type: 9,
      flags: 10,
      qos: 2,
      correlation: 0xfedc_ba98,
      stream: 0x8000_0001,
    });
  });

  it('is refused when it is short, and fills nothing', () => {
    const header = new Header();
    header.correlation = 5;
    for (let length = 0; length < HEADER_BYTES; length++) {
      expect(readHeader(new Uint8Array(HEADER_BYTES), 0, length, header)).toBe(WireDrop.TRUNCATED);
    }
    expect(header.correlation).toBe(5);
  });

  it('of another version or type is refused, with the correlation to answer under', () => {
    const bytes = new Uint8Array(HEADER_BYTES);
    const header = new Header();
    writeHeader(bytes, 0, MessageType.PING, 0, 0, 77, 0);
    bytes[0] = 2;
    expect(readHeader(bytes, 0, HEADER_BYTES, header)).toBe(WireDrop.VERSION);
    expect(header.correlation).toBe(77);
    writeHeader(bytes, 0, 19, 0, 0, 78, 0);
    expect(readHeader(bytes, 0, HEADER_BYTES, header)).toBe(WireDrop.TYPE);
    expect(header.correlation).toBe(78);
  });

  it('with a qos above 2 is refused; unknown flags are let through', () => {
    const bytes = new Uint8Array(HEADER_BYTES);
    const header = new Header();
    writeHeader(bytes, 0, MessageType.PING, 0, 3, 0, 0);
    expect(readHeader(bytes, 0, HEADER_BYTES, header)).toBe(WireDrop.RANGE);
    writeHeader(bytes, 0, MessageType.PING, 0xf0, 0, 0, 0);
    expect(readHeader(bytes, 0, HEADER_BYTES, header)).toBe(TAKEN);
  });

  it('knows exactly the types of version 1', () => {
    const known = Array.from({ length: 256 }, (_, type) => type).filter(isMessageType);
    expect(known).toEqual([...Array.from({ length: 18 }, (_, i) => i + 1), 250, 251, 255]);
  });
});

describe('drop codes', () => {
  it('each have a counter name of their own, and lie below the base', () => {
    for (const [name, code] of Object.entries(WireDrop)) {
      expect(code).toBeLessThan(WIRE_DROP_BASE);
      expect(wireDropNames[wireDropIndex(code)]).toBe(name.toLowerCase());
    }
    expect(Object.keys(WireDrop)).toHaveLength(wireDropNames.length);
    expect(wireDropIndex(TAKEN)).toBe(-1);
    expect(wireDropIndex(-1)).toBe(-1);
    expect(wireDropIndex(-9999)).toBe(-1);
  });
});
