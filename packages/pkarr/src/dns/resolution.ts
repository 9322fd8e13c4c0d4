/**
 * One question followed through zones of keys, aliases, delegations and the ordinary name space. It asks nobody: it says what it
 * needs next and is run again from the start when that is known, so it has no state to keep or to leak.
 */
import {
  CLASS_IN,
  DELEGATION_ADDRESSES_MAX,
  Rcode,
  STALE_TTL_SECONDS,
  STEPS_MAX,
  Type,
} from './constants.ts';
import { type Question, type Reply, type ResourceRecord, recordsOf, targetOf } from './message.ts';
import { isWithin, type KeyPlace, keyOf, type WireName } from './names.ts';
import { authorityOf, findIn, glueOf, zoneOf } from './zone.ts';

/** What must be asked for; `id` names the answer in caches. */
export type Need =
  | { readonly kind: 'zone'; readonly id: string; readonly place: KeyPlace }
  | {
      readonly kind: 'upstream';
      readonly id: string;
      readonly question: Question;
      /** Flag CD and bit DNSSEC_OK of the client's query, where its question is passed on as it is. */
      readonly checkingDisabled: boolean;
      readonly dnssecOk: boolean;
    }
  | {
      readonly kind: 'delegation';
      readonly id: string;
      readonly question: Question;
      /** Addresses in binary, 4 or 16 bytes each. */
      readonly addresses: readonly Uint8Array[];
    };

/** What is known: a signed packet's message (`undefined`: the key has none), or a reply, or that nobody could tell. */
export type Known =
  | {
      readonly kind: 'zone';
      readonly dns: Uint8Array | undefined;
      readonly age: number;
      readonly stale: boolean;
    }
  | { readonly kind: 'reply'; readonly reply: Reply; readonly age: number; readonly stale: boolean }
  | { readonly kind: 'failed' };

export interface Composed {
  readonly kind: 'composed';
  readonly rcode: number;
  readonly answers: readonly ResourceRecord[];
  readonly authorities: readonly ResourceRecord[];
  readonly additionals: readonly ResourceRecord[];
  /** Whether some of it is past its time. */
  readonly stale: boolean;
}

export type Step =
  | { readonly kind: 'need'; readonly need: Need }
  /** The reply of the upstream as it is: an ordinary name. */
  | { readonly kind: 'reply'; readonly reply: Reply; readonly age: number; readonly stale: boolean }
  | Composed;

export interface ResolutionOptions {
  /** Label that may stand behind a key; `''` = none. */
  readonly topLevel: string;
  /** Whether there is anybody to forward to. */
  readonly forwards: boolean;
  readonly keyTtlSecondsMin: number;
  readonly keyTtlSecondsMax: number;
  readonly negativeTtlSeconds: number;
  /** Whether a delegation may lead to this address (4 or 16 bytes). */
  readonly mayAsk: (address: Uint8Array) => boolean;
}

export function questionId(kind: string, question: Question): string {
  return `${kind}/${question.type}/${question.name}`;
}

/** A question, and what its query says beside it. */
export interface Asked {
  readonly question: Question;
  /** Whether the answer may come from more than the key's own zone (RD). */
  readonly recursive: boolean;
  readonly checkingDisabled: boolean;
  readonly dnssecOk: boolean;
}

/** The next step for a question of class IN. */
export function resolve(
  { question, recursive, checkingDisabled, dnssecOk }: Asked,
  known: (need: Need) => Known | undefined,
  options: ResolutionOptions,
): Step {
  const answers: ResourceRecord[] = [];
  const seen = new Set<WireName>();
  const done = (
    rcode: number,
    authorities: readonly ResourceRecord[] = [],
    additionals: readonly ResourceRecord[] = [],
  ): Composed => ({ kind: 'composed', rcode, answers, authorities, additionals, stale: isStale });
  let name = question.name;
  let isStale = false;
  /** A question for the upstream; DNSSEC records are for who asked for this very name. */
  const upstream = (asked: WireName, type: number, step: number): Need => {
    const passed = step === 0;
    const own: Question = { name: asked, type, class: CLASS_IN };
    const kind = passed ? `u${checkingDisabled ? 'c' : ''}${dnssecOk ? 'd' : ''}` : 'u';
    return {
      kind: 'upstream',
      id: questionId(kind, own),
      question: own,
      checkingDisabled: passed && checkingDisabled,
      dnssecOk: passed && dnssecOk,
    };
  };

  /** Takes what a reply says of `name` and goes where it leads; `true` when the end is reached. */
  const follow = (
    reply: Reply,
    age: number,
    stale: boolean,
    within: (name: WireName) => boolean,
  ): boolean => {
    const records = recordsOf(reply.bytes, 0) ?? [];
    isStale ||= stale;
    // BOUNDED: by the records; each alias is followed once.
    for (let moved = true; moved && within(name); ) {
      moved = false;
      for (const record of records) {
        if (record.name !== name) continue;
        if (record.type === question.type) answers.push(aged(record, age, stale));
        else if (record.type === Type.CNAME && !seen.has(name)) {
          answers.push(aged(record, age, stale));
          seen.add(name);
          name = targetOf(record);
          moved = true;
          break;
        }
      }
    }
    return answers.at(-1)?.type === question.type || within(name);
  };

  for (let step = 0; step < STEPS_MAX; step++) {
    const place = keyOf(name, options.topLevel);
    if (place === null) return done(Rcode.NXDOMAIN);

    if (place === undefined) {
      // A chain that leaves the keys: without recursion the alias is the answer.
      if (step > 0 && (!recursive || !options.forwards)) return done(Rcode.NOERROR);
      const need = upstream(name, question.type, step);
      const got = known(need);
      if (got === undefined) return { kind: 'need', need };
      if (got.kind !== 'reply') return done(Rcode.SERVFAIL);
      const { reply, age, stale } = got;
      const isEnd = follow(reply, age, stale, (at) => keyOf(at, options.topLevel) === undefined);
      if (!isEnd) continue;
      if (step === 0) return { kind: 'reply', reply, age, stale };
      const authorities = (recordsOf(reply.bytes, 1) ?? []).filter((record) => record.type === Type.SOA);
      return done(
        reply.rcode,
        authorities.map((record) => aged(record, age, stale)),
      );
    }

    if (seen.has(name)) return done(Rcode.SERVFAIL);
    const need: Need = { kind: 'zone', id: `k/${place.text}`, place };
    const got = known(need);
    if (got === undefined) return { kind: 'need', need };
    if (got.kind !== 'zone') return done(Rcode.SERVFAIL);
    isStale ||= got.stale;
    const negative = [authorityOf(place.apex, options.negativeTtlSeconds)];
    if (got.dns === undefined) return done(Rcode.NXDOMAIN, negative);
    const zone = zoneOf(got.dns, place);
    if (zone === undefined) return done(Rcode.SERVFAIL);
    const ttl = (record: ResourceRecord): ResourceRecord => {
      const seconds = Math.min(Math.max(record.ttl, options.keyTtlSecondsMin), options.keyTtlSecondsMax);
      return aged({ ...record, ttl: seconds }, got.age, got.stale);
    };
    const found = findIn(zone, place.apex, name, question.type);
    answers.push(...found.answers.map(ttl));
    if (found.alias !== undefined) {
      seen.add(name);
      name = found.alias;
      continue;
    }
    if (found.answers.length > 0) return done(Rcode.NOERROR);
    if (found.delegation.length > 0) {
      const glue = glueOf(zone, found.delegation, place);
      let addresses = glue.map((record) => record.data);
      const host = targetOf(found.delegation[0] as ResourceRecord);
      if (recursive && options.forwards && glue.length === 0 && keyOf(host, options.topLevel) === undefined) {
        const hostNeed = upstream(host, Type.A, step + 1);
        const hosts = known(hostNeed);
        if (hosts === undefined) return { kind: 'need', need: hostNeed };
        if (hosts.kind !== 'reply') return done(Rcode.SERVFAIL);
        addresses = (recordsOf(hosts.reply.bytes, 0) ?? [])
          .filter((record) => record.type === Type.A)
          .map((record) => record.data);
      }
      addresses = addresses.filter(options.mayAsk);
      if (!recursive || addresses.length === 0)
        return done(Rcode.NOERROR, found.delegation.map(ttl), glue.map(ttl));
      const asked: Question = { name, type: question.type, class: CLASS_IN };
      const below: Need = {
        kind: 'delegation',
        // Whose zone it is, is in the name.
        id: questionId('d', asked),
        question: asked,
        addresses: addresses.slice(0, DELEGATION_ADDRESSES_MAX),
      };
      const told = known(below);
      if (told === undefined) return { kind: 'need', need: below };
      if (told.kind !== 'reply' || isReferral(told.reply)) return done(Rcode.SERVFAIL);
      const cut = found.delegation[0]?.name ?? place.apex;
      // It speaks for names below the cut only: what it says of others is asked where they belong.
      const isEnd = follow(told.reply, told.age, told.stale, (at) => isWithin(at, cut));
      if (!isEnd) continue;
      const isAnswered = answers.at(-1)?.type === question.type;
      return done(told.reply.rcode, isAnswered ? [] : negative);
    }
    return done(found.exists ? Rcode.NOERROR : Rcode.NXDOMAIN, negative);
  }
  return done(Rcode.SERVFAIL);
}

/** A reply that only names servers further down. */
function isReferral(reply: Reply): boolean {
  if (reply.rcode !== Rcode.NOERROR || (recordsOf(reply.bytes, 0) ?? []).length > 0) return false;
  const authorities = recordsOf(reply.bytes, 1) ?? [];
  return (
    authorities.some((record) => record.type === Type.NS) &&
    !authorities.some((record) => record.type === Type.SOA)
  );
}

function aged(record: ResourceRecord, age: number, stale: boolean): ResourceRecord {
  const left = Math.max(0, record.ttl - age);
  return { ...record, ttl: stale ? STALE_TTL_SECONDS : left };
}
