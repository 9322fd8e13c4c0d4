// Where everything lies in the module's one linear memory, which never grows. The host asks for the addresses
// it needs (cipher.ts); nothing is allocated at run time.

/** AEAD key (32 bytes), MAC key (up to 32) or HMAC key (up to 64). */
export const KEY: usize = memory.data(64, 16);
/** The 12-byte ChaCha20 nonce, or the 24-byte one of XChaCha20. */
export const NONCE: usize = memory.data(32, 16);
/** A tag or a digest. */
export const OUT: usize = memory.data(32, 16);
/** Keystream of blocks 0 to 3; block 0 starts with the one-time Poly1305 key. */
export const STREAM: usize = memory.data(256, 16);
/** Associated data, or one block of key material: ends at DATA, so that both are one run of blocks. */
export const HEAD: usize = memory.data(1024, 16);
/** A datagram (65,535 bytes), its tag, the block of lengths, and what a last run of four blocks overshoots. */
export const DATA: usize = memory.data(65536 + 512, 16);
/** Where the host drops whole arrays; the range meant is then moved to DATA. */
export const STAGE: usize = memory.data(65536 + 512, 16);
