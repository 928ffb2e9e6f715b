/** Module files: finds the core module that runs, bounds its memory, and refuses what is not ours. */

import { LoadError } from './errors.js';

const BUILD = 'build one: tripwasm build RULES -o FILE';

const CORE = [1, 0, 0, 0];
const COMPONENT = [13, 0, 1, 0];

// Sections of a component that matter here.
const CORE_MODULE = 1;
const COMPONENT_IMPORTS = 10;
// And of a core module.
const CORE_IMPORTS = 2;
const CORE_MEMORIES = 5;

const HAS_MAXIMUM = 1;

/** A section: what it is, where it begins, where its body stands. */
interface Section {
  kind: number;
  begin: number;
  bodyBegin: number;
  end: number;
}

/** The core module of a file: a component of ours holds one, and `--target core` gives it as it is. */
export function coreModule(wasm: Uint8Array, name: string): Uint8Array {
  if (!startsWith(wasm, 0, [0, 0x61, 0x73, 0x6d])) {
    throw new LoadError(`${name}: this is no WebAssembly, ${BUILD}`);
  }
  let core = wasm;
  if (startsWith(wasm, 4, COMPONENT)) {
    const all = sections(wasm, name);
    if (all.some((section) => section.kind === COMPONENT_IMPORTS && wasm[section.bodyBegin] !== 0)) {
      throw new LoadError(`${name}: the component imports something, a detection module imports nothing`);
    }
    const [found, ...more] = all.filter((section) => section.kind === CORE_MODULE);
    if (found === undefined || more.length > 0) {
      throw new LoadError(`${name}: this component is none of tripwasm's, ${BUILD}`);
    }
    core = wasm.subarray(found.bodyBegin, found.end);
  } else if (!startsWith(wasm, 4, CORE)) {
    throw new LoadError(`${name}: this WebAssembly has an unknown version, ${BUILD}`);
  }
  const imports = sections(core, name).find((section) => section.kind === CORE_IMPORTS);
  if (imports !== undefined && core[imports.bodyBegin] !== 0) {
    throw new LoadError(`${name}: the module imports something, a detection module imports nothing`);
  }
  return core;
}

/** The same module, whose memory grows to so many pages of 64 KiB at most: JavaScript's engines have no other bound. */
export function withMemoryBound(core: Uint8Array, pagesMax: number, name: string): Uint8Array {
  const memories = sections(core, name).find((section) => section.kind === CORE_MEMORIES);
  if (memories === undefined || core[memories.bodyBegin] !== 1) {
    throw new LoadError(`${name}: this module is none of tripwasm's, ${BUILD}`);
  }
  const [flags, minimumAt] = number(core, memories.bodyBegin + 1, name);
  const [minimum, behind] = number(core, minimumAt, name);
  // Shared or 64 bit memories are not ours; a smaller bound of its own stays.
  if (flags > HAS_MAXIMUM) throw new LoadError(`${name}: this module is none of tripwasm's, ${BUILD}`);
  const own = flags === HAS_MAXIMUM ? number(core, behind, name)[0] : pagesMax;
  if (minimum > pagesMax) {
    throw new LoadError(`${name}: the module needs ${minimum} pages of memory, its limit is ${pagesMax}`);
  }
  const body = [1, HAS_MAXIMUM, ...leb(minimum), ...leb(Math.min(own, pagesMax))];
  const section = Uint8Array.from([CORE_MEMORIES, ...leb(body.length), ...body]);
  const bounded = new Uint8Array(memories.begin + section.length + core.length - memories.end);
  bounded.set(core.subarray(0, memories.begin));
  bounded.set(section, memories.begin);
  bounded.set(core.subarray(memories.end), memories.begin + section.length);
  return bounded;
}

function sections(wasm: Uint8Array, name: string): Section[] {
  const found: Section[] = [];
  let begin = 8;
  while (begin < wasm.length) {
    const [length, bodyBegin] = number(wasm, begin + 1, name);
    const end = bodyBegin + length;
    if (end > wasm.length) throw cutOff(name);
    found.push({ kind: wasm[begin] ?? 0, begin, bodyBegin, end });
    begin = end;
  }
  return found;
}

/** A number in LEB128 of at most 32 bits, and the place behind it. */
function number(wasm: Uint8Array, at: number, name: string): [number, number] {
  let value = 0;
  for (let index = 0; index < 5; index++) {
    const byte = wasm[at + index];
    if (byte === undefined) break;
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return [value, at + index + 1];
  }
  throw cutOff(name);
}

function leb(value: number): number[] {
  const bytes: number[] = [];
  for (; value >= 0x80; value = Math.floor(value / 0x80)) bytes.push((value % 0x80) | 0x80);
  return [...bytes, value];
}

function startsWith(wasm: Uint8Array, at: number, bytes: number[]): boolean {
  return bytes.every((byte, index) => wasm[at + index] === byte);
}

function cutOff(name: string): LoadError {
  return new LoadError(`${name}: the file is cut off or damaged, ${BUILD}`);
}
