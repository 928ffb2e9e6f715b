/** A stream of bytes cut into batches of whole lines. */

const LINE_BREAK = 10;

/** A longer line is never handed to the module: it passes through in pieces, so that memory stays bounded. */
export const LINE_BYTES_MAX = 16 << 20;

/** A larger piece is cut, so that no batch outgrows the module's memory. */
const PIECE_BYTES_MAX = 1 << 20;

/** Whole lines for the module, or a piece of a line that is too long for it. */
export interface Batch {
  bytes: Uint8Array;
  /** How many lines end here; the last line of an input may lack its line break. */
  lines: number;
  isEvaluated: boolean;
}

/** Takes pieces, cut anywhere, and gives batches. It keeps a batch and a line at most. */
export class LineCutter {
  readonly #batchBytes: number;
  /** Whole lines, and what has arrived of the next one. */
  #lines: Uint8Array[] = [];
  #rest: Uint8Array[] = [];
  #lineBytes = 0;
  #restBytes = 0;
  #inLongLine = false;

  constructor(batchBytes: number) {
    this.#batchBytes = batchBytes;
  }

  /** What a piece makes complete. */
  *push(bytes: Uint8Array): Generator<Batch> {
    for (let at = 0; at < bytes.length; at += PIECE_BYTES_MAX) {
      yield* this.#piece(bytes.subarray(at, at + PIECE_BYTES_MAX));
    }
  }

  /** What is left at the end. */
  *finish(): Generator<Batch> {
    if (this.#inLongLine) {
      yield { bytes: new Uint8Array(), lines: 1, isEvaluated: false };
    } else if (this.#lineBytes + this.#restBytes > 0) {
      yield whole([...this.#lines, ...this.#rest]);
    }
  }

  *#piece(piece: Uint8Array): Generator<Batch> {
    if (this.#inLongLine) {
      const end = piece.indexOf(LINE_BREAK) + 1;
      this.#inLongLine = end === 0;
      if (this.#inLongLine) {
        yield { bytes: piece, lines: 0, isEvaluated: false };
        return;
      }
      yield { bytes: piece.subarray(0, end), lines: 1, isEvaluated: false };
      piece = piece.subarray(end);
    }
    const cut = piece.lastIndexOf(LINE_BREAK) + 1;
    if (cut > 0) {
      this.#lines.push(...this.#rest, piece.subarray(0, cut));
      this.#lineBytes += this.#restBytes + cut;
      this.#rest = [];
      this.#restBytes = 0;
    }
    if (cut < piece.length) {
      this.#rest.push(piece.subarray(cut));
      this.#restBytes += piece.length - cut;
    }
    const isLong = this.#restBytes >= LINE_BYTES_MAX;
    if (this.#lines.length > 0 && (this.#lineBytes >= this.#batchBytes || isLong)) {
      const batch = whole(this.#lines);
      this.#lines = [];
      this.#lineBytes = 0;
      yield batch;
    }
    if (isLong) {
      const bytes = Buffer.concat(this.#rest);
      this.#inLongLine = true;
      this.#rest = [];
      this.#restBytes = 0;
      yield { bytes, lines: 0, isEvaluated: false };
    }
  }
}

/** Lines that begin in some whole lines. */
export function countLines(bytes: Uint8Array): number {
  let count = 0;
  for (let at = bytes.indexOf(LINE_BREAK); at >= 0; at = bytes.indexOf(LINE_BREAK, at + 1)) count += 1;
  return bytes.length > 0 && bytes[bytes.length - 1] !== LINE_BREAK ? count + 1 : count;
}

function whole(parts: Uint8Array[]): Batch {
  const [only] = parts;
  const bytes = parts.length === 1 && only !== undefined ? only : Buffer.concat(parts);
  return { bytes, lines: countLines(bytes), isEvaluated: true };
}
