/** The peer that the interop tests talk to; its dependencies are installed by this folder's own lock file. */
export * from 'pkarr';
export { default } from 'pkarr';
