import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadPlan, writeCheckpoint } from '../../lib/checkpoint.js';
import { reportPage, tensorReport } from '../../lib/report.js';
import { nninit } from './nninit.js';

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));
let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-report-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const echarts = vi.hoisted(() => ({ isThere: true }));
vi.mock(import('../../lib/report/echarts.js'), async (original) => {
  const own = await original();
  const echartsScript = () =>
    echarts.isThere ? own.echartsScript() : Promise.reject(new Error('npm install echarts'));
  return { ...own, echartsScript };
});

function file(name: string, content: unknown): string {
  const path = join(root, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

test('report: failures are JSON where the report is to be, and two seeds are compared element by element', async () => {
  const { code, stderr } = await nninit(['report', join(root, 'nowhere'), '--format', 'json']);
  expect([code, JSON.parse(stderr).error.exit_code]).toEqual([2, 2]);
  const recipe = file('r.json', { tensors: { w: { shape: [8, 8], init: 'normal' }, b: { shape: [8], init: 'ones' } } });
  const { stdout } = await nninit(['report', recipe, '--seeds', '1,2', '--format', 'json']);
  const { tensors, differences } = JSON.parse(stdout);
  expect(tensors).toHaveLength(2);
  expect(differences).toEqual([
    { tensor: 'w', elements: 64, differing: 64, largest: expect.any(Number) },
    { tensor: 'b', elements: 8, differing: 0, largest: 0 },
  ]);
});

test('report: what it is of is not written over, by whatever path', async () => {
  const recipe = file('r.json', { tensors: { w: { shape: [8, 8], init: 'normal' } } });
  await writeCheckpoint(await loadPlan(recipe), root);
  const weights = join(root, 'model.safetensors');
  const rules = file('rules.json', { w: 'ones' });
  const before = [recipe, weights, rules].map((path) => readFileSync(path));
  for (const given of [
    [recipe, '-o', `${root}/./r.json`],
    [weights, '-o', weights],
    [root, '-o', weights],
    [recipe, '--rules', rules, '-o', rules],
  ]) {
    const { code, stderr } = await nninit(['report', ...given, '--format', 'json']);
    expect(code).toBe(2);
    expect(stderr).toContain('report: expected another file for -o than');
  }
  expect([recipe, weights, rules].map((path) => readFileSync(path))).toEqual(before);
});

test.each(['html', 'svg'])(
  'report: where echarts is missing for %s that is said before anything is looked at',
  async (format) => {
    const recipe = file('r.json', { tensors: { w: { shape: [8, 8], init: 'normal' } } });
    echarts.isThere = false;
    try {
      const { code, stderr } = await nninit(['report', recipe, '--format', format, '-o', join(root, 'out')]);
      expect([code, stderr]).toEqual([1, 'nninit: npm install echarts\n']);
    } finally {
      echarts.isThere = true;
    }
  },
);

/** Root may read everything: another user may not. */
const asOther = process.getuid?.() === 0 ? ['setpriv', '--reuid=65534', '--clear-groups'] : [];
const run = (...args: string[]) => {
  const [program = '', ...rest] = [...asOther, process.execPath, main, ...args];
  return spawnSync(program, rest, { encoding: 'utf8' });
};

test.skipIf(process.platform === 'win32' || run('--version').status !== 0)(
  'report: a folder that may not be read is bad input',
  () => {
    const shut = join(root, 'shut');
    mkdirSync(shut, { mode: 0 });
    chmodSync(root, 0o755);
    const { status, stderr } = run('report', shut, '--format', 'json');
    expect([status, JSON.parse(stderr).error]).toEqual([
      2,
      expect.objectContaining({ code: 'ERR_NNINIT_READ', path: shut, exit_code: 2 }),
    ]);
  },
);

test('report: what is not looked at of a checkpoint is refused, and what dtypes keep from being compared is told', async () => {
  const recipe = (name: string, dtype: string) =>
    file(name, { tensors: { w: { shape: [8], dtype, init: 'zeros' }, x: { shape: [8], init: 'ones' } } });
  const [floats, codes] = [recipe('floats.json', 'float32'), recipe('codes.json', 'int8')];
  const out = join(root, 'looked-at');
  expect((await nninit(['generate', floats, '-o', out, '-q'])).code).toBe(0);
  for (const option of [
    ['--dtype', 'bfloat16'],
    ['--like', floats],
    ['--healthy'],
    ['--seeds', '1'],
    ['--init', 'w=ones'],
  ]) {
    const { code, stderr } = await nninit(['report', out, '--format', 'json', ...option]);
    expect([code, JSON.parse(stderr).error.message]).toEqual([
      2,
      `nninit: report: expected no ${option[0]} beside ${out}, which is looked at as it is`,
    ]);
  }
  const { code, stdout } = await nninit(['report', out, codes, '--seeds', '1', '-o', join(root, 'page.html')]);
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(
      /: 1 tensor, all equal; 1 tensor of one model without one of that name, shape and kind of dtype/,
    ),
  ]);
});

test.each([
  [
    'of which none is in both',
    { w: 8, x: 8 },
    { y: 8, z: 8 },
    /nothing to compare, since no two tensors have one name, shape and kind of dtype$/m,
  ],
  [
    'of which some are in one alone',
    { w: 8, x: 8 },
    { w: 8, x: 4 },
    /: 1 tensor, all equal; 1 tensor of one model without/,
  ],
  ['that are in both', { w: 8, x: 8 }, { w: 8, x: 8 }, /: 2 tensors, all equal$/m],
])('report: of two models with tensors %s no more is called equal than was compared', async (_, one, other, said) => {
  const recipes = [one, other].map((sizes, i) => {
    const tensors = Object.entries(sizes).map(([name, size]) => [name, { shape: [size], init: 'ones' }]);
    return file(`${i}.json`, { tensors: Object.fromEntries(tensors) });
  });
  const { code, stdout } = await nninit(['report', ...recipes, '-o', join(root, 'page.html')]);
  expect([code, stdout]).toEqual([0, expect.stringMatching(said)]);
});

test('report: of what is not as it was planned nothing is called right, and how many those are is told', async () => {
  const names = Array.from({ length: 13 }, (_, i) => `t${i}`);
  const sizes = (size: number) => Object.fromEntries(names.map((name) => [name, { shape: [size], init: 'normal' }]));
  const [planned, other] = [await loadPlan({ tensors: sizes(8) }), await loadPlan({ tensors: sizes(9) })];
  await writeCheckpoint(other, join(root, 'other'));
  const html = await reportPage({ tensors: [await tensorReport(join(root, 'other'), { plan: planned })] });
  const [, packed = ''] = /id="data">([^<]+)/.exec(html) ?? [];
  const { sections } = JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString());
  expect(sections[0].paragraphs).toEqual([
    expect.stringMatching(/^0 tensors, .* None is there as it was planned, so none was judged\.$/),
    expect.stringMatching(/^13 tensors not as planned: t\d+: shape; .*; and 3 more$/),
  ]);

  // A config.json beside a file of another model.
  const model = { model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 2, vocab_size: 16, n_positions: 8 };
  const folder = join(root, 'model');
  mkdirSync(folder);
  writeFileSync(join(folder, 'config.json'), JSON.stringify(model));
  const head = JSON.stringify({ x: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }).padEnd(64);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(64n);
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([length, Buffer.from(head), Buffer.alloc(4)]));
  const { code, stdout } = await nninit(['report', folder, '-o', join(root, 'page.html')]);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/: 0 tensors, 0 B, \d+ tensors not as planned, /)]);
});

test('report --stack says what it does, and how far it is, on stderr only', async () => {
  const args = ['report', '--stack', 'linear 8 x 2, tanh', '--init', 'normal', '--format', 'json'];
  const quiet = await nninit(args);
  expect([quiet.code, quiet.stderr]).toEqual([0, '']);
  const page = await nninit([...args.slice(0, -1), 'svg', '-o', join(root, 'pictures')]);
  expect([page.code, page.stderr]).toEqual([0, 'nninit: following signals through linear 8 x 2, tanh\n']);
  const wrong = await nninit(['report', '--stack', 'linear 8 x 2, tanb', '-o', join(root, 'x.html')]);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringMatching(/^nninit: .*tanb.*\n$/)]);
});

test.each(['nromal', 'normal:1:2', '{"init":"nromal"}'])(
  'report --stack refuses what is no initializer at once: %s',
  async (init) => {
    const { code, stderr } = await nninit(['report', '--stack', 'linear 8', '--init', `normal,${init}`, '-o', '-']);
    expect(code).toBe(2);
    // Nothing is said of signals that are followed.
    expect(stderr).toMatch(/^nninit: report: expected one of 'uniform', .* for --init, but received 'n/);
  },
);

test('report -o - is standard output, as of generate', async () => {
  const recipe = file('r.json', { tensors: { w: { shape: [8], init: 'ones' } } });
  for (const [format, begin] of [
    ['html', '<!doctype html>'],
    ['json', '{"signals"'],
  ] as const) {
    const { code, stdout } = await nninit(['report', recipe, '--format', format, '-o', '-']);
    expect([code, stdout.slice(0, begin.length)]).toEqual([0, begin]);
  }
  expect((await nninit(['report', recipe, '--format', 'svg', '-o', '-'])).code).toBe(2);
  expect(readdirSync(root)).toEqual(['r.json']);
});

test('a report that cannot be written says so as other commands do, with the code of the system', async () => {
  const recipe = file('r.json', { tensors: { a: { shape: [1], init: 'ones' } } });
  const [target, folder] = [join(recipe, 'x.json'), recipe];
  const json = await nninit(['report', recipe, '-q', '--format', 'json', '-o', target]);
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stderr).error).toMatchObject({ code: 'ENOTDIR', path: target });
  const svg = await nninit(['report', recipe, '-q', '--format', 'svg', '-o', folder]);
  expect([svg.code, svg.stderr]).toEqual([
    1,
    `nninit: could not make the folder ${folder}: file already exists (EEXIST)\n`,
  ]);
});
