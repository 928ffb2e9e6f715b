// Every case of `tests/cases` gives what the component gives in the project's own host.

import assert from 'node:assert/strict';
import test from 'node:test';

import { Detector } from 'tripwasm';
import { cases, exported, loaded } from './cases.js';

for (const given of cases) {
  test(given.name, () => {
    for (const run of given.runs) {
      checkEvaluate(given, run);
      for (const mode of ['tag', 'filter', 'drop']) checkTransform(given, run, mode);
    }
  });
}

function checkEvaluate(given, run) {
  const wanted = run.evaluate;
  const detector = started(given);
  const lines = [];
  const said = { alerts: [], remarks: [], verdicts: [] };
  for (const batch of batches(given, run)) {
    const report = detector.evaluate(batch);
    lines.push(...detector.lines(report, 'case'));
    said.alerts.push(...report.alerts);
    said.remarks.push(...report.remarks);
    said.verdicts.push(...report.verdicts);
  }
  assert.ok(exported(wanted.snapshot).equals(detector.snapshot()), 'the snapshot differs');
  const closed = detector.close();
  lines.push(...closed.map((alert) => detector.format.alert(alert)));
  assert.deepEqual(lines, exported(wanted.findings).toString().split('\n').slice(0, -1));
  const openedBy = [...said.alerts, ...closed].map((alert) => alert.openedBy ?? null);
  assert.deepEqual(openedBy.map(plain), wanted.opened_by);
  assert.deepEqual(said.remarks.map(({ event, reason }) => [Number(event), reason]), wanted.remarks);
  assert.deepEqual(said.verdicts.map(({ event, action }) => [Number(event), action]), wanted.verdicts);
  const counts = detector.statistics().counts.rules.map((rule) =>
    Object.fromEntries(Object.entries(rule).map(([name, count]) => [name, Number(count)])),
  );
  assert.deepEqual(counts, wanted.counts);
  assert.equal(detector.statistics().traps, 0);
}

function checkTransform(given, run, mode) {
  const wanted = run[mode];
  const detector = started(given);
  const outputs = batches(given, run).map((batch) => detector.transform(batch, { mode }));
  const alerts = [...outputs.flatMap((output) => output.alerts), ...detector.close()];
  const events = Buffer.concat(outputs.map((output) => output.events));
  assert.ok(exported(wanted.events).equals(events), `the events differ: ${events.subarray(0, 1000)}`);
  assert.deepEqual(
    alerts.map((alert) => detector.format.alert(alert)),
    exported(wanted.alerts).toString().split('\n').slice(0, -1),
  );
  const remarks = outputs.flatMap((output) => output.remarks);
  assert.deepEqual(remarks.map(({ event, reason }) => [Number(event), reason]), wanted.remarks);
  const sum = (count) => outputs.reduce((total, output) => total + Number(output[count]), 0);
  assert.deepEqual([sum('tagged'), sum('removed')], [wanted.tagged, wanted.removed]);
}

function batches(given, run) {
  const input = exported(given.input);
  let at = 0;
  const cut = run.batches.map((length) => input.subarray(at, (at += length)));
  assert.equal(at, input.length);
  return cut;
}

function started(given) {
  // Compiling takes longest: every other file of cases runs as a core module.
  const form = Number.parseInt(given.core) % 2 === 1 ? 'component' : 'core';
  const { lateness_ms, duplicates, state_bytes_max, learn_from } = given.options;
  const detector = new Detector(loaded(given[form]), {
    lateness: lateness_ms,
    duplicates,
    memory: state_bytes_max,
    learnFrom: learn_from ?? undefined,
  });
  const history = exported(given.history);
  if (history.length > 0) detector.learn(history);
  return detector;
}

function plain(position) {
  return position === null ? null : Number(position);
}
