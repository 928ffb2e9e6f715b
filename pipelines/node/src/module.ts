/** A module file, compiled for this machine. */

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { instantiate } from '../generated/detect.js';
import type * as Contract from '../generated/interfaces/tripwasm-detect-detector.js';
import { coreModule, withMemoryBound } from './binary.js';
import { LoadError } from './errors.js';

/** A file's name or address, or its bytes: a component, or what `--target core` wrote. */
export type Source = string | URL | Uint8Array;

const INTERFACE = 'tripwasm:detect/detector@0.1.0';
const FUNCTIONS = [
  'describe',
  'configure',
  'evaluate',
  'transform',
  'close',
  'statistics',
  'changes',
  'snapshot',
  'restore',
  'learn',
];

const PAGE_BYTES = 64 << 10;

/** Enough for any module to describe itself. */
const DEFAULT_MEMORY_BYTES_MAX = 2 ** 30;

/** jco's glue takes addresses as signed numbers: memory ends below 2 GiB. */
const MEMORY_BYTES_MAX = 2 ** 31 - PAGE_BYTES;

/** A running instance: the contract's functions, and how much memory it takes. */
export interface Instance {
  detector: typeof Contract;
  memoryBytes(): number;
}

/** A module, compiled for this machine and described by itself. Detectors may share it. */
export class Module {
  /** What the module says of itself: rules, fields, limits, options. */
  readonly info: Contract.ModuleInfo;
  readonly #core: Uint8Array;
  readonly #name: string;
  /** By the bound on memory, which is a part of the module. */
  readonly #compiled = new Map<number, WebAssembly.Module>();

  constructor(wasm: Uint8Array, name = 'module') {
    this.#name = name;
    this.#core = coreModule(wasm, name).slice();
    check(this.#compile(DEFAULT_MEMORY_BYTES_MAX), name);
    try {
      this.info = this.start(DEFAULT_MEMORY_BYTES_MAX).detector.describe();
    } catch (cause) {
      throw new LoadError(`${name}: the module does not start`, { cause });
    }
  }

  /** Reads a file and compiles it. */
  static async load(source: Source): Promise<Module> {
    if (source instanceof Uint8Array) return new Module(source);
    const path = source instanceof URL ? fileURLToPath(source) : source;
    let wasm: Uint8Array;
    try {
      wasm = await readFile(path);
    } catch (cause) {
      throw new LoadError(`cannot read ${path}: ${(cause as NodeJS.ErrnoException).code}`, { cause });
    }
    return new Module(wasm, path);
  }

  /** A new instance that may take so much memory. */
  start(memoryBytesMax: number): Instance {
    let memory: WebAssembly.Memory | undefined;
    const start = (module: WebAssembly.Module): WebAssembly.Instance => {
      const instance = new WebAssembly.Instance(module);
      memory = instance.exports.memory as WebAssembly.Memory;
      return instance;
    };
    const { detector } = instantiate(() => this.#compile(memoryBytesMax), {}, start);
    return { detector, memoryBytes: () => memory?.buffer.byteLength ?? 0 };
  }

  #compile(memoryBytesMax: number): WebAssembly.Module {
    const pages = Math.floor(Math.min(memoryBytesMax, MEMORY_BYTES_MAX) / PAGE_BYTES);
    let compiled = this.#compiled.get(pages);
    if (compiled === undefined) {
      const bounded = withMemoryBound(this.#core, pages, this.#name);
      try {
        compiled = new WebAssembly.Module(bounded as Uint8Array<ArrayBuffer>);
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new LoadError(`${this.#name}: this is no valid WebAssembly: ${reason}`, { cause });
      }
      this.#compiled.set(pages, compiled);
    }
    return compiled;
  }
}

/** The names are what the contract's version promises; JavaScript tells no more of a module. */
function check(module: WebAssembly.Module, name: string): void {
  const exports = WebAssembly.Module.exports(module);
  const has = (wanted: string, kind: string): boolean =>
    exports.some((found) => found.name === wanted && found.kind === kind);
  if (!has(`${INTERFACE}#evaluate`, 'function')) {
    if (has('tripwasm_filter', 'function')) {
      const remedy = 'build the same rules without `--target fluent-bit`';
      throw new LoadError(`${name}: this module was built for Fluent Bit, which alone can run it; ${remedy}`);
    }
    throw new LoadError(`${name}: this module is none of tripwasm's, build one: tripwasm build RULES -o FILE`);
  }
  const functions = [...FUNCTIONS.map((wanted) => `${INTERFACE}#${wanted}`), 'cabi_realloc'];
  if (!has('memory', 'memory') || !functions.every((wanted) => has(wanted, 'function'))) {
    throw new LoadError(
      `${name}: the module was built for another version of the contract than ${INTERFACE}; ` +
        "build its rules again, or install the package's version that goes with them",
    );
  }
}
