/**
 * A strict parser of Prometheus text exposition 0.0.4, written from its grammar: it throws at anything a scraper may
 * refuse or misread, so that tests can rely on it.
 */
export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}
export interface ParsedFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: Sample[];
}

export function parseExposition(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line must end with a line feed');
  if (text.includes('\r')) throw new Error('carriage return');
  const families = new Map<string, ParsedFamily>();
  const seen = new Set<string>();
  let help: { name: string; text: string } | undefined;
  let family: ParsedFamily | undefined;
  for (const line of text.slice(0, -1).split('\n')) {
    let match = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line);
    if (match) {
      if (help) throw new Error(`HELP without TYPE: ${help.name}`);
      help = { name: match[1] as string, text: unescapeText(match[2] as string, false) };
      continue;
    }
    match = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (match) {
      const name = match[1] as string;
      if (help?.name !== name) throw new Error(`TYPE ${name} without its HELP before it`);
      if (families.has(name)) throw new Error(`${name} appears twice`);
      family = { name, help: help.text, type: match[2] as string, samples: [] };
      families.set(name, family);
      help = undefined;
      continue;
    }
    if (line.startsWith('#')) throw new Error(`comment: ${line}`);
    if (help) throw new Error(`a sample between HELP and TYPE of ${help.name}`);
    const sample = parseSample(line);
    if (!family) throw new Error(`sample before any TYPE: ${line}`);
    const allowed =
      family.type === 'histogram'
        ? [`${family.name}_bucket`, `${family.name}_sum`, `${family.name}_count`]
        : [family.name];
    if (!allowed.includes(sample.name)) throw new Error(`${sample.name} does not belong to ${family.name}`);
    const identity = `${sample.name}${JSON.stringify(Object.entries(sample.labels).sort())}`;
    if (seen.has(identity)) throw new Error(`series twice: ${line}`);
    seen.add(identity);
    family.samples.push(sample);
  }
  if (help) throw new Error('HELP at the end');
  for (const one of families.values()) checkFamily(one);
  return families;
}

function parseSample(line: string): Sample {
  const head = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line);
  if (!head) throw new Error(`no metric name: ${line}`);
  let at = head[0].length;
  const labels: Record<string, string> = {};
  if (line[at] === '{') {
    at++;
    while (line[at] !== '}') {
      const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"/.exec(line.slice(at));
      if (!label) throw new Error(`bad label at ${at}: ${line}`);
      if ((label[1] as string) in labels) throw new Error(`label twice: ${line}`);
      labels[label[1] as string] = unescapeText(label[2] as string, true);
      at += label[0].length;
      if (line[at] === ',') at++;
      else if (line[at] !== '}') throw new Error(`neither comma nor brace at ${at}: ${line}`);
    }
    at++;
  }
  const rest = /^ (NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line.slice(at));
  if (!rest) throw new Error(`bad value: ${line}`);
  const text = rest[1] as string;
  const value =
    text === '+Inf' ? Number.POSITIVE_INFINITY : text === '-Inf' ? Number.NEGATIVE_INFINITY : Number(text);
  return { name: head[0], labels, value };
}

function unescapeText(text: string, quotes: boolean): string {
  return text.replaceAll(/\\(.?)/g, (whole, next: string) => {
    if (next === 'n') return '\n';
    if (next === '\\') return '\\';
    if (next === '"' && quotes) return '"';
    throw new Error(`bad escape ${whole}`);
  });
}

function checkFamily(family: ParsedFamily): void {
  if (family.samples.length === 0) throw new Error(`${family.name} has no sample`);
  if ((family.type === 'counter') !== family.name.endsWith('_total'))
    throw new Error(`_total: ${family.name}`);
  if (family.type === 'counter' && family.samples.some((s) => !(s.value >= 0))) {
    throw new Error(`${family.name}: a counter is never negative`);
  }
  if (family.type !== 'histogram') return;
  const groups = new Map<string, { le: number; value: number }[]>();
  for (const sample of family.samples) {
    if (!sample.name.endsWith('_bucket')) continue;
    const { le, ...others } = sample.labels;
    if (le === undefined) throw new Error('bucket without le');
    const key = JSON.stringify(Object.entries(others).sort());
    const list = groups.get(key) ?? [];
    list.push({ le: le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value: sample.value });
    groups.set(key, list);
  }
  for (const [key, list] of groups) {
    for (let i = 1; i < list.length; i++) {
      const one = list[i] as { le: number; value: number };
      const before = list[i - 1] as { le: number; value: number };
      if (!(one.le > before.le) || one.value < before.value)
        throw new Error(`buckets do not rise: ${family.name}`);
    }
    const last = list.at(-1) as { le: number; value: number };
    if (last.le !== Number.POSITIVE_INFINITY) throw new Error('no +Inf bucket');
    const count = family.samples.find(
      (s) => s.name.endsWith('_count') && JSON.stringify(Object.entries(s.labels).sort()) === key,
    );
    if (count?.value !== last.value) throw new Error('count differs from +Inf');
  }
}
