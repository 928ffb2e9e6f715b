// One detector: recovery, state, files that are not ours, options with a mistake.

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';

import { Detector, LoadError, Module, rfc3339, StateError, TrappedError } from 'tripwasm';
import { exported, loaded } from './cases.js';
import { denied, HIT } from './events.js';

const pack = loaded('pack.component.wasm');
const COMPONENT = Buffer.from('\0asm\x0d\0\x01\0', 'latin1');
const CORE = Buffer.from('\0asm\x01\0\0\0', 'latin1');

test('a module over its memory limit traps and goes on', () => {
  const detector = new Detector(pack, { memoryLimit: '16MiB' });
  const line = `${HIT}\n`;
  assert.equal(detector.evaluate(line).matches.length, 1);
  const tooMuch = Buffer.from(line.repeat(Math.floor((32 << 20) / line.length)));
  assert.throws(() => detector.evaluate(tooMuch), (error) => error instanceof TrappedError && /of 16 MiB/.test(error.message));
  assert.equal(detector.evaluate(line).matches.length, 1);
  const { counts, traps } = detector.statistics();
  assert.equal(traps, 1);
  assert.equal(counts.rules.reduce((sum, rule) => sum + rule.matched, 0n), 2n, 'counts outlive the instance');
});

test('windows go on from a snapshot, and after a trap', () => {
  const lines = Array.from({ length: 60 }, (_, number) => denied(number));
  const run = (detector, some) => some.flatMap((line) => detector.findings(line));
  const whole = run(new Detector(pack), lines);
  assert.ok(whole.some((finding) => finding.kind === 'alert'));
  const first = new Detector(pack);
  const begin = run(first, lines.slice(0, 30));
  const state = first.snapshot();
  const second = new Detector(pack);
  assert.deepEqual(second.restore(state), []);
  assert.deepEqual(Buffer.from(second.snapshot()), Buffer.from(state));
  const rest = run(second, lines.slice(30));
  assert.deepEqual([...begin, ...rest], whole);
  const third = new Detector(pack, { memoryLimit: '32MiB', memory: '8MiB' });
  third.restore(state);
  assert.throws(() => third.evaluate(Buffer.alloc(64 << 20, `${HIT}\n`)), TrappedError);
  third.position = 30n;
  assert.deepEqual(run(third, lines.slice(30)), rest);
});

test('state that is not ours is refused', () => {
  const detector = new Detector(pack);
  detector.evaluate(denied(1));
  const state = detector.snapshot();
  const flipped = Uint8Array.from(state, (byte, at) => (at === 20 ? byte ^ 255 : byte));
  for (const damaged of [new Uint8Array(), state.subarray(0, -1), flipped]) {
    assert.throws(() => detector.restore(damaged), (error) => error instanceof StateError && /saved state is/.test(error.message));
  }
  assert.deepEqual(detector.snapshot(), state);
  assert.equal(detector.statistics().traps, 0);
});

test('foreign bytes are refused', async () => {
  const cases = [
    [Buffer.alloc(0), /no WebAssembly/],
    [randomBytes(1000), /no WebAssembly/],
    [Buffer.from('\0asm\x07\0\0\0', 'latin1'), /unknown version/],
    [CORE, /none of tripwasm's/],
    [COMPONENT, /none of tripwasm's/],
    [Buffer.concat([COMPONENT, Buffer.from([10, 1, 1])]), /imports something/],
    [Buffer.concat([COMPONENT, Buffer.from([1, 255, 255, 255, 255, 255, 255])]), /cut off or damaged/],
    [Buffer.concat([CORE, Buffer.from([2, 1, 1])]), /imports something/],
    [Buffer.concat([CORE, Buffer.from([5, 3, 1, 0, 1])]), /none of tripwasm's/],
    [exported('pack.fluent-bit.wasm'), /Fluent Bit/],
    [exported('pack.component.wasm').fill(255, 100_000, 100_064), /no valid WebAssembly/],
  ];
  for (const [wasm, says] of cases) {
    await assert.rejects(Module.load(wasm), (error) => error instanceof LoadError && says.test(error.message), String(says));
  }
});

test('files are read by name and by address, and named in errors', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tripwasm-'));
  try {
    const file = join(folder, 'pack.wasm');
    const wasm = exported('pack.component.wasm');
    writeFileSync(file, wasm);
    for (const source of [file, pathToFileURL(file), new Uint8Array(wasm)]) {
      const detector = await Detector.load(source);
      assert.equal(detector.info.rules.length, 10);
    }
    writeFileSync(file, wasm.subarray(0, wasm.length / 2));
    await assert.rejects(Detector.load(file), /pack\.wasm: the file is cut off/);
    await assert.rejects(Detector.load(join(folder, 'missing')), /cannot read .*missing: ENOENT/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('options with a mistake are refused', () => {
  assert.throws(() => new Detector(pack, { lateness: '20' }), /such as 20m/);
  assert.throws(() => new Detector(pack, { duplicates: 'twice' }), /write once or count/);
  assert.throws(() => new Detector(pack, { memory: '64 megs' }), /such as 64MiB/);
  assert.throws(() => new Detector(pack, { memoryLimit: '64KiB' }), /needs \d+ pages/);
  assert.throws(() => new Detector(pack).transform('', { mode: 'tagg' }), /write tag, filter or drop/);
  assert.throws(() => new Detector(pack).stream({ mode: 'tagg' }), /or findings/);
  assert.throws(() => new Detector(pack).evaluate(1), /Uint8Array/);
});

test('positions go on, or are told', () => {
  const detector = new Detector(pack);
  const events = (report) => report.matches.map((match) => match.event);
  assert.deepEqual(events(detector.evaluate(`${HIT}\n\n${HIT}`)), [0n, 2n]);
  assert.deepEqual(events(detector.evaluate(HIT)), [3n]);
  assert.deepEqual(events(detector.evaluate(HIT, { firstEvent: 10 })), [10n]);
  assert.deepEqual(events(detector.evaluate(HIT, { now: new Date() })), [11n]);
});

test('times are written as the host does', () => {
  const cases = [
    [0n, '1970-01-01T00:00:00Z'],
    [1_688_989_320_120n, '2023-07-10T11:42:00.12Z'],
    [-1n, '1969-12-31T23:59:59.999Z'],
    [-62_167_219_200_000n, '0000-01-01T00:00:00Z'],
    [-62_167_219_200_001n, null],
    [253_402_207_200_000n, '9999-12-30T22:00:00Z'],
    [253_402_207_200_001n, null],
    [2n ** 63n - 1n, null],
  ];
  for (const [ms, text] of cases) assert.equal(rfc3339(ms), text);
});
