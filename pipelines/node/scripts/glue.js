// Writes `generated/`: JavaScript that calls a component of ours, made by jco, and its types.
//
// Every module that `tripwasm build` writes is the same component around another core module, so that one transpiled
// component serves them all: the core module comes from the user's file when it is loaded.
//
// The component is the file in TRIPWASM_COMPONENT, or what `tripwasm` (the command in TRIPWASM) makes of the rule pack.

import { transpileBytes } from '@bytecodealliance/jco-transpile';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const target = join(root, 'generated');

const { files } = await transpileBytes(component(), {
  name: 'detect',
  instantiation: 'sync',
  nodejsCompat: false,
  wasiShim: false,
});

rmSync(target, { recursive: true, force: true });
for (const [path, bytes] of Object.entries(files)) {
  // The core module is the user's.
  if (path.endsWith('.wasm')) continue;
  const name = join(target, path.replace(/^.*generated\//, ''));
  mkdirSync(dirname(name), { recursive: true });
  writeFileSync(name, path.endsWith('detect.js') ? patched(Buffer.from(bytes).toString()) : bytes);
}

/** The bytes of a component of ours. */
function component() {
  if (process.env.TRIPWASM_COMPONENT) return readFileSync(process.env.TRIPWASM_COMPONENT);
  const folder = mkdtempSync(join(tmpdir(), 'tripwasm-'));
  const file = join(folder, 'pack.wasm');
  try {
    execFileSync(process.env.TRIPWASM ?? 'tripwasm', ['build', join(root, '../../rules/cloudtrail'), '-o', file]);
    return readFileSync(file);
  } catch (error) {
    throw new Error(
      'no component to make glue for: install the command (`cargo install --path host-test`), name it in TRIPWASM, ' +
        'or name a component in TRIPWASM_COMPONENT',
      { cause: error },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** jco's code without what costs us something. A jco that writes other code is to be looked at again. */
function patched(code) {
  return replaced(
    // Its decoder drops a byte order mark at the beginning of a text; a value of an event may begin with one.
    replaced(code, /new TextDecoder\(\)/g, "new TextDecoder('utf-8', { ignoreBOM: true })"),
    // Where JavaScript cannot suspend WebAssembly, asking for it costs 25 ms an instance, in texts of errors that nobody
    // reads. No call of ours is suspended.
    /try \{\s*(\w+) = WebAssembly\.promising\((.*)\);\s*\} catch\(err\) \{\s*\1 = \2;\s*\}/g,
    '$1 = $2;',
  );
}

function replaced(code, pattern, text) {
  if (!pattern.test(code)) throw new Error(`jco's glue no longer has ${pattern}: look at it again`);
  return code.replace(pattern, text);
}
