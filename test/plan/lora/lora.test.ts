import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadPlan, verifyCheckpoint, virtualCheckpoint, writeCheckpoint } from '../../../lib/checkpoint.js';
import type { LoraOptions } from '../../../lib/plan/lora/options.js';
import { temporaryFolder } from '../../checkpoint/temporary.js';

interface Recorded {
  readonly keys: readonly string[];
  readonly cases: readonly {
    readonly config: Readonly<Record<string, unknown>> & { readonly architectures: readonly string[] };
    readonly lora: LoraOptions;
    readonly adapter_config: Readonly<Record<string, unknown>>;
    readonly tensors: Readonly<Record<string, readonly [shape: readonly number[], digest: string]>>;
  }[];
}

const recorded = JSON.parse(
  readFileSync(new URL('../../fixtures/lora/adapters.json', import.meta.url), 'utf8'),
) as Recorded;
const root = temporaryFolder();
const llama = recorded.cases[0]?.config ?? {};
const named = (name: string) => expect.objectContaining({ name }) as unknown;

describe("as PEFT's", () => {
  test.each([
    ['falcon', {}, ['query_key_value', 'dense', 'dense_h_to_4h', 'dense_4h_to_h']],
    [
      'phimoe',
      { num_key_value_heads: 2, intermediate_size: 64, num_local_experts: 4 },
      ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'router'],
    ],
  ])('classes that are derived from Linear are linear: %s', async (model_type, sizes, targets) => {
    const config = {
      model_type,
      hidden_size: 64,
      num_hidden_layers: 1,
      num_attention_heads: 4,
      vocab_size: 128,
      ...sizes,
    };
    const { tensors } = await loadPlan(config as never, { lora: { targets } });
    const ends = tensors.flatMap(({ name }) => /([^.]+)\.lora_A\.weight$/.exec(name)?.[1] ?? []);
    expect(ends).toEqual(targets);
    const all = await loadPlan(config as never, { lora: { targets: 'all-linear' } });
    expect(all.tensors).toEqual(tensors);
  });

  // What PEFT 0.21 did with transformers 5.18: these tensors were keys that it did not expect, and it told only that it missed those of experts.
  test('a warning says which modules PEFT will pass over, where it takes their names for the experts', async () => {
    const moe = {
      hidden_size: 64,
      intermediate_size: 96,
      num_hidden_layers: 2,
      num_attention_heads: 4,
      vocab_size: 128,
    };
    const deepseek = { ...moe, model_type: 'deepseek_v3', n_routed_experts: 8, n_group: 2, topk_group: 1 };
    const { warnings } = await loadPlan(deepseek as never, { lora: { targets: 'all-linear' } });
    expect(warnings).toEqual([
      'input: lora.targets: PEFT 0.21 takes gate_proj, up_proj and down_proj of a DeepseekV3ForCausalLM for its experts, ' +
        'and does not load what the adapter has for model.layers.0.mlp.gate_proj and 5 more',
    ]);
    // PEFT 0.21: "Cannot convert PEFT target(s) up_proj without also targeting gate_proj because they are fused into gate_up_proj."
    const half = await loadPlan(deepseek as never, { lora: { targets: ['up_proj', 'down_proj'] } });
    expect(half.warnings).toEqual([
      'input: lora.targets: PEFT 0.21 takes gate_proj, up_proj and down_proj of a DeepseekV3ForCausalLM for its experts, ' +
        'and loads no adapter that has one of gate_proj and up_proj without the other, as for model.layers.0.mlp.up_proj',
    ]);
    const attention = await loadPlan(deepseek as never, { lora: { targets: ['o_proj', 'q_b_proj'] } });
    expect(attention.warnings).toEqual([]);
    const dense = await loadPlan(llama as never, { lora: { targets: 'all-linear' } });
    expect(dense.warnings).toEqual([]);
    const shared = { ...moe, model_type: 'qwen2_moe', num_key_value_heads: 2, num_experts: 4 };
    expect((await loadPlan(shared as never, { lora: { targets: 'all-linear' } })).warnings).toEqual([]);
  });

  // What PEFT 0.21 did with transformers 5.18: its class for sequences to sequences asks for an encoder's arguments, and fails before it reads an adapter.
  test.each([
    ['qwen2_vl', 'CAUSAL_LM'],
    ['llava', 'CAUSAL_LM'],
    ['smolvlm', 'CAUSAL_LM'],
    ['gemma3', 'CAUSAL_LM'],
    ['bart', 'SEQ_2_SEQ_LM'],
    ['t5', 'SEQ_2_SEQ_LM'],
    ['marian', 'SEQ_2_SEQ_LM'],
  ])('what is generated of images is no task of sequences to sequences: %s', async (family, task) => {
    const { tiny } = JSON.parse(
      readFileSync(new URL(`../../fixtures/models/reference/${family}.json`, import.meta.url), 'utf8'),
    ) as { tiny: { class: string; config: object }[] };
    const { class: name, config } = tiny.find((each) => /Generation$|MTModel$/.test(each.class)) ?? {};
    const plan = await loadPlan({ ...config, architectures: [name] } as never, { lora: { targets: 'all-linear' } });
    expect(JSON.parse(plan.config ?? '')).toMatchObject({ task_type: task });
  });

  // PEFT 0.21: "Module 'out_proj' is incompatible with Mamba-based models", also when it loads.
  test('a warning says that PEFT loads no adapter of out_proj in state-space models', async () => {
    const mamba = { model_type: 'mamba', hidden_size: 64, num_hidden_layers: 2, vocab_size: 128, state_size: 4 };
    const { warnings } = await loadPlan(mamba as never, { lora: { targets: 'all-linear' } });
    expect(warnings).toEqual([
      'input: lora.targets: PEFT 0.21 loads no adapter of a MambaForCausalLM that has out_proj among its targets, as backbone.layers.0.mixer.out_proj: name the others',
    ]);
    expect((await loadPlan(mamba as never, { lora: { targets: ['in_proj', 'x_proj'] } })).warnings).toEqual([]);
    const opt = { model_type: 'opt', hidden_size: 64, ffn_dim: 64, num_hidden_layers: 1, num_attention_heads: 4 };
    expect((await loadPlan(opt as never, { lora: { targets: ['out_proj'] } })).warnings).toEqual([]);
  });

  test.each(recorded.cases.map((each) => [each.config.architectures[0], each.lora.targets, each] as const))(
    '%s, %j',
    async (_, __, { config, lora, adapter_config, tensors }) => {
      const plan = await loadPlan(config, { lora });
      const virtual = virtualCheckpoint(plan, { seed: 7, engine: 'torch' });
      const bytes = await virtual.read('adapter_model.safetensors');
      const start = 8 + Number(Buffer.from(bytes.slice(0, 8)).readBigUInt64LE());
      const head = JSON.parse(Buffer.from(bytes.slice(8, start)).toString()) as Record<
        string,
        { dtype: string; shape: number[]; data_offsets: [number, number] }
      >;
      delete head.__metadata__;
      const found = Object.entries(head).map(
        ([
          name,
          {
            shape,
            data_offsets: [begin, end],
          },
        ]) => {
          const digest = createHash('sha256')
            .update(bytes.slice(start + begin, start + end))
            .digest('hex');
          return [name, [shape, digest.slice(0, 16)]];
        },
      );
      expect(Object.fromEntries(found)).toEqual(tensors);
      const made = JSON.parse(plan.config ?? '') as Record<string, unknown>;
      expect(made).toMatchObject(adapter_config);
      expect(recorded.keys).toEqual(expect.arrayContaining(Object.keys(made)));
      // What the config says as targets means the same modules again.
      const again = await loadPlan(config, { lora: { ...lora, targets: made.target_modules as string[] } });
      expect(again.tensors).toEqual(plan.tensors);
    },
  );
});

test('an adapter is written, verified without its model, and found changed', async () => {
  const folder = join(root.path, 'adapter');
  const lora = { r: 4, alpha: 16, targets: ['q_proj'], b: 0.01, base: 'org/base' };
  const plan = await loadPlan(llama, { lora, rules: { '*.layers.0.*.lora_B.weight': 'ones' } });
  const { path } = await writeCheckpoint(plan, folder, { seed: 3 });
  expect(path).toBe(join(folder, 'adapter_model.safetensors'));
  expect((await readdir(folder)).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  const config = JSON.parse(await readFile(join(folder, 'adapter_config.json'), 'utf8')) as unknown;
  expect(config).toMatchObject({ lora_alpha: 16, target_modules: ['q_proj'], base_model_name_or_path: 'org/base' });
  expect(await verifyCheckpoint(folder)).toMatchObject({ ok: true, tensors: 4 });
  const other = await verifyCheckpoint(folder, { seed: 4 });
  expect(other.differences.map(({ tensor }) => tensor)).toEqual([
    'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight',
    'base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight',
    'base_model.model.model.layers.1.self_attn.q_proj.lora_B.weight',
  ]);
  await expect(writeCheckpoint(plan, folder, { seed: 4 })).rejects.toThrow('adapter_model.safetensors exists already');
});

test('the plan is plain data, and a recipe makes it too', async () => {
  const lora = { r: 2, targets: ['v_proj'] };
  const plan = await loadPlan(llama, { lora });
  const again = JSON.parse(JSON.stringify(plan)) as typeof plan;
  const files = virtualCheckpoint(plan, { seed: 1 }).files;
  expect(virtualCheckpoint(again, { seed: 1 }).files).toEqual(files);
  expect(files).toEqual([named('adapter_model.safetensors'), named('adapter_config.json')]);
  expect(virtualCheckpoint(plan, { name: 'other' }).files[0]).toEqual(named('other.safetensors'));
  const recipe = await loadPlan({ model: llama, lora, dtype: 'bfloat16' });
  expect(recipe.tensors).toEqual(plan.tensors.map((tensor) => ({ ...tensor, dtype: 'bfloat16' })));
  expect((await loadPlan({ model: { ...llama, torch_dtype: 'bfloat16' }, lora })).tensors).toEqual(plan.tensors);
});

test('an adapter is one file however large, since PEFT reads no shards; it is cut where that is asked for', async () => {
  const plan = await loadPlan(llama, { lora: { r: 1e9, targets: ['q_proj'] } });
  const config = named('adapter_config.json');
  expect(virtualCheckpoint(plan).files).toEqual([named('adapter_model.safetensors'), config]);
  const cut = virtualCheckpoint(plan, { maxShardSize: '5GB' }).files;
  expect(cut.length).toBeGreaterThan(3);
  expect(cut).toContainEqual(named('adapter_model.safetensors.index.json'));
});

test.each([
  [{ targets: '' }, "lora.targets: expected text of a length ≥ 1, but received ''"],
  [{ targets: ['q_proj'], r: 2 ** 53 }, 'lora.r: expected a whole number ≥ 1 and < 2^53, but received'],
  [{ targets: 'embed_tokens' }, "lora.targets: expected some of the linear modules, 'q_proj', "],
  [{ targets: ['embed_tokens'] }, "expected linear modules, but 'model.embed_tokens', which matches, is Embedding"],
  [{ targets: ['self_attn'] }, "but 'model.layers.0.self_attn', which matches, is a module of modules"],
  [{ targets: '(' }, 'lora.targets: expected a regular expression, but received "("'],
  [{ targets: [] }, "lora.targets: expected 'all-linear', a regular expression"],
  [{}, "lora.targets: expected 'all-linear', a regular expression over names of modules"],
  [{ targets: ['q_proj'], r: 0 }, 'lora.r: expected a whole number ≥ 1, but received 0'],
  [{ targets: ['q_proj'], alpha: 0 }, 'lora.alpha: expected a number > 0, but received 0'],
  [{ targets: ['q_proj'], b: Number.NaN }, 'lora.b: expected a finite number ≥ 0, but received NaN'],
  [{ targets: ['q_proj'], init: 'gausian' }, "(did you mean 'gaussian'?)"],
  [{ targets: ['q_proj'], rank: 4 }, 'lora.rank: unknown key, expected one of'],
  ['q_proj', 'lora: expected an object with "targets", but received \'q_proj\''],
])('refused: %j', async (lora, message) => {
  await expect(loadPlan(llama, { lora: lora as never })).rejects.toThrow(message);
});

test('a model of a head and nothing else has no linear modules that all-linear means', async () => {
  const empty = loadPlan({ ...llama, num_hidden_layers: 0 } as never, { lora: { targets: 'all-linear' } });
  await expect(empty).rejects.toThrow('expected a model with linear modules beside its head, but there is none');
});

test('refused beside an adapter', async () => {
  const lora = { targets: ['q_proj'] };
  await expect(loadPlan(llama, { lora, tp: { ranks: 2, rank: 0 } })).rejects.toThrow('no tensor parallelism');
  await expect(loadPlan(llama, { lora, quantize: 'fp8' })).rejects.toThrow('no quantization beside lora');
  await expect(loadPlan('resnet18', { lora })).rejects.toThrow('expected a config.json beside "lora"');
  await expect(loadPlan({ like: 'x' }, { lora })).rejects.toThrow('expected the config.json of a model');
  await expect(loadPlan({ tensors: { a: [1] }, lora })).rejects.toThrow('expected "model" beside "lora"');
});
