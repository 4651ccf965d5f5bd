import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compare } from '../../bench/harness/compare.js';
import type { BenchRun } from '../../bench/harness/schema.js';
import { bench, result, runWith } from './support.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nninit-compare-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, run: BenchRun): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(run));
  return path;
}

const before = runWith([result({}, 0.3), result({ fill: 'uniform' }, 0.2)]);

describe('compare', () => {
  test('of a run with itself: exit 0', async () => {
    const a = file('a.json', before);
    const { code, stdout, stderr } = await bench('compare', a, a);
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(/normal float32 2\^20 1t warm sync +0\.3 +0\.3 +1\.000 +± 0\.032 +1\.000\n/);
  });

  test('finds a regression beyond the noise: exit 1', async () => {
    const after = runWith([result({}, 0.33), result({ fill: 'uniform' }, 0.2)]);
    const { code, stdout, stderr } = await bench('compare', file('a.json', before), file('b.json', after));
    expect([code, stderr]).toEqual([1, 'nninit: 1 trial slower beyond the noise\n']);
    expect(stdout).toMatch(/normal float32 .* 1\.100 .* slower\n/);
    expect(stdout).toMatch(/uniform float32 .* 1\.000/);
  });

  test('tells a gain, and ends with 0', async () => {
    const after = runWith([result({}, 0.2)]);
    const { code, stdout, stderr } = await bench('compare', file('a.json', before), file('b.json', after));
    expect(code).toBe(0);
    expect(stdout).toMatch(/faster\n/);
    expect(stderr).toBe('nninit: warning: 1 trial in one of the results only\n');
  });

  test('forgives what noise explains', () => {
    const [noisy] = compare(before, runWith([result({}, 0.36, { spread: 0.3 })]));
    expect(noisy).toMatchObject({ verdict: 'same' });
    const [drifting] = compare(before, runWith([result({}, 0.36)], { noise: { within: 0.01, between: 0.25 } }));
    expect(drifting).toMatchObject({ verdict: 'same' });
  });

  test('forgives what memset, in turn with the fill, went through as well', () => {
    const slow = runWith([result({}, 0.54, { memset: 0.18 })]);
    expect(compare(before, slow)).toMatchObject([{ verdict: 'same', memset: 1.7999999999999998 }]);
    expect(compare(slow, before)[0]).toMatchObject({ verdict: 'same' });
    // But not where memset had a good day.
    expect(compare(before, runWith([result({}, 0.54, { memset: 0.05 })]))).toMatchObject([{ verdict: 'slower' }]);
  });

  test('--relative divides by memset, for a slower machine and code that is no worse', () => {
    const after = runWith([result({}, 0.6, { memset: 0.2 })]);
    expect(compare(before, after)).toMatchObject([{ verdict: 'same', ratio: 2 }]);
    const relative = { relative: true };
    expect(compare(before, after, relative)).toMatchObject([{ verdict: 'same', ratio: 1 }]);
    const worse = runWith([result({}, 0.9, { memset: 0.2 })]);
    expect(compare(before, worse, relative)).toMatchObject([{ verdict: 'slower', ratio: 1.5 }]);
  });

  test('--relative has no verdict where one of the runs has no memset to be held against', () => {
    const without = runWith([{ ...result({}, 0.9), memset: null }]);
    for (const [a, b] of [
      [before, without],
      [without, before],
    ] as const) {
      expect(compare(a, b, { relative: true })).toMatchObject([{ verdict: 'none', memset: undefined }]);
    }
    expect(compare(before, without)).toMatchObject([{ verdict: 'slower' }]);
  });

  test('warns of another machine, and refuses runs without a trial in common', async () => {
    const other = { ...before, affinity: 'compact', machine: { ...before.machine, cpu: 'Another' } };
    const { stderr } = await bench('compare', file('a.json', before), file('b.json', other));
    expect(stderr).toContain('cpu differs: A processor and Another');
    expect(stderr).toContain('affinity differs: none and compact');
    const nothing = file('b.json', runWith([result({ log2: 21 }, 1)]));
    expect((await bench('compare', file('a.json', before), nothing)).code).toBe(2);
  });

  test('warns of a run that saw much noise', async () => {
    const noisy = { ...before, noise: { within: 0.02, between: 0.3 } };
    const { code, stderr } = await bench('compare', file('a.json', before), file('b.json', noisy));
    const warning = expect.stringMatching(/^nninit: warning: .*b\.json: no verdict: more than 10 % of noise/);
    expect([code, stderr]).toEqual([0, warning]);
  });

  test('gives no verdict on a difference where a run saw much noise', async () => {
    const noisy = { ...runWith([result({}, 0.9)]), noise: { within: 0.2, between: 0.05 } };
    expect(compare(before, noisy)).toMatchObject([{ verdict: 'none', ratio: 3 }]);
    expect(compare(before, { ...noisy, noise: before.noise })).toMatchObject([{ verdict: 'slower' }]);
    const { code, stdout } = await bench('compare', file('a.json', before), file('b.json', noisy));
    expect([code, stdout]).toEqual([0, expect.stringMatching(/normal float32 .* no verdict\n/)]);
  });
});
