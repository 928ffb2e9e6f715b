/** Counts that outlive an instance. */

import type { ChangedCounts, Counts, RuleCounts } from '../generated/interfaces/tripwasm-detect-detector.js';

/** The module's counts over all instances of one detector. */
export class Totals {
  /** Instances that a trap ended. */
  traps = 0;
  /** Counted by instances that are gone, beyond their last checkpoint. */
  #lost: Counts;
  /** Of the running instance, as far as it told. */
  #current: Counts;
  /** What an instance counts from after a trap. */
  #checkpoint: Counts;

  constructor(rules: number) {
    this.#lost = nothing(rules);
    this.#current = this.#lost;
    this.#checkpoint = this.#lost;
  }

  /** The running instance's counts now. */
  note(counts: Counts): void {
    this.#current = counts;
  }

  /** What changed of the running instance's counts. */
  noteChanges({ rules: changed, ...counts }: ChangedCounts): void {
    const rules = changed.length > 0 ? [...this.#current.rules] : this.#current.rules;
    for (const change of changed) rules[change.rule] = change.counts;
    this.#current = { ...this.#current, ...counts, rules };
  }

  /** Memory that the running instance's state takes, as far as it told. */
  get stateBytes(): bigint {
    return this.#current.stateBytes;
  }

  /** Events that the running instance counted, those of the snapshot it began with included. */
  get events(): bigint {
    return this.#current.events;
  }

  /** An instance after a trap will begin with the present counts. */
  checkpoint(): void {
    this.#checkpoint = this.#current;
  }

  /** The instance is gone, the next begins at the checkpoint. */
  trapped(): void {
    const beyond = combine(this.#current, this.#checkpoint, (now, then) => (now > then ? now - then : 0n));
    this.#lost = combine(this.#lost, beyond, (one, other) => one + other);
    this.#current = this.#checkpoint;
    this.traps += 1;
  }

  /** All counts; what is held now (groups, bytes of state) is that of the running instance. */
  sum(): Counts {
    return combine(this.#current, this.#lost, (one, other) => one + other);
  }
}

/** Counts combined one by one; what is no count is that of `left`. */
function combine(left: Counts, right: Counts, merge: (one: bigint, other: bigint) => bigint): Counts {
  const rules = left.rules.map((one, index): RuleCounts => {
    const other = right.rules[index] ?? one;
    return {
      matched: merge(one.matched, other.matched),
      late: merge(one.late, other.late),
      ungrouped: merge(one.ungrouped, other.ungrouped),
      duplicate: merge(one.duplicate, other.duplicate),
      refused: merge(one.refused, other.refused),
      evicted: merge(one.evicted, other.evicted),
      groups: one.groups,
    };
  });
  return {
    ...left,
    rules,
    events: merge(left.events, right.events),
    futureEvents: merge(left.futureEvents, right.futureEvents),
    withoutTime: merge(left.withoutTime, right.withoutTime),
  };
}

function nothing(rules: number): Counts {
  const rule: RuleCounts = {
    matched: 0n,
    late: 0n,
    ungrouped: 0n,
    duplicate: 0n,
    refused: 0n,
    evicted: 0n,
    groups: 0n,
  };
  return {
    events: 0n,
    futureEvents: 0n,
    withoutTime: 0n,
    rules: Array.from({ length: rules }, () => rule),
    stateBytes: 0n,
    evictions: [],
  };
}
