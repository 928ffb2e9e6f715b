// The conformance cases that `cargo run -p tripwasm-tests --example export_cases -- FOLDER` wrote.

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Module } from 'tripwasm';

const folder = process.env.TRIPWASM_CASES ?? fileURLToPath(new URL('../../../target/cases', import.meta.url));

if (!existsSync(join(folder, 'cases.ndjson'))) {
  throw new Error(`there are no cases in ${folder}: run \`cargo xtask packages\`, or name their folder in TRIPWASM_CASES`);
}

/** Every case. */
export const cases = readFileSync(join(folder, 'cases.ndjson'), 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => JSON.parse(line));

/** What is in a file that a case names. */
export function exported(name) {
  return readFileSync(join(folder, name));
}

let last = { name: '', module: undefined };

/** A module, kept until another one is asked for: the cases of one file share theirs. */
export function loaded(name) {
  if (last.name !== name) last = { name, module: new Module(exported(name), name) };
  return last.module;
}
