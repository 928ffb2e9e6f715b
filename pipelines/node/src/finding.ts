/** Findings as JSON: the lines that `tripwasm run --mode findings` writes, byte for byte. */

import type {
  AlertFinding,
  GroupMember,
  MatchFinding,
  ModuleInfo,
  Report,
  RuleInfo,
} from '../generated/interfaces/tripwasm-detect-detector.js';

/** A rule as findings name it. */
export interface FindingRule {
  id: string | null;
  name: string | null;
  title: string;
  level: string | null;
  tags: string[];
  author: string | null;
}

/** A rule holds for an event. */
export interface Match {
  kind: 'match';
  event: number;
  event_id: string | null;
  time: string | null;
  source: string;
  rule: FindingRule;
}

/** A correlation holds for a group of events. */
export interface Alert {
  kind: 'alert';
  state: 'open' | 'closed' | 'withdrawn';
  id: string;
  rule: FindingRule;
  group: Record<string, string>;
  window: { start: string | null; end: string | null };
  count: number;
  first: string | null;
  last: string | null;
  events: number[];
  event_ids: (string | null)[];
  values: Record<string, string[]>;
  distinct: Record<string, number>;
  /** A binary number here; the line keeps its digits. */
  measured?: number;
  truncated?: true;
  exact?: false;
  uncounted?: number;
}

/** What JSON.parse makes of a line. */
export type Finding = Match | Alert;

/** RFC 3339 says the years 0 to 9999; the last is cut where the host's library for times cuts it. */
const FIRST_MS = -62_167_219_200_000n;
const LAST_MS = 253_402_207_200_000n;

const UTF8 = new TextDecoder('utf-8', { ignoreBOM: true });

/** Writes findings of one module. */
export class FindingFormat {
  readonly #rules: string[];

  constructor(info: ModuleInfo) {
    this.#rules = info.rules.map(ruleJson);
  }

  /** The matches of a report, a line each. `source` is the input the events came from, as it was named. */
  matches(report: Report, source = ''): string[] {
    const named = JSON.stringify(source);
    let before: MatchFinding | undefined;
    let head = '';
    return report.matches.map((found) => {
      // Rules that hold for one event stand together.
      if (before === undefined || before.event !== found.event) head = eventJson(found, report, named);
      before = found;
      return `${head}${this.#rule(found.rule)}}`;
    });
  }

  /** An alert as a line. */
  alert(alert: AlertFinding): string {
    const seen = alert.observations;
    const values = seen.filter((one) => one.values !== undefined).map((one) => member(one.field, one.values));
    const distinct = seen.filter((one) => one.distinct !== undefined).map((one) => member(one.field, one.distinct));
    const parts = [
      `"kind":"alert"`,
      member('state', alert.state),
      member('id', alert.id),
      `"rule":${this.#rule(alert.rule)}`,
      // As an object, keys that look like numbers would change places.
      `"group":{${alert.group.map((one: GroupMember) => member(one.field, one.value)).join()}}`,
      `"window":{${member('start', rfc3339(alert.windowStart))},${member('end', rfc3339(alert.windowEnd))}}`,
      member('count', alert.count),
      member('first', rfc3339(alert.first)),
      member('last', rfc3339(alert.last)),
      `"events":[${alert.events.join()}]`,
      member('event_ids', alert.eventIds.map((id) => id || null)),
      `"values":{${values.join()}}`,
      `"distinct":{${distinct.join()}}`,
    ];
    if (alert.measured !== undefined && isNumber(alert.measured)) parts.push(`"measured":${alert.measured}`);
    if (alert.truncated) parts.push('"truncated":true');
    if (alert.uncounted > 0n) parts.push('"exact":false', member('uncounted', alert.uncounted));
    return `{${parts.join()}}`;
  }

  #rule(index: number): string {
    return this.#rules[index] ?? 'null';
  }
}

/** UTC with `Z`, with a fraction only when it is not zero; null outside the years that RFC 3339 can say. */
export function rfc3339(ms: bigint): string | null {
  if (ms < FIRST_MS || ms > LAST_MS) return null;
  return new Date(Number(ms)).toISOString().replace(/\.?0*Z$/, 'Z');
}

/** What all matches of an event begin with. */
function eventJson(found: MatchFinding, report: Report, source: string): string {
  const id = UTF8.decode(report.texts.subarray(found.idStart, found.idEnd));
  const time = found.time === undefined ? null : rfc3339(found.time);
  const head = `{"kind":"match","event":${found.event},"event_id":${JSON.stringify(id || null)}`;
  return `${head},"time":${JSON.stringify(time)},"source":${source},"rule":`;
}

function ruleJson(rule: RuleInfo): string {
  const { id = null, name = null, title, level = null, tags, author = null } = rule;
  return JSON.stringify({ id, name, title, level, tags, author });
}

function member(key: string, value: unknown): string {
  const text = typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
  return `${JSON.stringify(key)}:${text}`;
}

/** A decimal number stands as it is: as binary floating point it would lose digits. */
function isNumber(text: string): boolean {
  return /^-?[0-9]+(\.[0-9]+)?$/.test(text);
}
