// Opens the inner functions to the tests, which compile it by themselves: RFC 8439 has vectors for each.
import { xorFour } from './chacha20';
import { DATA, KEY, NONCE, OUT } from './memory';
import { tag } from './poly1305';

export function keyAt(): usize { return KEY; }
export function nonceAt(): usize { return NONCE; }
export function outAt(): usize { return OUT; }
export function dataAt(): usize { return DATA; }
export function chacha20(counter: u32): void { xorFour(DATA, counter); }
export function poly1305(count: i32): void { tag(OUT, KEY, DATA, count); }
