/** A stream through a detector: NDJSON bytes in, NDJSON bytes out. */

import { Transform, type TransformCallback } from 'node:stream';

import type { AlertFinding, Mode } from '../generated/interfaces/tripwasm-detect-detector.js';
import type { Detector } from './detector.js';
import { TrappedError } from './errors.js';
import type { Alert } from './finding.js';
import { type Batch, LineCutter } from './lines.js';

/** What goes through, and what becomes of it. */
export interface StreamOptions {
  /** Events that come out: all, tagged (`tag`); only tagged ones; all but dropped ones; or findings in their place. */
  mode?: Mode | 'findings';
  /** Bytes that are gathered before the module is called: by default what a chunk makes complete goes on at once. */
  batchBytes?: number;
  /** Gives the module the wall clock. */
  live?: boolean;
  /** Windows stay open at the end, for a snapshot. */
  keepOpen?: boolean;
  /** The input's name in findings. */
  source?: string;
}

/** What the stream tells besides bytes. */
export interface DetectorStream {
  /** An alert opened, was closed or withdrawn. */
  on(event: 'alert', listener: (alert: Alert) => void): this;
  /** A batch trapped: it passed through as it came, and another instance goes on. */
  on(event: 'warning', listener: (trapped: TrappedError) => void): this;
  on(event: string | symbol, listener: (...values: any[]) => void): this;
}

/** NDJSON bytes in chunks cut anywhere; the same lines come out. Lines beyond 16 MiB pass in pieces. */
export class DetectorStream extends Transform {
  readonly #detector: Detector;
  readonly #mode: Mode | 'findings';
  readonly #cutter: LineCutter;
  readonly #live: boolean;
  readonly #keepOpen: boolean;
  readonly #source: string;
  /** What a chunk made complete and is not written yet, and whom to tell when it is. */
  #waiting: { batches: Iterator<Batch>; done: TransformCallback } | undefined;

  constructor(detector: Detector, options: StreamOptions = {}) {
    super();
    const { mode = 'tag', batchBytes = 1, live = false, keepOpen = false, source = '' } = options;
    if (!['tag', 'filter', 'drop', 'findings'].includes(mode)) {
      throw new TypeError(`mode "${String(mode)}" is unknown: write tag, filter, drop or findings`);
    }
    this.#detector = detector;
    this.#mode = mode;
    this.#cutter = new LineCutter(batchBytes);
    this.#live = live;
    this.#keepOpen = keepOpen;
    this.#source = source;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#waiting = { batches: this.#cutter.push(chunk), done };
    this.#pump();
  }

  override _flush(done: TransformCallback): void {
    const end = (error?: Error | null): void => {
      if (error) return done(error);
      try {
        if (!this.#keepOpen) this.#close();
        done();
      } catch (failure) {
        done(failure as Error);
      }
    };
    this.#waiting = { batches: this.#cutter.finish(), done: end };
    this.#pump();
  }

  override _read(size: number): void {
    if (this.#waiting !== undefined) this.#pump();
    // The next chunk is asked for here, too, when this read has written the rest of the last one.
    if (this.#waiting === undefined) super._read(size);
  }

  /** Writes until the reader has enough: a chunk may hold many batches. */
  #pump(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    let error: Error | undefined;
    try {
      for (let next = waiting.batches.next(); !next.done; next = waiting.batches.next()) {
        const bytes = this.#batch(next.value);
        if (bytes.length > 0 && !this.push(bytes)) return;
      }
    } catch (failure) {
      error = failure as Error;
    }
    this.#waiting = undefined;
    waiting.done(error);
  }

  #batch(batch: Batch): Uint8Array {
    if (!batch.isEvaluated) return this.#piece(batch);
    const arrival = this.#live ? { now: Date.now() } : {};
    try {
      if (this.#mode === 'findings') {
        const report = this.#detector.evaluate(batch.bytes, arrival);
        this.#tell(report.alerts);
        return ndjson(this.#detector.lines(report, this.#source));
      }
      const output = this.#detector.transform(batch.bytes, { mode: this.#mode, ...arrival });
      this.#tell(output.alerts);
      return output.events;
    } catch (error) {
      if (!(error instanceof TrappedError)) throw error;
      this.emit('warning', error);
      return this.#mode === 'findings' ? new Uint8Array() : batch.bytes;
    }
  }

  /** Of a line that nobody can tag: filtering leaves it out. */
  #piece(batch: Batch): Uint8Array {
    if (batch.lines > 0) this.#detector.noteLongLine();
    return this.#mode === 'tag' || this.#mode === 'drop' ? batch.bytes : new Uint8Array();
  }

  #close(): void {
    try {
      const alerts = this.#detector.close();
      this.#tell(alerts);
      if (this.#mode === 'findings') this.push(ndjson(alerts.map((alert) => this.#detector.format.alert(alert))));
    } catch (error) {
      if (!(error instanceof TrappedError)) throw error;
      this.emit('warning', error);
    }
  }

  #tell(alerts: AlertFinding[]): void {
    if (this.listenerCount('alert') === 0) return;
    for (const alert of alerts) this.emit('alert', JSON.parse(this.#detector.format.alert(alert)));
  }
}

function ndjson(lines: string[]): Uint8Array {
  return lines.length > 0 ? Buffer.from(`${lines.join('\n')}\n`) : new Uint8Array();
}
