import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { readHeaders } from '../../lib/formats/reader.js';
import { nninit as run } from './nninit.js';

let root = '';
const out = () => join(root, 'out');
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), 'nninit-cli-verify-'));
  writeFileSync(join(root, 'config.json'), JSON.stringify(llama));
  const { code } = await nninit('generate', join(root, 'config.json'), '-o', out(), '--seed', '9', '-q');
  expect(code).toBe(0);
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

const llama = {
  model_type: 'llama',
  hidden_size: 64,
  intermediate_size: 128,
  num_hidden_layers: 2,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  vocab_size: 512,
  tie_word_embeddings: false,
};

const nninit = (...args: string[]) => run(args);

/** A copy of the checkpoint's file with a change, by itself. */
async function changed(change: (bytes: Buffer, at: (tensor: string) => number) => void): Promise<string> {
  const { files, tensors } = await readHeaders(out());
  const bytes = readFileSync(join(out(), 'model.safetensors'));
  change(bytes, (name) => (files[0]?.dataOffset ?? 0) + (tensors.get(name)?.offsets[0] ?? 0));
  const path = join(root, 'changed.safetensors');
  writeFileSync(path, bytes);
  return path;
}

test.each([['--healthy'], ['--quantize', 'fp8'], ['--mtp'], ['--lora', 'r=2,targets=all-linear']])(
  '%s says what is planned, in place of what the checkpoint carries',
  async (...option) => {
    // The config.json beside it is that of the model as it was written: it is another plan, or none.
    const { code, stdout, stderr } = await nninit('verify', out(), ...option);
    expect(code).not.toBe(0);
    expect(stdout).not.toContain('equal to the plan');
    expect(stderr).toMatch(/not as planned|mtp: expected/);
  },
);

test('what generate wrote is as planned, by its own config and seed', async () => {
  const { code, stdout, stderr } = await nninit('verify', out());
  expect(code).toBe(0);
  expect(stdout).toMatch(/out: 21 tensors, \d+ kB, against seed 9: equal to the plan, [\d.]+ s, [\d.]+ GB\/s\n$/);
  expect(stderr).toMatch(/^nninit: checking 21 tensors, \d+ kB, of .*out\n$/);
  const quiet = await nninit('verify', out(), '-q');
  expect(quiet).toEqual({ code: 0, stdout: '', stderr: '' });
  const statistics = await nninit('verify', out(), '--statistics');
  expect(statistics.code).toBe(0);
  expect(statistics.stdout).toMatch(/model.norm.weight +float32 +\[64\] +all 1\n/);
  expect(statistics.stdout).toMatch(/consistent with the plan \(limit \d\.\d\d σ\)/);
});

test('a changed number is named, and the exit code is 1', async () => {
  const name = 'model.layers.1.mlp.up_proj.weight';
  const path = await changed((bytes, at) => bytes.writeFloatLE(0.5, at(name) + 4 * (64 * 3 + 5)));
  const { code, stdout, stderr } = await nninit('verify', path, out());
  expect(code).toBe(1);
  const line = `${name}: 1 of 8,192 elements differs; the first, [3, 5] (element 197): expected `;
  expect(stdout).toContain(line);
  expect(stdout).toMatch(/, found 0.5\n.*: 1 not as planned, /);
  expect(stderr).toContain(`nninit: ${path}: 1 tensor not as planned; the first: ${line}`);
  const json = await nninit('verify', path, out(), '--json');
  expect(json.code).toBe(1);
  expect(JSON.parse(json.stdout)).toMatchObject({
    mode: 'bytes',
    ok: false,
    seed: '9',
    engine: 'philox',
    differences: [{ tensor: name, problem: 'values', element: 197, index: [3, 5], found: '0.5', differing: 1 }],
  });
});

test('another seed, another plan: differences', async () => {
  expect((await nninit('verify', out(), '--seed', '10', '-q')).code).toBe(1);
  writeFileSync(join(root, 'other.json'), JSON.stringify({ ...llama, initializer_range: 0.03, vocab_size: 500 }));
  const other = await nninit('verify', out(), join(root, 'other.json'), '--statistics', '--json');
  expect(other.code).toBe(1);
  const { measured, differences } = JSON.parse(other.stdout) as {
    measured: { tensor: string; consistent: boolean; worst?: { test: string } }[];
    differences: { tensor: string; problem: string }[];
  };
  expect(differences.map(({ problem }) => problem)).toEqual(['shape', 'shape']);
  const off = measured.filter(({ consistent }) => !consistent);
  expect(off).toHaveLength(14); // all matrices
  expect(off[0]?.worst?.test).toBe('std');
});

test('files of others are compared with distributions', async () => {
  const { tensors, files } = await readHeaders(out());
  const data = readFileSync(join(out(), 'model.safetensors')).subarray(files[0]?.dataOffset);
  const entries = [...tensors.values()].map(({ name, tag, shape, offsets }) => {
    return `${JSON.stringify(name)}:${JSON.stringify({ dtype: tag, shape, data_offsets: offsets })}`;
  });
  const header = Buffer.from(`{${entries.join(',')}}`);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const path = join(root, 'foreign.safetensors');
  writeFileSync(path, Buffer.concat([length, header, data]));
  const config = join(root, 'config.json');
  const { code, stdout } = await nninit('verify', path, config, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ mode: 'statistics', ok: true, tensors: 21, differences: [] });
  // With a seed it can be compared all the same.
  const withSeed = await nninit('verify', path, config, '--json', '--seed', '9');
  expect(JSON.parse(withSeed.stdout)).toMatchObject({ mode: 'bytes', ok: true });
});

test('distributions that PyTorch gets wrong are warned of where they are compared', async () => {
  const rule = 'lm_head.weight={"init":"trunc_normal","std":0.001,"a":1,"b":2}';
  const { code, stderr } = await nninit('verify', out(), join(root, 'config.json'), '--statistics', '--init', rule);
  expect(code).toBe(1);
  expect(stderr).toContain('nninit: warning: lm_head.weight: if PyTorch or the engine torch made it, the distribution');
});

test("a rank's checkpoint is verified as that rank's", async () => {
  const folder = join(root, 'rank');
  const ranks = ['--tp', '4', '--rank', '3'];
  const made = await nninit('generate', join(root, 'config.json'), '-o', folder, '--seed', '9', '-q', ...ranks);
  expect(made.code).toBe(0);
  expect((await nninit('verify', folder, '-q', ...ranks)).code).toBe(0);
  expect((await nninit('verify', folder, '-q', '--statistics', ...ranks)).code).toBe(0);
  expect((await nninit('verify', folder, '-q', '--tp', '4', '--rank', '2')).code).toBe(1);
  expect((await nninit('verify', folder, '-q')).code).toBe(0); // it says itself that it is
  const whole = await nninit('verify', folder, join(folder, 'config.json'), '-q');
  expect(whole.code).toBe(1);
  expect(whole.stderr).toMatch(/expected shape \[512, 64\], but it is \[128, 64\]/);
});

test('what cannot be checked is bad input', async () => {
  const refuse = async (...args: string[]) => {
    const { code, stdout, stderr } = await nninit('verify', ...args);
    expect([code, stdout]).toEqual([2, '']);
    return stderr;
  };
  expect(await refuse(join(root, 'missing'))).toMatch(/no such file or directory \(ENOENT\)/);
  expect(await refuse(root)).toMatch(/expected (one checkpoint|a checkpoint)/);
  const alone = await changed(() => {});
  expect(await refuse(alone, join(root, 'none.json'))).toMatch(/none\.json/);
  const cut = join(root, 'cut.safetensors');
  writeFileSync(cut, readFileSync(alone).subarray(0, -1));
  expect(await refuse(cut, out())).toMatch(/the file is cut off/);
  const version = await changed((bytes) => {
    const at = bytes.indexOf('"nninit.stream_version":"1"');
    bytes.write('"nninit.stream_version":"2"', at);
  });
  expect(await refuse(version, out())).toMatch(
    /written with engine philox, stream version 2; .* makes philox, stream version 1/,
  );
});

test('without a config.json beside it, an input is asked for', async () => {
  const folder = mkdtempSync(join(root, 'bare-'));
  writeFileSync(join(folder, 'model.safetensors'), readFileSync(join(out(), 'model.safetensors')));
  const { code, stderr } = await nninit('verify', folder);
  expect(code).toBe(2);
  expect(stderr).toMatch(/expected a plan to check against, but there is no .*config.json: give an input, or --like/);
  expect((await nninit('verify', folder, out(), '-q')).code).toBe(0);
});

test('no name moves the cursor, and nothing is said of the numbers of a tensor that has none', async () => {
  const odd = 'a\u001b[2J\u202eb';
  const recipe = join(root, 'odd.json');
  const folder = join(root, 'odd');
  writeFileSync(recipe, JSON.stringify({ tensors: { [odd]: [4], none: [0] }, initializers: { '*': 'normal' } }));
  expect((await nninit('generate', recipe, '-o', folder, '-q')).code).toBe(0);
  const other = await nninit('verify', folder, recipe, '--init', '*=ones');
  expect(other.code).toBe(1);
  const { stdout } = await nninit('verify', folder, recipe, '--statistics');
  expect(stdout).toMatch(/^none +float32 +\[0\] +N\(0, 1²\)$/m);
  const renamed = join(root, 'renamed.json');
  writeFileSync(renamed, JSON.stringify({ tensors: { none: [0] }, initializers: { '*': 'normal' } }));
  const extra = await nninit('verify', folder, renamed);
  for (const text of [other.stdout, other.stderr, stdout, extra.stdout, extra.stderr]) {
    expect(text).not.toContain('\u001b');
    expect(text).not.toContain('\u202e');
  }
});

test('the config.json beside a checkpoint at an address is read, where options say what is planned', async () => {
  const server = createServer((request, response) => {
    const path = join(root, (request.url ?? '').replace('/tiny/llama/resolve/main/', '/out/'));
    const [, begin = 0, last = 0] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')?.map(Number) ?? [];
    if (!existsSync(path)) return void response.writeHead(404).end();
    const bytes = readFileSync(path);
    const end = Math.min(bytes.length, last + 1);
    response.writeHead(206, { 'content-range': `bytes ${begin}-${end - 1}/${bytes.length}` });
    response.end(bytes.subarray(begin, end));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv('HF_ENDPOINT', at);
  try {
    for (const path of [`${at}/out`, `${at}/out/model.safetensors`, 'hf:tiny/llama']) {
      const { code, stderr } = await nninit('verify', path, '--dtype', 'float32', '-q');
      expect([code, stderr]).toEqual([0, '']);
    }
  } finally {
    vi.unstubAllEnvs();
    server.closeAllConnections();
    server.close();
  }
});
