// What a pass over events costs here, and in the project's own host, in one run.
//
// node scripts/bench.js MODULE EVENTS...      the host is `tripwasm`, or the command in TRIPWASM

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

import { Detector, Module } from 'tripwasm';

const BATCH_BYTES = 256 << 10;
const REPEAT = 9;
/** Passes before those that count: V8 compiles twice, the second time what runs often. */
const WARM_UP = 20;

const [file, ...inputs] = process.argv.slice(2);
if (inputs.length === 0) throw new Error('usage: node scripts/bench.js MODULE EVENTS...');
const events = Buffer.concat(inputs.map((input) => readFileSync(input)));
const batches = cut(events);
const lines = events.toString('latin1').split('\n').length - 1;
const module = await Module.load(file);

console.log(`${lines} events, ${events.length} bytes; ${cpus()[0].model}, Node ${process.version}`);
console.log(`median of ${REPEAT} passes behind ${WARM_UP} others, CPU time of the whole process`);
const calls = {
  evaluate: (detector, batch) => detector.evaluate(batch),
  findings: (detector, batch) => detector.lines(detector.evaluate(batch)),
  transform: (detector, batch) => detector.transform(batch),
};
for (const [name, call] of Object.entries(calls)) {
  const times = Array.from({ length: WARM_UP + REPEAT }, () => pass(call)).slice(WARM_UP);
  console.log(`Node, ${name.padEnd(12)} ${Math.round(lines / median(times))} events/s`);
}
for (const mode of ['findings', 'tag']) {
  const said = execFileSync(process.env.TRIPWASM ?? 'tripwasm', ['bench', file, ...inputs, '--mode', mode, '--repeat', String(REPEAT)]);
  console.log(said.toString().split('\n').find((line) => line.startsWith('module,')));
}

/** Seconds of CPU time that a new instance takes for everything. */
function pass(call) {
  const detector = new Detector(module);
  const before = process.cpuUsage();
  for (const batch of batches) call(detector, batch);
  detector.close();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

function cut(bytes) {
  const found = [];
  for (let begin = 0; begin < bytes.length; ) {
    const end = bytes.lastIndexOf(10, Math.min(begin + BATCH_BYTES, bytes.length) - 1) + 1;
    found.push(bytes.subarray(begin, end > begin ? end : bytes.length));
    begin = end > begin ? end : bytes.length;
  }
  return found;
}

function median(times) {
  return times.sort((one, other) => one - other)[Math.floor(times.length / 2)];
}
