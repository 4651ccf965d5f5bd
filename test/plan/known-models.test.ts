import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { knownConfigs } from '../../lib/nn/families/known-configs.js';
import { knownModels } from '../../lib/plan/known-models.js';
import { loadPlan } from '../../lib/plan/load-plan.js';
import { modelNames } from '../../lib/plan/models.js';

/** Counts that these models are known to have: written down apart from the configs, which have to arrive at them. */
const published: Readonly<Record<string, number>> = {
  gpt2: 124_439_808,
  'gpt2-medium': 354_823_168,
  'gpt2-large': 774_030_080,
  'gpt2-xl': 1_557_611_200,
  distilgpt2: 81_912_576,
  'distilbert-base-uncased': 66_985_530,
  'xlm-roberta-base': 278_295_186,
  't5-small': 60_506_624,
  't5-base': 222_903_552,
  't5-large': 737_668_096,
  'vit-base-patch16-224': 86_567_656,
  'vit-large-patch16-224': 304_326_632,
  'clip-vit-base-patch32': 151_277_313,
  'clip-vit-large-patch14': 427_616_513,
  'llama-2-7b': 6_738_415_616,
  'llama-2-13b': 13_015_864_320,
  'llama-2-70b': 68_976_648_192,
  'llama-3-8b': 8_030_261_248,
  'llama-3.1-70b': 70_553_706_496,
  'llama-3.1-405b': 405_853_388_800,
  'llama-3.2-1b': 1_235_814_400,
  'llama-3.2-3b': 3_212_749_824,
  'smollm2-135m': 134_515_008,
  'smollm2-360m': 361_821_120,
  'mistral-7b': 7_241_732_096,
  'mixtral-8x7b': 46_702_792_704,
  'qwen2.5-0.5b': 494_032_768,
  'qwen2.5-1.5b': 1_543_714_304,
  'qwen2.5-7b': 7_615_616_512,
  'qwen3-8b': 8_190_735_360,
  'pythia-70m': 70_426_624,
  'pythia-160m': 162_322_944,
  'pythia-410m': 405_334_016,
  'pythia-1.4b': 1_414_647_808,
  'opt-125m': 125_239_296,
  'opt-1.3b': 1_315_758_080,
  'opt-6.7b': 6_658_473_984,
};

test.each(Object.entries(published))('%s has %d parameters', async (name, parameters) => {
  expect((await loadPlan(name)).parameters).toBe(parameters);
});

test.each(Object.keys(knownConfigs).filter((name) => !(name in published)))('%s has a plan', async (name) => {
  const plan = await loadPlan(name);
  expect(plan.parameters).toBeGreaterThan(1e7);
  expect(JSON.parse(plan.config ?? '')).toMatchObject(knownConfigs[name]?.config ?? {});
});

test('no name is used twice', () => {
  const names = knownModels.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toEqual(expect.arrayContaining([...modelNames]));
});

test('a file of a name in the working folder wins, and a warning says so', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nninit-known-'));
  await writeFile(join(folder, 'gpt2'), '{"model_type": "gpt2", "n_layer": 1}');
  const before = process.cwd();
  try {
    process.chdir(folder);
    const plan = await loadPlan('gpt2');
    expect(plan.tensors).toHaveLength(16);
    expect(plan.warnings).toEqual([expect.stringContaining('gpt2: what stands here under this name was read')]);
  } finally {
    process.chdir(before);
    await rm(folder, { recursive: true });
  }
});
