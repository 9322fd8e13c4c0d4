/** @molia/pkarr/relay: an HTTP relay between clients without UDP and the Mainline DHT. Node only. */
export type { Relay, RelayNode, RelayOptions } from './relay.ts';
export { createRelay } from './relay.ts';
