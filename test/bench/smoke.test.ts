import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { dtypesOf, subjectNames, type Trial } from '../../bench/harness/catalog.js';
import { recordedChecksum, verify } from '../../bench/harness/checksums.js';
import { ask, childCommand } from '../../bench/harness/process.js';
import { measuredSchema, runSchema } from '../../bench/harness/schema.js';
import { bench, result, runWith } from './support.js';

// Correctness, not time: each trial is a process of its own, on sizes that take no time.
const quick = ['--seconds', '0', '--rounds', '3', '--passes', '1', '-q'];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nninit-bench-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a short run', () => {
  test('of every kind of fill has the recorded bytes, and is what the schema says', { timeout: 120_000 }, async () => {
    const file = join(folder, 'run.json');
    const { code, stdout, stderr } = await bench(
      '--log2',
      '12',
      '--threads',
      '1,2',
      '--peers',
      'loop',
      '-o',
      file,
      ...quick,
    );
    expect([code, stderr]).toEqual([0, '']);
    const run = runSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
    expect(run.results.length).toBeGreaterThan(25);
    for (const { trial, checksum, ns, memset, ghz } of run.results) {
      expect(ghz).toBeGreaterThan(0); // far less than a core's own where others use it too
      expect(ghz).toBeLessThan(10);
      expect(checksum).toBe(recordedChecksum(trial));
      expect(ns.median).toBeGreaterThan(0);
      expect(memset?.median).toBeGreaterThan(0);
    }
    const kinds = new Set(run.results.map(({ trial }) => `${trial.memory} ${trial.executor}`));
    expect(kinds).toEqual(new Set(['warm sync', 'fresh sync', 'warm pool']));
    expect(run.peer_results.map(({ peer, fill }) => `${peer} ${fill}`)).toContain('loop normal');
    expect(stdout).toContain('normal_ 2^12');
    expect(stdout).toMatch(/plain loop/);
    expect(run.machine.cores).toBeGreaterThan(0);
  });

  test('beyond the least part of a thread has memset on threads of its own', { timeout: 60_000 }, async () => {
    const args = [
      '--log2',
      '18',
      '--threads',
      '2',
      '--fill',
      'uniform',
      '--dtype',
      'float32',
      '--peers',
      'none',
      '--json',
    ];
    const { code, stdout } = await bench(...args, ...quick);
    expect(code).toBe(0);
    const run = runSchema.parse(JSON.parse(stdout));
    expect(run.results.map(({ trial }) => `${trial.memory} ${trial.executor}`)).toEqual(
      expect.arrayContaining(['warm sync', 'fresh sync', 'warm pool']),
    );
    for (const { memset, memcpy, trial } of run.results) {
      expect(memset).not.toBeNull();
      expect(memcpy === null).toBe(trial.memory === 'fresh');
    }
  });

  test('of scaling says where memory is the limit', { timeout: 60_000 }, async () => {
    const { code, stdout } = await bench(
      'scaling',
      '--fill',
      'normal_',
      '--log2',
      '10,12',
      '--threads',
      '1,2',
      ...quick,
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/speedup +efficiency/);
    expect(stdout).toMatch(/^(normal_ 2\^12 float32: bound by |no verdict: see the warning)/m); // as the machine is loaded or not
  });

  test('without a peer says why', { timeout: 60_000 }, async () => {
    const one = ['--log2', '10', '--threads', '1', '--fill', 'constant', '--memory', 'warm'];
    const { code, stdout } = await bench(...one, '--peers', 'torch,numpy', ...quick);
    expect(code).toBe(0);
    expect(stdout).toContain('skipped   torch, numpy: no Python was named (--python PATH)');
    const missing = await bench(...one, '--peers', 'torch', '--python', join(folder, 'no-python'), ...quick);
    expect([missing.code, missing.stdout]).toEqual([0, expect.stringMatching(/skipped {3}torch: .*ENOENT/)]);
  });

  test('is run in passes, all rounds of which are in the result', { timeout: 60_000 }, async () => {
    const one = [
      '--filter',
      '^normal float32 2.10 1t warm sync$',
      '--log2',
      '10,12',
      '--threads',
      '1',
      '--peers',
      'none',
      '--json',
    ];
    const { code, stdout, stderr } = await bench(...one, '--seconds', '0', '--rounds', '4', '--passes', '2');
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /^nninit: \[1\/2\] normal float32 2\^10 1t warm sync\nnninit: \[2\/2\] .* \(about \d+ s left\)\n/,
    );
    const run = runSchema.parse(JSON.parse(stdout));
    expect([run.passes, run.results.map(({ ns }) => ns.n)]).toEqual([2, [4]]);
  });

  test('on a size without a record is skipped', async () => {
    const { code, stdout } = await bench('scaling', '--fill', 'eye', '--log2', '5', '--threads', '1', ...quick);
    expect(code).toBe(0);
    expect(stdout).toContain('skipped   eye float32 2^5 1t warm sync: no checksum is recorded for this size');
  });
});

test('every fill and dtype has recorded checksums', () => {
  for (const fill of subjectNames) {
    for (const dtype of dtypesOf(fill)) {
      expect(recordedChecksum({ fill, dtype, log2: 10 }), `${fill} ${dtype}`).toMatch(/^[\da-f]{16}$/);
    }
  }
});

test('wrong bytes fail the run', () => {
  const trial: Trial = { fill: 'normal', dtype: 'float32', log2: 10, threads: 1, memory: 'warm', executor: 'sync' };
  expect(() => verify(trial, recordedChecksum(trial) ?? '')).not.toThrow();
  expect(() => verify(trial, '0000000000000000')).toThrow(
    /^bench: normal float32 2\^10 1t warm sync wrote the wrong bytes/,
  );
});

test('a trial that fails says what it wrote', async () => {
  await expect(ask('a trial', childCommand('trial', { trial: 'none' }), measuredSchema)).rejects.toThrow(
    /^bench: a trial ended with 1: /,
  );
});

describe('refusals', () => {
  test.each([
    [['--fill', 'gaussian'], /for --fill, but received 'gaussian'/],
    [['--dtype', 'int8'], /for --dtype, but received 'int8'/],
    [['--peers', 'torch,caffe'], /peers among .*received 'caffe'/],
    [['--target', 'AVX9'], /for --target, but received 'AVX9'/],
    [['--threads', '0'], /Expected integers from 1 to 1024/],
    [['--log2', '40'], /Expected integers from 4 to 30/],
    [['--seconds', '-1'], /Expected a number ≥ 0/],
    [['--filter', '('], /--filter <regex>.*Expected a regular expression/],
    [['--csv', '--json'], /at most one of --json and --csv/],
    [['--filter', 'nothing'], /the options leave no trial to run/],
    [['--fill', 'eye', '--executor', 'pool'], /the options leave no trial to run/],
    [['compare', '/nowhere/a.json', '/nowhere/b.json'], /could not read \/nowhere\/a.json: .*ENOENT/],
  ])('%j', async (args, message) => {
    const { code, stderr } = await bench(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test('of what is no result', async () => {
    const file = join(folder, 'other.json');
    const refused = async (text: string) => {
      writeFileSync(file, text);
      const { code, stderr } = await bench('report', file);
      return [code, stderr.replace(`nninit: ${file}: `, '').trimEnd()];
    };
    const expected = 'expected a result of `nninit bench`, but it is';
    for (const text of ['{"format": "other"}', '{"format": "nninit-bench"}', '[]', 'null', '3']) {
      expect(await refused(text)).toEqual([2, `${expected} other JSON`]);
    }
    for (const text of ['', 'not JSON', '{"format": "nninit-ben']) {
      expect(await refused(text)).toEqual([2, `${expected} no JSON`]);
    }
    const run = runWith([result({}, 0.3)]);
    expect(await refused(JSON.stringify({ ...run, version: 2 }))).toEqual([
      2,
      'expected a result of format 1, but it is of format 2: another version of nninit wrote it',
    ]);
    const not = 'not as `nninit bench` writes results:';
    expect(await refused(JSON.stringify({ ...run, extra: 1 }))).toEqual([2, `${not} Unrecognized key: "extra"`]);
    // A time of nothing would make every ratio infinite.
    expect(await refused(JSON.stringify(runWith([result({}, 0)])))).toEqual([
      2,
      expect.stringMatching(/^not as .*: results\[0\]\.ns\.\w+: Too small/),
    ]);
  });
});
