/** What our address is, by the votes in `ip` of the answers we get (BEP 42): one vote a voter's address, the newest counts. */
import { ENDPOINT_BYTES, equalBytes } from '@molia/core';
import { VOTERS_MAX, VOTES_MIN } from './constants.ts';
import { addressBytes } from './node-id.ts';

export class AddressVotes {
  private readonly voters = new Uint8Array(VOTERS_MAX * ENDPOINT_BYTES);
  private readonly votes = new Uint8Array(VOTERS_MAX * ENDPOINT_BYTES);
  private taken = 0;
  /** The elected endpoint; meaningful while `elected`. */
  readonly address = new Uint8Array(ENDPOINT_BYTES);
  elected = false;

  /** Counts a vote. `true`: the elected address is another now. */
  vote(voter: Uint8Array, voterAt: number, vote: Uint8Array, voteAt: number): boolean {
    const voterBytes = addressBytes(voter, voterAt);
    const known = Math.min(this.taken, VOTERS_MAX);
    let place = 0;
    while (place < known && !equalBytes(this.voters, place * ENDPOINT_BYTES, voter, voterAt, voterBytes))
      place++;
    if (place === known) place = this.taken++ % VOTERS_MAX;
    else if (equalBytes(this.votes, place * ENDPOINT_BYTES, vote, voteAt, ENDPOINT_BYTES)) return false;
    this.voters.set(voter.subarray(voterAt, voterAt + ENDPOINT_BYTES), place * ENDPOINT_BYTES);
    this.votes.set(vote.subarray(voteAt, voteAt + ENDPOINT_BYTES), place * ENDPOINT_BYTES);
    if (this.elected && equalBytes(this.address, 0, vote, voteAt, ENDPOINT_BYTES)) return false;
    const voters = Math.min(this.taken, VOTERS_MAX);
    let count = 0;
    for (let i = 0; i < voters; i++) {
      if (equalBytes(this.votes, i * ENDPOINT_BYTES, vote, voteAt, ENDPOINT_BYTES)) count++;
    }
    if (count < VOTES_MIN || count * 2 <= voters) return false;
    this.address.set(vote.subarray(voteAt, voteAt + ENDPOINT_BYTES));
    this.elected = true;
    return true;
  }
}
