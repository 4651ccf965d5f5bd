import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { version } from '../../lib/core/version.js';
import { gains } from '../../lib/init/gain.js';
import { readSafetensors } from '../formats/reader.js';
import { nninit } from './nninit.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-cli-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

const tiny = { model_type: 'gpt2', n_layer: 2, n_embd: 64, n_head: 4, vocab_size: 1000, n_positions: 128 };

function file(name: string, content: unknown): string {
  const path = join(root, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const generate = (...more: string[]) => nninit(['generate', file('in.json', tiny), '-o', join(root, 'out'), ...more]);
const weights = () => readFileSync(join(root, 'out/model.safetensors'));
const seedInFile = () => readSafetensors(join(root, 'out/model.safetensors')).metadata['nninit.seed'];

test('generate writes a model and ends with a summary', async () => {
  const { code, stdout, stderr } = await generate();
  expect(code).toBe(0);
  const bytes = weights().length;
  expect(stdout).toMatch(
    new RegExp(
      `^.*/out/model\\.safetensors: 28 tensors, 172,288 parameters, ${bytes.toLocaleString('en-US')} bytes \\(69\\d kB\\) in \\d\\.\\d\\d s, \\d+\\.\\d\\d GB/s\n$`,
    ),
  );
  expect(stderr).toMatch(/^nninit: writing 28 tensors, 689 kB, to .*model\.safetensors\n$/);
  expect(readdirSync(join(root, 'out')).sort()).toEqual(['config.json', 'model.safetensors']);
});

test('--json prints one object for machines', async () => {
  const { code, stdout, stderr } = await generate('--json', '--seed', '0xff');
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toEqual({
    path: join(root, 'out/model.safetensors'),
    format: 'safetensors',
    files: 1,
    tensors: 28,
    parameters: 172288,
    bytes: weights().length,
    resumed_bytes: 0,
    complete: true,
    seconds: expect.any(Number),
    gb_per_s: expect.any(Number),
    seed: '255',
    engine: 'philox',
    stream_version: 1,
  });
});

test('shards, and files of tensors', async () => {
  const { code, stdout, stderr } = await generate('--max-shard-size', '0.3MB');
  expect(code).toBe(0);
  expect(stdout).toMatch(/out\/model\.safetensors\.index\.json: 3 files, 28 tensors, 172,288 parameters, /);
  expect(stderr).toMatch(/^nninit: writing 28 tensors in 3 files, 689 kB, to .*\.index\.json\n$/);
  const shards = [1, 2, 3].map((n) => `model-0000${n}-of-00003.safetensors`);
  expect(readdirSync(join(root, 'out')).sort()).toEqual(['config.json', ...shards, 'model.safetensors.index.json']);
  expect((await generate('--format', 'npy', '--quiet', '--resume')).stderr).toMatch(/of another layout/);
  const npy = await generate('--format', 'npy', '--quiet', '--force');
  expect(npy).toEqual({ code: 0, stdout: '', stderr: '' });
  const names = readdirSync(join(root, 'out'));
  expect(names).toContain('transformer.h.0.attn.c_attn.weight.npy');
  expect(names.filter((name) => name.includes('safetensors'))).toEqual([]);
});

test('checkpoints of many seeds are counted as such', async () => {
  const { code, stdout, stderr } = await generate('--seeds', '1,3..4', '--format', 'npy');
  expect(code).toBe(0);
  expect(stderr).toMatch(/^nninit: writing 3 checkpoints of 28 tensors, 2\.07 MB, to .*out\n$/);
  expect(stdout).toMatch(/out: 3 checkpoints, 2,078,208 bytes \(2\.08 MB\) in [\d.]+ s\n$/);
  expect(readdirSync(join(root, 'out')).sort()).toEqual(['seed-1', 'seed-3', 'seed-4']);
  const more = await generate('--seeds', '4,9', '--format', 'npy', '--resume', '--json');
  expect([more.code, more.stderr]).toEqual([0, '']);
  const { bytes, resumed_bytes: resumed, ...facts } = JSON.parse(more.stdout);
  expect(resumed).toBe(689_152);
  expect(bytes).toBeGreaterThan(2 * resumed);
  expect(facts).toEqual({ path: join(root, 'out'), seeds: ['4', '9'], seconds: expect.any(Number), engine: 'philox' });
});

test('--quiet prints nothing', async () => {
  expect(await generate('--quiet')).toEqual({ code: 0, stdout: '', stderr: '' });
});

test('a terminal gets a bar', async () => {
  const { code, stderr } = await nninit(['generate', file('in.json', tiny), '-o', join(root, 'out')], { isTTY: true });
  expect(code).toBe(0);
  expect(stderr).not.toContain('nninit: writing');
});

test.each([
  ['0', '0'],
  ['-1', '18446744073709551615'],
  ['-9223372036854775808', '9223372036854775808'],
  ['18446744073709551615', '18446744073709551615'],
  ['0xFFFFFFFFFFFFFFFF', '18446744073709551615'],
])('the seed %s is the seed %s', async (given, meant) => {
  expect((await generate('-q', '--seed', given)).code).toBe(0);
  expect(seedInFile()).toBe(meant);
});

test('the default seed is 0, and threads change nothing', async () => {
  await generate('-q');
  const expected = weights();
  for (const more of [
    ['--seed', '0'],
    ['--threads', '1'],
    ['--threads', '2'],
  ]) {
    await generate('-q', '-f', ...more);
    expect(weights().equals(expected), more.join(' ')).toBe(true);
  }
  await generate('-q', '-f', '--seed', '1');
  expect(weights().equals(expected)).toBe(false);
});

test("seed 42's bytes never change", async () => {
  await generate('-q', '--seed', '42');
  const file = weights();
  const data = file.subarray(8 + Number(file.readBigUInt64LE(0)));
  expect(createHash('sha256').update(data).digest('hex')).toBe(
    '2d527cb64c144a1890c62e64394183370449eb24df83772213d85ca7597ddc5a',
  );
});

test('--dtype is that of all tensors, and is told in config.json', async () => {
  await generate('-q', '--dtype', 'bfloat16');
  const { tensors } = readSafetensors(join(root, 'out/model.safetensors'));
  expect([...tensors.values()].every(({ dtype }) => dtype === 'BF16')).toBe(true);
  expect(JSON.parse(readFileSync(join(root, 'out/config.json'), 'utf8'))).toMatchObject({ torch_dtype: 'bfloat16' });
});

test('a checkpoint that is there stays unless --force says so', async () => {
  await generate('-q');
  const { code, stdout, stderr } = await generate();
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(/^nninit: .*model\.safetensors exists already; --force replaces it\n$/);
  expect((await generate('-q', '--force')).code).toBe(0);
});

test('a recipe is written without a config.json, and its idle rules are told', async () => {
  const recipe = file('r.json', { tensors: { w: [3, 4] }, initializers: { '*': 'ones', nobody: 'zeros' } });
  const { code, stderr } = await nninit(['generate', recipe, '-o', join(root, 'out'), '--quiet']);
  expect([code, stderr]).toEqual([0, `nninit: warning: ${recipe}: initializers["nobody"] matches no tensor\n`]);
  expect(readdirSync(join(root, 'out'))).toEqual(['model.safetensors']);
});

test('a shape that the initializer cannot take is said with its place', async () => {
  const recipe = file('r.json', { tensors: { 'a.w': { shape: [3], init: 'xavier_normal' } } });
  const { code, stderr } = await nninit(['generate', recipe, '-o', join(root, 'out')]);
  expect(code).toBe(2);
  expect(stderr).toMatch(
    /^nninit: .*r\.json: tensors\["a\.w"\]: xavier_normal: expected 2 or more dimensions for shape.*\n$/,
  );
  expect(readdirSync(root)).toEqual(['r.json']);
});

test.each<[string[], RegExp]>([
  [['generate', 'none.json', '-o', 'x'], /^nninit: could not read none\.json: no such file or directory \(ENOENT\)\n$/],
  [['generate', 'package.json', '-o', 'x'], /package\.json: expected a Hugging Face config\.json, .* or a recipe/],
  [['help', 'plna'], /unknown command 'plna' \(did you mean plan\?\)/],
  [['generate', '--hlp'], /unknown option '--hlp' \(did you mean --help\?\)/],
  [['generate', 'package.json'], /required option '-o, --output <dir>' not specified/],
  [['generate', '-o', 'x'], /expected an input \(.*\), or --like with a checkpoint\n$/],
  [['generate', 'a', '-o', 'x', '--max-shard-size', '5XB'], /Expected a size such as 5GB, 500MB or 1GiB/],
  [['generate', 'a', '-o', 'x', '--format', 'pt'], /Allowed choices are safetensors, npy, raw/],
  [
    ['generate', 'a', '-o', 'x', '--redis', '--detach', '--cancel'],
    /option '--cancel' cannot be used with option '--detach'/,
  ],
  [['generate', 'resnet18', '-o', 'x', '--format', 'npy', '--max-shard-size', '1GB'], /nothing for --max-shard-size/],
  [['plan', 'resnet18', '--format', 'raw', '--max-shard-size', '1GB'], /nothing for --max-shard-size/],
  [['bench', 'report', 'a', '--csv', '--markdown'], /option '--csv' cannot be used with option '--markdown'/],
  [['plan', 'a', '--totals', '--wide'], /option '--totals' cannot be used with option '--wide'/],
  [['plan', 'a', '--totals', '--format', 'npy'], /option '--totals' cannot be used with option '--format/],
  [['plan', 'a', '--totals', '--name', 'x'], /option '--totals' cannot be used with option '--name/],
  [['plan', 'a', '--totals', '--max-shard-size', '1MB'], /'--totals' cannot be used with option '--max-shard-size/],
  [['plan', 'a', '--wide', '--json'], /option '--wide' cannot be used with option '--json'/],
  [['verify', 'a', '--statistics', '--seed', '3'], /option '--statistics' cannot be used with option '--seed/],
  [['verify', 'a', '--statistics', '--engine', 'torch'], /option '--statistics' cannot be used with option '--engine/],
  [['report', 'resnet18', '--format', 'json', '--bias-std', '1'], /expected --stack beside --bias-std/],
  [['report', '--stack', 'linear 8 x 2', '--format', 'json', '--dtype', 'float16'], /no --dtype beside --stack alone/],
  [['report', '--stack', 'linear 8 x 2', '--format', 'json', '--healthy'], /no --healthy beside --stack alone/],
  [['generate', 'a', '-o', 'x', '--resume', '--force'], /option '--resume' cannot be used with option '-f, --force'/],
  [['generate', 'a', 'b', '-o', 'x'], /too many arguments for 'generate'/],
  [['generate', 'a', '-o', ''], /Expected a folder's name/],
  [['generate', '', '-o', 'x'], /'' is invalid for argument 'input'\. Expected a file's or folder's name/],
  [['plan', ''], /'' is invalid for argument 'input'\. Expected a file's or folder's name/],
  [['plan', 'file://host/a.json'], /^nninit: could not read file:\/\/host\/a\.json: .*\n$/],
  [['verify', 'file:///a%2Fb'], /^nninit: could not read file:\/\/\/a%2Fb: .*\n$/],
  [['plan', 'http://[::1'], /could not read http:.* it is no address: its host or port makes no sense\n$/],
  [['plan', 'ftp://host/a'], /of addresses, those of http, https and s3 are read, not ftp\n$/],
  [['report', '--stack', 'linear 8 x 2, tanh', '--init', 'normal:0.02{', '--format', 'json'], /'normal:0\.02\{'/],
  [['generate', 'a', '-o', 'x', '--sed', '1'], /unknown option '--sed' \(did you mean --seed\?\)/],
  [['generate', 'a', '-o', 'x', '--seed', '1.5'], /'1\.5' is invalid\. Expected an integer from -2\^63 to 2\^64 - 1/],
  [['generate', 'a', '-o', 'x', '--seed', '18446744073709551616'], /Expected an integer from -2\^63 to 2\^64 - 1/],
  [['generate', 'a', '-o', 'x', '--seed', '-9223372036854775809'], /Expected an integer from -2\^63 to 2\^64 - 1/],
  [['generate', 'a', '-o', 'x', '--seed', ''], /Expected an integer/],
  [['generate', 'a', '-o', 'x', '--threads', '0'], /Expected an integer from 1 to 1024/],
  [['generate', 'a', '-o', 'x', '--threads', '1025'], /Expected an integer from 1 to 1024/],
  [
    ['generate', 'a', '-o', 'x', '--dtype', 'float'],
    /'float' is invalid\. Allowed choices are float32, float64, float16, bfloat16/,
  ],
  [['generate', 'a', '-o', 'x', '--dtype', 'bf16'], /\(did you mean 'bfloat16'\?\)/],
  [['generate', 'a', '-o', 'x', '--dtype', 'fp16'], /\(did you mean 'float16'\?\)/],
  [['generate', 'a', '-o', 'x', '--engine', 'pytorch'], /\(did you mean 'torch'\?\)/],
  [['generate', 'a', '-o', 'x', '--format', 'safetensor'], /\(did you mean 'safetensors'\?\)/],
  [['plan', 'a', '--quantize', 'ftp8'], /^nninit: option '--quantize .* \(did you mean 'fp8'\?\)\.\n$/],
  [['plan', 'a', '--jsn'], /^nninit: unknown option '--jsn' \(did you mean --json\?\)\n$/],
  [['generat'], /^nninit: unknown command 'generat' \(did you mean generate\?\)\n$/],
  [[], /Usage: nninit/],
])('%j is bad usage', async (args, message) => {
  const { code, stdout, stderr } = await nninit(args);
  expect([code, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/^\s+at /m);
});

test('--version, --help and help are no mistakes', async () => {
  expect(await nninit(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  const help = await nninit(['--help']);
  expect(help).toMatchObject({ code: 0, stderr: '' });
  expect(help.stdout).toMatch(/Usage: nninit .*generate .*gains .*Exit codes:/s);
  const onGenerate = await nninit(['generate', '--help']);
  expect(onGenerate.stdout).toMatch(/--seed <n> .*\(default: 0\).*Examples:/s);
  expect(await nninit(['help', 'generate'])).toEqual(onGenerate);
});

test('a path that has the name of an option in it is told as it was given', async () => {
  const { stderr } = await nninit(['plan', join(root, 'maxShardSize', 'config.json')]);
  expect(stderr).toContain(`could not read ${join(root, 'maxShardSize', 'config.json')}: `);
});

test('finish says that a checkpoint is complete only where all of its files are there', async () => {
  await generate('--max-shard-size', '100kB');
  const folder = join(root, 'out');
  expect(await nninit(['finish', folder])).toMatchObject({ code: 0, stdout: `${folder} is complete already\n` });
  const shard = readdirSync(folder).find((name) => name.includes('-of-')) ?? '';
  writeFileSync(join(folder, shard), readFileSync(join(folder, shard)).subarray(0, -1));
  const cut = await nninit(['finish', folder]);
  expect([cut.code, cut.stdout]).toEqual([2, '']);
  expect(cut.stderr).toContain(`${shard}: expected`);
  rmSync(join(folder, shard));
  expect((await nninit(['finish', folder])).stderr).toContain(`could not read ${join(folder, shard)}`);
});

test('gains prints the table', async () => {
  const { code, stdout } = await nninit(['gains']);
  expect(code).toBe(0);
  const lines = stdout.trimEnd().split('\n');
  expect(lines).toHaveLength(gains.length + 2);
  expect(lines[0]).toMatch(/^nonlinearity +gain +formula +source$/);
  expect(stdout).toMatch(/^relu +1\.4142135623730951 +sqrt\(2\) +He et al\. 2015/m);
  expect(JSON.parse((await nninit(['gains', '--json'])).stdout)).toEqual(gains);
});

test('models lists what is known by name', async () => {
  const { code, stdout } = await nninit(['models']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^llama-3-8b +llama +meta-llama\/Meta-Llama-3-8B$/m);
  expect(stdout).toMatch(/^efficientnet_b7 +torchvision$/m);
  expect(JSON.parse((await nninit(['models', '--json'])).stdout)).toContainEqual({
    name: 'gpt2',
    model_type: 'gpt2',
    source: 'openai-community/gpt2',
  });
});

test.each([['plan', 'resnet18'], ['gains']])(
  'a number of threads in the environment that is none is bad usage: %s',
  async (...args) => {
    vi.stubEnv('NNINIT_THREADS', '1.5');
    const { code, stdout, stderr } = await nninit(args);
    vi.unstubAllEnvs();
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toBe(
      "nninit: expected an integer from 1 to 1024 for the environment variable NNINIT_THREADS, but received '1.5' of type string\n",
    );
  },
);

test('no escape sequence of an input reaches the terminal', async () => {
  const evil = '\u001b[2J\u009b31m\u202e';
  const recipe = file('evil.json', {
    tensors: { [`${evil}.weight`]: { shape: [2], init: 'ones' } },
    overrides: { [`${evil}x`]: 'zeros' },
  });
  const config = file('config.json', { model_type: evil, architectures: [evil] });
  const runs = await Promise.all([
    nninit(['plan', recipe]),
    nninit(['plan', recipe, '--json']),
    nninit(['generate', recipe, '-o', join(root, 'evil\u001b[2J')]),
    nninit(['plan', config]),
    nninit(['plan', join(root, `${evil}.json`)]),
    nninit(['plan', recipe, `--${evil}`]),
    nninit(['plan', recipe, '--init', `${evil}=${evil}`]),
    nninit(['plan', recipe, '--dtype', evil]),
    nninit([evil]),
    nninit(['verify', join(root, evil)]),
  ]);
  for (const { stdout, stderr } of runs) {
    expect(stdout + stderr).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}]/u);
    expect(stdout + stderr).toContain('\\u001b[2J');
  }
});

test('with --json failures are JSON on standard error', async () => {
  const recipe = file('r.json', { tensors: { a: [1] } });
  const failures = [
    [['plan', recipe, '--json'], 'ERR_NNINIT_INPUT', recipe],
    [['plan', recipe, '--json', '--nonsense'], 'commander.unknownOption', null],
    [['generate', join(root, 'none.json'), '--json', '-o', root], 'ERR_NNINIT_READ', join(root, 'none.json')],
  ] as const;
  for (const [args, code, path] of failures) {
    const ran = await nninit(args);
    expect([ran.code, ran.stdout]).toEqual([2, '']);
    expect(ran.stderr).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(ran.stderr)).toEqual({
      error: { message: expect.stringMatching(/^nninit: /), code, path, exit_code: 2 },
    });
  }
});

test('an option that only the library refuses is bad usage too, and said without the name of a function', async () => {
  const recipe = file('r.json', { tensors: { a: { shape: [1], init: 'ones' } } });
  const out = join(root, 'refused');
  const cases = [
    [
      ['generate', recipe, '-o', out, '--name', '../x'],
      /^nninit: expected 1 to 100 letters.* for --name, but received '..\/x'/,
    ],
    [
      ['generate', 'gpt2', '-o', out, '--quantize', 'x'],
      /^nninit: option '--quantize <name>' argument 'x' is invalid. Allowed choices are fp8, /,
    ],
    [['plan', recipe, '--name', '.'], /^nninit: .*expected 1 to 100 letters.* for --name, but received '.'/],
    [
      ['serve', recipe, '--max-shard-size', '99TB'],
      /^nninit: expected an integer from 1 .* for --max-shard-size, but received 99/,
    ],
  ] as const;
  for (const [args, text] of cases) {
    const { code, stderr } = await nninit(args);
    expect([code, stderr]).toEqual([2, expect.stringMatching(text)]);
  }
  expect(existsSync(out)).toBe(false);
});

test('a misspelt command of bench is told, the nearest one named', async () => {
  const { code, stderr } = await nninit(['bench', 'comprae', 'a', 'b']);
  expect([code, stderr]).toEqual([2, "nninit: unknown command 'comprae' (did you mean 'compare'?)\n"]);
});
