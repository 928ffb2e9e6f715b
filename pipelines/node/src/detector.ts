/** A running module: one rule set and the state of its windows. A trap costs the instance, never the stream. */

import type {
  AlertFinding,
  Counts,
  Duplicates,
  Lesson,
  LostState,
  Mode,
  ModuleInfo,
  Options,
  Output,
  Reason,
  Remark,
  Report,
  StateError as ContractStateError,
} from '../generated/interfaces/tripwasm-detect-detector.js';
import { StateError, TrappedError } from './errors.js';
import { type Finding, FindingFormat } from './finding.js';
import { countLines } from './lines.js';
import { type Instance, Module, type Source } from './module.js';
import { durationMs, sizeBytes, type Time, timeMs } from './quantity.js';
import { DetectorStream, type StreamOptions } from './stream.js';
import { Totals } from './totals.js';

/** The watermark that closes every window. */
export const END_OF_TIME = 2n ** 63n - 1n;

/** How a detector is started; what is not given is as the rules were built. */
export interface DetectorOptions {
  /** How late events may come, such as `20m`; a number is milliseconds. */
  lateness?: string | number | bigint;
  /** Whether a second delivery of an event counts again. */
  duplicates?: Duplicates;
  /** Bound on the state of windows, such as `256MiB`. */
  memory?: string | number;
  /** When first-seen rules began to learn. */
  learnFrom?: Time;
  /** Bound on the sandbox's whole memory, less than 2 GiB; three times the state and 256 MiB, if it is not given. */
  memoryLimit?: string | number;
}

/** Where a batch stands. */
export interface Arrival {
  /** Position of its first line in the whole input; positions go on without it. */
  firstEvent?: number | bigint;
  /** The wall clock of a live stream; a replay gives none. */
  now?: Time;
}

/** Counts of a detector over all its instances: a trap takes none. */
export interface Statistics {
  counts: Counts;
  /** Calls that trapped; their batches pass through. */
  traps: number;
  /** How often each reason was told; all but `duplicate-key` and `tagged-before` mean that a line was not evaluated. */
  remarks: Partial<Record<Reason, number>>;
}

/** Input between two checkpoints, at least: a trap costs the windows little. */
const CHECKPOINT_INPUT_BYTES_MIN = 64 << 20;
/** The same in sizes of a checkpoint: large states cost the stream little. */
const CHECKPOINT_INPUT_PER_BYTE = 16;
/** Room beside the state and a snapshot of it: for batches, findings and rules. */
const MEMORY_BESIDE_STATE = 256 << 20;

const STATE_ERRORS: Record<ContractStateError['tag'], string> = {
  damaged: 'damaged',
  'other-version': 'of another version of the engine',
  'other-rules': 'of other rules',
};

/** Rules and the state of their windows. */
export class Detector {
  readonly module: Module;
  /** The options in force. */
  readonly options: Options;
  /** Bound on the sandbox's whole memory. */
  readonly memoryBytesMax: number;
  /** Writes answers as `tripwasm run --mode findings` does. */
  readonly format: FindingFormat;
  /** Of the next event in the whole input, unless a call says otherwise. */
  position = 0n;
  readonly #totals: Totals;
  readonly #remarks: Partial<Record<Reason, number>> = {};
  #instance: Instance | undefined;
  #checkpoint: Uint8Array | undefined;
  #bytesSinceCheckpoint = 0;

  constructor(module: Module, options: DetectorOptions = {}) {
    const baked = module.info.options;
    const { lateness, duplicates = baked.duplicates, memory, learnFrom, memoryLimit } = options;
    if (duplicates !== 'once' && duplicates !== 'count') {
      throw new TypeError(`duplicates "${String(duplicates)}" is unknown: write once or count`);
    }
    this.module = module;
    this.options = {
      latenessMs: lateness === undefined ? baked.latenessMs : durationMs(lateness),
      duplicates,
      stateBytesMax: memory === undefined ? baked.stateBytesMax : BigInt(sizeBytes(memory)),
      learnFrom: learnFrom === undefined ? baked.learnFrom : timeMs(learnFrom),
    };
    const limit = 3 * Number(this.options.stateBytesMax) + MEMORY_BESIDE_STATE;
    this.memoryBytesMax = memoryLimit === undefined ? limit : sizeBytes(memoryLimit);
    this.format = new FindingFormat(module.info);
    this.#totals = new Totals(module.info.rules.length);
    this.#running();
  }

  /** Reads a module and starts it. */
  static async load(source: Source, options: DetectorOptions = {}): Promise<Detector> {
    return new Detector(await Module.load(source), options);
  }

  /** What the module says of itself: rules, fields, limits, options as built. */
  get info(): ModuleInfo {
    return this.module.info;
  }

  /** Evaluates whole lines of NDJSON. Throws `TrappedError` after a trap; the detector goes on. */
  evaluate(events: Uint8Array | string, arrival: Arrival = {}): Report {
    const bytes = asBytes(events);
    const [first, now] = this.#arrived(bytes, arrival);
    const report = this.#call('evaluate', (detector) => detector.evaluate(bytes, first, now));
    this.#noteBatch(bytes, report.remarks);
    return report;
  }

  /**
   * As `evaluate`, and gives the events back: all, with findings spliced in (`tag`), only tagged ones (`filter`), or all but
   * those that a rule with `action: drop` matched (`drop`).
   */
  transform(events: Uint8Array | string, { mode = 'tag', ...arrival }: Arrival & { mode?: Mode } = {}): Output {
    if (!['tag', 'filter', 'drop'].includes(mode)) {
      throw new TypeError(`mode "${String(mode)}" is unknown: write tag, filter or drop`);
    }
    const bytes = asBytes(events);
    const [first, now] = this.#arrived(bytes, arrival);
    const output = this.#call('transform', (detector) => detector.transform(bytes, first, now, mode));
    this.#noteBatch(bytes, output.remarks);
    return output;
  }

  /** As `evaluate`, with findings as `tripwasm run --mode findings` writes them. `source` is the input's name there. */
  findings(events: Uint8Array | string, { source, ...arrival }: Arrival & { source?: string } = {}): Finding[] {
    return this.lines(this.evaluate(events, arrival), source).map((line) => JSON.parse(line) as Finding);
  }

  /** A report as `tripwasm run --mode findings` writes it, a line each. */
  lines(report: Report, source?: string): string[] {
    return [...this.format.matches(report, source), ...report.alerts.map((alert) => this.format.alert(alert))];
  }

  /** A stream of NDJSON bytes through this detector. */
  stream(options: StreamOptions = {}): DetectorStream {
    return new DetectorStream(this, options);
  }

  /** Closes every window that ends by then; all of them, at the end of the input, where nothing is given. */
  close(watermark?: Time): AlertFinding[] {
    const end = watermark === undefined ? END_OF_TIME : timeMs(watermark);
    const alerts = this.#call('close', (detector) => detector.close(end));
    this.#noteChanges();
    return alerts;
  }

  /** Feeds the baselines of first-seen rules from history, in any order, without alerts. */
  learn(events: Uint8Array | string): Lesson {
    const lesson = this.#call('learn', (detector) => detector.learn(asBytes(events)));
    this.#noteChanges();
    return lesson;
  }

  /** The state of all windows and the counters. An instance after a trap begins with it. */
  snapshot(): Uint8Array {
    // Near the memory limit the snapshot itself would trap, and take the windows with it.
    if (this.#totals.stateBytes * 2n >= BigInt(this.memoryBytesMax)) {
      const room = `the sandbox of ${this.memoryBytesMax >>> 20} MiB has no room for a snapshot of its state`;
      throw new StateError(`${room}, bound the state to less (\`memory\`)`);
    }
    const state = this.#call('snapshot', (detector) => detector.snapshot());
    this.#keepCheckpoint(state);
    return state;
  }

  /**
   * Puts a snapshot in the place of the state; positions go on behind the events it counted. Returns the correlations whose
   * state was dropped because they were changed or removed since. On a `StateError` the old state stays.
   */
  restore(state: Uint8Array): LostState[] {
    const lost = this.#call('restore', (detector) => detector.restore(state));
    this.#keepCheckpoint(state.slice());
    this.position = this.#totals.events;
    return lost;
  }

  /** All counts, those of instances that trapped included. */
  statistics(): Statistics {
    this.#noteStatistics();
    return { counts: this.#totals.sum(), traps: this.#totals.traps, remarks: { ...this.#remarks } };
  }

  /** Counts a line that the module never saw, as streams do with lines beyond 16 MiB. */
  noteLongLine(): void {
    this.position += 1n;
    this.#note('too-large');
  }

  /** Runs one call. A trap ends the instance; a new one stands in its place before this throws. */
  #call<T>(call: string, run: (detector: Instance['detector']) => T): T {
    const instance = this.#running();
    try {
      return run(instance.detector);
    } catch (cause) {
      const told = stateError(cause);
      if (told !== undefined) throw new StateError(`the saved state is ${STATE_ERRORS[told]}`, { cause });
      const used = `its memory was ${instance.memoryBytes() >>> 20} of ${this.memoryBytesMax >>> 20} MiB`;
      const reason = cause instanceof Error ? cause.message : String(cause);
      this.#instance = undefined;
      this.#totals.trapped();
      this.#running();
      throw new TrappedError(call, `${reason} (${used})`, { cause });
    }
  }

  #running(): Instance {
    if (this.#instance === undefined) {
      const instance = this.module.start(this.memoryBytesMax);
      instance.detector.configure(this.options);
      if (this.#checkpoint !== undefined) instance.detector.restore(this.#checkpoint);
      this.#instance = instance;
    }
    return this.#instance;
  }

  #arrived(bytes: Uint8Array, { firstEvent, now }: Arrival): [bigint, bigint | undefined] {
    const first = firstEvent === undefined ? this.position : BigInt(firstEvent);
    this.position = first + BigInt(countLines(bytes));
    return [first, now === undefined ? undefined : timeMs(now)];
  }

  #noteBatch(bytes: Uint8Array, remarks: Remark[]): void {
    for (const remark of remarks) this.#note(remark.reason);
    this.#noteChanges();
    // Without windows there is nothing that an instance after a trap would miss.
    if (this.info.levels === 0) return;
    this.#bytesSinceCheckpoint += bytes.length;
    const last = this.#checkpoint?.length ?? 0;
    if (this.#bytesSinceCheckpoint < Math.max(CHECKPOINT_INPUT_BYTES_MIN, last * CHECKPOINT_INPUT_PER_BYTE)) return;
    try {
      this.snapshot();
    } catch (error) {
      // Without a checkpoint, a trap costs more; the stream goes on all the same.
      if (!(error instanceof StateError || error instanceof TrappedError)) throw error;
    }
  }

  #note(reason: Reason): void {
    this.#remarks[reason] = (this.#remarks[reason] ?? 0) + 1;
  }

  /** Keeps the counts outside, where a trap cannot take them. */
  #noteChanges(): void {
    if (this.#instance !== undefined) this.#totals.noteChanges(this.#instance.detector.changes());
  }

  #noteStatistics(): void {
    if (this.#instance !== undefined) this.#totals.note(this.#instance.detector.statistics());
  }

  #keepCheckpoint(state: Uint8Array): void {
    this.#noteStatistics();
    this.#checkpoint = state;
    this.#bytesSinceCheckpoint = 0;
    this.#totals.checkpoint();
  }
}

function asBytes(events: Uint8Array | string): Uint8Array {
  if (typeof events === 'string') return Buffer.from(events);
  if (events instanceof Uint8Array) return events;
  throw new TypeError('events are a Uint8Array, such as a Buffer, or a string');
}

/** What `restore` answered, if that is what was thrown: the error of a result is thrown as it is. */
function stateError(thrown: unknown): ContractStateError['tag'] | undefined {
  const { tag } = (thrown ?? {}) as { tag?: unknown };
  return typeof tag === 'string' && Object.hasOwn(STATE_ERRORS, tag) ? (tag as ContractStateError['tag']) : undefined;
}
