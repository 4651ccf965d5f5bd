import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inexactTensors } from '../../lib/cli/generate-run.js';
import { run } from '../../lib/cli/program.js';
import { loadPlan } from '../../lib/plan/load-plan.js';
import recorded from '../fixtures/torch/models.json' with { type: 'json' };
import { processorTime } from '../support.js';

// generate and verify with the engine torch, held to what PyTorch and transformers made.

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nninit-torch-'));
  const config = { model_type: 'gpt2', n_layer: 2, n_embd: 64, n_head: 4, vocab_size: 1000, n_positions: 128 };
  writeFileSync(join(folder, 'gpt2.json'), JSON.stringify(config));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function nninit(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', ''];
  const stdout = { write: (text: string) => (out += text) };
  const stderr = { write: (text: string) => (err += text) };
  const code = await run(args, { stdout, stderr });
  return { code, out, err };
}

/** SHA-256 of each tensor of a safetensors file. */
function digests(file: string): Record<string, string> {
  const bytes = readFileSync(file);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString('utf8', 8, start)) as Record<string, { data_offsets: [number, number] }>;
  delete header.__metadata__;
  const digest = ([from, to]: [number, number]) =>
    createHash('sha256')
      .update(bytes.subarray(start + from, start + to))
      .digest('hex');
  return Object.fromEntries(Object.entries(header).map(([name, { data_offsets }]) => [name, digest(data_offsets)]));
}

function recordedDigests(model: string): Record<string, string> {
  const found = recorded.cases.find((each) => each.model.includes(model));
  const state = (found?.state_dict ?? {}) as Record<string, { sha256: string }>;
  return Object.fromEntries(Object.entries(state).map(([name, { sha256 }]) => [name, sha256]));
}

test('a model of transformers has the bytes that PyTorch gives it, and verify finds them', async () => {
  const out = join(folder, 'gpt2');
  const made = await nninit('generate', join(folder, 'gpt2.json'), '-o', out, '--engine', 'torch', '--seed', '0', '-q');
  expect(made).toMatchObject({ code: 0, err: '' });
  const { 'lm_head.weight': _, ...expected } = recordedDigests('GPT2LMHeadModel');
  expect(digests(join(out, 'model.safetensors'))).toEqual(expected);

  const verified = await nninit('verify', out, '--json');
  expect(verified.code).toBe(0);
  expect(JSON.parse(verified.out)).toMatchObject({ ok: true, engine: 'torch', seed: '0' });
  expect((await nninit('verify', out, '--engine', 'philox', '-q')).code).toBe(1);
  expect((await nninit('verify', out, '--seed', '1', '-q')).code).toBe(1);
});

test('what does not follow its distribution is said when it is written, and again when it is measured', async () => {
  const recipe = join(folder, 'tails.json');
  const init = { init: 'trunc_normal', mean: 0, std: 0.02, a: 0.05, b: 10 };
  const tensors = { first: { shape: [64, 64], ...init }, second: { shape: [64, 64], ...init } };
  writeFileSync(recipe, JSON.stringify({ dtype: 'bfloat16', tensors }));
  const out = join(folder, 'tails');
  const words = /no more than 30 % of N\(0, 0.02²\) lies in \[0.05, 10\].* logarithms rounded to bfloat16/;
  const made = await nninit('generate', recipe, '-o', out, '--engine', 'torch');
  expect(made.code).toBe(0);
  expect(made.err).toMatch(/warning: first and 1 more tensor: /);
  expect(made.err).toMatch(words);
  const measured = await nninit('verify', out, '--statistics');
  expect(measured.code).toBe(1);
  expect(measured.err).toMatch(/warning: second: if PyTorch or the engine torch made it/);
  expect(measured.err).toMatch(words);

  const exact = await nninit('generate', recipe, '-o', out, '--force');
  expect(exact.err).not.toMatch(/warning/);
  expect((await nninit('verify', out, '--statistics')).code).toBe(0);
});

test('neither shards, threads nor ranks change them', async () => {
  const args = ['--engine', 'torch', '--seed', '0', '-q'];
  const shards = join(folder, 'shards');
  expect(
    (
      await nninit(
        'generate',
        join(folder, 'gpt2.json'),
        '-o',
        shards,
        ...args,
        '--max-shard-size',
        '100KB',
        '--threads',
        '3',
      )
    ).code,
  ).toBe(0);
  const index = JSON.parse(readFileSync(join(shards, 'model.safetensors.index.json'), 'utf8'));
  const files = new Set(Object.values(index.weight_map as Record<string, string>));
  expect(files.size).toBeGreaterThan(3);
  const { 'lm_head.weight': _, ...expected } = recordedDigests('GPT2LMHeadModel');
  expect(Object.assign({}, ...[...files].map((file) => digests(join(shards, file))))).toEqual(expected);
  expect((await nninit('verify', shards, '-q')).code).toBe(0);
});

test("a model of torchvision's too", async () => {
  const out = join(folder, 'resnet18');
  expect((await nninit('generate', 'resnet18', '-o', out, '--engine', 'torch', '-q')).code).toBe(0);
  expect(digests(join(out, 'model.safetensors'))).toEqual(recordedDigests('resnet18'));
});

test('a ready checkpoint of another engine is another checkpoint', async () => {
  const out = join(folder, 'gpt2');
  const again = await nninit('generate', join(folder, 'gpt2.json'), '-o', out, '--resume', '-q');
  expect(again.code).toBe(2);
  expect(again.err).toMatch(/another plan, seed or version/);
});

test('a warning of very many tensors takes no time', async () => {
  const w = { shape: [4], init: 'trunc_normal', a: 1, b: 10, std: 0.02 };
  const plan = await loadPlan({ dtype: 'bfloat16', tensors: { 't.{0..39999}.w': w } });
  const start = processorTime();
  expect(await inexactTensors(plan, 'torch')).toEqual([expect.stringMatching(/^t\.0\.w and 39,999 more tensors: /)]);
  expect(processorTime() - start).toBeLessThan(2000);
});
