// What is published: its files, and README's example in another project.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

import { Detector } from 'tripwasm';
import { exported } from './cases.js';
import { denied, HIT } from './events.js';

const root = fileURLToPath(new URL('..', import.meta.url));

/** What types have to know: the contract's records, findings, options. */
const TYPED = `
import type { Finding, MatchFinding, ModuleInfo } from 'tripwasm';
const info: ModuleInfo = detector.info;
const matches: MatchFinding[] = detector.evaluate('', { now: new Date() }).matches;
const found: Finding[] = detector.findings('', { source: info.version });
const ids: (string | null)[] = found.map((one) => (one.kind === 'match' ? one.event_id : one.id));
const late: bigint = detector.statistics().counts.rules.reduce((sum, rule) => sum + rule.late, BigInt(matches.length + ids.length));
tagging.on('warning', (trapped) => console.error(trapped.reason, late));
// @ts-expect-error No such mode.
detector.stream({ mode: 'tags' });
`;

test('the tarball holds what runs and nothing else, and README is true', async () => {
  const project = mkdtempSync(join(tmpdir(), 'tripwasm-'));
  const npm = (...words) => execFileSync('npm', words, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [packed] = JSON.parse(npm('pack', root, '--json', '--loglevel', 'error'));
    const files = packed.files.map((file) => file.path);
    const folders = new Set(files.map((file) => file.split('/')[0]));
    assert.deepEqual([...folders].sort(), ['README.md', 'dist', 'generated', 'package.json']);
    assert.ok(files.every((file) => /\.(js|ts|md|json)$/.test(file)), String(files));
    assert.ok(packed.unpackedSize < 500_000, `${packed.unpackedSize} bytes`);
    writeFileSync(join(project, 'package.json'), '{"type":"module"}');
    npm('install', `./${packed.filename}`, '--offline', '--no-audit', '--no-fund', '--loglevel', 'error');
    copyFileSync(join(root, 'README.md'), join(project, 'README.md'));
    writeFileSync(join(project, 'cloudtrail.wasm'), exported('pack.component.wasm'));
    const events = Array.from({ length: 60 }, (_, number) => `${denied(number)}${HIT}\n`).join('');
    writeFileSync(join(project, 'events.ndjson'), events);
    const [, code] = /```js\n([^]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'));
    writeFileSync(join(project, 'example.js'), code);
    execFileSync(process.execPath, ['example.js'], { cwd: project, stdio: ['ignore', 'pipe', 'pipe'] });
    writeFileSync(join(project, 'example.ts'), `${code}\n${TYPED}`);
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const options = ['--noEmit', '--strict', '--target', 'es2022', '--module', 'nodenext', '--types', 'node'];
    const types = ['--typeRoots', join(root, 'node_modules/@types')];
    execFileSync(process.execPath, [compiler, ...options, ...types, 'example.ts'], { cwd: project, stdio: 'inherit' });
    const detector = await Detector.load(exported('pack.core.wasm'));
    const expected = detector.transform(events).events;
    assert.ok(readFileSync(join(project, 'tagged.ndjson')).equals(expected));
  } finally {
    rmSync(project, { recursive: true });
  }
});
