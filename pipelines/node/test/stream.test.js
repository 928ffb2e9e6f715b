// Streams in odd pieces: nothing is lost, nothing is changed, nothing piles up.

import assert from 'node:assert/strict';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import test from 'node:test';

import { Detector } from 'tripwasm';
import { loaded } from './cases.js';
import { denied, HIT, ODD, random } from './events.js';

const pack = loaded('pack.component.wasm');
const MARK = '"tripwasm":[';

/** What comes out of a stream for these chunks. */
async function through(stream, chunks) {
  const out = [];
  await pipeline(Readable.from(chunks), stream, async (source) => {
    for await (const chunk of source) out.push(chunk);
  });
  return Buffer.concat(out);
}

test('pieces cut anywhere give the same', async () => {
  const data = Buffer.from(ODD.join('').repeat(20), 'latin1');
  const chance = random(1);
  for (const mode of ['tag', 'filter', 'drop', 'findings']) {
    const whole = await through(new Detector(pack).stream({ mode }), [data]);
    assert.ok(whole.length > 0);
    for (const longest of [1, 3, 200]) {
      const chunks = [];
      for (let at = 0; at < data.length; ) {
        const length = 1 + (chance() % longest);
        chunks.push(data.subarray(at, at + length));
        at += length;
      }
      for (const batchBytes of [1, 100, 1 << 20]) {
        const same = await through(new Detector(pack).stream({ mode, batchBytes }), chunks);
        assert.ok(whole.equals(same), `${mode}, chunks of at most ${longest}, batches of ${batchBytes}`);
      }
    }
  }
});

test('lines without findings are the input, and ends stay', async () => {
  const data = Buffer.from(ODD.join(''), 'latin1');
  const tagged = (await through(new Detector(pack).stream(), [data])).toString('latin1').split(/(?<=\n)/);
  assert.equal(tagged.length, ODD.length);
  for (const [at, line] of ODD.entries()) {
    const isHit = line.startsWith(HIT);
    assert.equal(tagged[at].includes(MARK), isHit);
    if (isHit) assert.ok(tagged[at].endsWith(line.slice(HIT.length - 1)));
    else assert.equal(tagged[at], line);
  }
  const filtered = await through(new Detector(pack).stream({ mode: 'filter' }), [data]);
  assert.equal(filtered.toString('latin1'), tagged.filter((line) => line.includes(MARK)).join(''));
});

test('findings are those of evaluate, and alerts are told', async () => {
  const lines = Array.from({ length: 60 }, (_, number) => denied(number));
  const alerts = [];
  const stream = new Detector(pack).stream({ mode: 'findings', source: 'burst' });
  stream.on('alert', (alert) => alerts.push(alert));
  const found = (await through(stream, lines)).toString().split('\n').slice(0, -1).map((line) => JSON.parse(line));
  const detector = new Detector(pack);
  const expected = lines.flatMap((line) => detector.findings(line, { source: 'burst' }));
  expected.push(...detector.close().map((alert) => JSON.parse(detector.format.alert(alert))));
  assert.deepEqual(found, expected);
  assert.ok(alerts.length > 0);
  assert.deepEqual(alerts, expected.filter((finding) => finding.kind === 'alert'));
  const open = new Detector(pack);
  await through(open.stream({ keepOpen: true }), lines);
  assert.equal(open.close().length, alerts.filter((alert) => alert.state === 'closed').length);
});

test('an event goes on as soon as it has come', async () => {
  const stream = new Detector(pack).stream({ live: true });
  const out = stream[Symbol.asyncIterator]();
  for (let number = 0; number < 3; number++) {
    stream.write(`${HIT}\n`);
    const { value } = await out.next();
    assert.ok(value.toString().endsWith(']}\n'));
  }
  stream.end();
});

test('a slow reader holds the writer back', async () => {
  const batch = Buffer.from(`${HIT}\n`.repeat(1000));
  const stream = new Detector(pack).stream();
  let inside = 0;
  let most = 0;
  async function* source() {
    for (let number = 0; number < 200; number++) {
      inside += batch.length;
      most = Math.max(most, inside);
      yield batch;
    }
  }
  const sink = new Writable({
    highWaterMark: 1,
    write(chunk, _, done) {
      inside -= chunk.toString().replaceAll(/,"tripwasm":\[.*?\](?=\}\n)/g, '').length;
      setTimeout(done, 1);
    },
  });
  await pipeline(Readable.from(source(), { highWaterMark: 1 }), stream, sink);
  assert.equal(inside, 0);
  assert.ok(most < 10 * batch.length, `${most} bytes were inside`);
});

test('one huge chunk is read as the reader asks for it', async () => {
  const data = Buffer.from(`${HIT}\n`.repeat(500_000));
  const stream = new Detector(pack).stream();
  stream.end(data);
  await new Promise((resolve) => stream.once('readable', resolve));
  assert.ok(stream.readableLength < 4 << 20, `${stream.readableLength} bytes wait`);
  let lines = 0;
  for await (const chunk of stream) for (const byte of chunk) if (byte === 10) lines += 1;
  assert.equal(lines, 500_000);
});

test('a line beyond all bounds passes in pieces', async () => {
  const piece = Buffer.alloc(1 << 20, 'x');
  const chunks = [`${HIT}\n{"a":"`, ...Array.from({ length: 48 }, () => piece), `"}\n${HIT}\n`].map((chunk) =>
    Buffer.from(chunk),
  );
  const detector = new Detector(pack);
  const out = await through(detector.stream(), chunks);
  const [first, long, last] = out.toString('latin1').split('\n');
  assert.ok(first.includes(MARK) && last.includes(MARK));
  assert.equal(long.length, 48 * piece.length + '{"a":""}'.length);
  assert.deepEqual(detector.statistics().remarks, { 'too-large': 1 });
  assert.equal(detector.position, 3n);
  const filtered = await through(new Detector(pack).stream({ mode: 'filter' }), chunks);
  assert.equal(filtered.toString(), `${first}\n${last}\n`);
  const cut = new Detector(pack);
  assert.equal((await through(cut.stream(), chunks.slice(0, -1))).length, first.length + 1 + 6 + 48 * piece.length);
  assert.equal(cut.position, 2n);
});

test('hostile lines pass and are counted', async () => {
  const chance = random(2);
  const alphabet = '{}[]":,\\ue0\0\xff\xc3 a1-.tfn';
  const lines = Array.from({ length: 2000 }, () =>
    Array.from({ length: chance() % 80 }, () => alphabet[chance() % alphabet.length]).join(''),
  );
  lines.push('['.repeat(100_000), '{"a":'.repeat(100_000), HIT + HIT, '{"eventName":"Stop', `{"tripwasm":1,${HIT.slice(1)}`);
  const detector = new Detector(pack);
  const out = await through(detector.stream(), [Buffer.from(`${lines.join('\n')}\n`, 'latin1')]);
  const tagged = out.toString('latin1').split('\n').slice(0, -1);
  assert.deepEqual(tagged.slice(0, -1), lines.slice(0, -1));
  assert.match(tagged.at(-1), /"tripwasm_1":\[/);
  const { remarks, traps } = detector.statistics();
  assert.equal(remarks['tagged-before'], 1);
  assert.equal(remarks['too-deep'], 2);
  assert.equal(traps, 0);
});

test('a module that traps loses nothing, and says so', async () => {
  const data = Buffer.from(`${HIT}\n`.repeat(1000));
  const detector = new Detector(loaded('trap.core.wasm'));
  const stream = detector.stream();
  const warnings = [];
  stream.on('warning', (trapped) => warnings.push(trapped.message));
  const chunks = Array.from({ length: 10 }, (_, at) => data.subarray((at * data.length) / 10, ((at + 1) * data.length) / 10));
  assert.ok(data.equals(await through(stream, chunks)));
  assert.equal(warnings.length, 10);
  assert.match(warnings[0], /trapped in transform: .*unreachable/);
  assert.equal(detector.statistics().traps, 10);
});

test('memory stays flat', async () => {
  const detector = new Detector(pack);
  const batch = Buffer.from(ODD.slice(0, -1).join('').repeat(50), 'latin1');
  const run = (times) => {
    for (let time = 0; time < times; time++) {
      detector.transform(batch);
      detector.evaluate(batch);
    }
    return process.memoryUsage();
  };
  run(300);
  const before = run(300);
  const after = run(1200);
  assert.ok(after.rss - before.rss < 48 << 20, `${before.rss} grew to ${after.rss}`);
});

test('a value that begins with a byte order mark keeps it', () => {
  const detector = new Detector(pack);
  const lines = Array.from({ length: 60 }, (_, number) => denied(number, '\ufeffa')).join('');
  const groups = detector.findings(lines).filter((finding) => finding.kind === 'alert').map((alert) => alert.group);
  assert.ok(groups.some((group) => Object.values(group).some((value) => value.startsWith('\ufeff'))));
});
